"""A call that finds what it would wait for is a checkpoint all the same, and its price is the same on replay (K1, K5, K8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import encode

from .plays import Play
from .steps import approval, charge, delivery
from .test_fast_path import played

Call = Callable[[Any], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "a signal that has come": lambda child: approval.receive(),
    "a child that is started": lambda child: durable.start_child("delivery", "p"),
    "a child that has ended": lambda child: child.result(),
}


async def prepared() -> Any:
    """A child that has ended and a signal that has come."""
    child = await durable.start_child("delivery", "p", id="c")
    await charge("a")
    return child


def play_of(code: Any) -> Play:
    """A run of the code up to the end of its one activity, behind which it can have all it asks for."""
    play = Play(aion.workflow(name="order")(code), known=[charge, delivery]).start()
    play.signal("approval", True).feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("there"))
    return play.complete(2, "x")


@pytest.mark.parametrize("what", CALLS)
def test_the_others_have_a_turn(what: str) -> None:
    async def code() -> list[str]:
        child, seen = await prepared(), list[str]()

        async def other() -> None:
            seen.append("the other ran")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(other)
            await CALLS[what](child)
            seen.append("called")
        return seen

    play = play_of(code)
    assert play.result == ["the other ran", "called"]
    play.check()


@pytest.mark.parametrize("what", CALLS)
def test_a_scope_that_is_cancelled_cancels_it(what: str) -> None:
    async def code() -> list[bool]:
        child = await prepared()
        with durable.CancelScope() as scope:
            scope.cancel()
            await CALLS[what](child)
        return [scope.cancelled_caught, await approval.receive()]

    play = play_of(code)
    assert play.result == [True, True], "and the signal is still there"
    play.check()


async def draws_numbers() -> None:
    for _ in range(100):
        durable.random()


async def draws_ids() -> None:
    for _ in range(100):
        durable.uuid4()


@pytest.mark.parametrize("code", [draws_numbers, draws_ids], ids=lambda code: code.__name__)
def test_a_draw_takes_fuel_as_every_call_does(code: Any) -> None:
    """K7: code that does nothing else for ever is found out."""
    assert played(code, 102).execution.finished
    with pytest.raises(aion.WorkflowRuleError, match="used 100 resumptions and durable calls in one step"):
        played(code, 100)
