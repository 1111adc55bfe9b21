"""A crowd of tasks that make calls at once, and the record that is kept of them.

Moments are numbers of one counter, which the tasks of one Trio share, so that they are exact also where the clock is virtual or coarse.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from .linear import NEVER, Interval

PATIENCE = (0.0, 0.0002, 0.001, 0.003)
"""How long the impatient wait, in seconds: from not at all to about as long as a call takes."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many tasks make how many calls each, of how many ids; drawn from a seed. `virtual`: time is, so that pauses may be slept."""

    seed: int
    tasks: int = 12
    calls: int = 25
    ids: int = 4
    virtual: bool = True

    def chance(self, task: int) -> random.Random:
        """Each task draws for itself, so that what it does hangs on the seed alone."""
        return random.Random(self.seed * 1000 + task)

    async def pause(self, chance: random.Random) -> None:
        """Let others go first, for a while; virtual pauses are of few lengths, so that many end at once."""
        if self.virtual:
            await trio.sleep(chance.choice((0, 0, 0.01, 0.1)))
        for _ in range(chance.choice((0, 0, 1, 3))):
            await trio.lowlevel.checkpoint()


@dataclass(slots=True)
class Record:
    """What a crowd's calls were, and what was wrong with them."""

    calls: int = 0
    appends: int = 0
    """Of the calls: appends that were acknowledged."""
    given_up: int = 0
    overlapping: int = 0
    """Calls that were made while another one of the same id was under way."""
    faults: list[str] = field(default_factory=list[str])

    def count(self, calls: Sequence[Interval]) -> None:
        """Count the calls of one id."""
        self.calls += len(calls)
        self.given_up += sum(call.ended == NEVER for call in calls)
        latest = -1
        for call in sorted(calls, key=lambda call: call.began):
            self.overlapping += call.began < latest
            latest = max(latest, call.ended if call.ended != NEVER else call.began)

    def judge(self, name: str, fault: str) -> None:
        """Note a fault, if it is one."""
        if fault:
            self.faults.append(f"{name}: {fault}")

    def add(self, other: Record) -> None:
        """Count another record's calls as well."""
        self.calls += other.calls
        self.appends += other.appends
        self.given_up += other.given_up
        self.overlapping += other.overlapping
        self.faults += other.faults


async def crowd_of(crowd: Crowd, one: Callable[[random.Random, int], Awaitable[None]]) -> None:
    """Every task makes its calls, `one` after the other; the second argument numbers the calls of all tasks."""

    async def task(number: int) -> None:
        chance = crowd.chance(number)
        for call in range(crowd.calls):
            await crowd.pause(chance)
            await one(chance, number * crowd.calls + call)

    async with trio.open_nursery() as nursery:
        for number in range(crowd.tasks):
            nursery.start_soon(task, number)
