"""Plain AnyIO code is durable inside a workflow, and what belongs in activities is refused."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

import aion_trio as aion
from aion_trio import durable, events as ev

from ..replay.plays import START_US, Play
from ..replay.steps import charge


def test_anyio_sleep_is_a_durable_timer_and_a_time_out_a_durable_deadline() -> None:
    @aion.workflow
    async def order() -> list[Any]:
        await anyio.sleep(5)
        with anyio.move_on_after(10) as scope:
            await anyio.sleep_forever()
        with pytest.raises(TimeoutError):
            with anyio.fail_after(1):
                await charge("a")
        return [scope.cancelled_caught, anyio.current_time()]

    play = Play(order, known=[charge]).start()
    assert play.last == [[ev.TIMER_STARTED, START_US, 1, START_US + 5_000_000]]
    play.pass_time().pass_time().pass_time()
    assert play.result == [True, START_US / 1e6 + 16]
    play.check()


def test_task_groups_streams_and_locks_work_with_activities() -> None:
    @aion.workflow
    async def order() -> list[str]:
        send, receive = anyio.create_memory_object_stream[str](1)
        lock, seen = anyio.Lock(), list[str]()

        async def produce(*, task_status: anyio.abc.TaskStatus[str] = anyio.TASK_STATUS_IGNORED) -> None:
            task_status.started("ready")
            async with send:
                for name in "ab":
                    async with lock:
                        await send.send(await charge(name))

        async with anyio.create_task_group() as group:
            seen.append(await group.start(produce))
            async with receive:
                seen += [value async for value in receive]
        return seen

    play = Play(order, known=[charge]).start().complete(1, "A").complete(2, "B")
    assert play.result == ["ready", "A", "B"]
    play.check()


def test_a_cancelled_task_group_raises_one_cancelled() -> None:
    @aion.workflow
    async def order() -> str:
        seen = ""
        with anyio.CancelScope() as scope:
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.sleep_forever)
                    scope.cancel()
            except anyio.get_cancelled_exc_class() as exc:
                seen = type(exc).__name__
                raise
        return seen

    play = Play(order).start()
    assert play.result == "Cancelled"
    play.check()


def test_semaphores_limiters_events_and_statistics() -> None:
    @aion.workflow
    async def order() -> list[int]:
        semaphore, limiter, event = anyio.Semaphore(1), anyio.CapacityLimiter(1), anyio.Event()
        async with semaphore, limiter:
            assert isinstance(event, anyio.Event)
            with pytest.raises(anyio.WouldBlock):
                semaphore.acquire_nowait()
            with pytest.raises(anyio.WouldBlock):
                limiter.acquire_on_behalf_of_nowait("another")
        async with anyio.create_task_group() as group:
            group.start_soon(event.wait)
            await anyio.wait_all_tasks_blocked()
            counts = [event.statistics().tasks_waiting, semaphore.statistics().tasks_waiting, len(anyio.get_running_tasks())]
            event.set()
        await anyio.lowlevel.checkpoint()
        return counts

    play = Play(order).start()
    assert play.result == [1, 0, 2]
    play.check()


def test_threads_and_files_are_refused_with_advice() -> None:
    @aion.workflow
    async def order() -> None:
        await anyio.to_thread.run_sync(len, "x")

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError, match=r"anyio.*activity"):
        play.start()
    play.execution.evict()


def test_anyio_and_durable_can_be_mixed() -> None:
    @aion.workflow
    async def order() -> bool:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(anyio.sleep, 1)
            with anyio.move_on_after(5) as scope:
                await durable.sleep(10)
        return scope.cancelled_caught

    play = Play(order).start().pass_time().pass_time()
    assert play.result is True
    play.check()
