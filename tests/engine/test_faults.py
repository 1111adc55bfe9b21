"""A journal that fails: full, cut off in the middle of a commit, damaged; nothing is lost or done twice, others go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import lmdb
import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.seams import TrioClock
from aion_trio.stores import Fault, FaultyStore, LmdbStore, MemoryStore, StoreFailed, StoreFull, dump
from aion_trio.stores.lmdb_store.layout import TABLES

from . import shop
from .evidence import owed, quiet
from .harness import engine_on, history_of, names_of, normalised, until

FULL = StoreFull("no space left on device")
note = aion.Signal("note", str)


@aion.activity
async def in_turn(n: int, i: int) -> int:
    """Ends after its neighbours of lower numbers, so that the order of the history is one."""
    await trio.sleep(0.1 * i)
    shop.EFFECTS.append(("in_turn", (n, i)))
    return n + i


@aion.workflow
async def does_a_lot(n: int) -> list[Any]:
    """Activities side by side, a retry, a child, a timer, a signal to itself, a time-out that passes."""
    found: list[Any] = []

    async def one(i: int) -> None:
        found.append(await in_turn(n, i))

    async with durable.open_nursery() as nursery:
        for i in range(3):
            nursery.start_soon(one, i)
    found.append(await shop.fails_twice(n))
    found.append(await shop.double(n))
    await durable.sleep(5)
    await durable.signal_workflow(durable.info().workflow_id, note, "hello")
    found.append(await note.receive())
    with durable.move_on_after(2):
        await shop.hang()
    durable.set_attributes({"done": True})
    return found


EXPECTED = [10, 11, 12, 10, 20, "hello"]
DEFINITIONS: dict[str, Any] = {"workflows": [*shop.WORKFLOWS, does_a_lot], "activities": [*shop.ACTIVITIES, in_turn]}


async def shape_of(engine: aion.Engine) -> list[tuple[str, dict[str, Any]]]:
    """The history without what is another one's in another run; the id of the child follows from the run's."""
    return [(name, {**fields, "child_id": None}) for name, fields in normalised(await history_of(engine, "w"))]


@asynccontextmanager
async def on_faulty(store: FaultyStore) -> AsyncIterator[aion.Engine]:
    async with engine_on(store, **DEFINITIONS, clock=TrioClock()) as engine:
        yield engine


# ---- a full journal (J6)


async def test_callers_are_told_that_the_journal_is_full_and_reads_go_on(autojump_clock: MockClock) -> None:
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        await engine.execute(shop.double, 2, id="d")
        store.plan(Fault("apply", error=FULL, lasting=True))
        for call in (
            lambda: engine.start(shop.waits, 1, id="new"), lambda: handle.signal(shop.go, 1), handle.cancel, handle.terminate,
        ):  # fmt: skip
            with pytest.raises(aion.JournalFullError):
                await call()
        assert (await handle.describe()).status is aion.WorkflowStatus.RUNNING
        assert await handle.query(shop.stage) == "waiting"
        assert await engine.handle("d").result() == 4
        assert await engine.count_workflows() == 2
        store.heal()
        await handle.signal(shop.go, 1)
        assert await handle.result() == 2
        await engine.start(shop.waits, 1, id="new")
        assert await names_of(engine, "w") == ["WorkflowStarted", "SignalReceived", "WorkflowCompleted"]


async def test_work_goes_on_once_there_is_room_and_nothing_was_done_twice(autojump_clock: MockClock) -> None:
    """J6: results, timers, children and retries of running workflows wait; they are not failed."""
    shop.EFFECTS.clear()
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        handles = [await engine.start(does_a_lot, 10, id=f"w{n}") for n in range(3)]
        for _ in range(30):
            store.plan(Fault("apply", error=FULL, lasting=True))
            await trio.sleep(0.7)
            store.heal()
            await trio.sleep(1.1)
        assert [sorted(await handle.result(), key=str) for handle in handles] == [sorted(EXPECTED, key=str)] * 3
        assert isinstance(store.inner, MemoryStore)
        await quiet(store.inner)
        assert owed(store.inner) == []
    counts = Counter(effect for effect in shop.EFFECTS if effect[0] != "hang")
    assert set(counts.values()) == {3}, counts


@pytest.mark.parametrize("nth", range(1, 16))
async def test_one_append_that_finds_no_room_is_made_later(nth: int, autojump_clock: MockClock) -> None:
    shop.EFFECTS.clear()
    async with engine_on(MemoryStore(), **DEFINITIONS) as engine:
        await engine.execute(does_a_lot, 10, id="w")
        undisturbed = await shape_of(engine)
    shop.EFFECTS.clear()
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        store.plan(Fault("apply", nth=nth, error=FULL))
        for _ in range(2):
            try:
                assert await engine.execute(does_a_lot, 10, id="w") == EXPECTED
                break
            except aion.JournalFullError:
                assert nth == 1
        assert await shape_of(engine) == undisturbed
        assert owed(store.inner) == []
    assert set(Counter(shop.EFFECTS).values()) == {1}


# ---- a commit of unknown outcome


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", range(1, 19))
async def test_an_append_of_unknown_outcome_is_neither_lost_nor_made_twice(nth: int, after: bool, autojump_clock: MockClock) -> None:
    """J3: the head is read again, and decides."""
    async with engine_on(MemoryStore(), **DEFINITIONS) as engine:
        await engine.execute(does_a_lot, 10, id="w")
        undisturbed = await shape_of(engine)
    shop.EFFECTS.clear()
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        store.plan(Fault("apply", nth=nth, error=StoreFailed("the disk answered with an error"), after=after))
        assert await engine.execute(does_a_lot, 10, id="w") == EXPECTED
        assert await shape_of(engine) == undisturbed
        assert owed(store.inner) == []
        assert engine.quarantined == {}
    assert set(Counter(shop.EFFECTS).values()) == {1}


async def test_a_signal_whose_commit_failed_is_received_once(autojump_clock: MockClock) -> None:
    for after in (False, True):
        store = FaultyStore(MemoryStore())
        async with on_faulty(store) as engine:
            handle = await engine.start(shop.sums, 0, id="s")
            for n in range(1, 6):
                store.plan(Fault("apply", error=StoreFailed("?"), after=after))
                await handle.signal(shop.go, n)
            await handle.signal(shop.go, -1)
            assert await handle.result() == 15
            assert (await names_of(engine, "s")).count("SignalReceived") == 6


async def test_a_store_that_fails_for_a_while_on_disk_recovers(tmp_path: Path) -> None:
    """The same through the writer thread and LMDB."""
    store = FaultyStore(LmdbStore.open(tmp_path / "journal"))
    try:
        async with aion.open_engine(store, **DEFINITIONS) as engine:
            for nth, (after, error) in enumerate([(False, StoreFailed("?")), (True, StoreFailed("?")), (False, FULL)] * 3, 1):
                store.plan(Fault("apply", nth=1 + nth % 3, error=error, after=after))
                try:
                    assert await engine.execute(shop.parent, nth, id=f"p{nth}") == 1000 + 2 * nth
                except aion.JournalFullError:
                    assert await engine.execute(shop.parent, nth, id=f"p{nth}") == 1000 + 2 * nth
                assert (await names_of(engine, f"p{nth}")).count("ChildWorkflowStarted") == 1
            store.heal()
    finally:
        store.inner.close()


async def test_a_store_that_never_works_again_ends_the_engine_with_an_error_of_ours(autojump_clock: MockClock) -> None:
    """R8: a fault of the journal itself is fatal to those who write, not silent."""
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        await engine.execute(shop.double, 1)
        store.plan(Fault("apply", error=StoreFailed("gone"), lasting=True))
        with trio.move_on_after(10_000):
            with pytest.raises(aion.AionError):
                await engine.start(shop.waits, 1, id="w")
        store.heal()


# ---- the engine's own failures


@pytest.mark.parametrize("nth", range(2, 19))
async def test_a_run_that_fails_in_the_engines_own_code_goes_on_from_the_journal(nth: int, autojump_clock: MockClock) -> None:
    """Whatever it had in hand is done again: outcomes, wake-ups, deliveries."""
    shop.EFFECTS.clear()
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        store.plan(Fault("apply", nth=nth, error=RuntimeError("a fault of ours")))
        handle = await engine.start(does_a_lot, 10, id="w")
        with trio.fail_after(10_000):
            assert await handle.result() == EXPECTED
        assert owed(store.inner) == []
        assert engine.quarantined == {}
    assert set(Counter(shop.EFFECTS).values()) == {1}


async def test_a_caller_whose_run_fails_in_the_engines_own_code_is_told(autojump_clock: MockClock) -> None:
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        store.plan(Fault("apply", error=RuntimeError("a fault of ours")))
        with pytest.raises(aion.AionError):
            await engine.start(shop.waits, 1, id="w")
        handle = await engine.start(shop.waits, 1, id="w")
        await handle.signal(shop.go, 1)
        assert await handle.result() == 2


async def test_a_run_that_fails_again_and_again_is_quarantined_alone_until_it_is_released(autojump_clock: MockClock) -> None:
    """R8."""
    store = FaultyStore(MemoryStore())
    async with on_faulty(store) as engine:
        handle = await engine.start(shop.double, 4, id="d")
        store.plan(Fault("apply", error=RuntimeError("a fault of ours"), lasting=True))
        with trio.fail_after(1000):
            with pytest.raises(aion.WorkflowQuarantinedError, match="a fault of ours"):
                await handle.result()
        store.heal()
        assert (await handle.describe()).quarantine is not None
        assert await engine.execute(shop.double, 2) == 4
        for call in (lambda: handle.signal(shop.go, 1), handle.terminate):
            with pytest.raises(aion.AionError):
                await call()
        engine.release("d")
        with trio.fail_after(1000):
            assert await handle.result() == 8


# ---- a damaged record (J7)


def turn_a_bit(path: Path, marker: bytes) -> None:
    """Change one byte of every record that holds the marker, the way a disk would."""
    with lmdb.open(str(path), max_dbs=len(TABLES)) as env:
        rows = env.open_db(b"rows", create=False)
        changed = 0
        with env.begin(write=True) as txn:
            for key, value in [(bytes(key), bytes(value)) for key, value in txn.cursor(db=rows)]:
                at = value.find(marker)
                if at >= 0:
                    txn.put(key, value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :], db=rows)
                    changed += 1
        assert changed


async def test_a_damaged_record_stops_its_workflow_alone(tmp_path: Path) -> None:
    """J7: reported with workflow id and seq; it never becomes a wrong answer."""
    path = tmp_path / "journal"
    async with engine_on(path, **DEFINITIONS) as engine:
        damaged = await engine.start(shop.sums, 0, id="damaged")
        await damaged.signal("unheard", "MARKER")
        other = await engine.start(shop.sums, 0, id="other")
        await other.signal(shop.go, 5)
    turn_a_bit(path, b"MARKER")
    async with engine_on(path, **DEFINITIONS) as engine:
        damaged, other = engine.handle("damaged"), engine.handle("other")
        with pytest.raises(aion.JournalCorruptedError) as caught:
            await damaged.signal(shop.go, 1)
        assert (caught.value.workflow_id, caught.value.seq) == ("damaged", 2)
        for call in (damaged.query(shop.stage), damaged.terminate(), damaged.describe(), engine.export_history("damaged")):
            with pytest.raises(aion.JournalCorruptedError):
                await call
        with pytest.raises(aion.JournalCorruptedError):
            [event async for event in damaged.history()]
        with pytest.raises(aion.WorkflowQuarantinedError, match="JournalCorruptedError"):
            await damaged.result()
        await other.signal(shop.go, -1)
        assert await other.result() == 5
        assert await engine.execute(shop.double, 4) == 8
        assert {found.id async for found in engine.list_workflows()} >= {"damaged", "other"}


async def test_a_damaged_record_does_not_stop_the_boot(tmp_path: Path) -> None:
    """R8: it is listed; all others are recovered."""
    path = tmp_path / "journal"
    async with engine_on(path, **DEFINITIONS) as engine:
        await engine.start(shop.hangs, id="h")
        damaged = await engine.start(shop.hangs, id="damaged")
        await damaged.signal("unheard", "MARKER")
        await until(engine, "h", "ActivityScheduled")
        await until(engine, "damaged", "ActivityScheduled")
    turn_a_bit(path, b"MARKER")
    async with engine_on(path, **DEFINITIONS) as engine:
        (listed,) = engine.recovery.quarantined
        assert listed.workflow_id == "damaged" and "JournalCorruptedError" in listed.reason
        assert engine.recovery.activities_resumed == 1
        await engine.handle("h").terminate()


# ---- a crash of the store's process


async def test_a_simulated_crash_comes_out_of_the_block_and_loses_nothing(autojump_clock: MockClock) -> None:
    """R11, by the store alone: the inner store is opened again."""
    inner = MemoryStore()
    store = FaultyStore(inner)
    with pytest.raises(BaseException) as caught:
        async with on_faulty(store) as engine:
            await engine.start(does_a_lot, 10, id="w")
            store.plan(Fault("apply", nth=3, crash=True, after=True))
            await engine.handle("w").result()
    assert "SimulatedCrash" in repr(caught.value)
    async with engine_on(inner, **DEFINITIONS) as engine:
        assert sorted(await engine.handle("w").result(), key=str) == sorted(EXPECTED, key=str)
    assert dump(inner)
