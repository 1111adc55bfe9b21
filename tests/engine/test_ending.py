"""Cancel, terminate, and waiting for the end (L1, L6)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import CancelRequested
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet
from .harness import engine_on, names_of, until
from .listeners import WORKFLOWS, declines, note, opened, tidies


async def test_a_cancelled_workflow_may_clean_up_under_a_shield(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(tidies, "raise", id="t")
        await trio.sleep(1)
        await handle.cancel("enough")
        with pytest.raises(aion.WorkflowCancelledError, match="enough"):
            await handle.result()
        assert await names_of(engine, "t") == [
            "WorkflowStarted", "CancelRequested", "TimerStarted", "TimerFired", "ActivityScheduled", "ActivityCompleted",
            "WorkflowCancelled",
        ]  # fmt: skip


async def test_a_cancelled_workflow_may_end_as_it_likes(autojump_clock: MockClock) -> None:
    """L1: cooperative; it completes, or fails, if its code says so."""
    async with opened() as engine:
        for workflow, args, expected in ((tidies, ("return",), "tidied"), (declines, (), "went on")):
            handle = await engine.start(workflow, *args)  # type: ignore[arg-type]
            await handle.cancel()
            assert await handle.result() == expected
        handle = await engine.start(tidies, "fail")
        await handle.cancel()
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await handle.result()
        assert isinstance(caught.value.__cause__, ValueError)


async def test_cancelling_twice_is_one_request(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(tidies, "raise", id="t")
        async with trio.open_nursery() as nursery:
            for n in range(5):
                nursery.start_soon(handle.cancel, f"reason {n}")
        await handle.cancel("again", request_id="r")
        with pytest.raises(aion.WorkflowCancelledError):
            await handle.result()
        assert len(await only(engine, "t", CancelRequested)) == 1


async def test_a_workflow_is_cancelled_before_its_code_has_begun(autojump_clock: MockClock) -> None:
    """L1: parked from the first moment, and never in memory after the open."""
    store = MemoryStore()
    async with opened(store) as engine:
        await engine.start(shop.hangs, id="h", attributes={"x": 1})
        await engine.start(shop.waits, 1, id="w")
    async with opened(store) as engine:
        assert engine.runs.resident == 1
        for workflow_id in "hw":
            await engine.handle(workflow_id).cancel()
            with pytest.raises(aion.WorkflowCancelledError):
                await engine.handle(workflow_id).result()
    assert owed(store) == []


async def test_cancelling_cancels_what_the_workflow_waits_for(autojump_clock: MockClock) -> None:
    """K9: activity, timer, child and signal at once."""

    @aion.workflow
    async def does_all() -> None:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(shop.hang)
            nursery.start_soon(shop.hangs)
            nursery.start_soon(durable.sleep, 1000)
            nursery.start_soon(note.receive)

    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, does_all]) as engine:
        handle = await engine.start(does_all, id="d")
        await trio.sleep(1)
        await handle.cancel()
        with pytest.raises(aion.WorkflowCancelledError):
            await handle.result()
        names = await names_of(engine, "d")
        assert names[4:] == ["CancelRequested", "ActivityCancelled", "ChildCancelRequested", "TimerCancelled", "WorkflowCancelled"]
        (child,) = [found async for found in engine.list_workflows(type="hangs")]
        with pytest.raises(aion.WorkflowTerminatedError, match="parent closed"):  # the parent did not stay to see it cancelled
            await engine.handle(child.id).result()
        await quiet(store)
        assert owed(store) == []


async def test_terminate_ends_a_workflow_that_takes_no_notice(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def stubborn() -> None:
        with durable.CancelScope(shield=True):
            await durable.sleep_forever()

    async with engine_on(MemoryStore(), workflows=[stubborn]) as engine:
        handle = await engine.start(stubborn, id="s")
        await handle.cancel()
        await trio.sleep(1000)
        assert (await handle.describe()).status is aion.WorkflowStatus.RUNNING
        await handle.terminate("that is it")
        with pytest.raises(aion.WorkflowTerminatedError, match="that is it"):
            await handle.result()
        with pytest.raises(aion.WorkflowClosedError):
            await handle.terminate()


async def test_two_racing_operations_have_one_winner(autojump_clock: MockClock) -> None:
    """L6: one closing event, and the loser is told."""
    for _ in range(20):
        async with opened() as engine:
            handle = await engine.start(shop.waits, 1, id="w")
            refusals: list[str] = []

            async def attempt(call: Any, *args: Any) -> None:
                try:
                    await call(*args)
                except aion.WorkflowClosedError as error:
                    refusals.append(type(error).__name__)  # noqa: B023

            async with trio.open_nursery() as nursery:
                nursery.start_soon(attempt, handle.terminate)
                nursery.start_soon(attempt, handle.terminate)
                nursery.start_soon(attempt, handle.signal, shop.go, 1)
                nursery.start_soon(attempt, handle.cancel)
            names = await names_of(engine, "w")
            closing = [name for name in names if name in ("WorkflowTerminated", "WorkflowCompleted", "WorkflowCancelled")]
            assert len(closing) == 1 and names[-1] == closing[0]
            assert refusals


async def test_a_cancelled_wait_leaves_the_workflow_alone(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        with trio.move_on_after(5):
            await engine.execute(shop.waits, 1, id="w")
        assert (await engine.handle("w").describe()).status is aion.WorkflowStatus.RUNNING
        await engine.handle("w").signal(shop.go, 1)
        assert await engine.handle("w").result() == 2


async def test_many_wait_for_one_result(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        results: list[int] = []

        async def wait() -> None:
            results.append(await engine.handle("w").result())

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(wait)
            await until(engine, "w", "WorkflowStarted")
            await handle.signal(shop.go, 1)
        assert results == [2] * 100


async def test_result_of_what_is_not_there(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("nobody").result()
        with pytest.raises(aion.WorkflowNotFoundError):
            [event async for event in engine.handle("nobody").history()]
        await engine.execute(shop.double, 1, id="d")
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("d", "11" * 16).result()
