"""Arbitrary bytes for everything that reads bytes: a value or a documented error, never another exception, never a hang."""
