"""What one workflow owes to another is carried out again and again until it is done, and never without its cause."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import ChildWorkflowFailed
from aion_trio.journal.rows import fields_of, payload_of
from aion_trio.recovery import Courier
from aion_trio.runs import Effect
from aion_trio.seams import TrioClock
from aion_trio.stores import (
    Append,
    Fault,
    FaultyStore,
    MemoryStore,
    Obligation,
    ObligationKind,
    Open,
    StoreFailed,
    WorkflowKey,
    copy_records,
)

from . import shop
from .harness import cut_after, engine_on, history_of, names_of, recovered, until

SENDER = WorkflowKey("default", "sender")


class Unreadable(FaultyStore):
    """A store that cannot read which signals are owed, from the `nth` look on, so many `times`; it notes when it was asked."""

    def __init__(self, inner: MemoryStore, times: float, nth: int = 1) -> None:
        super().__init__(inner)
        self.asked: list[float] = []
        self._failing = (nth, nth + times)

    def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
        if kind is ObligationKind.SIGNAL:
            self.asked.append(trio.current_time())
            if self._failing[0] <= len(self.asked) < self._failing[1]:
                raise StoreFailed("the disk answered with an error")
        return super().obligation(key, kind, row)

    def mend(self) -> None:
        self._failing = (0, 0)


@aion.workflow
async def lists(n: int) -> list[int]:
    return [await shop.go.receive() for _ in range(n)]


WORKFLOWS = [*shop.WORKFLOWS, lists]


async def a_signal_that_is_owed() -> MemoryStore:
    """As a crash behind the sender's record leaves it; the step that an import owes is taken."""
    async with engine_on(MemoryStore()) as engine:
        await engine.start(shop.sums, 0, id="target")
        await engine.execute(shop.sends, "target", 5, id="sender")
        target, sender = await engine.export_history("target"), await engine.export_history("sender")
    store = MemoryStore()
    await recovered(store, target[:1], cut_after(sender, "SignalSent"))
    return store


def owed_signal(store: MemoryStore) -> Obligation:
    (row,) = [row for row in store.obligations_of(SENDER) if row.kind is ObligationKind.SIGNAL]
    return row


async def test_a_delivery_that_fails_is_repeated_at_growing_distances_of_a_minute_at_most(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """S2: however long the journal cannot be read, the signal arrives soon after it can. Who looks for the reason finds it in the log."""
    caplog.set_level(logging.DEBUG, "aion_trio")
    store = Unreadable(MemoryStore(), math.inf)
    async with engine_on(store, clock=TrioClock()) as engine:
        await engine.start(shop.sums, 0, id="target")
        sender = await engine.start(shop.sends, "target", 5, id="sender")
        await trio.sleep(3600)
        assert "SignalReceived" not in await names_of(engine, "target")
        distances = [later - earlier for earlier, later in pairwise(store.asked)]
        store.mend()
        with trio.fail_after(60):
            assert await sender.result() == "delivered"
    assert distances[:4] == pytest.approx([0.5, 1, 2, 4])
    assert distances == sorted(distances)
    assert distances[-1] == 60
    told = [message for message in caplog.messages if "has to be repeated" in message]
    assert len(told) == len(store.asked) - 1
    assert told[0].startswith("a delivery from 'sender' to 'target' has to be repeated: ") and "the disk answered with an error" in told[0]


async def test_a_delivery_that_fails_at_boot_is_repeated(autojump_clock: MockClock) -> None:
    """R1, R5: the engine opens, and nobody is set aside."""
    async with engine_on(Unreadable(await a_signal_that_is_owed(), 1), clock=TrioClock()) as engine:
        assert engine.recovery.signals_delivered == 0
        assert engine.recovery.quarantined == ()
        with trio.fail_after(60):
            assert await engine.handle("sender").result() == "delivered"


async def test_no_delivery_overtakes_one_that_failed_at_boot(autojump_clock: MockClock) -> None:
    """S2: the order of arrival is that of sending."""

    @aion.workflow
    async def sends_at_once(target: str) -> None:
        async with durable.open_nursery() as nursery:
            for value in range(4):
                nursery.start_soon(durable.signal_workflow, target, shop.go, value)

    workflows = [*WORKFLOWS, sends_at_once]
    async with engine_on(MemoryStore(), workflows=workflows) as engine:
        await engine.start(lists, 4, id="target")
        await engine.execute(sends_at_once, "target", id="sender")
        target, sender = await engine.export_history("target"), await engine.export_history("sender")
    store = MemoryStore()
    await recovered(store, target[:1], cut_after(sender, "SignalSent", 4), workflows=workflows)
    for nth in range(1, 5):
        begun = MemoryStore()
        copy_records(store, begun)
        async with engine_on(Unreadable(begun, 1, nth), workflows=workflows, clock=TrioClock()) as engine:
            with trio.fail_after(60):
                assert await engine.handle("target").result() == [0, 1, 2, 3]


async def test_a_signal_to_a_child_on_record_waits_until_the_child_has_started(autojump_clock: MockClock) -> None:
    """S2, C1: a recorded child counts as existing."""
    store = FaultyStore(MemoryStore())
    async with engine_on(store, clock=TrioClock()) as engine:
        store.plan(Fault("apply", nth=2, error=RuntimeError("a fault of ours")))  # the child's start, which is made later
        await engine.start(shop.holds_child, "c", id="p")
        assert await names_of(engine, "p") == ["WorkflowStarted", "ChildWorkflowStarted"]
        with trio.fail_after(60):
            assert await engine.execute(shop.sends, "c", 5, id="sender") == "delivered"
            assert await engine.handle("c").result() == 6


@pytest.mark.parametrize(("policy", "ending"), [("cancel", "WorkflowCancelled"), ("terminate", "WorkflowTerminated")])
async def test_a_parents_end_waits_for_its_childs_successor(
    policy: Literal["cancel", "terminate"], ending: str, autojump_clock: MockClock
) -> None:
    """C3, R4: between two runs the child cannot be told; its id is not free."""

    @aion.workflow
    async def goes_on(is_first: bool) -> None:
        await shop.go.receive()
        durable.continue_as_new(False)

    @aion.workflow
    async def leaves_later(child_id: str) -> None:
        await durable.start_child(goes_on, True, id=child_id, on_parent_close=policy)
        await shop.go.receive()

    workflows = [goes_on, leaves_later]
    async with engine_on(MemoryStore(), workflows=workflows) as engine:
        parent = await engine.start(leaves_later, "c", id="p")
        await until(engine, "c", "WorkflowStarted")
        await engine.handle("c").signal(shop.go, 1)
        await until(engine, "c", "WorkflowContinuedAsNew")
        await parent.signal(shop.go, 1)
        await parent.result()
        histories = cut_after(await engine.export_history("c"), "WorkflowContinuedAsNew"), await engine.export_history("p")
    store = MemoryStore()
    await recovered(store, *histories, workflows=[leaves_later])
    async with engine_on(store, workflows=[leaves_later]) as engine:  # the code that the successor needs is missing
        (row,) = store.obligations_of(engine.key("p"))
        assert row.kind is ObligationKind.CANCEL_REQUEST
        assert await Courier(engine.journal, engine.runs).deliver(row) is Effect.LATER
        assert list(store.obligations_of(engine.key("p"))) == [row]
    async with engine_on(store, workflows=workflows) as engine:
        with trio.fail_after(60):
            await until(engine, "c", ending)
        assert not store.obligations_of(engine.key("p"))


async def test_what_is_closed_already_is_settled(autojump_clock: MockClock) -> None:
    """R6, R7: carrying out a row twice has one effect."""
    store = await a_signal_that_is_owed()
    row = owed_signal(store)
    async with engine_on(store) as engine:
        assert await engine.handle("sender").result() == "delivered"
        before = await names_of(engine, "target")
        assert await Courier(engine.journal, engine.runs).deliver(row) is Effect.SETTLED
        assert await names_of(engine, "target") == before


@pytest.mark.parametrize("seq", [1, 99], ids=["another event", "no event"])
async def test_a_row_without_its_cause_is_not_acted_on_and_said_to_be_wrong(
    seq: int, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """R8, J7: the damaged row stops nobody, and `journal verify` is pointed to."""
    store = await a_signal_that_is_owed()
    row = owed_signal(store)
    wrong = Open(row.kind, row.row, row.due_us, row.queue, payload_of(seq, *fields_of(row.payload)[1:]))
    assert isinstance(store.apply([Append(SENDER, store.head(SENDER), opens=[wrong])])[0], int)
    caplog.set_level(logging.ERROR, "aion_trio")
    async with engine_on(store) as engine:
        assert await Courier(engine.journal, engine.runs).deliver(replace(row, payload=wrong.payload)) is Effect.SETTLED
        assert engine.recovery.signals_delivered == 0
        await trio.sleep(1000)
        assert "SignalReceived" not in await names_of(engine, "target")
    assert "workflow 'sender': an owed SIGNAL has no cause; run `aion-trio journal verify`" in caplog.text


async def test_what_is_owed_while_the_courier_is_away_is_carried_out_when_it_is_back(autojump_clock: MockClock) -> None:
    """R1: the engine's tree may fall and rise, and runs that stop meanwhile may still owe something."""
    carried_out: list[Obligation] = []

    class Carrying(Courier):
        async def deliver(self, row: Obligation) -> Effect:
            carried_out.append(row)
            await trio.lowlevel.checkpoint()
            return Effect.DONE

    row = Obligation(SENDER, ObligationKind.SIGNAL, bytes(8), 0, "", payload_of(2, "target", b"r" * 16))
    async with engine_on(MemoryStore()) as engine:
        courier = Carrying(engine.journal, engine.runs)
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(courier.serve)
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            courier.owe(row)
        assert carried_out == [row]


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [("fail", "failed", "ValueError: 7"), ("terminate", "terminated", "enough"), ("cancel", "cancelled", "enough")],
)
async def test_how_a_child_ended_is_recorded_with_its_parent(end: str, kind: str, message: str, autojump_clock: MockClock) -> None:
    """C2, H1: the failure's kind, type, message and cause, as every reader of histories finds them."""

    @aion.workflow
    async def ends_so(n: int) -> None:
        await shop.go.receive()
        raise ValueError(n)

    @aion.workflow
    async def awaits(child_id: str) -> None:
        child = await durable.start_child(ends_so, 7, id=child_id)
        await child.result()

    async with engine_on(MemoryStore(), workflows=[ends_so, awaits]) as engine:
        parent = await engine.start(awaits, "c", id="p")
        await until(engine, "c", "WorkflowStarted")
        child = engine.handle("c")
        await (child.signal(shop.go, 1) if end == "fail" else child.terminate("enough") if end == "terminate" else child.cancel("enough"))
        with pytest.raises(aion.WorkflowFailedError):
            await parent.result()
        (failed,) = [event for event in await history_of(engine, "p") if isinstance(event, ChildWorkflowFailed)]
    assert failed.failure[:4] == [kind, "ChildWorkflowFailedError", message, None]
    assert failed.failure[5] is False
    assert (failed.failure[4] is not None) is (end == "fail")
