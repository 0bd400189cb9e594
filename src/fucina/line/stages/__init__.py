"""One module a stage; only the one that runs is loaded, so that a light stage starts fast."""
