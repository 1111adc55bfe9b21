"""Clients of a daemon."""
