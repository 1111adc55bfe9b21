"""Outside of a workflow: Trio's names are Trio's, the others say what to do, definitions run as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

import aion_trio as aion
from aion_trio import durable

from .steps import approval, charge, progress, readdress


@aion.activity
async def price(name: str) -> int:
    return len(name)


@aion.activity
def weigh(name: str) -> int:
    return 2 * len(name)


@aion.workflow
async def order(name: str) -> list[Any]:
    seen: list[Any] = []
    async with durable.open_nursery() as nursery:

        async def both() -> None:
            seen.append(await price(name))

        nursery.start_soon(both)
    with durable.move_on_after(5) as scope:
        await durable.sleep(10)
    try:
        with durable.fail_after(1):
            await durable.sleep_forever()
    except trio.TooSlowError:
        seen.append("too slow")
    return [*seen, scope.cancelled_caught, await weigh(name)]


async def test_a_workflow_is_a_plain_function_in_trio(autojump_clock: trio.testing.MockClock) -> None:
    assert await order("abc") == [3, "too slow", True, 6]


async def test_what_durable_makes_outside_is_trios_own() -> None:
    made = [
        (durable.CancelScope(), trio.CancelScope), (durable.move_on_after(1), trio.CancelScope), (durable.Event(), trio.Event),
        (durable.Lock(), trio.Lock), (durable.Semaphore(1), trio.Semaphore), (durable.Condition(), trio.Condition),
        (durable.CapacityLimiter(1), trio.CapacityLimiter), (durable.open_memory_channel(0)[0], trio.MemorySendChannel),
    ]  # fmt: skip
    for thing, kind in made:
        assert type(thing) is kind
    assert durable.Cancelled is trio.Cancelled
    assert durable.current_effective_deadline() == trio.current_effective_deadline()
    await durable.checkpoint()


@pytest.mark.parametrize(
    "ask",
    [
        durable.now, durable.random, durable.uuid4, durable.info, durable.continue_as_new, lambda: durable.patched("x"),
        lambda: durable.set_attributes({}), approval.receive, lambda: progress.serve(lambda: 1), lambda: readdress.serve(len),
    ],
)  # fmt: skip
def test_what_has_no_meaning_outside_says_so(ask: Callable[[], Any]) -> None:
    with pytest.raises(aion.NotInWorkflowError, match=r"workflow"):
        ask()


async def test_the_same_for_what_waits() -> None:
    with pytest.raises(aion.NotInWorkflowError, match=r"durable.signal_workflow"):
        await durable.signal_workflow("w", approval, True)
    with pytest.raises(aion.NotInWorkflowError, match=r"durable.start_child"):
        await durable.start_child("delivery", "p")


def test_the_logger_is_a_plain_logger_outside(caplog: pytest.LogCaptureFixture) -> None:
    durable.logger.warning("from a plain function")
    assert caplog.messages == ["from a plain function"]
    assert charge.name == "charge"
