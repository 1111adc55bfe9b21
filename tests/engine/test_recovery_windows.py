"""Each crash window as a named thing: a half-written history is imported, and the next open closes the window."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.seams import TrioClock
from aion_trio.stores import Fault, FaultyStore, MemoryStore, StoreFailed, dump

from . import shop
from .harness import cut_after, engine_on, history_of, names_of, normalised, recovered, until

Scenario = Callable[[aion.Engine], Awaitable[Any]]


@pytest.fixture(autouse=True)
def no_effects_yet() -> None:
    shop.EFFECTS.clear()


async def told(scenario: Scenario, *workflow_ids: str, **settings: Any) -> list[list[str]]:
    """The exported histories of an undisturbed run of a scenario."""
    async with engine_on(MemoryStore(), **settings) as engine:
        await scenario(engine)
        return [await engine.export_history(workflow_id) for workflow_id in workflow_ids]


async def test_a_recorded_child_that_is_awaited_is_started(autojump_clock: MockClock) -> None:
    """R3, C1."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.parent, 4, id="p")

    (lines,) = await told(scenario, "p")
    store = MemoryStore()
    await recovered(store, cut_after(lines, "ChildWorkflowStarted"))
    async with engine_on(store) as engine:
        assert engine.recovery.children_started == 1
        assert await engine.handle("p").result() == 1008


async def test_recovery_equals_an_undisturbed_run_from_every_prefix(autojump_clock: MockClock) -> None:
    """R11: whichever prefix of the parent a crash left, the history ends as if there had been none."""

    async with engine_on(MemoryStore()) as engine:
        await engine.execute(shop.parent, 4, id="p")
        undisturbed = normalised(await history_of(engine, "p"))
        lines = await engine.export_history("p")
    for length in range(1, len(lines) + 1):
        store = MemoryStore()
        await recovered(store, lines[:length])
        async with engine_on(store) as engine:
            assert await engine.handle("p").result() == 1008
            assert normalised(await history_of(engine, "p")) == undisturbed, length


async def test_a_child_without_a_parent_that_waits_is_started(autojump_clock: MockClock) -> None:
    """R3: fire and forget; the parent has closed meanwhile and abandons it."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.starts_and_leaves, "c", "abandon", id="p")

    (lines,) = await told(scenario, "p")
    store = MemoryStore()
    await recovered(store, lines)
    async with engine_on(store) as engine:
        assert engine.recovery.children_started == 1
        assert (await engine.handle("c").describe()).status is aion.WorkflowStatus.RUNNING


@pytest.mark.parametrize("policy", ["terminate", "cancel"])
async def test_a_child_that_never_started_follows_its_parents_close(policy: str, autojump_clock: MockClock) -> None:
    """L2, C3: the parent closed before the child began, so it never begins."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.starts_and_leaves, "c", policy, id="p")

    (lines,) = await told(scenario, "p")
    store = MemoryStore()
    await recovered(store, lines)
    async with engine_on(store) as engine:
        assert engine.recovery.children_started == 0
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("c").describe()
        assert engine.journal.obligations_of(engine.key("p")) == []


async def test_a_swept_child_keeps_its_recorded_version(autojump_clock: MockClock) -> None:
    """R3, V1: a newer version is loaded, the recorded one is started."""

    @aion.workflow(name="double", version=2)
    async def newer(n: int) -> int:
        return -1

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.parent, 4, id="p")

    (lines,) = await told(scenario, "p")
    store = MemoryStore()
    both = [*shop.WORKFLOWS, newer]
    await recovered(store, cut_after(lines, "ChildWorkflowStarted"), workflows=both)
    async with engine_on(store, workflows=both) as engine:
        assert await engine.handle("p").result() == 1008


async def test_a_child_of_unknown_type_is_quarantined_and_the_rest_recovers(autojump_clock: MockClock) -> None:
    """R8: it is listed under the child's id; its parent waits, and others go on."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.parent, 4, id="p")
        await engine.execute(shop.family, [1, 2], id="f")

    parent, family = await told(scenario, "p", "f")
    store = MemoryStore()
    await recovered(store, cut_after(parent, "ChildWorkflowStarted"), cut_after(family, "ChildWorkflowStarted", 2))
    without = [definition for definition in shop.WORKFLOWS if definition is not shop.double]
    async with engine_on(store, workflows=without) as engine:
        assert engine.recovery.children_started == 0
        assert len(engine.recovery.quarantined) == 3
        assert "double" in engine.recovery.quarantined[0].reason
        assert (await engine.handle("p").describe()).status is aion.WorkflowStatus.RUNNING
    async with engine_on(store) as engine:
        assert engine.recovery.quarantined == ()
        assert await engine.handle("p").result() == 1008
        assert await engine.handle("f").result() == [2, 4]


async def test_a_signal_to_a_recorded_child_waits_until_the_child_can_be_started(autojump_clock: MockClock) -> None:
    """S2, C1: the child counts as existing, whatever keeps it from starting; its sender is not told that there is none."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.start(shop.holds_child, "c", id="p")
        assert await engine.execute(shop.sends, "c", 5, id="s") == "delivered"

    parent, sender = await told(scenario, "p", "s")
    store = MemoryStore()
    await recovered(store, cut_after(parent, "ChildWorkflowStarted"), cut_after(sender, "SignalSent"))
    without = [definition for definition in shop.WORKFLOWS if definition is not shop.waits]
    async with engine_on(store, workflows=without) as engine:
        assert engine.recovery.signals_delivered == 0
        await trio.sleep(200)
        assert (await names_of(engine, "s"))[-1] == "SignalSent"
    async with engine_on(store) as engine:
        assert await engine.handle("s").result() == "delivered"
        assert await engine.handle("c").result() == 6


@pytest.mark.parametrize("operation", ["history", "apply"])
async def test_what_a_failing_disk_keeps_a_sweep_from_is_done_afterwards(operation: str, autojump_clock: MockClock) -> None:
    """R1, R3, J3: the journal opens all the same, the report counts what was done, and the rest is done without a restart."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.parent, 4, id="p")

    (lines,) = await told(scenario, "p")
    started: list[int] = []
    for nth in range(1, 5):
        store = MemoryStore()
        await recovered(store, cut_after(lines, "ChildWorkflowStarted"))
        faulty = FaultyStore(store)
        faulty.plan(Fault(operation, nth=nth, error=StoreFailed("for once")))
        async with engine_on(faulty, clock=TrioClock()) as engine:
            started.append(engine.recovery.children_started)
            assert await engine.handle("p").result() == 1008, nth
            assert not engine.quarantined
    assert set(started) == ({1} if operation == "apply" else {0, 1}), "an actor makes up for a failed commit by itself"


async def test_a_lost_successor_is_started(autojump_clock: MockClock) -> None:
    """R4, N1: own type, carried attributes, one chain."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.counts_down, 2, id="c", attributes={"team": "red"})

    (lines,) = await told(scenario, "c")
    store = MemoryStore()
    await recovered(store, cut_after(lines, "WorkflowContinuedAsNew"))
    async with engine_on(store) as engine:
        assert engine.recovery.successors_started == 1
        assert await engine.handle("c").result() == "zero"
        description = await engine.handle("c").describe()
        assert (description.type, description.attributes) == ("counts_down", {"team": "red"})
        started = [event for event in await history_of(engine, "c") if isinstance(event, aion.events.WorkflowStarted)]
        assert [event.parent_run_id for event in started] == [b"", started[0].run_id, started[1].run_id]


async def test_a_lost_successor_of_another_type_is_started_with_its_latest_version(autojump_clock: MockClock) -> None:
    """R4: the type override decides, and the latest version of it."""

    @aion.workflow(name="double", version=2)
    async def newer(n: int) -> int:
        return 3 * n

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.turns_into_double, 5, id="c")

    (lines,) = await told(scenario, "c")
    store = MemoryStore()
    both = [*shop.WORKFLOWS, newer]
    await recovered(store, cut_after(lines, "WorkflowContinuedAsNew"), workflows=both)
    async with engine_on(store, workflows=both) as engine:
        assert engine.recovery.successors_started == 1
        assert await engine.handle("c").result() == 15
        assert (await engine.handle("c").describe()).version == 2


async def test_a_parents_result_comes_through_a_chain_of_three(autojump_clock: MockClock) -> None:
    """C2, R5: the child continues as new twice; the parent gets the end of the chain, once."""

    @aion.workflow
    async def awaits_chain(n: int) -> str:
        return "child said " + await shop.counts_down(n)

    workflows = [*shop.WORKFLOWS, awaits_chain]

    async def scenario(engine: aion.Engine) -> None:
        handle = await engine.start(awaits_chain, 2, id="p")
        await handle.result()

    async with engine_on(MemoryStore(), workflows=workflows) as engine:
        await scenario(engine)
        parent = await engine.export_history("p")
        (child_id,) = [summary.id async for summary in engine.list_workflows(type="counts_down")]
        child = await engine.export_history(child_id)
    for length in range(1, len(child) + 1):
        store = MemoryStore()
        await recovered(store, cut_after(parent, "ChildWorkflowStarted"), child[:length], workflows=workflows)
        async with engine_on(store, workflows=workflows) as engine:
            assert await engine.handle("p").result() == "child said zero", length
            assert (await names_of(engine, "p")).count("ChildWorkflowCompleted") == 1


async def test_a_result_that_is_owed_to_a_parent_is_delivered(autojump_clock: MockClock) -> None:
    """R5, C2."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.parent, 4, id="p")

    async with engine_on(MemoryStore()) as engine:
        await scenario(engine)
        parent = await engine.export_history("p")
        (child_id,) = [summary.id async for summary in engine.list_workflows(type="double")]
        child = await engine.export_history(child_id)
    store = MemoryStore()
    await recovered(store, child, cut_after(parent, "ChildWorkflowStarted"))
    async with engine_on(store) as engine:
        assert engine.recovery.results_delivered == 1
        assert engine.recovery.children_started == 0
        assert await engine.handle("p").result() == 1008


async def test_a_past_due_timer_fires_at_boot(autojump_clock: MockClock) -> None:
    """T1."""

    async def scenario(engine: aion.Engine) -> None:
        await engine.execute(shop.sleeps, 5.0, id="s")

    (lines,) = await told(scenario, "s")
    store = MemoryStore()
    await recovered(store, cut_after(lines, "TimerStarted"))
    async with engine_on(store) as engine:
        assert await engine.handle("s").result() == "rested"
        assert (await names_of(engine, "s")).count("TimerFired") == 1


async def test_an_activity_in_flight_is_resumed(autojump_clock: MockClock) -> None:
    """A1, R5: the attempt that a crash cut off is repeated with the same number."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.hangs, id="h")
        await until(engine, "h", "ActivityScheduled")
    async with engine_on(store) as engine:
        assert engine.recovery.activities_resumed == 1
        description = await engine.handle("h").describe()
        assert [(pending.type, pending.attempt) for pending in description.pending_activities] == [("hang", 1)]
        assert engine.recovery.quarantined == ()


async def test_an_activity_in_back_off_goes_on_at_its_time(autojump_clock: MockClock) -> None:
    """A3: the failed attempt is an event that carries the next due time, which a restart keeps."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.retried, 7, id="r")
        await until(engine, "r", "ActivityAttemptFailed")
        (failed,) = [event for event in await history_of(engine, "r") if isinstance(event, aion.events.ActivityAttemptFailed)]
    async with engine_on(store) as engine:
        assert engine.recovery.activities_resumed == 1
        assert await engine.handle("r").result() == 7
        history = await history_of(engine, "r")
        assert [attempt for name, attempt in shop.EFFECTS if name == "fails_twice"] == [1, 2, 3]
        assert history[-1].recorded_at.timestamp() >= failed.next_due_us / 1e6


async def test_a_signal_that_is_owed_is_delivered_once(autojump_clock: MockClock) -> None:
    """S2, R5: sent and recorded by the sender, not delivered; delivered and not acknowledged."""
    async with engine_on(MemoryStore()) as engine:
        await engine.start(shop.sums, 1, id="target")
        await engine.execute(shop.sends, "target", 5, id="sender")
        sender, target = await engine.export_history("sender"), await engine.export_history("target")
    for target_lines in (target, target[:1]):
        store = MemoryStore()
        await recovered(store, cut_after(sender, "SignalSent"), target_lines)
        async with engine_on(store) as engine:
            assert engine.recovery.signals_delivered == 1
            assert await engine.handle("sender").result() == "delivered"
            await engine.handle("target").signal(shop.go, -1)
            assert await engine.handle("target").result() == 6


async def test_recovering_twice_leaves_every_record_equal(autojump_clock: MockClock) -> None:
    """R7: the second recovery finds nothing to do, compared through the store."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.hangs, id="h")
        await engine.start(shop.waits, 1, id="w")
        await engine.start(shop.holds_child, "c", id="p")
        await engine.start(shop.sleeps, 3600.0, id="s")
        await until(engine, "c", "WorkflowStarted")
        await until(engine, "h", "ActivityScheduled")
    async with engine_on(store) as engine:
        pass
    once = dump(store)
    async with engine_on(store) as engine:
        assert engine.recovery.children_started == 0
    assert dump(store) == once


async def test_concurrent_branches_come_back_in_the_same_order(autojump_clock: MockClock) -> None:
    """K1: killed after all steps were recorded, the result equals the undisturbed one."""
    async with engine_on(MemoryStore()) as engine:
        undisturbed = await engine.execute(shop.two_branches, 1, id="b")
        lines = await engine.export_history("b")
    for length in range(1, len(lines) + 1):
        store = MemoryStore()
        await recovered(store, lines[:length])
        async with engine_on(store) as engine:
            assert sorted(await engine.handle("b").result()) == sorted(undisturbed)
            if length >= len(lines) - 1:
                assert await engine.handle("b").result() == undisturbed
