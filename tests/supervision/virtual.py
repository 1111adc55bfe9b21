"""A run of Trio in which nothing depends on anything but a seed.

The clock jumps to the next deadline as soon as no task can run, and Trio's choice among runnable tasks is drawn
from the seed. A run that can never end is an error of its own, not a hang: when nothing can run and nothing is due,
or after very many steps, the clock refuses to go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import trio
import trio._core._run as trio_run

POLLS = 50


class Hung(BaseException):
    """The simulated program will never end."""


class JumpingClock(trio.abc.Clock):
    """Time passes only when nobody has anything to do."""

    def __init__(self, until: float = 100_000.0, looks: int = 300_000) -> None:
        self.now = 0.0
        self._until, self._looks, self._left, self._polls = until, looks, looks, POLLS

    def start_clock(self) -> None: ...

    def current_time(self) -> float:
        self._left -= 1
        if self._left < 0:
            raise Hung(f"at {self.now}: busy for ever")
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Go to ``deadline``; Trio asks for it exactly when no task is runnable."""
        if deadline > self._until:
            self._polls -= 1  # a run that ends polls for I/O of its own a few times
            if self._polls < 0:
                raise Hung(f"at {self.now}: nothing can run, and nothing is due")
        elif deadline > self.now:
            self.now, self._left, self._polls = deadline, self._looks, POLLS
        return 0.0


def run_virtually(main: Callable[[], Awaitable[Any]], seed: int) -> Any:
    """Run ``main`` in virtual time with a schedule that follows from ``seed``."""
    clock = JumpingClock()
    drawn = {"_ALLOW_DETERMINISTIC_SCHEDULING": True, "_r": Random(seed)}  # as Trio's own plugin for Hypothesis does
    before = {name: getattr(trio_run, name) for name in drawn}
    try:
        vars(trio_run).update(drawn)
        return trio.run(main, clock=clock)
    finally:
        vars(trio_run).update(before)
