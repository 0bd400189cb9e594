"""The Slurm executor: one module a command, three ways to reach them, one journal of intents."""
