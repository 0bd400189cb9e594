"""Datasets, and the bytes that projects sent."""
