"""Runs: one actor per workflow in memory, made by its first message and let go when it has been idle."""

from .directory import Runs
from .messages import Effect
from .services import Courier, Services

__all__ = ["Courier", "Effect", "Runs", "Services"]
