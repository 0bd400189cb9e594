"""SDK: the typed client of the hub's API."""
