"""REST: every route of the hub, each a translation into one action or one reading."""
