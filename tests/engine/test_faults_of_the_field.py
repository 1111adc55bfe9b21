"""Faults that engines of this kind had: broken chains, races of sweeps, deliveries made twice, rows that lack their cause."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import aion_trio as aion
from aion_trio import durable
from aion_trio.journal.rows import payload_of, row_of
from aion_trio.journal.verification import verify_journal
from aion_trio.recovery.courier import Courier
from aion_trio.seams import TrioClock
from aion_trio.stores import (
    Append,
    Close,
    Fault,
    FaultyStore,
    MemoryStore,
    ObligationKind,
    Open,
    RunRow,
    Summary,
    WorkflowKey,
    dump,
    each_key,
)
from aion_trio.stores.contract import Obligation

from . import shop
from .harness import cut_after, engine_on, history_of, names_of, recovered, until


def without(lines: Sequence[str], *positions: int) -> list[str]:
    """An exported history without some of its events, numbered anew."""
    kept = [json.loads(line) for position, line in enumerate(lines) if position not in positions]
    return [json.dumps({**line, "seq": seq}) for seq, line in enumerate(kept, 1)]


def places(lines: Sequence[str], name: str) -> list[int]:
    """Where the events of a name stand."""
    return [position for position, line in enumerate(lines) if json.loads(line)["type"] == name]


def left(store: MemoryStore) -> list[Obligation]:
    """Everything that is owed."""
    return [row for key in each_key(store) for row in store.obligations_of(key)]


# ---- continue-as-new


async def test_a_continued_run_without_its_start_is_quarantined_and_named(autojump_clock: MockClock) -> None:
    """R4, H5: nothing is made up for it, and others are recovered."""
    async with engine_on(MemoryStore()) as engine:
        await engine.execute(shop.counts_down, 2, id="c")
        await engine.execute(shop.parent, 4, id="p")
        lines, other = await engine.export_history("c"), await engine.export_history("p")
    starts, ends = places(lines, "WorkflowStarted"), places(lines, "WorkflowContinuedAsNew")
    broken = without(lines[: ends[1] + 1], starts[1])
    store = MemoryStore()
    await recovered(store, broken, cut_after(other, "ChildWorkflowStarted"))
    before = dump(store)[WorkflowKey("default", "c")].frames
    async with engine_on(store) as engine:
        assert engine.recovery.successors_started == 0
        ((workflow_id, reason),) = engine.recovery.quarantined
        assert workflow_id == "c"
        assert json.loads(lines[ends[1]])["continued_run_id"] in reason
        with pytest.raises(aion.WorkflowQuarantinedError):
            await engine.handle("c").result()
        assert await engine.handle("p").result() == 1008
    assert dump(store)[WorkflowKey("default", "c")].frames == before


async def test_the_result_of_a_run_is_not_that_of_a_newer_one(autojump_clock: MockClock) -> None:
    """H6: a handle answers for its own chain, and for its own run, also after a newer chain began under the id."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        old = await engine.start(shop.counts_down, 1, id="c")
        assert await old.result() == "zero"
        new = await engine.start(shop.double, 4, id="c", if_exists="new_run")
        assert [await old.result(), await new.result()] == ["zero", 8]
        old_run, new_run = old.run_id, new.run_id
    async with engine_on(store) as engine:
        assert await engine.handle("c", new_run).result() == 8
        with pytest.raises(aion.WorkflowContinuedAsNewError) as caught:
            await engine.handle("c", old_run).result()
        assert await engine.handle("c", caught.value.new_run_id).result() == "zero"


# ---- sweeps and deliveries


async def test_a_sweep_that_loses_the_race_for_a_start_has_succeeded(autojump_clock: MockClock) -> None:
    """R6: the child, or the successor, was started meanwhile as the one that was owed; it is there once."""
    async with engine_on(MemoryStore()) as engine:
        await engine.execute(shop.parent, 4, id="p")
        await engine.execute(shop.counts_down, 1, id="c")
        parent, chain = await engine.export_history("p"), await engine.export_history("c")
    store = MemoryStore()
    await recovered(store, cut_after(parent, "ChildWorkflowStarted"), cut_after(chain, "WorkflowContinuedAsNew"))
    rows = [row for row in left(store) if row.kind in (ObligationKind.CHILD_START, ObligationKind.RUN_START)]
    assert len(rows) == 2
    async with engine_on(store) as engine:
        courier = Courier(engine.journal, engine.runs)
        async with trio.open_nursery() as nursery:
            for row in rows * 3:
                nursery.start_soon(courier.deliver, row)
        assert await engine.handle("p").result() == 1008
        assert await engine.handle("c").result() == "zero"
        assert (await names_of(engine, "c")).count("WorkflowStarted") == 2
        assert (await names_of(engine, "p")).count("ChildWorkflowCompleted") == 1
        assert await engine.count_workflows(type="double") == 1
    assert verify_journal(store) == []


async def test_every_delivery_that_is_made_twice_has_one_effect(autojump_clock: MockClock) -> None:
    """C2, S2, R7: whatever was ever owed is delivered again, by a sweep that does not know that it was done."""

    class Remembering(MemoryStore):
        """A store that forgets no obligation to others, and once it is `confused` thinks that all of them are open."""

        def __init__(self) -> None:
            super().__init__()
            self.owed: list[Obligation] = []
            self.confused = False

        def apply(self, batch: Sequence[Append]) -> Any:
            self.owed += [
                Obligation(append.key, row.kind, row.row, row.due_us, row.queue, row.payload) for append in batch for row in append.opens
            ]
            return super().apply(batch)

        def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
            if not self.confused or kind in (ObligationKind.WAKE_UP, ObligationKind.STEP):
                return super().obligation(key, kind, row)
            return next((owed for owed in self.owed if (owed.key, owed.kind, owed.row) == (key, kind, row)), None)

    store = Remembering()
    async with engine_on(store) as engine:
        await engine.start(shop.sums, 0, id="s")
        await engine.execute(shop.sends, "s", 5, id="sender")
        await engine.execute(shop.parent, 4, id="p")
        await engine.execute(shop.starts_and_leaves, "left", "cancel", id="l")
        await engine.handle("s").signal(shop.go, -1)
        assert await engine.handle("s").result() == 5
        await wait_all_tasks_blocked()
        before = {key: records.frames for key, records in dump(store).items()}
        courier = Courier(engine.journal, engine.runs)
        kinds = {ObligationKind.CHILD_START, ObligationKind.SIGNAL, ObligationKind.CHILD_CLOSED, ObligationKind.CANCEL_REQUEST}
        rows = [row for row in store.owed if row.kind in kinds]
        assert {row.kind for row in rows} == kinds
        store.confused = True
        for row in rows * 2:
            await courier.deliver(row)
        await wait_all_tasks_blocked()
        assert {key: records.frames for key, records in dump(store).items()} == before


async def test_a_row_without_its_cause_is_reported_and_never_acted_on(autojump_clock: MockClock) -> None:
    """J9, R2: a child start, a signal and a cancellation that no event asked for."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.waits, 1, id="w")
    key = WorkflowKey("default", "w")
    payload = payload_of(99, "ghost", b"r" * 16, True, "no reason")
    kinds = (ObligationKind.CHILD_START, ObligationKind.SIGNAL, ObligationKind.CANCEL_REQUEST)
    store.apply([Append(key, store.head(key), opens=[Open(kind, row_of(1, 7), payload=payload) for kind in kinds])])
    async with engine_on(store) as engine:
        await wait_all_tasks_blocked()
        assert (engine.recovery.children_started, engine.recovery.signals_delivered) == (0, 0)
        assert [summary.id async for summary in engine.list_workflows()] == ["w"]
    found = verify_journal(store)
    assert len(found) == 3
    assert all("without a cause" in finding.what for finding in found)


async def test_a_termination_is_not_lost_with_the_row_of_a_cancel_request(autojump_clock: MockClock) -> None:
    """C3: a child records the request that was on its way when its parent closed; what is owed since then is another row."""

    @aion.workflow
    async def stubborn(n: int) -> int:
        try:
            await shop.hang()
        except durable.Cancelled:
            with durable.CancelScope(shield=True):
                await shop.hang()
        return n

    @aion.workflow
    async def asks(n: int) -> int:
        child = await durable.start_child(stubborn, n, id="child")
        await shop.go.receive()
        child.cancel()
        await shop.go.receive()
        return n

    workflows = [stubborn, asks]
    store = MemoryStore()
    faulty = FaultyStore(store)
    with pytest.raises(BaseExceptionGroup):
        async with engine_on(faulty, workflows=workflows, clock=TrioClock()) as engine:
            await engine.start(asks, 1, id="p")
            await engine.handle("p").signal(shop.go, 1)
            await until(engine, "child", "CancelRequested")
            faulty.plan(Fault("apply", after=True, crash=True))
            await engine.handle("p").signal(shop.go, 2)
    parent, child = WorkflowKey("default", "p"), WorkflowKey("default", "child")
    request = Close(ObligationKind.CANCEL_REQUEST, row_of(1, 1), parent)
    store.apply([Append(child, store.head(child), closes=[request])])
    async with engine_on(store, workflows=workflows) as engine:
        with pytest.raises(aion.WorkflowTerminatedError):
            await engine.handle("child").result()
    assert left(store) == []


# ---- timers


async def test_a_wake_up_after_the_end_appends_nothing(autojump_clock: MockClock) -> None:
    """T3: of a run that is closed, and of an id that was never there."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.execute(shop.sleeps, 5.0, id="s")
        before = dump(store)
        for workflow_id in ("s", "s", "nobody"):
            engine.runs.tell_wake(workflow_id)
        await trio.sleep(10)
        assert dump(store) == before


async def test_fire_and_cancel_of_one_timer_are_decided_once(autojump_clock: MockClock) -> None:
    """T2: a deadline and the timer inside of it are due together; so are a cancel request and a timer."""

    @aion.workflow
    async def both(seconds: float) -> str:
        with durable.move_on_after(seconds) as scope:
            await durable.sleep(seconds)
        return "cancelled" if scope.cancelled_caught else "fired"

    store = MemoryStore()
    async with engine_on(store, workflows=[both, *shop.WORKFLOWS]) as engine:
        await engine.start(both, 5.0, id="b")
        await engine.start(shop.sleeps, 5.0, id="s")
        await trio.sleep(5)
        try:
            await engine.handle("s").cancel()
        except aion.WorkflowClosedError:
            pass
        await engine.handle("b").result()
        for workflow_id in ("b", "s"):
            names = await names_of(engine, workflow_id)
            assert names.count("TimerFired") + names.count("TimerCancelled") == 1
    assert verify_journal(store) == []


async def test_rows_of_finished_work_are_gone(autojump_clock: MockClock) -> None:
    """J9: timers that fired, timers that were cancelled, activities, children, signals."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.execute(shop.sleeps, 5.0, id="s")
        await engine.execute(shop.gives_up_after, 5.0, id="g")
        await engine.execute(shop.family, [1, 2], id="f")
        await engine.execute(shop.sends, "nobody", 1, id="n")
        await wait_all_tasks_blocked()
    assert left(store) == []


# ---- one bad workflow


async def test_an_unreadable_history_stops_itself_alone(autojump_clock: MockClock) -> None:
    """R8, J7: whatever it owes, the boot goes on, it is listed, and nothing is appended to it."""
    store = MemoryStore()
    key = WorkflowKey("default", "bad")
    owed = [
        Open(ObligationKind.WAKE_UP, b"", due_us=1),
        Open(ObligationKind.STEP, b""),
        Open(ObligationKind.ACTIVITY, row_of(1, 1), payload=payload_of(2, 1)),
        Open(ObligationKind.CHILD_START, row_of(1, 2), payload=payload_of(1, "child", b"r" * 16)),
        Open(ObligationKind.SIGNAL, row_of(1, 3), payload=payload_of(2, "good", b"r" * 16)),
    ]
    summary = Summary("sums", 1, 1, b"r" * 16, 1, 1, 1)
    store.apply([Append(key, 0, b"\xff not an event", 3, summary, [RunRow(b"r" * 16, 1, b"", 0, "sums", 1, 1, 1, 0, 1, 0)], owed)])
    async with engine_on(store) as engine:
        assert {workflow_id for workflow_id, _ in engine.recovery.quarantined} == {"bad"}
        assert await engine.execute(shop.parent, 4, id="good") == 1008
        with pytest.raises(aion.JournalCorruptedError):
            await engine.handle("bad").signal(shop.go, 1)
        with pytest.raises((aion.JournalCorruptedError, aion.WorkflowQuarantinedError)):
            await engine.handle("bad").result()
        await trio.sleep(100)
    assert store.head(key) == 3


async def test_a_start_for_an_unreadable_history_is_refused(autojump_clock: MockClock) -> None:
    """J7: it becomes no wrong answer."""
    store = MemoryStore()
    key = WorkflowKey("default", "bad")
    summary = Summary("sums", 1, 1, b"r" * 16, 1, 1, 1)
    store.apply([Append(key, 0, b"\xff", 1, summary, [RunRow(b"r" * 16, 1, b"", 0, "sums", 1, 1, 1, 0, 1, 0)])])
    async with engine_on(store) as engine:
        with pytest.raises((aion.JournalCorruptedError, aion.WorkflowQuarantinedError)):
            await engine.start(shop.sums, 1, id="bad")
        with pytest.raises((aion.JournalCorruptedError, aion.WorkflowQuarantinedError)):
            await engine.handle("bad").terminate()


# ---- work in flight


async def test_members_of_a_fan_out_in_flight_are_dispatched_again(autojump_clock: MockClock) -> None:
    """A1, R5: each of them, and those that are done are not done again."""
    performed: list[int] = []
    gate = trio.Event()

    @aion.activity
    async def member(n: int) -> int:
        performed.append(n)
        if n >= 2:
            await gate.wait()
        return n

    @aion.workflow
    async def fan(n: int) -> int:
        total = 0

        async def one(i: int) -> None:
            nonlocal total
            value = await member(i)
            total += value

        async with durable.open_nursery() as nursery:
            for i in range(n):
                nursery.start_soon(one, i)
        return total

    store = MemoryStore()
    async with engine_on(store, workflows=[fan], activities=[member]) as engine:
        await engine.start(fan, 5, id="f")
        await until(engine, "f", "ActivityCompleted", 2)
    gate.set()
    async with engine_on(store, workflows=[fan], activities=[member]) as engine:
        assert engine.recovery.activities_resumed == 3
        assert await engine.handle("f").result() == 10
    assert sorted(performed) == [0, 1, 2, 2, 3, 3, 4, 4]


async def test_a_cancel_reaches_a_run_that_was_never_recovered(autojump_clock: MockClock) -> None:
    """L1: the run's code is not loaded; cancel is recorded, terminate ends it, and the engine without it says so."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.waits, 1, id="w")
        await engine.start(shop.waits, 1, id="v")
    async with engine_on(store, workflows=[shop.double]) as engine:
        await engine.handle("w").cancel("enough")
        await engine.handle("v").terminate("enough")
        assert (await engine.handle("v").describe()).status is aion.WorkflowStatus.TERMINATED
    async with engine_on(store) as engine:
        with pytest.raises(aion.WorkflowCancelledError):
            await engine.handle("w").result()
        assert [type(event).__name__ for event in await history_of(engine, "w")][-1] == "WorkflowCancelled"
    assert left(store) == []
