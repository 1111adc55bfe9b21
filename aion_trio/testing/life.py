"""One life of an engine: from the opening of its journal to its orderly end, or to its death at a commit."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from ..definitions import Registry, WorkflowDefinition
from ..engine import Engine, EngineConfig, open_engine
from ..journal.verification import verify_journal
from ..seams import TrioClock
from ..stores import Fault, MemoryStore, copy_records, dump
from ..stores.contract import Store
from .doubles import AnyActivity, Perform, never, stand_ins
from .report import CrashPoint
from .tape import Commit, TapedStore

Scenario = Callable[[Engine], Awaitable[object]]
"""What clients do, from its beginning and again after each crash: with the same ids and request ids, as a real client would."""

_STEPS = 40


@dataclass(frozen=True, slots=True)
class Program:
    """What runs in every life: definitions, configuration, clients; `patience` is how long (seconds) it may take to end."""

    scenario: Scenario
    workflows: tuple[WorkflowDefinition[..., Any], ...]
    activities: tuple[AnyActivity, ...]
    config: EngineConfig
    patience: float


def program_of(
    scenario: Scenario, definitions: tuple[Iterable[Any], Iterable[Any], Iterable[ModuleType]], config: EngineConfig, patience: float
) -> Program:
    """The program with everything that `modules` define, in Trio's time."""
    registry = Registry(*definitions)
    return Program(scenario, tuple(registry.workflows), tuple(registry.activities), replace(config, clock=TrioClock()), patience)


class SeededIds:
    """Ids from a seed, so that a run can be had again."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def run_id(self) -> bytes:
        """Sixteen bytes."""
        return self._random.randbytes(16)

    def workflow_id(self) -> str:
        """A text of 22 characters."""
        return self._random.randbytes(11).hex()


@dataclass(slots=True)
class Lived:
    """How a life went: what the clients got, or that it `died` or that a client `raised`; its commits, the first of them to recover."""

    died: bool = False
    raised: Exception | None = None
    result: object = None
    tape: list[Commit] = field(default_factory=list[Commit])
    recovery_commits: int = 0
    quarantined: tuple[str, ...] = ()


async def live(program: Program, store: MemoryStore, ids: SeededIds, perform: Perform, death: CrashPoint | None) -> Lived:
    """Open an engine on what the last life left, let the clients talk to it, and wait until nothing is owed any more."""
    taped = TapedStore(store)
    if death is not None:
        taped.plan(Fault("apply", nth=death.commit, after=death.after, crash=True))
    lived = Lived(tape=taped.tape)
    try:
        async with opened(program, taped, ids, perform) as engine:
            lived.recovery_commits = len(taped.tape)
            with trio.fail_after(program.patience):
                lived.result = await program.scenario(engine)
            await rest(store, program.patience)
            lived.quarantined = tuple(sorted(engine.quarantined))
    except Exception as error:
        lived.raised = None if taped.crashed else error
    except BaseException:  # the crash, and whatever else was going on when it came
        if not taped.crashed:
            raise
    lived.died = taped.crashed
    return lived


def opened(program: Program, store: Store, ids: SeededIds, perform: Perform) -> AbstractAsyncContextManager[Engine]:
    """An engine for the program, with every activity run by `perform`."""
    return open_engine(
        store,
        workflows=program.workflows,
        activities=stand_ins(program.activities, perform),
        config=replace(program.config, ids=ids),
    )


async def rest(store: Store, patience: float) -> None:
    """Wait until every workflow is closed and nothing is owed, or for `patience` seconds of virtual time."""
    pause = patience / 2**_STEPS
    await wait_all_tasks_blocked()
    while store.stats().obligations and pause < patience:
        await trio.sleep(pause)
        pause *= 2


def faults_of_journal(store: Store) -> list[str]:
    """What `verify` says of the journal."""
    return [f"verify: workflow {finding.workflow_id!r}: {finding.what}" for finding in verify_journal(store)]


def left_owed(store: Store, namespace: str = "default") -> list[str]:
    """What closed workflows of one namespace still owe."""
    found: list[str] = []
    for key, records in dump(store).items():
        if key.namespace == namespace and (records.summary is None or records.summary.closed_us):
            found += [f"workflow {key.workflow_id!r} is closed and still owes {row.kind.name}" for row in records.obligations]
    return found


async def faults_of_recovery(program: Program, store: MemoryStore, seed: int) -> list[str]:
    """Recover twice on a copy, with activities that begin and never end: the second recovery must change nothing (R7)."""
    copied = MemoryStore()
    copy_records(store, copied)
    seen: list[Any] = []
    for _ in range(2):
        async with opened(program, copied, SeededIds(seed), never):
            await wait_all_tasks_blocked()
        seen.append(dump(copied))
    once, twice = seen
    return [
        f"workflow {key.workflow_id!r}: a second recovery changed its records"
        for key in {**once, **twice}
        if once.get(key) != twice.get(key)
    ]
