"""Identifiers that the states of the Union give to persons: a table, validators, and the search for them."""
