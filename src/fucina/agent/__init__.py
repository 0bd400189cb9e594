"""Site agent: claims jobs from the hub and hands them to an executor."""
