"""Usage records and GPU-second arithmetic."""
