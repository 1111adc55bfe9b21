"""Virtual time: a run of Trio whose clock jumps when everything waits, and the same schedule for the same seed.

A year of timers takes milliseconds, because nothing sleeps for real. The store has to be one that is applied on the loop
(`MemoryStore`): the clock would run on while a thread commits.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple, Unpack

import outcome
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


def run_virtual(async_fn: Callable[[Unpack[Ts]], Awaitable[R]], *args: *Ts, seed: int = 0) -> R:
    """Run an async function in a Trio of its own, in virtual time; what it returns or raises.

    With one `seed` the tasks are scheduled in one order, so that what was found once can be found again. Raises
    `RuntimeError` where a Trio runs already, as in an async test.
    """
    if trio.lowlevel.in_trio_run():
        raise RuntimeError(
            "run_workflow, run_virtual, explore_crashes and simulate start a Trio of their own, and one runs here already: call them "
            "from a plain `def` test or, in an async one, use `async with open_test_engine(...)` under a MockClock (autojump_clock)"
        )
    with _seeded_schedule(seed):
        run: Callable[..., R] = trio.run  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return run(async_fn, *args, clock=MockClock(autojump_threshold=0))


@dataclass(slots=True)
class _Stand:
    """A clock that stands: for how many blocks, its threshold before the first of them, and whose turn comes last."""

    threshold: float
    blocks: int = 0
    last: trio.Event | None = None


_standing: dict[MockClock, _Stand] = {}


@contextmanager
def standing_still() -> Iterator[_Stand]:
    """A block in which virtual time does not jump, though every task waits: a thread is at work that Trio cannot see.

    Blocks may overlap; the clock goes on at the end of the last.
    """
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock):
        yield _Stand(0)
        return
    stand = _standing.setdefault(clock, _Stand(clock.autojump_threshold))
    stand.blocks += 1
    clock.autojump_threshold = float("inf")
    try:
        yield stand
    finally:
        stand.blocks -= 1
        if not stand.blocks:
            clock.autojump_threshold = _standing.pop(clock).threshold


async def run_in_turn(fn: Callable[..., R], args: tuple[Any, ...]) -> R:
    """Run a function in a thread for which virtual time waits, so that the schedule does not depend on how long the thread takes.

    What comes of it is heard of when nothing else can happen, and after what came of those that began before it. A function that
    waits for what another's result sets off may wait for ever.
    """
    with standing_still() as stand:
        before, stand.last = stand.last, (done := trio.Event())
        try:
            came = await outcome.acapture(_in_thread, fn, args)
            if before is not None:
                await before.wait()
            await wait_all_tasks_blocked()
            return came.unwrap()
        finally:
            done.set()


async def _in_thread(fn: Callable[..., R], args: tuple[Any, ...]) -> R:
    return await trio.to_thread.run_sync(fn, *args, abandon_on_cancel=True)


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
