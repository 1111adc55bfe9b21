"""Every command that is recorded with something else than what the code asks for is found out (K3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import encode
from aion_trio.events import Raw

from .plays import Play
from .steps import approval, charge, delivery, readdress, ship

refund = aion.Signal("refund", bool)

Code = Callable[[], Any]


@aion.workflow
async def pickup(parcel: str) -> str:
    """Another child."""
    raise AssertionError(parcel)


def asks(act: Callable[[], Any]) -> Code:
    """Code that asks for one thing and waits for ever."""

    async def code() -> None:
        asked = act()
        if asked is not None and not isinstance(asked, bool):
            await asked
        await durable.sleep_forever()

    return code


def cancels(number: int, wait: Callable[[], Any]) -> Code:
    """Code that waits in two tasks, and cancels one of them when it may."""

    async def code() -> None:
        scopes = [durable.CancelScope() for _ in range(2)]

        async def waiter(scope: durable.CancelScope) -> None:
            with scope:
                await wait()

        async with durable.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(waiter, scope)
            await approval.receive()
            scopes[number].cancel()

    return code


def answers(*order: str) -> Code:
    """Code that answers two updates in this order when it may."""

    async def code() -> None:
        may = {place: durable.Event() for place in order}

        async def handle(place: str) -> int:
            await may[place].wait()
            return 1

        readdress.serve(handle)
        await approval.receive()
        for place in order:
            may[place].set()
        await durable.sleep_forever()

    return code


def continues(value: int, workflow: str) -> Code:
    async def code() -> None:
        durable.continue_as_new(value, workflow=workflow)

    return code


def returns(value: int) -> Code:
    async def code() -> int:
        return value

    return code


CHANGES: dict[str, tuple[Code, Code]] = {
    "activity: name": (asks(lambda: charge("a")), asks(lambda: ship("a"))),
    "activity: input": (asks(lambda: charge("a", 1)), asks(lambda: charge("a", 2))),
    "activity cancelled": (cancels(0, lambda: charge("a")), cancels(1, lambda: charge("a"))),
    "timer: time": (asks(lambda: durable.sleep(1)), asks(lambda: durable.sleep(2))),
    "timer cancelled": (cancels(0, lambda: durable.sleep(9)), cancels(1, lambda: durable.sleep(9))),
    "child: id": (asks(lambda: durable.start_child(delivery, "a", id="a")), asks(lambda: durable.start_child(delivery, "a", id="b"))),
    "child: type": (asks(lambda: durable.start_child(delivery, "a", id="a")), asks(lambda: durable.start_child(pickup, "a", id="a"))),
    "child: input": (asks(lambda: durable.start_child(delivery, "a", id="a")), asks(lambda: durable.start_child(delivery, "b", id="a"))),
    "child cancelled": (cancels(0, lambda: delivery("a")), cancels(1, lambda: delivery("a"))),
    "signal: target": (
        asks(lambda: durable.signal_workflow("a", approval, True)),
        asks(lambda: durable.signal_workflow("b", approval, True)),
    ),
    "signal: name": (asks(lambda: durable.signal_workflow("a", approval, True)), asks(lambda: durable.signal_workflow("a", refund, True))),
    "signal: value": (
        asks(lambda: durable.signal_workflow("a", approval, True)),
        asks(lambda: durable.signal_workflow("a", approval, False)),
    ),
    "attributes": (asks(lambda: durable.set_attributes({"a": 1})), asks(lambda: durable.set_attributes({"a": 2}))),
    "update: which": (answers("a", "b"), answers("b", "a")),
    "continue as new: input": (continues(1, "delivery"), continues(2, "delivery")),
    "continue as new: type": (continues(1, "delivery"), continues(1, "pickup")),
    "result": (returns(1), returns(2)),
}


def played(code: Code) -> Play:
    """What there is to be asked for has been asked for."""
    play = Play(aion.workflow(name="order")(code), known=[charge, ship, delivery, pickup]).start()
    if not play.execution.finished:
        for place in "ab":
            play.feed(ev.UPDATE_ACCEPTED, place, "readdress", encode(place))
        play.signal("approval", True)
    return play


def replayed(play: Play, history: list[Raw]) -> None:
    """The replay of a history by that play's code."""
    execution = play.new()
    try:
        execution.replay(history)
        execution.require_settled()
    finally:
        execution.evict()
        play.execution.evict()


@pytest.mark.parametrize("what", CHANGES)
def test_another_command_is_found_out(what: str) -> None:
    """And the same one is not."""
    before, after = (played(code) for code in CHANGES[what])
    assert len(before.history) == len(after.history)
    replayed(before, before.history)
    with pytest.raises(aion.NonDeterminismError):
        replayed(after, before.history)


def test_a_mark_of_another_change_is_found_out() -> None:
    """V3: the code's own mark is missing, so it takes the old branch, and then nothing takes up the mark that is recorded."""
    before, after = (played(asks(lambda name=name: durable.patched(name))) for name in ("one", "another"))  # type: ignore[misc]
    replayed(before, before.history)
    with pytest.raises(aion.NonDeterminismError, match="history has PatchMarked: one"):
        replayed(after, before.history)


NUMBERED = [what for what in CHANGES if what.startswith(("activity", "timer", "child", "signal", "attributes"))]


@pytest.mark.parametrize("what", NUMBERED)
def test_a_command_that_is_recorded_under_another_number_is_found_out(what: str) -> None:
    """K3."""
    play = played(CHANGES[what][0])
    history = [list(raw) for raw in play.history]
    last = next(raw for raw in reversed(history) if raw[0] in ev.OUTPUTS)
    last[3 if last[0] == ev.ATTRIBUTES_UPDATED else 2] += 1
    with pytest.raises(aion.NonDeterminismError):
        replayed(play, history)
