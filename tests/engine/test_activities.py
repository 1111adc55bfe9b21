"""Activities: what an attempt sees, how it ends, and what of it is recorded."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.activities import NotInActivityError
from aion_trio.events import ActivityAttemptFailed, ActivityCompleted, ActivityFailed
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet, silent_log
from .harness import engine_on, names_of, until

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


def a_call_of(definition: Any, *args: Any) -> Any:
    """A workflow that calls one activity."""

    @aion.workflow(name="calls")
    async def calls() -> Any:
        return await definition(*args)

    return calls


async def run_one(definition: Any, *args: Any, store: Any = None, **settings: Any) -> Any:
    """The result of a workflow that calls the activity."""
    workflow = a_call_of(definition, *args)
    async with engine_on(store or MemoryStore(), workflows=[workflow], activities=[definition], **settings) as engine:
        return await engine.execute(workflow, id="c")


# ---- what an attempt sees


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


# ---- retries (A3)


def failing(policy: aion.RetryPolicy | None, error: Any = ValueError) -> tuple[Any, list[float]]:
    """An activity that always fails, and the times of its attempts."""
    times: list[float] = []

    @aion.activity(retry=policy)
    async def fails() -> None:
        times.append(round(trio.current_time(), 3))
        raise error("again")

    return fails, times


async def test_attempts_follow_each_other_by_the_policy(autojump_clock: MockClock) -> None:
    fails, times = failing(aion.RetryPolicy(max_attempts=6, initial=1, factor=3, maximum=10))
    with pytest.raises(aion.WorkflowFailedError):
        await run_one(fails)
    assert times == pytest.approx([0, 1, 4, 13, 23, 33], abs=0.01)


async def test_without_a_policy_there_is_one_attempt(autojump_clock: MockClock) -> None:
    fails, times = failing(None)
    with pytest.raises(aion.WorkflowFailedError) as caught:
        await run_one(fails)
    assert times == [0]
    error = caught.value.__cause__
    assert isinstance(error, aion.ActivityFailedError)
    assert (error.type, error.message, error.activity) == ("ValueError", "again", "fails")


async def test_jitter_takes_a_part_off(autojump_clock: MockClock) -> None:
    fails, times = failing(aion.RetryPolicy(max_attempts=40, initial=10, factor=1, maximum=10, jitter=0.5))
    with pytest.raises(aion.WorkflowFailedError):
        await run_one(fails)
    gaps = [after - before for before, after in pairwise(times)]
    assert all(4.99 <= gap <= 10.01 for gap in gaps)
    assert max(gaps) - min(gaps) > 1


class Refused(aion.NonRetryableError):
    pass


class Fatal(KeyError):
    pass


@pytest.mark.parametrize(
    ("error", "listed", "attempts"),
    [
        (Refused, (), 1),
        (aion.NonRetryableError, (), 1),
        (Fatal, (LookupError,), 1),
        (Fatal, ("Fatal",), 1),
        (ValueError, (LookupError,), 3),
        (lambda text: ExceptionGroup(text, [ValueError(), Fatal()]), (KeyError,), 1),
        (lambda text: ExceptionGroup(text, [ValueError(), OSError()]), (KeyError,), 3),
    ],
)
async def test_what_is_of_no_use_is_not_tried_again(error: Any, listed: Any, attempts: int, autojump_clock: MockClock) -> None:
    fails, times = failing(aion.RetryPolicy(max_attempts=3, initial=1, non_retryable=listed), error)
    with pytest.raises(aion.WorkflowFailedError):
        await run_one(fails)
    assert len(times) == attempts


@pytest.mark.parametrize(
    "bad",
    [
        {"max_attempts": 0}, {"max_attempts": 1.5}, {"initial": -1}, {"factor": 0.5}, {"maximum": 0.5}, {"jitter": 2},
        {"initial": float("nan")}, {"non_retryable": ValueError}, {"non_retryable": [3]},
    ],
)  # fmt: skip
def test_a_malformed_policy_is_refused_where_it_is_declared(bad: dict[str, Any]) -> None:
    """A3."""
    with pytest.raises(aion.DefinitionError):
        aion.RetryPolicy(**bad)


async def test_failed_attempts_are_recorded_and_invisible_to_the_code(autojump_clock: MockClock) -> None:
    """A3, K6: replay after the next open takes no notice of them."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        assert await engine.execute(shop.retried, 5, id="r") == 5
        failures = await only(engine, "r", ActivityAttemptFailed)
        assert [(event.attempt, event.failure[1]) for event in failures] == [(1, "ValueError"), (2, "ValueError")]
        gaps = [event.next_due_us / 1e6 - event.recorded_at.timestamp() for event in failures]
        assert gaps == pytest.approx([10, 20], abs=0.001)
        (completed,) = await only(engine, "r", ActivityCompleted)
        assert completed.attempt == 3
    assert owed(store) == []


async def test_a_crash_in_a_back_off_resumes_the_back_off(autojump_clock: MockClock) -> None:
    fails, times = failing(aion.RetryPolicy(max_attempts=3, initial=100, factor=1, maximum=100))
    store, workflow = MemoryStore(), a_call_of(fails)
    async with engine_on(store, workflows=[workflow], activities=[fails]) as engine:
        await engine.start(workflow, id="c")
        await until(engine, "c", "ActivityAttemptFailed")
        await trio.sleep(30)
    await trio.sleep(30)
    async with engine_on(store, workflows=[workflow], activities=[fails]) as engine:
        with pytest.raises(aion.WorkflowFailedError):
            await engine.handle("c").result()
    assert times == pytest.approx([0, 100, 200], abs=0.01)


# ---- failures


@aion.activity
async def fails_with_cause() -> None:
    try:
        raise OSError(28, "no space")
    except OSError as error:
        raise RuntimeError("could not write") from error


@aion.activity
async def fails_in_group() -> None:
    raise ExceptionGroup("several", [ValueError("a"), TypeError("b")])


class Ours(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Special(Ours):
    pass


@aion.activity(raises=[Ours])
async def fails_as_itself(special: bool) -> None:
    raise Special(4) if special else Ours(3)


@pytest.mark.parametrize("special", [False, True])
async def test_a_listed_exception_comes_back_as_itself(special: bool, autojump_clock: MockClock) -> None:
    """Also one of a subclass of what is listed."""

    @aion.workflow
    async def catches() -> int:
        try:
            await fails_as_itself(special)
        except Ours as error:
            return error.code
        return -1

    async with engine_on(MemoryStore(), workflows=[catches], activities=[fails_as_itself]) as engine:
        assert await engine.execute(catches) == (4 if special else 3)


async def test_other_failures_carry_type_message_details_and_causes(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def catches() -> list[Any]:
        found: list[Any] = []
        for fails in (fails_with_cause, fails_in_group):
            try:
                await fails()
            except aion.ActivityFailedError as error:
                cause = error.__cause__
                found.append([error.type, error.message, error.activity, type(cause).__name__, str(cause) if cause else ""])
        return found

    async with engine_on(MemoryStore(), workflows=[catches], activities=[fails_with_cause, fails_in_group]) as engine:
        with_cause, in_group = await engine.execute(catches)
    assert with_cause == ["RuntimeError", "could not write", "fails_with_cause", "OSError", "[Errno 28] no space"]
    assert in_group[0] == "ExceptionGroup"
    assert "ValueError: a" in in_group[1] and "TypeError: b" in in_group[1]


@aion.activity
async def returns_wrong_type() -> int:
    wrong: Any = "text"
    return wrong  # type: ignore[no-any-return]


@aion.activity
async def returns_the_unspeakable() -> Any:
    return object()


@aion.activity(retry=aion.RetryPolicy(max_attempts=3, initial=1))
async def returns_too_much() -> str:
    return "x" * 5000


@pytest.mark.parametrize(
    ("definition", "error"),
    [
        (returns_wrong_type, "InvalidInputError"),
        (returns_the_unspeakable, "InvalidInputError"),
        (returns_too_much, "PayloadTooLargeError"),
    ],
)
async def test_a_result_that_cannot_be_recorded_fails_the_activity(definition: Any, error: str, autojump_clock: MockClock) -> None:
    """The workflow is told; nothing hangs, and nobody is quarantined."""

    @aion.workflow
    async def catches() -> str:
        try:
            await definition()
        except aion.ActivityFailedError as failed:
            return failed.type
        return "no error"

    async with engine_on(MemoryStore(), workflows=[catches], activities=[definition], payload_limit_bytes=1000) as engine:
        assert await engine.execute(catches) == error


@aion.activity
async def fails_with_secret() -> None:
    raise Ours("hunter2")  # type: ignore[arg-type]


class Xor:
    """A codec that hides."""

    name = "xor"

    def encode(self, data: bytes, /) -> bytes:
        return bytes(byte ^ 0x55 for byte in data)

    def decode(self, data: bytes, /) -> bytes:
        return bytes(byte ^ 0x55 for byte in data)


async def test_details_of_a_failure_pass_through_the_payload_codecs(autojump_clock: MockClock) -> None:
    store, workflow = MemoryStore(), a_call_of(fails_with_secret)
    async with engine_on(store, workflows=[workflow], activities=[fails_with_secret], payload_codecs=(Xor(),)) as engine:
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await engine.execute(workflow, id="c")
        (failed,) = await only(engine, "c", ActivityFailed)
        assert b"hunter2" not in failed.failure[3]
        cause = caught.value.__cause__
        assert isinstance(cause, aion.ActivityFailedError)


# ---- time-outs (A4)


@aion.activity(timeout=5)
async def too_slow() -> None:
    await trio.sleep(100)


@aion.activity(timeout=5, retry=aion.RetryPolicy(max_attempts=3, initial=1, factor=1))
async def slow_twice() -> str:
    shop.EFFECTS.append(("slow", trio.current_time()))
    if aion.activity_info().attempt < 3:
        await trio.sleep(100)
    return "at last"


async def test_an_attempt_that_takes_too_long_is_cut_off(autojump_clock: MockClock) -> None:
    """A4: start-to-close, distinguishable in the error."""

    @aion.workflow
    async def catches() -> list[Any]:
        try:
            await too_slow()
        except aion.ActivityTimedOutError as error:
            return [error.kind, error.activity]
        return []

    async with engine_on(MemoryStore(), workflows=[catches], activities=[too_slow]) as engine:
        assert await engine.execute(catches) == ["start_to_close", "too_slow"]
        assert trio.current_time() == pytest.approx(5, abs=0.01)


async def test_a_time_out_is_worth_another_attempt(autojump_clock: MockClock) -> None:
    shop.EFFECTS.clear()
    assert await run_one(slow_twice) == "at last"
    assert [at for _, at in shop.EFFECTS] == pytest.approx([0, 6, 12], abs=0.01)


async def test_a_time_out_of_the_call_replaces_that_of_the_definition(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def hurries() -> float:
        with pytest.raises(aion.ActivityTimedOutError):
            await too_slow.with_options(timeout=1)()
        return durable.current_time()

    async with engine_on(MemoryStore(), workflows=[hurries], activities=[too_slow]) as engine:
        await engine.execute(hurries)
        assert trio.current_time() == pytest.approx(1, abs=0.01)


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


class Abrupt(BaseException):
    pass


async def test_what_is_no_exception_ends_the_engine_and_loses_nothing(autojump_clock: MockClock) -> None:
    """A BaseException of an activity (SystemExit, a simulated crash) is the program's: it comes out of the block."""
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
