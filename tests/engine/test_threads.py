"""Activities in threads: limits, cancellation and time-outs reach them, and what they do too late changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore

from .evidence import owed
from .harness import engine_on, names_of, until

PATIENCE = 20.0
"""Seconds of real time after which a thread that was forgotten fails its test."""


class Gate:
    """Holds threads until it is opened, and counts them."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.lock = threading.Lock()
        self.inside = self.most = self.entered = 0
        self.told: list[str] = []

    def hold(self) -> None:
        """Wait at the gate, without looking at any flag."""
        self._enter()
        try:
            assert self.opened.wait(PATIENCE)
        finally:
            self._leave()

    def hold_politely(self) -> None:
        """Wait at the gate, with heartbeats; leave when told that the activity was cancelled."""
        self._enter()
        try:
            for _ in range(int(PATIENCE * 1000)):
                aion.heartbeat()
                if self.opened.wait(0.001):
                    return
        except BaseException as error:
            self.told.append(type(error).__name__)
            raise
        finally:
            self._leave()

    def _enter(self) -> None:
        with self.lock:
            self.entered += 1
            self.inside += 1
            self.most = max(self.most, self.inside)

    def _leave(self) -> None:
        with self.lock:
            self.inside -= 1


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open when the test has ended, whatever happened."""
    made = Gate()
    yield made
    made.opened.set()


async def in_real_time(condition: Callable[[], bool]) -> None:
    """Wait for threads, which no virtual clock knows of."""
    for _ in range(int(PATIENCE * 1000)):
        if condition():
            return
        await trio.to_thread.run_sync(threading.Event().wait, 0.001)
    raise AssertionError("a thread did not do what was expected")


def fanning_out(definition: Any, count: int) -> Any:
    @aion.workflow(name="fans_out")
    async def fans_out() -> int:
        async with durable.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(definition)
        return count

    return fans_out


async def test_no_more_threads_run_than_the_limit_says(gate: Gate, mock_clock: MockClock) -> None:
    """A6."""

    @aion.activity
    def works() -> None:
        gate.hold()

    workflow = fanning_out(works, 7)
    async with engine_on(MemoryStore(), workflows=[workflow], activities=[works], thread_limit=2) as engine:
        handle = await engine.start(workflow, id="f")
        await until(engine, "f", "ActivityScheduled", 7)
        await in_real_time(lambda: gate.inside == 2)
        gate.opened.set()
        assert await handle.result() == 7
    assert (gate.most, gate.entered) == (2, 7)


async def test_cancelling_reaches_the_thread(gate: Gate, mock_clock: MockClock) -> None:
    """A5: by a flag that a heartbeat sees."""

    @aion.activity
    def works() -> None:
        gate.hold_politely()

    workflow = fanning_out(works, 1)
    async with engine_on(MemoryStore(), workflows=[workflow], activities=[works]) as engine:
        handle = await engine.start(workflow, id="f")
        await in_real_time(lambda: gate.inside == 1)
        await handle.cancel("enough")
        with pytest.raises(aion.WorkflowCancelledError):
            await handle.result()
        await in_real_time(lambda: gate.inside == 0)
    assert gate.told == ["Cancelled"]


async def test_a_late_result_of_a_thread_is_dropped(gate: Gate, mock_clock: MockClock) -> None:
    """K9: the scope does not wait for a thread that takes no notice."""

    @aion.activity
    def works() -> str:
        gate.hold()
        return "late"

    @aion.workflow
    async def gives_up() -> str:
        with durable.move_on_after(3):
            await works()
        return "went on"

    store = MemoryStore()
    async with engine_on(store, workflows=[gives_up], activities=[works]) as engine:
        handle = await engine.start(gives_up, id="g")
        await in_real_time(lambda: gate.inside == 1)
        mock_clock.jump(3)
        assert await handle.result() == "went on"
        gate.opened.set()
        await in_real_time(lambda: gate.inside == 0)
        names = await names_of(engine, "g")
        assert "ActivityCompleted" not in names and names[-1] == "WorkflowCompleted"
        assert owed(store) == []


async def test_a_thread_that_takes_too_long_is_told_and_its_attempt_has_failed(gate: Gate, mock_clock: MockClock) -> None:
    """A4, A5."""

    @aion.activity(timeout=5)
    def works() -> None:
        gate.hold_politely()

    @aion.workflow
    async def catches() -> str:
        try:
            await works()
        except aion.ActivityTimedOutError as error:
            return error.kind
        return "no error"

    async with engine_on(MemoryStore(), workflows=[catches], activities=[works]) as engine:
        handle = await engine.start(catches)
        await in_real_time(lambda: gate.inside == 1)
        mock_clock.jump(5)
        assert await handle.result() == "start_to_close"
        await in_real_time(lambda: gate.inside == 0)
    assert gate.told == ["Cancelled"]


async def test_a_thread_that_is_left_behind_keeps_its_place_until_it_ends(gate: Gate, mock_clock: MockClock) -> None:
    """A6, A4: the next attempt waits for the place, and its time-out begins when it does."""

    @aion.activity(timeout=5, retry=aion.RetryPolicy(max_attempts=2, initial=1))
    def works() -> str:
        attempt = aion.activity_info().attempt
        if attempt == 1:
            gate.hold()
        return f"attempt {attempt}"

    @aion.workflow
    async def calls() -> str:
        return await works()

    async with engine_on(MemoryStore(), workflows=[calls], activities=[works], thread_limit=1) as engine:
        handle = await engine.start(calls, id="c")
        await in_real_time(lambda: gate.inside == 1)
        mock_clock.jump(5)
        await until(engine, "c", "ActivityAttemptFailed")
        for _ in range(20):
            mock_clock.jump(1)
            await trio.testing.wait_all_tasks_blocked()
        assert (await names_of(engine, "c"))[-1] == "ActivityAttemptFailed"
        gate.opened.set()
        assert await handle.result() == "attempt 2"
        assert (await names_of(engine, "c")).count("ActivityAttemptFailed") == 1


async def test_leaving_the_block_tells_threads_and_waits_for_none(gate: Gate, mock_clock: MockClock) -> None:
    """R10: what was queued never starts; what runs is told; its result is recorded by nobody."""

    @aion.activity
    def works() -> str:
        gate.hold_politely()
        return "done"

    workflow = fanning_out(works, 3)
    store = MemoryStore()
    async with engine_on(store, workflows=[workflow], activities=[works], thread_limit=1) as engine:
        await engine.start(workflow, id="f")
        await in_real_time(lambda: gate.inside == 1)
    before = store.stats()
    await in_real_time(lambda: gate.inside == 0)
    assert (gate.told, gate.entered, store.stats()) == (["Cancelled"], 1, before)
    gate.opened.set()
    async with engine_on(store, workflows=[workflow], activities=[works], thread_limit=1) as engine:
        assert await engine.handle("f").result() == 3
    assert owed(store) == []
