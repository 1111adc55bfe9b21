"""Fine points of replay: where one page of history ends, what a stream of random numbers is, what a note says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable
from aion_trio.errors import InvalidInputError
from aion_trio.replay.ledger import _PAGE

from .plays import Play
from .steps import charge, ship
from .test_nondeterminism import history_of, mismatch


def steps(count: int, then: Any) -> Callable[[], Any]:
    """Workflow code of so many steps and one more."""

    async def code() -> None:
        for _ in range(count):
            await charge("a", 5)
        await then("p")

    return code


@pytest.mark.parametrize("events", range(_PAGE - 3, _PAGE + 6))
def test_a_mismatch_beside_the_end_of_a_page_is_told_by_its_number(events: int) -> None:
    """K3: started, then scheduled and completed for each step; the step that differs is scheduled as the last event but two."""
    count = (events - 1) // 2
    history = history_of(steps(count, ship))
    error = mismatch(steps(count, charge), history)
    assert (error.ordinal, error.seq) == (count + 1, 2 * count + 2)
    assert error.recorded == f"ActivityScheduled: ship (command {count + 1})"


@pytest.mark.parametrize("count", range(_PAGE // 2 - 3, _PAGE // 2 + 4))
def test_history_that_goes_on_behind_the_end_of_the_code_is_told_by_its_number(count: int) -> None:
    """K3."""

    async def shorter() -> None:
        for _ in range(count):
            await charge("a", 5)

    error = mismatch(shorter, history_of(steps(count, ship)))
    assert (error.seq, error.asked) == (2 * count + 2, "WorkflowCompleted")


def test_the_stream_of_a_run_is_this_one() -> None:
    """K2: seeded by workflow id and run id; runs that were begun by another version go on with the same numbers."""

    @aion.workflow
    async def order() -> list[Any]:
        return [durable.random().getrandbits(64), durable.random().randrange(1000), str(durable.uuid4())]

    assert Play(order).start().result == [7903754738797452394, 156, "7fd9166d-5596-4e03-82d3-23e14239e4ed"]


def test_a_result_that_cannot_be_stored_fails_the_run_and_says_so() -> None:
    @aion.workflow
    async def order() -> int:
        return "x"  # type: ignore[return-value]

    failure = Play(order).start().last[0][2]
    assert failure[1] == f"{InvalidInputError.__module__}.{InvalidInputError.__qualname__}"
    assert "raised for the result of the workflow function" in str(failure[3:])


def test_an_exception_beside_a_cancellation_that_nobody_asked_for_is_the_failure() -> None:
    @aion.workflow
    async def order() -> None:
        async with durable.open_nursery() as nursery:
            nursery.cancel_scope.cancel()
            raise RuntimeError("mine")

    play = Play(order).start()
    assert play.names == ["WorkflowFailed"]
