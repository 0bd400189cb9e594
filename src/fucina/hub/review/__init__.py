"""Reviewers, conflicts, assignments, scores and rankings."""
