"""Training: one generator of steps, and around it state, checkpoints, records, progress and selection."""
