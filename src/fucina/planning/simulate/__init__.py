"""What a cluster or a network of sites does with a stream of jobs."""
