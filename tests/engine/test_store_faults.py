"""Fail the n-th call of the store, n = 1, 2, 3 … until the program passes untouched: nothing is lost, nothing done twice.

The engine stays up: what fails is repeated, told to the caller who can repeat it, or done again from the journal (J6).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.errors import EngineClosedError
from aion_trio.seams import TrioClock
from aion_trio.stores import Fault, FaultyStore, LmdbStore, MemoryStore, Store, StoreError, StoreFailed, StoreFull, dump
from aion_trio.testing import run_virtual
from aion_trio.testing.comparison import Told, first_difference, histories, tellings
from aion_trio.testing.effects import WatchedEffects
from aion_trio.testing.life import Program, SeededIds, left_owed, opened, program_of, rest
from aion_trio.testing.tape import TapedStore

from . import shop
from .crash_chapters import CHAPTERS
from .crash_scenarios import ACTIVITIES, WORKFLOWS
from .harness import cut_after, engine_on, recovered

READS = ("head", "history", "summary", "mark", "obligation", "obligations", "obligations_of", "runs")
PATIENCE = 86_400.0

FAILING_WRITES = {
    "full": (StoreFull("no room"), False),
    "failed before it took effect": (StoreFailed("lost"), False),
    "failed after it took effect": (StoreFailed("not known"), True),
}


class Outcome:
    """What a program came to under one fault."""

    def __init__(self) -> None:
        self.result: object = None
        self.faults: list[str] = []
        self.met = True
        self.told: dict[str, list[Told]] = {}


async def persistent(program: Program, engine: aion.Engine) -> object:
    """Clients that try again when they are told that nothing, or nothing certain, was done, or that the engine restarts."""
    for _ in range(5):
        try:
            return await program.scenario(engine)
        except (aion.JournalFullError, aion.AppendOutcomeUnknown, EngineClosedError):
            await trio.sleep(0.5)
    raise AssertionError("the clients gave up")


async def outcome_of(program: Program, fault: Fault | None, store: MemoryStore) -> Outcome:
    """Run the program on a store with one fault; a fault that met the opening is met by opening again."""
    outcome = Outcome()
    faulty = TapedStore(store)
    if fault is not None:
        faulty.plan(fault)
    effects = WatchedEffects(store, program.config.namespace, program.config.clock)
    with trio.fail_after(program.patience):
        try:
            await _once(program, faulty, effects, outcome)
        except aion.AppendOutcomeUnknown:
            assert not faulty.tape, "the opening alone may fail"
            await _once(program, faulty, effects, outcome)
    outcome.faults += [*left_owed(store), *effects.faults(lives=1)]
    outcome.met = not faulty.pending
    outcome.told = tellings(histories(store), "any")
    return outcome


async def _once(program: Program, store: Store, effects: WatchedEffects, outcome: Outcome) -> None:
    async with opened(program, store, SeededIds(0), effects.perform) as engine:
        outcome.result = await persistent(program, engine)
        await rest(store, program.patience)
        assert not engine.quarantined, engine.quarantined


def fail_everywhere(chapter: str, make: Callable[[int], Fault]) -> int:
    """Fail the n-th call for every n that the program meets; how many there were."""
    found = CHAPTERS[chapter]
    program = program_of(found.clients, (WORKFLOWS, ACTIVITIES, ()), aion.EngineConfig(resident_limit=found.resident_limit), PATIENCE)
    undisturbed = run_virtual(outcome_of, program, None, MemoryStore())
    assert undisturbed.faults == []
    for nth in range(1, 1000):
        outcome = run_virtual(outcome_of, program, make(nth), MemoryStore())
        if not outcome.met:
            return nth - 1
        assert outcome.faults == [], f"call {nth}"
        assert outcome.result == undisturbed.result, f"call {nth}"
        assert not first_difference(undisturbed.told, outcome.told), f"call {nth}"
    raise AssertionError("the program never passed untouched")


@pytest.mark.parametrize("how", FAILING_WRITES)
@pytest.mark.parametrize("chapter", ["kin", "gossip", "timers", "generations"])
def test_a_write_that_fails_loses_and_doubles_nothing(chapter: str, how: str) -> None:
    """J1, J6: full before it took effect; failed before or after, and the engine cannot know which."""
    error, after = FAILING_WRITES[how]
    assert fail_everywhere(chapter, lambda nth: Fault("apply", nth=nth, error=error, after=after)) > 10


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("chapter", ["kin", "gossip"])
def test_a_read_that_fails_loses_and_doubles_nothing(chapter: str, operation: str) -> None:
    """What an actor had in hand when a read failed under it is still owed by the journal, and is done.

    A failed look at what is due is taken again, and nothing is restarted for it: no attempt is made twice.
    """
    fail_everywhere(chapter, lambda nth: Fault(operation, nth=nth, error=StoreFailed("unreadable for once")))


@pytest.mark.parametrize("how", FAILING_WRITES)
def test_many_writes_that_fail_lose_nothing(how: str) -> None:
    """Every third commit fails, for as long as the program runs."""
    error, after = FAILING_WRITES[how]
    program = program_of(CHAPTERS["kin"].clients, (WORKFLOWS, ACTIVITIES, ()), aion.EngineConfig(), PATIENCE)

    async def run(failing: bool) -> Outcome:
        store = MemoryStore()
        faulty = TapedStore(store)
        if failing:
            faulty.plan(*[Fault("apply", nth=nth, error=error, after=after) for nth in range(3, 300, 3)])
        effects = WatchedEffects(store, program.config.namespace, program.config.clock)
        outcome = Outcome()
        await _once(program, faulty, effects, outcome)
        outcome.faults = [*left_owed(store), *effects.faults(lives=1)]
        return outcome

    undisturbed, outcome = run_virtual(run, False), run_virtual(run, True)
    assert (outcome.result, outcome.faults) == (undisturbed.result, [])


async def test_a_full_journal_says_so_when_it_is_opened(autojump_clock: MockClock) -> None:
    """J6, R1: recovery has to write and cannot; nothing is lost, and the next open with room goes on."""
    store = MemoryStore()
    async with engine_on(MemoryStore()) as engine:
        await engine.execute(shop.parent, 4, id="p")
        lines = await engine.export_history("p")
    await recovered(store, cut_after(lines, "ChildWorkflowStarted"))
    faulty = FaultyStore(store)
    faulty.plan(Fault("apply", error=StoreFull("no room"), lasting=True))
    before = dump(store)
    with trio.fail_after(60), pytest.raises(aion.JournalFullError, match="make room"):
        async with engine_on(faulty, clock=TrioClock()):
            raise AssertionError("it opened")
    assert dump(store) == before
    async with engine_on(store) as engine:
        assert await engine.handle("p").result() == 1008


@pytest.mark.parametrize("how", FAILING_WRITES)
async def test_a_write_that_fails_on_disk_loses_and_doubles_nothing(how: str, tmp_path: Path) -> None:
    """The same with the writer's thread, on LMDB: the store is opened again before the next batch."""
    error, after = FAILING_WRITES[how]
    nth, met = 0, True
    while met:
        nth += 1
        inner = LmdbStore.open(tmp_path / str(nth))
        try:
            met = await _on_disk(inner, Fault("apply", nth=nth, error=error, after=after))
        finally:
            inner.close()
    assert nth > 5


@pytest.mark.parametrize("operation", READS)
async def test_a_read_that_fails_on_disk_loses_and_doubles_nothing(operation: str, tmp_path: Path) -> None:
    """J6: the same on LMDB, read by read; the opening alone may fail, and is then done again."""
    nth, met = 0, True
    while met:
        nth += 1
        inner = LmdbStore.open(tmp_path / str(nth))
        fault = Fault(operation, nth=nth, error=StoreError("too many readers of the journal at once"))
        try:
            met = await _on_disk(inner, fault)
        except aion.AppendOutcomeUnknown:
            assert inner.stats().workflows == 0, "the opening alone may fail"
            assert not await _on_disk(inner, Fault(operation, nth=1000))
        finally:
            inner.close()
    assert nth < 100


async def _on_disk(inner: Store, fault: Fault) -> bool:
    faulty = FaultyStore(inner)
    faulty.plan(fault)
    chapter = CHAPTERS["letters"]
    program = program_of(chapter.clients, (WORKFLOWS, ACTIVITIES, ()), aion.EngineConfig(), PATIENCE)
    async with aion.open_engine(faulty, workflows=WORKFLOWS, activities=ACTIVITIES) as engine:
        assert await persistent(program, engine) == [[1, 2, 3], "heard 3"]
    assert [len(raws) for raws in histories(inner).values()] == [11]
    assert left_owed(inner) == []
    return not faulty.pending


async def test_an_import_that_reached_the_disk_unseen_is_an_import(autojump_clock: MockClock) -> None:
    """J1: the commit's outcome was unknown, the head says that it is there; the caller is told of no conflict."""
    async with engine_on(MemoryStore()) as engine:
        await engine.execute(shop.double, 2, id="d")
        lines = await engine.export_history("d")
    store = FaultyStore(MemoryStore())
    async with aion.open_engine(store, workflows=shop.WORKFLOWS, activities=shop.ACTIVITIES) as engine:
        store.plan(Fault("apply", error=StoreFailed("EIO on sync"), after=True))
        assert await engine.import_history(lines) == "d"
        assert await engine.handle("d").result() == 4
