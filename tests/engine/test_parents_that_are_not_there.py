"""A child whose parent was purged, or is imported later: nothing is owed for ever, and nobody waits for ever (C2, R6)."""

from __future__ import annotations

import trio
import trio.testing
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.runs import Effect
from aion_trio.runs.messages import Settle
from aion_trio.stores import Close, MemoryStore, ObligationKind

from . import shop
from .harness import cut_after, engine_on, names_of, recovered, until


@aion.workflow
async def leaves(child_id: str) -> None:
    await durable.start_child(shop.waits, 1, id=child_id, on_parent_close="abandon")
    await shop.go.receive()


WORKFLOWS = [*shop.WORKFLOWS, leaves]


async def histories_of_a_family() -> tuple[list[str], list[str]]:
    """Of a parent that waits for its child `c`, and of the child, which has closed."""
    async with engine_on(MemoryStore()) as engine:
        await engine.start(shop.holds_child, "c", id="p")
        await until(engine, "c", "WorkflowStarted")
        await engine.handle("c").signal(shop.go, 5)
        assert await engine.handle("c").result() == 6
        return cut_after(await engine.export_history("p"), "ChildWorkflowStarted"), await engine.export_history("c")


async def test_a_child_of_a_purged_parent_owes_it_nothing(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with engine_on(store, workflows=WORKFLOWS) as engine:
        parent = await engine.start(leaves, "c", id="p")
        await until(engine, "c", "WorkflowStarted")
        await parent.signal(shop.go, 1)
        await parent.result()
    assert store.purge([engine.key("p")]) == 1
    async with engine_on(store, workflows=WORKFLOWS) as engine:
        await engine.handle("c").signal(shop.go, 5)
        assert await engine.handle("c").result() == 6
        await trio.testing.wait_all_tasks_blocked()
        assert not store.obligations_of(engine.key("c"))
        assert store.head(engine.key("p")) == 0
        assert list(store.keys().keys) == [engine.key("c")]


async def test_a_parent_that_is_imported_after_its_child_had_closed_is_told(autojump_clock: MockClock) -> None:
    """However much later: the child is asked to start, as for any parent whose history was taken over."""
    parent, child = await histories_of_a_family()
    store = MemoryStore()
    await recovered(store, child)
    async with engine_on(store) as engine:  # what an import owes is done by the next open
        await trio.sleep(1)
        assert not store.obligations_of(engine.key("c"))
    await recovered(store, parent)
    async with engine_on(store) as engine:
        await engine.handle("p").signal(shop.go, 1)
        with trio.fail_after(60):
            assert await engine.handle("p").result() == 6
        assert "ChildWorkflowCompleted" in await names_of(engine, "p")
        assert not [*store.obligations_of(engine.key("c")), *store.obligations_of(engine.key("p"))]
        assert await names_of(engine, "c") == ["WorkflowStarted", "SignalReceived", "WorkflowCompleted"]


async def test_what_is_owed_to_a_parent_that_came_to_be_meanwhile_stays_owed(autojump_clock: MockClock) -> None:
    """It was found missing, and was imported before its child could stop owing it anything."""
    parent, child = await histories_of_a_family()
    store = MemoryStore()
    await recovered(store, child, parent)
    async with engine_on(store) as engine:
        close = Close(ObligationKind.CHILD_CLOSED, bytes(8))
        assert await engine.runs.ask("c", Settle(close, absent="p")) is Effect.LATER
        assert await engine.runs.ask("c", Settle(close, absent="nobody")) is Effect.SETTLED


async def test_a_child_of_another_course_of_things_tells_its_parent_nothing(autojump_clock: MockClock) -> None:
    """Found by seed 12516748 of the simulation: a parent goes on from a prefix of its history, and has another child under that number."""

    @aion.workflow
    async def chooses() -> int:
        n = await shop.go.receive()
        child = await durable.start_child(shop.waits, n, id=f"c{n}")
        return await child.result()

    workflows = [*shop.WORKFLOWS, chooses]
    async with engine_on(MemoryStore(), workflows=workflows) as engine:
        parent = await engine.start(chooses, id="p")
        await parent.signal(shop.go, 1)
        await until(engine, "c1", "WorkflowStarted")
        await engine.handle("c1").signal(shop.go, 10)
        assert await parent.result() == 11
        begun, child = cut_after(await engine.export_history("p"), "WorkflowStarted"), await engine.export_history("c1")
    store = MemoryStore()
    await recovered(store, begun, child, workflows=workflows)
    async with engine_on(store, workflows=workflows) as engine:
        parent = engine.handle("p")
        await parent.signal(shop.go, 2)
        await until(engine, "c2", "WorkflowStarted")
        await trio.sleep(3600)
        assert (await parent.describe()).status is aion.WorkflowStatus.RUNNING
        await engine.handle("c2").signal(shop.go, 20)
        assert await parent.result() == 22
        assert not store.obligations_of(engine.key("c1"))
