"""Recipes, the trainer and what it leaves."""
