"""Models and their releases."""
