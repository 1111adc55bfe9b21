"""The one place where randomness of its own enters this package: the jitter of back-offs, where none is passed in."""

from random import Random

__all__ = ["Random"]
