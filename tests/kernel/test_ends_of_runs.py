"""How a run ends that does not end by itself: by Ctrl-C in its code, by a fault that its code resists, and by being dropped (K4)."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio

import aion_trio as aion
from aion_trio import durable

from ..replay.plays import Play
from ..replay.steps import approval, charge, delivery


def test_no_code_turns_a_fault_into_something_else() -> None:
    """K4: not into Ctrl-C either."""

    @aion.workflow
    async def order() -> None:
        try:
            while True:
                await durable.checkpoint()
        except BaseException:
            raise KeyboardInterrupt from None

    async def resists() -> None:
        while True:
            durable.now()

    @aion.workflow
    async def asks() -> None:
        try:
            await resists()
        except BaseException:
            raise KeyboardInterrupt from None

    for workflow in (order, asks):
        play = Play(workflow, fuel=100)
        with pytest.raises(aion.WorkflowRuleError, match="used 100 resumptions"):
            play.start()
        play.execution.evict()


def test_after_ctrl_c_no_task_gets_a_turn_and_nothing_is_asked_for() -> None:
    """K4: what was woken in the same step never runs, and what wakes later gets no further than its next durable call."""
    seen: list[str] = []

    @aion.workflow
    async def order() -> None:
        async def interrupted() -> None:
            await gate.wait()
            raise KeyboardInterrupt

        async def woken_as_well() -> None:
            await gate.wait()
            seen.append("ran behind Ctrl-C")

        async def woken_later() -> None:
            await approval.receive()
            await charge("b")

        gate = durable.Event()
        async with durable.open_nursery() as nursery:
            for each in (interrupted, woken_as_well, woken_later):
                nursery.start_soon(each)
            await charge("a")
            gate.set()

    play = Play(order, known=[charge]).start()
    with pytest.raises(KeyboardInterrupt):
        play.complete(1, "x")
    play.signal("approval", True)
    assert play.names == [] and seen == []
    play.execution.evict()
    assert seen == []


AWAITS: dict[str, Callable[[], Awaitable[Any]]] = {
    "turn": durable.checkpoint,
    "activity": lambda: charge("a"),
    "sleep": lambda: durable.sleep(9),
    "sleep that is over": lambda: durable.sleep(0),
    "signal": approval.receive,
    "signal to another": lambda: durable.signal_workflow("another", approval, True),
    "child": lambda: delivery("p"),
    "child that is started": lambda: durable.start_child(delivery, "p"),
}


each_await = pytest.mark.parametrize("call", AWAITS.values(), ids=AWAITS.keys())


async def goes_on_whatever_happens(call: Callable[[], Awaitable[Any]]) -> None:
    while True:
        try:
            await call()
        except BaseException:
            continue


@each_await
def test_a_task_that_does_not_let_itself_be_ended_holds_up_nobody(call: Callable[[], Awaitable[Any]]) -> None:
    """It is left suspended; the cleanup of the others runs, and nothing of the run is due any more."""
    seen: list[str] = []

    @aion.workflow
    async def order() -> None:
        async def cleans_up() -> None:
            try:
                await durable.sleep_forever()
            finally:
                try:
                    await charge("undo")
                finally:
                    seen.append("cleaned up")

        async def stubborn() -> None:
            with durable.move_on_after(5):
                try:
                    await durable.sleep_forever()
                finally:
                    await goes_on_whatever_happens(call)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(cleans_up)
            nursery.start_soon(stubborn)

    play = Play(order, known=[charge, delivery]).start()
    assert play.execution.next_due() is not None
    play.execution.evict()
    assert seen == ["cleaned up"] and play.execution.next_due() is None


@each_await
def test_code_that_goes_on_behind_a_fault_is_stopped_at_an_await(call: Callable[[], Awaitable[Any]]) -> None:
    """K4."""

    @aion.workflow
    async def order() -> None:
        try:
            trio.current_time()
        finally:
            await goes_on_whatever_happens(call)

    play = Play(order, known=[charge, delivery])
    with pytest.raises(aion.WorkflowRuleError, match="a function of Trio was called"):
        play.start()
    play.execution.evict()


@each_await
def test_an_async_generator_that_does_not_let_itself_be_closed_holds_up_nobody(call: Callable[[], Awaitable[Any]]) -> None:
    """Nor does it take anything from the one that is closed behind it, and it is never closed by the collector."""
    seen: list[str] = []

    @aion.workflow
    async def order() -> None:
        async def stubborn() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await goes_on_whatever_happens(call)

        async def cleans_up() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                try:
                    await charge("undo")
                finally:
                    seen.append("cleaned up")

        first, second = stubborn(), cleans_up()
        await anext(first)
        await anext(second)
        await approval.receive()

    play = Play(order, known=[charge, delivery]).start()
    play.execution.evict()
    assert seen == ["cleaned up"]
    del play
    gc.collect()


def test_an_async_generator_is_closed_with_its_run_whoever_still_holds_it() -> None:
    """K1: and its cleanup is workflow code."""
    held: list[Any] = []

    @aion.workflow
    async def order() -> None:
        async def values() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                held.append(durable.now().year)

        held.append(values())
        await anext(held[0])
        await approval.receive()

    play = Play(order).start()
    play.execution.evict()
    assert held[1:] == [2023]


async def takes_turns() -> None:
    for _ in range(9):
        await durable.checkpoint()
    await approval.receive()


async def asks_what_time_it_is() -> None:
    for _ in range(9):
        durable.now()
    await approval.receive()


async def asks_for_the_current_time() -> None:
    for _ in range(9):
        durable.current_time()
    await approval.receive()


@pytest.mark.parametrize("code", [takes_turns, asks_what_time_it_is, asks_for_the_current_time], ids=lambda code: code.__name__)
def test_a_step_may_use_up_its_fuel_to_the_last_drop(code: Callable[[], Awaitable[None]]) -> None:
    """Nine calls and the first turn."""
    definition = aion.workflow(name="order")(code)
    Play(definition, fuel=10).start().execution.evict()
    play = Play(definition, fuel=9)
    with pytest.raises(aion.WorkflowRuleError, match="used 9 resumptions"):
        play.start()
    play.execution.evict()
