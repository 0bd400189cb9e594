"""Fucina, the open operating system of an AI Factory."""

__version__ = "0.1.0"
