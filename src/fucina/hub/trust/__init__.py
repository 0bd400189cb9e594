"""Evaluations and dossiers of releases, and the check that a release passes before it is registered."""
