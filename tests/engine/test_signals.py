"""Signals: from callers, and between workflows."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import SignalReceived
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet, records
from .harness import cut_after, engine_on, names_of, recovered
from .listeners import WORKFLOWS, collects, note, opened, starts_late

# ---- signals


async def test_signals_are_received_in_the_order_of_their_arrival(autojump_clock: MockClock) -> None:
    """S1."""
    async with opened() as engine:
        handle = await engine.start(collects, 50, id="c")
        for n in range(50):
            await handle.signal(note, str(n))
        assert await handle.result() == [str(n) for n in range(50)]
        assert [event.name for event in await only(engine, "c", SignalReceived)] == ["note"] * 50


async def test_early_signals_wait(autojump_clock: MockClock) -> None:
    """S1: over a restart, too, and for a loop over the signal."""
    store = MemoryStore()
    async with opened(store) as engine:
        handle = await engine.start(starts_late, 3, id="s")
        await handle.signal(note, "a")
        await handle.signal("note", "b")
    async with opened(store) as engine:
        await engine.handle("s").signal(note, "c")
        assert await engine.handle("s").result() == ["a", "b", "c"]


async def test_a_signal_that_nobody_waits_for_is_recorded_all_the_same(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        await handle.signal("unheard", {"of": [1, 2]})
        await handle.signal(shop.go, 1)
        assert await handle.result() == 2


@pytest.mark.parametrize("closed", [True, False])
async def test_a_signal_to_a_closed_or_missing_workflow_is_refused_and_not_recorded(closed: bool, autojump_clock: MockClock) -> None:
    """S1: typed, nothing appended."""
    store = MemoryStore()
    async with opened(store) as engine:
        if closed:
            await engine.execute(shop.double, 1, id="w")
        before = records(store)
        with pytest.raises(aion.WorkflowClosedError if closed else aion.WorkflowNotFoundError):
            await engine.handle("w").signal(note, "late")
        for ask in (engine.handle("w").cancel, engine.handle("w").terminate):
            with pytest.raises(aion.WorkflowClosedError if closed else aion.WorkflowNotFoundError):
                await ask()
        assert records(store) == before


async def test_a_signal_of_the_wrong_type_is_refused_with_its_path(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        wrong: Any = "not a number"
        with pytest.raises(aion.InvalidInputError):
            await handle.signal(shop.go, wrong)
        assert await names_of(engine, "w") == ["WorkflowStarted"]


async def test_half_a_character_is_refused_wherever_a_caller_gives_text(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        for call in (
            lambda: handle.signal("\ud800"), lambda: handle.cancel("\ud800"), lambda: handle.terminate("\ud800"),
            lambda: handle.signal(shop.go, 1, request_id="\ud800"), lambda: handle.cancel(request_id=""),
            lambda: handle.signal(shop.go, 1, request_id="r" * 1000),
        ):  # fmt: skip
            with pytest.raises(aion.InvalidInputError):
                await call()
        assert await names_of(engine, "w") == ["WorkflowStarted"]


async def test_a_string_signal_of_the_wrong_type_meets_the_workflow_where_it_is_received(autojump_clock: MockClock) -> None:
    """The sender named it by a string, so nobody could check; the receiver is told, and nothing hangs."""
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        await handle.signal("go", "not a number")
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await handle.result()
        assert isinstance(caught.value.__cause__, aion.InvalidInputError)


async def test_a_request_id_makes_a_signal_one(autojump_clock: MockClock) -> None:
    """S6: over a restart, and even when the workflow has closed meanwhile."""
    store = MemoryStore()
    async with opened(store) as engine:
        handle = await engine.start(collects, 2, id="c")
        for _ in range(3):
            await handle.signal(note, "a", request_id="r1")
    async with opened(store) as engine:
        handle = engine.handle("c")
        await handle.signal(note, "a", request_id="r1")
        await handle.signal(note, "b", request_id="r2")
        assert await handle.result() == ["a", "b"]
        await handle.signal(note, "b", request_id="r2")
        assert len(await only(engine, "c", SignalReceived)) == 2


async def test_a_signal_to_one_run_does_not_reach_another(autojump_clock: MockClock) -> None:
    """H6."""
    async with opened() as engine:
        first = await engine.start(shop.waits, 1, id="w")
        await first.terminate()
        await engine.start(shop.waits, 2, id="w", if_exists="new_run")
        with pytest.raises(aion.WorkflowClosedError, match="newer run"):
            await engine.handle("w", first.run_id).signal(shop.go, 1)
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("w", "00" * 16).signal(shop.go, 1)
        with pytest.raises(aion.InvalidInputError):
            engine.handle("w", "no hex")
        await engine.handle("w").signal(shop.go, 1)
        assert await engine.handle("w").result() == 3


async def test_many_senders_at_once_lose_nothing(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(collects, 300, id="c")
        async with trio.open_nursery() as nursery:
            for n in range(300):
                nursery.start_soon(handle.signal, note, str(n))
        assert sorted(await handle.result(), key=int) == [str(n) for n in range(300)]


# ---- signals between workflows (S2)


@aion.workflow
async def sends_many(target: str, count: int) -> list[str]:
    outcomes = []
    for n in range(count):
        try:
            await durable.signal_workflow(target, note, str(n))
            outcomes.append("delivered")
        except aion.SignalNotDeliveredError:
            outcomes.append("refused")
    return outcomes


@aion.workflow
async def sends_at_once(target: str, count: int) -> int:
    async with durable.open_nursery() as nursery:
        for n in range(count):
            nursery.start_soon(durable.signal_workflow, target, note, str(n))
    return count


async def test_workflows_signal_each_other_in_order_and_once(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, sends_many, sends_at_once]) as engine:
        for number, workflow in enumerate((sends_many, sends_at_once)):
            handle = await engine.start(collects, 20, id=f"c{number}")
            await engine.execute(workflow, handle.id, 20)
            assert await handle.result() == [str(n) for n in range(20)]
        await quiet(store)
        assert owed(store) == []


async def test_a_signal_to_a_closed_or_missing_workflow_raises_at_the_sender_and_is_recorded(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, sends_many]) as engine:
        await engine.start(collects, 2, id="c")
        assert await engine.execute(sends_many, "c", 4, id="s") == ["delivered", "delivered", "refused", "refused"]
        assert await engine.execute(sends_many, "nobody", 1) == ["refused"]
        assert (await names_of(engine, "s"))[-3:] == ["SignalSent", "SignalFailed", "WorkflowCompleted"]
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("nobody").describe()
        await quiet(store)
        assert owed(store) == []


async def test_a_child_that_is_still_to_start_next_door_is_not_who_is_meant(autojump_clock: MockClock) -> None:
    """S2: ids are a namespace's own; a signal does not wait for a child of the same id that another namespace has recorded."""

    @aion.workflow
    async def family() -> int:
        return await (await durable.start_child(shop.double, 4, id="kid")).result()

    @aion.workflow
    async def writes() -> str:
        try:
            await durable.signal_workflow("kid", note, "hello")
        except aion.SignalNotDeliveredError:
            return "nobody there"
        return "delivered"

    async with engine_on(MemoryStore(), workflows=[family, shop.double]) as engine:
        await engine.execute(family, id="f")
        history = await engine.export_history("f")
    store = MemoryStore()
    await recovered(store, cut_after(history, "ChildWorkflowStarted"), workflows=[family, shop.double], namespace="next door")
    async with engine_on(store, workflows=[writes, shop.double]) as engine:
        assert await engine.execute(writes) == "nobody there"


async def test_a_signal_outlives_its_sender(autojump_clock: MockClock) -> None:
    """S2, L2: it was recorded, so it is delivered, although the sender closed in that very step."""

    @aion.workflow
    async def sends_and_leaves(target: str) -> str:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(durable.signal_workflow, target, note, "last words")
            await durable.checkpoint()
            await durable.checkpoint()
            nursery.cancel_scope.cancel()
        return "left"

    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, sends_and_leaves]) as engine:
        handle = await engine.start(collects, 1, id="c")
        assert await engine.execute(sends_and_leaves, "c", id="s") == "left"
        assert await handle.result() == ["last words"]
        assert "SignalSent" in await names_of(engine, "s")
        await quiet(store)
        assert owed(store) == []


async def test_a_workflow_signals_itself(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def talks_to_itself() -> str:
        await durable.signal_workflow(durable.info().workflow_id, note, "hello")
        return await note.receive()

    async with engine_on(MemoryStore(), workflows=[talks_to_itself]) as engine:
        assert await engine.execute(talks_to_itself) == "hello"


@pytest.mark.parametrize("target", ["", "x" * 1000, "\ud800", "a\0b"])
async def test_a_signal_to_an_id_that_cannot_be_raises_at_the_sender(target: str, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore(), workflows=[*WORKFLOWS, sends_many]) as engine:
        try:
            handle = await engine.start(sends_many, target, 1)
        except aion.InvalidInputError:
            assert target == "\ud800"
            return
        with trio.fail_after(1000):
            try:
                assert await handle.result() == ["refused"]
            except aion.WorkflowFailedError as error:
                assert isinstance(error.__cause__, aion.InvalidInputError)
