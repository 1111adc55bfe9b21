"""Attempts, back-offs and time-outs: how often an activity runs, and when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import ActivityAttemptFailed, ActivityCompleted
from aion_trio.stores import MemoryStore

from . import shop
from .calls import a_call_of, failing, run_one
from .evidence import only, owed
from .harness import engine_on, until

# ---- retries (A3)


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
