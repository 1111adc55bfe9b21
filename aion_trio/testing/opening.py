"""`open_test_engine`: an engine in memory, in the test's own time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import trio
from trio.testing import MockClock

from ..codec import Codec
from ..definitions import Registry, WorkflowDefinition
from ..engine import Engine, EngineConfig, open_engine
from ..errors import NonDeterminismError
from ..replay import World
from ..seams import SystemClock, TrioClock
from ..stores import MemoryStore, Store
from .answers import GivenActivities, definitions_in
from .doubles import run_function, stand_ins
from .rehearsal import RehearsingStore

_DEFAULTS = EngineConfig()


@asynccontextmanager
async def open_test_engine(
    *,
    workflows: Iterable[WorkflowDefinition[..., Any]] = (),
    activities: GivenActivities = (),
    modules: Iterable[ModuleType] = (),
    doubles: GivenActivities = (),
    store: Store | None = None,
    config: EngineConfig = _DEFAULTS,
    replay_every_step: bool = False,
) -> AsyncIterator[Engine]:
    """An engine on `store`, or on a new one in memory; as `open_engine` otherwise.

    Under Trio's `MockClock` (the fixture `autojump_clock`) its time is that clock's: timers of months take no time, and the
    clock waits for activities that run in threads. Under the clock of a plain `trio.run` its time is real and timers are waited
    for; call `run_virtual(main)` instead, or `trio.run(main, clock=MockClock(autojump_threshold=0))`. Activities with
    `runs_in="process"` run in a thread here, where virtual time can wait for them.

    Open a second one on the same store to see what a restart makes of it. `doubles` take the place of the activities of their
    names; doubles are taken among `activities`, too.

    With `replay_every_step` each step is replayed from the run's beginning as soon as it is durable. The first difference
    cancels the block, and its `NonDeterminismError` is raised from it.
    """
    registry = _with_doubles(Registry(workflows, definitions_in(activities), modules), doubles)
    config = _in_time_of_the_test(config)
    found: list[NonDeterminismError] = []
    with trio.CancelScope() as scope:

        def tell(error: NonDeterminismError) -> None:
            found.append(error)
            scope.cancel()

        inner = MemoryStore() if store is None else store
        used = RehearsingStore(inner, _world(registry, config), tell) if replay_every_step else inner
        async with open_engine(
            used, workflows=registry.workflows, activities=stand_ins(registry.activities, run_function), config=config
        ) as engine:
            yield engine
    if found:
        raise found[0]


def _with_doubles(registry: Registry, doubles: GivenActivities) -> Registry:
    """The same definitions, with each double in the place of the activity of its name."""
    performing = {definition.name: definition for definition in registry.activities}
    performing.update({each.name: each for each in definitions_in(doubles)})
    return Registry(registry.workflows, performing.values())


def _in_time_of_the_test(config: EngineConfig) -> EngineConfig:
    """A clock of the caller's own stays; the wall clock is replaced where time is virtual."""
    if isinstance(config.clock, SystemClock) and isinstance(trio.lowlevel.current_clock(), MockClock):
        return replace(config, clock=TrioClock())
    return config


def _world(registry: Registry, config: EngineConfig) -> World:
    return World(registry, Codec(config.payload_codecs, config.payload_limit_bytes), fuel=config.fuel)
