"""One life of an engine in the simulation: how it is set up, what goes wrong in it, and how it ends."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import trio
from trio.testing import wait_all_tasks_blocked

from ...definitions import WorkflowDefinition
from ...engine import Engine, EngineConfig, open_engine
from ...errors import AppendOutcomeUnknown, JournalFullError
from ...seams import Ids
from ...stores import Fault, FaultyStore, Store, StoreError, StoreFailed, StoreFull
from ..doubles import AnyActivity, Perform, stand_ins
from .clients import Client
from .lawbook import Breach, Law
from .nodes import parts_of
from .payloads import Mask

Last = Callable[[Engine], Awaitable[None]]
End = Literal["commit", "time", "stop", "calm"]

LONGEST_LIFE = 900.0
"""Seconds of virtual time after which a life that was to die is stopped."""
STOPPED_WITHIN = 1.0
"""Seconds of virtual time that an engine may take to come down (nothing that it does then has to wait)."""


class SimulatedClock:
    """Trio's clock, shifted by `skew_us`: from life to life it may be set forward and back (H8)."""

    def __init__(self, epoch_us: int = 1_767_225_600_000_000) -> None:
        self._epoch_us = epoch_us
        self.skew_us = 0

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return self._epoch_us + self.skew_us + round(trio.current_time() * 1e6)

    async def sleep_until(self, due_us: int) -> None:
        """Return once `now_us()` has reached `due_us`."""
        await trio.sleep(max(0.0, (due_us - self.now_us()) / 1e6))
        while self.now_us() < due_us:  # noqa: ASYNC110  # Trio's clock was a rounded microsecond short
            await trio.sleep(1e-6)


@dataclass(frozen=True, slots=True)
class LifePlan:
    """How a life shall go.

    It `end`s at its commit number `at` (not made, or made and not acknowledged: `after`), at the time `at` by a crash or by
    an orderly stop, or not before its clients are done. `faults` fail single commits, `full` is when and for how long (seconds)
    there is no room for any, `without` names what is not
    loaded: a type, `type 2` for one version, or an activity. `masked` says whether a payload codec is applied.
    """

    end: End = "calm"
    at: float = 0
    after: bool = False
    faults: tuple[Fault, ...] = ()
    full: tuple[float, float] | None = None
    without: frozenset[str] = frozenset()
    skew_us: int = 0
    idle_after: float = 60.0
    resident_limit: int = 10_000
    task_limit: int = 1000
    masked: bool = False


READS = ("head", "history", "summary", "runs", "mark", "obligation", "obligations", "obligations_of")
"""The reads of a store that may fail."""


def make_plan(rng: random.Random) -> LifePlan:
    """A random life."""
    plan = _make_plan(rng)
    reads = [Fault(rng.choice(READS), rng.choice([1, rng.randint(1, 10), rng.randint(1, 100)]), StoreError("simulated: it cannot be read"))]
    return replace(plan, faults=(*plan.faults, *reads * (rng.random() < 0.2)))


def _make_plan(rng: random.Random) -> LifePlan:
    end: End = rng.choice(["commit", "commit", "commit", "time", "time", "stop"])
    at = rng.choice([1, 2, 3, rng.randint(1, 10), rng.randint(1, 80)]) if end == "commit" else rng.choice([0.0, 0.5, 1.0, 2.0, 7.5, 61.0])
    return LifePlan(
        end,
        at,
        rng.random() < 0.5,
        tuple(_fault(rng) for _ in range(rng.choice([0, 0, 1, 2, 4]))),
        rng.choice([None, None, None, (0.0, 3.0), (1.0, 30.0), (5.0, 0.5)]),
        frozenset(rng.sample(["program 2", "other", "slow", "flaky"], rng.choice([0, 0, 0, 1, 2]))),
        rng.choice([0, 0, 0, -3600, -5, 5, 3600]) * 1_000_000,
        rng.choice([0.1, 1.0, 60.0]),
        rng.choice([1, 2, 5, 1000]),
        rng.choice([1, 3, 1000]),
        rng.random() < 0.3,
    )


def _fault(rng: random.Random) -> Fault:
    if rng.random() < 0.1:
        return Fault("reopen", error=StoreFailed("simulated: cannot be opened again yet"))
    error = rng.choice([StoreFull("simulated: no space"), StoreFailed("simulated: the commit failed half-way")])
    return Fault(
        "apply",
        nth=rng.choice([rng.randint(1, 8), rng.randint(1, 40)]),
        error=error,
        after=isinstance(error, StoreFailed) and rng.random() < 0.5,
    )


@dataclass(slots=True)
class Lived:
    """How a life went: whether it died, where, how many commits its recovery took, and what went wrong that should not."""

    died: bool = False
    opened: bool = False
    refused: bool = False
    """It was not opened: there was no room for what its recovery had to record, or the journal could not be read."""
    unread: bool = False
    """A read of the store failed."""
    commits: int = 0
    recovery_commits: int = 0
    seconds_to_stop: float = 0.0
    reports: tuple[Any, ...] = ()
    error: BaseException | None = None

    def breaches(self, name: str) -> Iterator[Breach]:
        """What was wrong with it."""
        if self.error is not None:
            yield Breach(Law.SOUNDNESS, f"{name} raised {told(self.error)}")
        if self.seconds_to_stop > STOPPED_WITHIN:
            yield Breach(Law.BOUNDED_STOP, f"{name} took {self.seconds_to_stop} s to stop")


@dataclass(slots=True)
class Stage:
    """What lasts from life to life."""

    store: Store
    clock: SimulatedClock
    ids: Ids
    workflows: Sequence[WorkflowDefinition[..., Any]]
    activities: Sequence[AnyActivity]
    perform: Perform
    namespace: str = "default"

    def open(self, store: Any, plan: LifePlan, perform: Perform | None = None) -> Any:
        """An engine as the plan wants it."""
        self.clock.skew_us = plan.skew_us
        config = replace(
            EngineConfig(), clock=self.clock, ids=self.ids, idle_after=plan.idle_after, resident_limit=plan.resident_limit,
            task_limit=plan.task_limit, namespace=self.namespace, payload_codecs=(Mask(plan.masked),),
        )  # fmt: skip
        loaded = [each for each in self.workflows if not {each.name, f"{each.name} {each.version}"} & plan.without]
        served = [each for each in self.activities if each.name not in plan.without]
        return open_engine(store, workflows=loaded, activities=stand_ins(served, perform or self.perform), config=config)


async def live(stage: Stage, plan: LifePlan, clients: Sequence[Client], last: Last | None = None) -> Lived:
    """Live through one life; `last` brings everything to an end, in a life that is not to be disturbed."""
    store = FaultyStore(stage.store)
    store.plan(*plan.faults)
    if plan.end == "commit":
        store.plan(Fault("apply", nth=int(plan.at), after=plan.after, crash=True))
    lived = Lived()
    ended_at = trio.current_time()
    try:
        async with trio.open_nursery() as nursery:
            if plan.end == "time":
                nursery.start_soon(_die, store, plan.at, nursery.cancel_scope)
            if plan.full is not None:
                nursery.start_soon(_fill, store, *plan.full)
            async with stage.open(store, plan) as engine:
                lived.opened, lived.recovery_commits, lived.reports = True, _commits(store), (engine.recovery,)
                await _act(plan, clients, engine, last)
                ended_at = trio.current_time()
            nursery.cancel_scope.cancel()
    except BaseException as error:  # the crash, and whatever else was going on when it came
        lived.refused = not lived.opened and _is_excused(error, plan)
        if not store.crashed and not lived.refused:
            lived.error = error
    lived.unread = _was_unread(plan, store)
    lived.died, lived.commits = store.crashed, _commits(store)
    lived.seconds_to_stop = 0.0 if store.crashed else trio.current_time() - ended_at
    return lived


def _commits(store: FaultyStore) -> int:
    """How many commits were asked for, those that failed included."""
    return store.calls.get("apply", 0)


def _was_unread(plan: LifePlan, store: FaultyStore) -> bool:
    """Whether a read failed; where the store has healed from being full, that is not known any more."""
    planned = any(fault.operation in READS for fault in plan.faults)
    return planned and plan.full is None and not any(fault.operation in READS for fault in store.pending)


def _is_excused(error: BaseException, plan: LifePlan) -> bool:
    """Whether an engine may refuse to open with this: there was no room for its recovery, or the journal could not be read."""
    if parts := parts_of(error):
        return all(_is_excused(part, plan) for part in parts)
    unread = any(fault.operation in READS for fault in plan.faults)
    return isinstance(error, JournalFullError) or (unread and isinstance(error, AppendOutcomeUnknown))


async def _act(plan: LifePlan, clients: Sequence[Client], engine: Engine, last: Last | None) -> None:
    """The clients' doings; in a life that is to die they are cut off when nothing seems to come any more."""
    with trio.move_on_after(plan.at if plan.end == "stop" else LONGEST_LIFE if last is None else math.inf):
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(client.act, engine)
            if last is not None:
                nursery.start_soon(last, engine)
        if last is None:
            await trio.sleep(120)  # what was planned may still come


async def _die(store: FaultyStore, after: float, scope: trio.CancelScope) -> None:
    """The process is gone, at a moment that is nobody's choice: what was not committed is lost."""
    await trio.sleep(after)
    store.crashed = True
    scope.cancel()


async def _fill(store: FaultyStore, after: float, seconds: float) -> None:
    """The disk is full for a while; what else was planned is forgotten when there is room again."""
    await trio.sleep(after)
    store.plan(Fault("apply", error=StoreFull("simulated: no space for a while"), lasting=True))
    await trio.sleep(seconds)
    store.heal()


def told(error: BaseException) -> str:
    """An exception in one line, with the parts of a group."""
    parts = parts_of(error)
    return f"{type(error).__name__}({', '.join(map(told, parts))})" if parts else f"{type(error).__name__}: {error}"


async def recover_only(stage: Stage, store: Store, perform: Perform) -> None:
    """Open an engine, let it recover, and leave."""
    async with stage.open(store, LifePlan(), perform):
        await wait_all_tasks_blocked()
