"""Programs that are killed with SIGKILL at random moments, as processes of their own, and what must be true afterwards."""
