"""The line: project file, five stages, release bundle."""
