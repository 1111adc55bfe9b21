"""What a recovery says that it found and did, and whom it holds up meanwhile (R1, R8, R9)."""

from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError
from typing import Any, cast

import pytest
import trio
import trio.testing
import trio_util
from trio.testing import MockClock

from aion_trio.recovery import Courier, Quarantined, Recovery, RecoveryReport
from aion_trio.recovery.sweeps import Sweeps
from aion_trio.seams import TrioClock
from aion_trio.stores import Append, Close, CorruptRecord, Fault, FaultyStore, MemoryStore, ObligationKind, StoreFailed, WorkflowKey

from . import shop
from .harness import cut_after, engine_on, names_of, recovered

KEY = WorkflowKey("default", "p")


async def a_child_that_is_owed() -> MemoryStore:
    """A parent that has recorded its child and owes its start, and nothing else."""
    async with engine_on(MemoryStore()) as engine:
        await engine.execute(shop.parent, 4, id="p")
        lines = await engine.export_history("p")
    store = MemoryStore()
    await recovered(store, cut_after(lines, "ChildWorkflowStarted"))
    store.apply([Append(KEY, store.head(KEY), closes=[Close(ObligationKind.STEP, b"")])])
    return store


async def test_the_report_is_in_the_log(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """R9."""
    store = await a_child_that_is_owed()
    caplog.set_level(logging.INFO, "aion_trio")
    async with engine_on(store) as engine:
        assert engine.recovery.children_started == 1
        told = [record.name for record in caplog.records if record.getMessage() == f"recovery: {engine.recovery}"]
    assert told == ["aion_trio"]
    assert "recovery: RecoveryReport(children_started=1, " in caplog.text


async def test_a_new_journal_has_nothing_to_recover(mock_clock: MockClock) -> None:
    """R9: and what a report says is said once and for all."""
    async with engine_on(MemoryStore(), clock=TrioClock()) as engine:
        report = engine.recovery
    assert report == RecoveryReport() == RecoveryReport(0, 0, 0, 0, 0, 0, (), 0.0)
    with pytest.raises(FrozenInstanceError):
        report.children_started = 1  # type: ignore[misc]
    assert not hasattr(report, "__dict__")


async def test_a_child_whose_id_is_taken_is_none_that_was_started(autojump_clock: MockClock) -> None:
    """R9, C1: its parent is told; what stops that for once is made up for, as for any other delivery."""
    async with engine_on(MemoryStore()) as engine:
        await engine.start(shop.holds_child, "c", id="p")
        lines = await engine.export_history("p")
    for failing in (False, True):
        store = FaultyStore(MemoryStore())
        async with engine_on(store) as engine:
            await engine.start(shop.sleeps, 7200.0, id="c")
        await recovered(store, cut_after(lines, "ChildWorkflowStarted"))
        store.apply([Append(KEY, store.head(KEY), closes=[Close(ObligationKind.STEP, b"")])])
        if failing:
            store.plan(Fault("apply", error=RuntimeError("a fault of ours")))
        async with engine_on(store, clock=TrioClock()) as engine:
            assert engine.recovery.children_started == 0
            await trio.sleep(60)
            assert "ChildWorkflowFailed" in await names_of(engine, "p")


async def test_the_report_tells_how_long_the_sweeps_took(mock_clock: MockClock) -> None:
    """R9."""
    store = FaultyStore(await a_child_that_is_owed())
    store.plan(Fault("apply", wait=lambda: mock_clock.jump(2.5)))
    mock_clock.jump(1000)
    async with engine_on(store, clock=TrioClock()) as engine:
        assert engine.recovery.seconds == 2.5


async def test_what_is_not_due_is_not_woken(autojump_clock: MockClock) -> None:
    """R2, T1: the cost of a boot follows what is owed now."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        for name, seconds in (("soon", 10.0), ("later", 3600.0)):
            await engine.start(shop.sleeps, seconds, id=name)
    await trio.sleep(60)
    async with engine_on(store) as engine:
        assert engine.recovery.wakeups_due == 1
        assert await engine.handle("soon").result() == "rested"


async def test_whose_cause_cannot_be_read_is_listed_and_logged(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """R8, J7: under the id that owes it, with the reason."""
    store = FaultyStore(await a_child_that_is_owed())
    store.plan(Fault("history", error=CorruptRecord("event 2 is damaged", "p", 2)))
    async with engine_on(store, clock=TrioClock()) as engine:
        assert engine.recovery.children_started == 0
        assert engine.recovery.quarantined == (Quarantined("p", "JournalCorruptedError: event 2 is damaged"),)
    assert "workflow 'p' could not be recovered: event 2 is damaged" in caplog.messages


@pytest.mark.parametrize("error", [StoreFailed("the disk answered with an error"), RuntimeError("a fault of ours")], ids=type)
async def test_what_fails_for_once_at_boot_sets_nobody_aside(error: Exception, autojump_clock: MockClock) -> None:
    """R8, J3: the run is woken again, and goes on."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.sleeps, 10.0, id="s")
    await trio.sleep(60)
    faulty = FaultyStore(store)
    faulty.plan(Fault("apply", error=error))
    async with engine_on(faulty, clock=TrioClock()) as engine:
        assert engine.recovery.quarantined == ()
        assert engine.quarantined == {}
        with trio.fail_after(60):
            assert await engine.handle("s").result() == "rested"


async def test_timers_and_activities_are_held_up_until_a_recovery_has_swept_and_when_it_has_ended() -> None:
    """R1: also when the engine's tree falls, and rises with another sweep to be made."""

    class NothingOwed:
        def look(self) -> None:
            assert not allowed.value

        def __getattr__(self, name: str) -> Any:
            assert name.startswith("sweep_")
            return self._sweep

        async def no_room(self) -> None:
            await trio.sleep_forever()

        async def _sweep(self) -> int:
            await trio.lowlevel.checkpoint()
            assert not allowed.value
            return 0

    class Serving:
        async def serve(self) -> None:
            assert allowed.value
            await trio.sleep_forever()

    allowed = trio_util.AsyncBool(False)
    recovery = Recovery(cast("Sweeps", NothingOwed()), cast("Courier", Serving()), allowed, {})
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(recovery.run)
            assert allowed.value
            nursery.cancel_scope.cancel()
        assert not allowed.value
