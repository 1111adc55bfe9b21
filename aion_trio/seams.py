"""Clock and identifiers: what the engine takes from the outside world, and what a simulation replaces."""

from __future__ import annotations

import secrets
import time
from typing import Protocol

import trio

_LONGEST_SLEEP = 60.0
"""Seconds after which a sleeper looks at the clock again: wall clocks are set, machines are suspended."""


class Clock(Protocol):
    """The engine's time."""

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        ...

    async def sleep_until(self, due_us: int) -> None:
        """Return once `now_us()` has reached `due_us`; a checkpoint always."""
        ...


class SystemClock:
    """The wall clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000

    async def sleep_until(self, due_us: int) -> None:
        """Return once the wall clock shows `due_us`, also if it was set meanwhile."""
        while (left_us := due_us - self.now_us()) > 0:  # noqa: ASYNC110  # a wall clock sends no events
            await trio.sleep(min(left_us / 1e6, _LONGEST_SLEEP))  # only the clock can tell
        await trio.lowlevel.checkpoint()


class TrioClock:
    """Trio's clock, counted from a fixed date: virtual time under `trio.testing.MockClock`."""

    def __init__(self, epoch_us: int = 1_767_225_600_000_000) -> None:
        self._epoch_us = epoch_us

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return self._epoch_us + round(trio.current_time() * 1e6)

    async def sleep_until(self, due_us: int) -> None:
        """Return once Trio's clock shows `due_us`."""
        await trio.sleep_until((due_us - self._epoch_us) / 1e6)
        while self.now_us() < due_us:  # noqa: ASYNC110  # Trio's clock was a rounded microsecond short
            await trio.sleep(1e-6)  # only the clock can tell


class Ids(Protocol):
    """Where run ids and workflow ids come from."""

    def run_id(self) -> bytes:
        """Sixteen bytes that no other run has."""
        ...

    def workflow_id(self) -> str:
        """An id for a workflow that was started without one."""
        ...


class RandomIds:
    """Ids from the system's random source."""

    def run_id(self) -> bytes:
        """Sixteen random bytes."""
        return secrets.token_bytes(16)

    def workflow_id(self) -> str:
        """Twenty-two random URL-safe characters."""
        return secrets.token_urlsafe(16)
