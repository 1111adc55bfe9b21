"""What keeps workflow code inside: Trio and foreign awaits, fuel, eviction, Ctrl-C (K4, K7)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

import aion_trio as aion
from aion_trio import durable
from aion_trio.codec import encode
from aion_trio.kernel.context import current

from .plays import START_US, Play
from .steps import charge


def fault_of(play: Play, kind: type[Exception] = aion.WorkflowRuleError) -> str:
    """The message of the fault that starting the run raises; the step is void."""
    with pytest.raises(kind) as info:
        play.start()
    play.execution.evict()
    return str(info.value)


async def test_a_function_of_trio_fails_at_its_line() -> None:
    @aion.workflow
    async def order() -> None:
        try:
            await trio.sleep(1)
        except BaseException:
            return

    message = fault_of(Play(order))
    assert "test_guard.py:" in message and "in test_a_function_of_trio_fails_at_its_line.<locals>.order" in message
    await trio.lowlevel.checkpoint()


def test_trio_is_refused_outside_of_a_trio_program_too() -> None:
    @aion.workflow
    async def order() -> None:
        trio.current_time()

    assert "Trio" in fault_of(Play(order))
    with pytest.raises(RuntimeError, match="async context"):
        trio.lowlevel.current_task()


def test_a_foreign_awaitable_fails_at_its_line() -> None:
    @aion.workflow
    async def order() -> None:
        await asyncio.sleep(0)

    message = fault_of(Play(order))
    assert "another async library" in message and "<locals>.order" in message


def test_code_that_never_parks_runs_out_of_fuel() -> None:
    @aion.workflow
    async def spins() -> None:
        while True:
            await durable.checkpoint()

    @aion.workflow
    async def asks() -> None:
        while True:
            durable.set_attributes({"a": 1})

    @aion.workflow
    async def looks() -> None:
        while durable.now().year < 3000:
            pass

    for workflow in (spins, asks, looks):
        message = fault_of(Play(workflow, fuel=1000))
        assert "1000" in message and "fuel" in message


def test_fuel_is_filled_for_every_step_live_and_on_replay() -> None:
    @aion.workflow
    async def order() -> int:
        for _ in range(100):
            await charge("a")
        return 100

    play = Play(order, known=[charge], fuel=10).start()
    for ordinal in range(1, 101):
        play.complete(ordinal, "x")
    assert play.result == 100
    play.replay().require_settled()


def test_eviction_runs_cleanup_and_records_nothing() -> None:
    seen: list[str] = []

    @aion.workflow
    async def order() -> None:
        async def child() -> None:
            try:
                await charge("child")
            finally:
                seen.append("child")

        try:
            async with durable.open_nursery() as nursery:
                nursery.start_soon(child)
                await charge("a")
        finally:
            seen.append("finally")
            durable.logger.error("not written")
            with durable.CancelScope(shield=True):
                await charge("undo")
            seen.append("never")

    play = Play(order, known=[charge]).start()
    play.execution.evict()
    assert seen == ["child", "finally"]
    assert play.execution.take_outputs() == [] and play.execution.pending_activities() == {}
    assert play.execution.next_due() is None
    play.execution.evict()


def test_async_generators_live_until_the_run_is_dropped() -> None:
    seen: list[str] = []

    @aion.workflow
    async def order() -> None:
        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                seen.append("closed")

        async for _ in numbers():
            break
        await charge("a")
        seen.append("charged")

    play = Play(order, known=[charge]).start().complete(1, "x")
    assert seen == ["charged"]
    play.execution.evict()
    assert seen == ["charged", "closed"]


def test_ctrl_c_reaches_the_program_and_not_the_workflow() -> None:
    seen: list[str] = []

    @aion.workflow
    async def order() -> str:
        signal.raise_signal(signal.SIGINT)
        seen.append("the workflow goes on")
        return "ended"

    async def main() -> None:
        play = Play(order).start()
        seen.append(play.result)
        play.execution.evict()
        await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert seen == ["the workflow goes on", "ended"]


def test_nothing_is_left_behind_on_the_thread() -> None:
    @aion.workflow
    async def order() -> str:
        return await charge("a")

    async def main() -> Any:
        before = trio.lowlevel.current_task()
        play = Play(order, known=[charge]).start()
        assert trio.lowlevel.current_task() is before and current() is None
        await trio.lowlevel.checkpoint()
        return play.complete(1, "x").result

    assert trio.run(main) == "x"


def test_the_stack_shows_where_every_task_waits() -> None:
    @aion.workflow
    async def order() -> None:
        async def helper() -> None:
            await charge("a")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(helper)
            nursery.start_soon(durable.sleep, 5, name="nap")

    stack = Play(order, known=[charge]).start().execution.stack()
    assert "<Task 1 'order'>" in stack and "'nap'" in stack and stack.count("test_guard.py:") == 2
    assert "aion_trio/" not in stack


def test_two_runs_do_not_touch_each_other() -> None:
    @aion.workflow
    async def outer() -> list[str]:
        inner = Play(order, known=[charge])
        inner.start_fields[0] = "order"
        inner.start()
        mine = await charge("outer")
        return [mine, inner.complete(1, "inner").result]

    @aion.workflow
    async def order() -> str:
        return await charge("inner")

    assert Play(outer, known=[charge]).start().complete(1, "outer").result == ["outer", "inner"]


def test_context_variables_of_the_program_are_not_seen() -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default="nothing")
    variable.set("the program's")

    @aion.workflow
    async def order() -> list[str]:
        seen = [variable.get()]
        variable.set("the workflow's")
        async with durable.open_nursery() as nursery:

            async def child() -> None:
                seen.append(variable.get())
                variable.set("the child's")

            nursery.start_soon(child)
        return [*seen, variable.get()]

    assert Play(order).start().result == ["nothing", "the workflow's", "the workflow's"]
    assert variable.get() == "the program's"


def test_an_input_that_fits_no_more_fails_the_run() -> None:
    @aion.workflow
    async def order(cents: int) -> int:
        return cents

    play = Play(order, 5)
    play.start_fields[5] = encode(["five"])
    assert play.start().names == ["WorkflowFailed"]
    assert play.history[-1][1] == START_US
