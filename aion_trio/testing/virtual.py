"""Virtual time: a run of Trio whose clock jumps when everything waits, and the same schedule for the same seed.

A year of timers takes milliseconds, because nothing sleeps for real. The store has to be one that is applied on the loop
(`MemoryStore`): the clock would run on while a thread commits.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple, Unpack

import trio
from trio.testing import MockClock

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


def run_virtual(async_fn: Callable[[Unpack[Ts]], Awaitable[R]], *args: *Ts, seed: int = 0) -> R:
    """Run an async function in a Trio of its own, in virtual time; what it returns or raises.

    With one `seed` the tasks are scheduled in one order, so that what was found once can be found again. Cannot be called
    from inside of a running Trio.
    """
    with _seeded_schedule(seed):
        run: Callable[..., R] = trio.run  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return run(async_fn, *args, clock=MockClock(autojump_threshold=0))


@contextmanager
def standing_still() -> Iterator[None]:
    """A block in which virtual time does not jump, though every task waits: a thread is at work that Trio cannot see."""
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock):
        yield
        return
    threshold, clock.autojump_threshold = clock.autojump_threshold, float("inf")
    try:
        yield
    finally:
        clock.autojump_threshold = threshold


@contextmanager
def _seeded_schedule(seed: int) -> Iterator[None]:
    """Trio's scheduler tosses a coin for each batch of tasks; these are the names by which Hypothesis makes it repeatable, too."""
    scheduler: Any = importlib.import_module("trio._core._run")
    coin: random.Random = scheduler._r
    before = coin.getstate(), scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    coin.seed(seed)
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        coin.setstate(before[0])
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before[1]
