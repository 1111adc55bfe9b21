"""`open_engine`: the tree of actors, in the order in which each needs the ones before it.

    engine (rest for one)
    ├─ journal       the single writer
    ├─ timers        wakes what is due
    ├─ activities    runs attempts, within limits
    ├─ runs          one actor per workflow in memory
    └─ recovery      sweeps, reports, then lets callers in

The order of children is the order of start and the reverse of stop. `open_engine` yields when the last has started, and
recovery starts only when it has swept, so no caller meets an unswept engine: there is no flag and no gate (R1).
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import trio_util

from ..activities import Activities
from ..activities.actor import Limits
from ..activities.attempt import Attempts
from ..codec import Codec
from ..collector import collector_at_ease
from ..definitions import ActivityDefinition, Registry, WorkflowDefinition
from ..errors import AionError, InvalidInputError, JournalNotWritableError, WorkflowRuleError
from ..journal import Journal
from ..journal.writer import reading
from ..recovery import Courier, Recovery
from ..recovery.sweeps import Sweeps
from ..replay import World
from ..runs import Runs, Services
from ..stores.contract import Store
from ..supervision import Budget, Child, Restart, StartFailed, Strategy, open_supervisor
from ..timers import Timers
from .config import EngineConfig
from .engine import Engine, Parts

_DEFAULTS = EngineConfig()


@asynccontextmanager
async def open_engine(
    store_or_path: Store | str | Path,
    *,
    workflows: Iterable[WorkflowDefinition[..., Any]] = (),
    activities: Iterable[ActivityDefinition[..., Any]] = (),
    modules: Iterable[ModuleType] = (),
    config: EngineConfig = _DEFAULTS,
    children: Iterable[Callable[[Engine], Child]] = (),
) -> AsyncIterator[Engine]:
    """Open a journal, recover what a crash left owed, and run until the block is left.

    `store_or_path` is a directory, made if it is not there, or a store of your own (which stays open). `modules` are
    searched for definitions. When this yields, recovery is done: `engine.recovery` says what it did. Leaving the block
    parks: what runs is cancelled, nothing of it is recorded, and the next open goes on from the journal (R10).

    `children` make further children of the engine's tree: they are started after recovery, in order, and stopped first.

    Raises `JournalLockedError`, `JournalFormatError`, `JournalNotWritableError`, `DefinitionError`, and in strict mode
    `WorkflowRuleError`. What the block raises comes out as it was raised.
    """
    if not isinstance(config, EngineConfig):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInputError(f"config is an EngineConfig, found {config!r}", "config")
    registry = Registry(workflows, activities, modules)
    _look_at(registry, strict=config.strict)
    with _opened(store_or_path) as store:
        parts, actors = _assemble(store, registry, config)
        engine = Engine(parts)
        raised: list[BaseException] = []
        try:
            async with open_supervisor(*actors, name="engine", strategy=Strategy.REST_FOR_ONE, budget=Budget(3, 30.0)) as supervisor:
                engine.attach(supervisor)
                try:
                    for make in children:
                        await supervisor.add(make(engine))
                    with collector_at_ease() if config.ease_collector else nullcontext():
                        yield engine
                except BaseException as error:
                    raised.append(error)
                    raise
                supervisor.stop()
        except BaseException as error:
            _raise_bare(error, raised)
        finally:
            parts.runs.waiters.leave()


def _assemble(store: Store, registry: Registry, config: EngineConfig) -> tuple[Parts, list[Child]]:
    """The actors, bound to each other, and the children that run them."""
    quarantined: dict[str, str] = {}
    allowed = trio_util.AsyncBool(False)
    payloads = Codec(config.payload_codecs, config.payload_limit_bytes)
    clock, namespace = config.clock, config.namespace
    journal = Journal(store, quarantined)
    runs = Runs(idle_after=config.idle_after, limit=config.resident_limit)
    attempts = Attempts(registry, payloads, clock, random.Random())
    acts = Activities(registry, clock, attempts, runs.tell, Limits(config.task_limit, config.thread_limit))
    timers = Timers(journal, clock, namespace, runs.tell_wake)
    courier = Courier(journal, runs)
    world = World(registry, payloads, fuel=config.fuel)
    runs.bind(
        Services(
            namespace, journal, registry, world, clock, config.ids, acts, timers, courier, runs.tell_wake, runs.waiters.note, quarantined
        )
    )
    sweeps = Sweeps(journal, runs, courier, clock, namespace, quarantined)
    recovery = Recovery(sweeps, courier, allowed, quarantined)
    child = partial(Child, restart=Restart.PERMANENT, shutdown=0.0)
    children = [
        child("journal", journal.run),
        child("timers", timers.run, (allowed,)),
        child("activities", acts.run, (allowed,)),
        child("runs", runs.run),
        child("recovery", recovery.run),
    ]
    return Parts(config, registry, payloads, journal, runs, recovery, quarantined), children


@contextmanager
def _opened(store_or_path: Store | str | Path) -> Any:
    """The store: one of the caller's, which stays open, or the LMDB journal in a directory, which is closed with the block."""
    if not isinstance(store_or_path, (str, Path)):
        if not hasattr(store_or_path, "apply"):
            raise InvalidInputError(f"store_or_path is a directory's path or a Store, found {store_or_path!r}", "store_or_path")
        yield store_or_path
        return
    if sys.platform == "win32":
        raise JournalNotWritableError("aion-trio journals need Linux or macOS: file locks and sparse maps are not there on Windows")
    from ..stores import LmdbStore  # LMDB is loaded only where it is used

    with reading():
        store = LmdbStore.open(Path(store_or_path))
    try:
        yield store
    finally:
        store.close()


def _look_at(registry: Registry, *, strict: bool) -> None:
    """Warn of, or in strict mode refuse, what the static look finds in workflow code (K7)."""
    for definition in registry.workflows:
        for file, line, what, advice in definition.problems:
            message = f"workflow {definition.name!r} uses {what}: it would not be the same on replay; use {advice} ({file}:{line})"
            if strict:
                raise WorkflowRuleError(message)
            warnings.warn_explicit(message, UserWarning, file, line)


def _raise_bare(error: BaseException, raised: list[BaseException]) -> NoReturn:
    """Raise what the block raised, as it was, without the groups of the tree's nurseries; or what kept the tree from going on."""
    same = bool(raised) and _leaves(error) == _leaves(raised[0])  # a scope that splits a group makes another one
    bare = raised[0] if same else error
    while not same and len(parts := _parts(bare)) == 1:
        bare = parts[0]
    if isinstance(bare, StartFailed) and isinstance(bare.__cause__, AionError):
        bare = bare.__cause__
    context = bare.__cause__, bare.__context__, bare.__suppress_context__
    try:
        raise bare
    finally:
        bare.__cause__, bare.__context__, bare.__suppress_context__ = context
        del error, bare, raised, context


def _leaves(error: BaseException) -> list[int]:
    """Which exceptions there are in a group, or the one."""
    parts = _parts(error)
    return [leaf for part in parts for leaf in _leaves(part)] if parts else [id(error)]


def _parts(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
