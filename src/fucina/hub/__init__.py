"""The hub: the only place that knows Django."""
