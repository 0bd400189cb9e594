"""Projects, line runs, jobs and what happened to them."""
