"""How one run of a child ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["returned", "raised", "stopped"]
"""Stopped means: cancelled by its supervisor, and it let itself be cancelled."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How one run of a child ended; times are Trio's, in seconds."""

    path: str
    how: How
    error: BaseException | None
    at: float
    ran_for: float

    @property
    def failure(self) -> Exception | None:
        """The error that supervision answers to; None for a `KeyboardInterrupt` and its like, which go on up."""
        return self.error if isinstance(self.error, Exception) else None
