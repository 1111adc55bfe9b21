"""What an attempt sees: its context, its call, its key, what the attempt before it reported."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.activities import NotInActivityError
from aion_trio.stores import MemoryStore

from . import shop
from .calls import a_call_of, run_one
from .harness import engine_on

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@aion.activity
async def sees_in_task() -> str:
    return tenant.get()


@aion.activity
def sees_in_thread() -> str:
    return tenant.get()


@aion.activity(retry=aion.RetryPolicy(max_attempts=2, initial=5))
async def sees_after_back_off() -> str:
    if aion.activity_info().attempt == 1:
        raise ValueError
    return tenant.get()


@pytest.mark.parametrize("definition", [sees_in_task, sees_in_thread, sees_after_back_off])
async def test_activities_see_the_context_of_the_opener(definition: Any, autojump_clock: MockClock) -> None:
    """Neither of who started the workflow nor of another activity: the context variables are those of `open_engine`'s caller."""
    tenant.set("opener")
    workflow = a_call_of(definition)
    async with engine_on(MemoryStore(), workflows=[workflow], activities=[definition]) as engine:
        tenant.set("starter")
        seen = [await engine.execute(workflow, id=str(n)) for n in range(3)]
        assert seen == ["opener"] * 3


async def test_one_activity_does_not_see_what_another_one_set(autojump_clock: MockClock) -> None:
    @aion.activity
    async def sets(n: int) -> str:
        before = tenant.get()
        tenant.set(f"set by {n}")
        return before

    @aion.workflow
    async def many() -> list[str]:
        return [await sets(n) for n in range(5)]

    tenant.set("opener")
    async with engine_on(MemoryStore(), workflows=[many], activities=[sets]) as engine:
        assert await engine.execute(many) == ["opener"] * 5


@aion.activity
async def async_body(n: int) -> str:
    trio.lowlevel.current_task()
    return threading.current_thread().name


@aion.activity
def sync_body(n: int) -> str:
    return threading.current_thread().name


async def test_async_functions_run_as_tasks_and_sync_ones_in_threads(autojump_clock: MockClock) -> None:
    """A6."""
    here = threading.current_thread().name
    assert await run_one(async_body, 1) == here
    assert await run_one(sync_body, 1) != here


@aion.activity(timeout=30, retry=aion.RetryPolicy(max_attempts=3, initial=7))
async def tells_of_itself() -> None:
    info = aion.activity_info()
    shop.EFFECTS.append(("info", info))
    if info.attempt < 3:
        raise ValueError


async def test_an_activity_knows_its_call_and_its_attempt(autojump_clock: MockClock) -> None:
    """A1: the idempotency key is the same for every attempt of one call and for no other call."""
    shop.EFFECTS.clear()

    @aion.workflow
    async def twice() -> None:
        await tells_of_itself()
        await tells_of_itself()

    async with engine_on(MemoryStore(), workflows=[twice], activities=[tells_of_itself]) as engine:
        handle = await engine.start(twice, id="t")
        await handle.result()
    infos: list[aion.ActivityInfo] = [info for _, info in shop.EFFECTS]  # type: ignore[misc]
    assert [info.attempt for info in infos] == [1, 2, 3, 1, 2, 3]
    assert [info.ordinal for info in infos] == [1, 1, 1, 2, 2, 2]
    assert len({info.idempotency_key for info in infos}) == 2
    assert {info.workflow_id for info in infos} == {"t"} and {info.run_id for info in infos} == {handle.run_id}
    assert {info.type for info in infos} == {"tells_of_itself"}
    assert infos[0].scheduled_at == infos[2].scheduled_at
    assert infos[1].deadline is not None
    assert infos[1].deadline - infos[1].scheduled_at == timedelta(seconds=37)


async def test_the_idempotency_key_is_the_same_after_the_next_open(autojump_clock: MockClock) -> None:
    """A1: an attempt that a park cut off is repeated with the same number and key, also under one attempt."""
    keys: list[tuple[str, int]] = []

    @aion.activity
    async def works() -> str:
        info = aion.activity_info()
        keys.append((info.idempotency_key, info.attempt))
        if len(keys) < 3:
            await trio.sleep_forever()
        return "worked"

    store, workflow = MemoryStore(), a_call_of(works)
    for seen in (1, 2):
        async with engine_on(store, workflows=[workflow], activities=[works]) as engine:
            await engine.start(workflow, id="c")
            while len(keys) < seen:
                await trio.sleep(1)
    async with engine_on(store, workflows=[workflow], activities=[works]) as engine:
        assert await engine.handle("c").result() == "worked"
    assert len(keys) == 3 and len(set(keys)) == 1


async def test_activity_info_and_heartbeat_mean_nothing_elsewhere(autojump_clock: MockClock) -> None:
    with pytest.raises(NotInActivityError):
        aion.activity_info()
    with pytest.raises(NotInActivityError):
        aion.heartbeat()
    async with engine_on(MemoryStore()) as engine:
        await engine.execute(shop.double, 1)
        with pytest.raises(NotInActivityError):
            aion.activity_info()


@aion.activity(retry=aion.RetryPolicy(max_attempts=4))
async def beats(in_thread: bool) -> list[Any]:
    info = aion.activity_info()
    if info.attempt < 4:
        if info.attempt != 2:
            aion.heartbeat({"page": info.attempt})
        raise ValueError
    return [info.last_heartbeat]


@aion.activity(retry=aion.RetryPolicy(max_attempts=2))
def beats_in_thread() -> Any:
    info = aion.activity_info()
    if info.attempt == 1:
        aion.heartbeat("half")
        raise ValueError
    return info.last_heartbeat


async def test_heartbeat_details_reach_the_next_attempt(autojump_clock: MockClock) -> None:
    """The last ones that were reported, also by an attempt before the last."""
    assert await run_one(beats, False) == [{"page": 3}]
    assert await run_one(beats_in_thread) == "half"
