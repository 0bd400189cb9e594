"""Sites that registered here, their partitions and their agents."""
