"""Activities under way: cancelled, limited, unserved, parked."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore

from . import shop
from .calls import a_call_of, failing
from .evidence import owed, quiet, silent_log
from .harness import engine_on, names_of, until

# ---- cancellation (A5, K9)


async def test_cancelling_the_scope_cancels_the_running_activity(autojump_clock: MockClock) -> None:
    """K9, A5: at once, durably; what the activity does then is its own affair."""
    ended: list[str] = []

    @aion.activity
    async def works() -> str:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("cancelled")
        return "no"

    @aion.workflow
    async def gives_up() -> float:
        with durable.move_on_after(3):
            await works()
        return durable.current_time()

    store = MemoryStore()
    async with engine_on(store, workflows=[gives_up], activities=[works]) as engine:
        await engine.execute(gives_up, id="g")
        await quiet(store)
        assert ended == ["cancelled"]
        assert await names_of(engine, "g") == [
            "WorkflowStarted", "ActivityScheduled", "DeadlinePassed", "ActivityCancelled", "WorkflowCompleted",
        ]  # fmt: skip
        assert owed(store) == []


async def test_a_late_result_is_dropped_and_not_recorded(autojump_clock: MockClock) -> None:
    """K9: an activity that finishes in spite of its cancellation."""
    finished: list[int] = []

    @aion.activity
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(10)
        finished.append(1)
        return "late"

    @aion.workflow
    async def gives_up() -> str:
        with durable.move_on_after(3):
            await stubborn()
        await durable.sleep(100)
        return "went on"

    async with engine_on(MemoryStore(), workflows=[gives_up], activities=[stubborn]) as engine:
        assert await engine.execute(gives_up, id="g") == "went on"
        assert finished == [1]
        assert not {"ActivityCompleted", "ActivityFailed"} & set(await names_of(engine, "g"))


async def test_a_back_off_that_is_cancelled_starts_no_further_attempt(autojump_clock: MockClock) -> None:
    fails, times = failing(aion.RetryPolicy(max_attempts=9, initial=10, factor=1, maximum=10))

    @aion.workflow
    async def gives_up() -> str:
        with durable.move_on_after(25):
            await fails()
        await durable.sleep(1000)
        return "went on"

    store = MemoryStore()
    async with engine_on(store, workflows=[gives_up], activities=[fails]) as engine:
        assert await engine.execute(gives_up) == "went on"
    assert times == pytest.approx([0, 10, 20], abs=0.01)
    assert owed(store) == []


@pytest.mark.parametrize("how", ["cancel", "terminate"])
async def test_ending_the_workflow_ends_its_activities(how: str, autojump_clock: MockClock) -> None:
    ended = trio.Event()

    @aion.activity
    async def works() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    workflow = a_call_of(works)
    store = MemoryStore()
    async with engine_on(store, workflows=[workflow], activities=[works]) as engine:
        handle = await engine.start(workflow, id="c")
        await trio.sleep(1)
        await (handle.cancel() if how == "cancel" else handle.terminate())
        await ended.wait()
        with pytest.raises(aion.AionError):
            await handle.result()
        assert owed(store) == []


async def test_what_a_cancelled_activity_raises_in_its_clean_up_concerns_nobody(autojump_clock: MockClock) -> None:
    """Alone or in a group with cancellations: neither the workflow nor the engine notices, also when the engine is left."""

    async def breaks(n: int) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError(n)

    @aion.activity
    async def alone() -> None:
        await breaks(1)

    @aion.activity
    async def in_group() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(breaks, 1)
            nursery.start_soon(breaks, 2)
            nursery.start_soon(trio.sleep_forever)

    @aion.workflow
    async def gives_up(stays: bool) -> str:
        with durable.move_on_after(3):
            async with durable.open_nursery() as nursery:
                nursery.start_soon(alone)
                nursery.start_soon(in_group)
        if stays:
            await gives_up(False)
            async with durable.open_nursery() as nursery:
                nursery.start_soon(alone)
                nursery.start_soon(in_group)
        return "went on"

    async with engine_on(MemoryStore(), workflows=[gives_up], activities=[alone, in_group]) as engine:
        assert await engine.execute(gives_up, False) == "went on"
        await trio.sleep(1)
        assert await engine.execute(gives_up, False, id="g") == "went on"
        await engine.start(gives_up, True)
        await trio.sleep(10)


# ---- limits (A6)


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_no_more_tasks_run_than_the_limit_says(limit: int, autojump_clock: MockClock) -> None:
    running = most = 0

    @aion.activity
    async def works(n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(1)
        running -= 1
        return n

    @aion.workflow
    async def fans_out() -> int:
        async with durable.open_nursery() as nursery:
            for n in range(21):
                nursery.start_soon(works, n)
        return 21

    async with engine_on(MemoryStore(), workflows=[fans_out], activities=[works], task_limit=limit) as engine:
        assert await engine.execute(fans_out) == 21
        assert most == limit
        assert trio.current_time() == pytest.approx(-(-21 // limit), abs=0.1)


async def test_a_waiting_activity_does_not_hold_up_those_in_back_off_or_of_the_other_kind(mock_clock: MockClock) -> None:
    """A6: the limits are per kind."""

    @aion.activity
    async def slow() -> str:
        await trio.sleep_forever()
        return "slow"

    @aion.workflow
    async def mixes() -> str:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(slow)
            nursery.start_soon(slow)
            assert await shop.add_in_thread(1, 2) == 3
            nursery.cancel_scope.cancel()
        return "threads went on"

    async with engine_on(MemoryStore(), workflows=[mixes], activities=[slow, shop.add_in_thread], task_limit=1) as engine:
        assert await engine.execute(mixes) == "threads went on"


async def test_five_thousand_queued_activities_do_not_block_the_journal(autojump_clock: MockClock) -> None:
    """A6: back-pressure never blocks the journal; other workflows start, run and are answered meanwhile."""

    @aion.activity
    async def stuck(n: int) -> None:
        await trio.sleep_forever()

    @aion.workflow
    async def floods() -> None:
        async with durable.open_nursery() as nursery:
            for n in range(5000):
                nursery.start_soon(stuck, n)

    store = MemoryStore()
    async with engine_on(store, workflows=[floods, *shop.WORKFLOWS], activities=[stuck, shop.add_in_thread], task_limit=2) as engine:
        handle = await engine.start(floods, id="f")
        await until(engine, "f", "ActivityScheduled", 5000)
        other = await engine.start(shop.waits, 1)
        await other.signal(shop.go, 1)
        assert await other.result() == 2
        assert len((await handle.describe()).pending_activities) == 5000
        await handle.terminate()
        assert owed(store) == []


# ---- unknown types, faults, the end (A7, R8, R10)


async def test_an_unserved_type_waits_visibly_and_runs_when_it_is_loaded(autojump_clock: MockClock) -> None:
    """A7: it fails nobody."""
    store = MemoryStore()
    async with engine_on(store, activities=[]) as engine:
        handle = await engine.start(shop.double, 4, id="d")
        await until(engine, "d", "ActivityScheduled")
        await trio.sleep(1000)
        description = await handle.describe()
        (pending,) = description.pending_activities
        assert (pending.type, pending.served, pending.attempt) == ("add", False, 1)
        assert (description.status, description.quarantine) == (aion.WorkflowStatus.RUNNING, None)
    async with engine_on(store) as engine:
        assert await engine.handle("d").result() == 8


async def test_an_unserved_activity_can_be_cancelled(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with engine_on(store, activities=[shop.add]) as engine:
        assert await engine.execute(shop.gives_up_after, 5.0) == [True, 2]
        assert owed(store) == []


async def test_leaving_the_block_cancels_attempts_and_starts_none(autojump_clock: MockClock) -> None:
    """R10: what runs is cancelled, what is queued never starts, and nothing of it is recorded."""
    begun: list[int] = []
    ended: list[int] = []

    @aion.activity
    async def works(n: int) -> None:
        begun.append(n)
        try:
            await trio.sleep_forever()
        finally:
            ended.append(n)

    @aion.workflow
    async def fans_out() -> None:
        async with durable.open_nursery() as nursery:
            for n in range(10):
                nursery.start_soon(works, n)

    store = MemoryStore()
    async with engine_on(store, workflows=[fans_out], activities=[works], task_limit=3) as engine:
        await engine.start(fans_out, id="f")
        await trio.sleep(1)
        before = store.stats()
    assert sorted(begun) == sorted(ended) == [0, 1, 2]
    await trio.sleep(1000)
    assert len(begun) == 3
    assert store.stats() == before


@pytest.mark.parametrize("place", ["task", "thread"])
async def test_an_activity_that_exits_fails_and_ends_nothing_else(place: str, autojump_clock: MockClock) -> None:
    """R8: as workflow code that exits; no later attempt would fare better."""

    @aion.activity(runs_in="task", retry=aion.RetryPolicy(max_attempts=3))
    async def exits() -> None:
        raise SystemExit(3)

    @aion.activity(runs_in="thread", retry=aion.RetryPolicy(max_attempts=3))
    def exits_in_thread() -> None:
        raise SystemExit(3)

    exiting = exits if place == "task" else exits_in_thread
    workflow = a_call_of(exiting)
    async with engine_on(MemoryStore(), workflows=[workflow, shop.sleeps], activities=[exiting]) as engine:
        other = await engine.start(shop.sleeps, 1.0)
        with pytest.raises(aion.WorkflowFailedError, match="SystemExit: 3"):
            await engine.execute(workflow, id="c")
        assert (await names_of(engine, "c")).count("ActivityAttemptFailed") == 0
        assert await other.result() == "rested"


class Abrupt(BaseException):
    pass


async def test_what_is_no_exception_ends_the_engine_and_loses_nothing(autojump_clock: MockClock) -> None:
    """A BaseException of an activity (an interrupt, a simulated crash) is the program's: it comes out of the block."""
    fatal = True

    @aion.activity
    async def works() -> str:
        if fatal:
            raise Abrupt
        return "worked"

    store, workflow = MemoryStore(), a_call_of(works)
    with pytest.raises(Abrupt):
        async with engine_on(store, workflows=[workflow], activities=[works]) as engine:
            await engine.execute(workflow, id="c")
    fatal = False
    async with engine_on(store, workflows=[workflow], activities=[works]) as engine:
        assert await engine.handle("c").result() == "worked"


async def test_normal_failures_say_nothing_at_warning(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    with silent_log(caplog):
        async with engine_on(MemoryStore()) as engine:
            assert await engine.execute(shop.retried, 1) == 1
            assert await engine.execute(shop.gives_up_after, 1.0) == [True, 2]
