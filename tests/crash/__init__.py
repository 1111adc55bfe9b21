"""What must hold when the power fails, and when many callers act at once; judged from what was recorded."""
