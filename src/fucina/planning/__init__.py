"""Planning: what a training run will take, where, and how sure we are."""
