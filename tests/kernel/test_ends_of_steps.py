"""How a step ends: at a fault, and with the thread as it was; and what is left of a run that is dropped (K4, K7)."""

from __future__ import annotations

import gc
import logging
import os
import sys
import types
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
import sniffio
import trio

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel.context import current
from aion_trio.kernel.stack import user_line

from ..replay.plays import Play
from ..replay.steps import approval, charge


def broken(seen: list[str]) -> Play:
    """A run whose step is void: the first of four tasks that were woken breaks a rule."""

    @aion.workflow
    async def order() -> None:
        async def other(name: str) -> None:
            await gate.wait()
            seen.append(name)

        async def bad() -> None:
            await gate.wait()
            trio.current_time()

        gate = durable.Event()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(bad)
            for name in "bcd":
                nursery.start_soon(other, name)
            await charge("a")
            gate.set()

    play = Play(order, known=[charge]).start()
    with pytest.raises(aion.WorkflowRuleError, match="a function of Trio was called"):
        play.complete(1, "x")
    return play


def test_behind_a_fault_no_task_gets_a_turn_in_that_step_or_a_later_one() -> None:
    """K4: a step that is void has no effects."""
    seen: list[str] = []
    play = broken(seen)
    for _ in range(2):
        with pytest.raises(aion.WorkflowRuleError, match="a function of Trio was called"):
            play.signal("approval", True)
    assert seen == [] and play.execution.spoiled
    play.execution.evict()
    assert seen == []


async def waits_for_a_signal() -> None:
    await approval.receive()


async def waits_for_an_activity() -> None:
    await charge("a")


async def waits_in_scopes() -> None:
    with durable.move_on_after(5), durable.CancelScope(shield=True):
        await durable.sleep(9)


async def waits_in_a_nursery() -> None:
    async with durable.open_nursery() as nursery:
        nursery.start_soon(charge, "a")
        await approval.receive()


async def waits_for_its_children() -> None:
    async with durable.open_nursery() as nursery:
        nursery.start_soon(charge, "a")


async def wakes_another_on_its_way_out() -> None:
    event = durable.Event()
    async with durable.open_nursery() as nursery:
        nursery.start_soon(event.wait)
        try:
            await approval.receive()
        finally:
            event.set()


async def waits_until_all_are_blocked_on_its_way_out() -> None:
    try:
        await approval.receive()
    finally:
        await anyio.wait_all_tasks_blocked()


WAITING = [
    waits_for_a_signal, waits_for_an_activity, waits_in_scopes, waits_in_a_nursery, waits_for_its_children, wakes_another_on_its_way_out,
    waits_until_all_are_blocked_on_its_way_out,
]  # fmt: skip


@pytest.mark.parametrize("code", WAITING, ids=lambda code: code.__name__)
def test_a_run_that_is_dropped_is_freed_with_the_last_reference(code: Any) -> None:
    """Many runs come and go, and none of them waits for the cyclic collector."""
    gc.collect()
    gc.disable()
    try:
        play = Play(aion.workflow(name="order")(code), known=[charge]).start()
        kernel = weakref.ref(play.execution._kernel)
        play.execution.evict()
        del play
        assert kernel() is None
    finally:
        gc.enable()


def test_async_generators_of_the_program_are_its_own_again_when_a_step_is_over() -> None:
    @aion.workflow
    async def order() -> str:
        return await charge("a")

    async def values() -> AsyncIterator[int]:
        yield 1

    play = Play(order, known=[charge]).start()
    with pytest.raises(StopIteration):
        anext(values()).send(None)
    play.execution.evict()
    assert sys.get_asyncgen_hooks().firstiter is None


def test_outside_of_a_trio_program_no_library_runs_when_a_step_is_over() -> None:
    @aion.workflow
    async def order() -> str:
        return await charge("a")

    play = Play(order, known=[charge]).start()
    with pytest.raises(sniffio.AsyncLibraryNotFoundError):
        sniffio.current_async_library()
    play.execution.evict()


def test_what_is_done_on_behalf_of_a_workflow_in_the_middle_of_a_step_is_done_outside_of_it() -> None:
    """Such as what a handler of its log does."""
    seen: list[Any] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((current(), trio.current_time() > 0, sniffio.current_async_library(), sys.get_asyncgen_hooks() == hooks[0]))

    @aion.workflow
    async def order() -> str:
        durable.logger.warning("written")
        return sniffio.current_async_library()

    async def main() -> str:
        hooks.append(sys.get_asyncgen_hooks())
        return str(Play(order).start().result)

    hooks: Any = []
    handler, log = Handler(), logging.getLogger("aion_trio.workflow")
    log.addHandler(handler)
    try:
        assert trio.run(main) == "aion"
    finally:
        log.removeHandler(handler)
    assert seen == [(None, True, "trio", True)]


def test_code_that_ran_out_of_fuel_is_told_by_task_and_line_and_may_clean_up() -> None:
    cleaned: list[str] = []

    @aion.workflow
    async def order() -> None:
        async def spin() -> None:
            try:
                while True:
                    await durable.checkpoint()
            finally:
                cleaned.append(durable.now().isoformat()[:4])

        async with durable.open_nursery() as nursery:
            nursery.start_soon(spin, name="the one")

    play = Play(order, fuel=100)
    with pytest.raises(aion.WorkflowRuleError) as info:
        play.start()
    (note,) = info.value.__notes__
    assert note.startswith(f"task 'the one' at {__file__}:") and note.endswith("order.<locals>.spin")
    play.execution.evict()
    assert cleaned == ["2023"]


def line_of_fault(source: str, file: str, module: str, **more: Any) -> str:
    """What a fault in workflow code of that file says about its place."""
    space: dict[str, Any] = {"__name__": module, "trio": trio, "ExitStack": ExitStack, "durable": durable, **more}
    exec(compile(source, file, "exec"), space)
    play = Play(aion.workflow(name="order")(space["order"]))
    with pytest.raises(aion.WorkflowRuleError) as info:
        play.start()
    play.execution.evict()
    return str(info.value).partition(", at ")[2].partition(": it would")[0]


CALLS_TRIO = "async def order():\n    trio.current_time()\n"
CALLS_TRIO_BY_WAY_OF_THE_STANDARD_LIBRARY = """async def order():
    with ExitStack() as stack:
        stack.callback(trio.current_time)
"""


def test_workflow_code_that_was_installed_is_told_by_its_line() -> None:
    """K7: what lies in site-packages is a user's as well."""
    file = os.path.join(os.path.dirname(os.__file__), "site-packages", "shop", "orders.py")
    assert line_of_fault(CALLS_TRIO, file, "shop.orders") == f"{file}:2 in order"


def test_a_rule_that_is_broken_by_way_of_the_standard_library_is_told_by_the_line_of_the_workflow() -> None:
    """K7."""
    assert line_of_fault(CALLS_TRIO_BY_WAY_OF_THE_STANDARD_LIBRARY, "orders.py", "orders") == "orders.py:2 in order"


def test_a_rule_that_is_broken_by_way_of_a_frozen_module_is_told_by_the_line_of_the_workflow() -> None:
    """K7: such as `os.path`, whose functions have no file since Python 3.11."""
    space: dict[str, Any] = {"__name__": "posixpath", "trio": trio}
    exec(compile("def exists():\n    trio.current_time()\n", "<frozen posixpath>", "exec"), space)
    source = "async def order():\n    exists()\n"
    assert line_of_fault(source, "orders.py", "orders", exists=space["exists"]) == "orders.py:2 in order"


def test_where_no_workflow_code_is_on_the_stack_there_is_no_line_to_tell() -> None:
    with ThreadPoolExecutor() as threads:
        assert threads.submit(user_line).result() == ""


def test_the_demo_is_workflow_code_though_it_is_in_this_package() -> None:
    assert line_of_fault(CALLS_TRIO, "demo/orders.py", "aion_trio.demo.orders") == "demo/orders.py:2 in order"


def test_a_function_of_trio_is_refused_with_what_to_use_instead() -> None:
    """K7."""

    @aion.workflow
    async def order() -> None:
        trio.current_time()

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError, match=r"^a function of Trio was called in workflow code, at .*; use aion_trio.durable"):
        play.start()
    play.execution.evict()


def stack_of(code: Any) -> str:
    """Where the tasks of a workflow wait."""
    play = Play(aion.workflow(name="order")(code), known=[charge]).start()
    try:
        return play.execution.stack()
    finally:
        play.execution.evict()


def test_the_stack_shows_lines_of_the_workflow_and_none_of_the_libraries_that_it_waits_through() -> None:
    async def inside() -> None:
        await charge("a")

    @types.coroutine
    def old_style() -> Any:
        yield from inside()

    async def code() -> None:
        send, receive = anyio.create_memory_object_stream[int](1)
        async with send, receive, anyio.create_task_group() as group:
            group.start_soon(receive.receive)
            await old_style()

    lines = stack_of(code).splitlines()
    assert [line.rpartition(" in ")[2].rpartition(".")[2] for line in lines if line.startswith("  ")] == ["code", "old_style", "inside"]
    assert all(__file__ in line for line in lines if line.startswith("  "))


def test_the_stack_marks_tasks_that_are_cancelled_and_wait_on() -> None:
    async def code() -> None:
        async def child() -> None:
            with durable.CancelScope(shield=True):
                await charge("a")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(child)
            nursery.cancel_scope.cancel()

    tasks = [line for line in stack_of(code).splitlines() if not line.startswith("  ")]
    assert tasks == ["<Task 1 'order'> (cancelled)", f"<Task 2 {code.__qualname__ + '.<locals>.child'!r}>"]
