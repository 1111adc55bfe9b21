"""Code that does what it must not: the step is void, the error names the line, and nothing that the code does can prevent it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
import trio

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.kernel import Guard, Kernel, TrioGuard
from aion_trio.kernel.context import current_kernel, current_task, local, set_aside
from aion_trio.kernel.guard import refuse
from aion_trio.kernel.scheduler import tasks_in
from aion_trio.kernel.stack import await_frames, line_of_coroutine
from aion_trio.kernel.static_look import problems
from aion_trio.kernel.tasks import PARKED

from ..replay.plays import START_US, Play
from ..replay.steps import approval, charge, progress


def refused(play: Play, message: str) -> str:
    """The words of the WorkflowRuleError that starting the run raises."""
    with pytest.raises(aion.WorkflowRuleError, match=message) as info:
        play.start()
    assert play.execution.spoiled and play.execution.take_outputs() == []
    play.execution.evict()
    return str(info.value)


def test_an_attribute_of_trios_task_cannot_be_set() -> None:
    """K7."""

    @aion.workflow
    async def order() -> None:
        trio.lowlevel.current_task().custom_sleep_data = 1

    assert "test_faults_of_code.py:" in refused(Play(order), "a function of Trio was called in workflow code")


def test_a_foreign_await_is_taken_off_there_and_thrown_back() -> None:
    """K7: an awaitable that knows how to be aborted is, and the code gets the fault at that very line."""
    seen: list[Any] = []

    @aion.workflow
    async def order() -> None:
        def abort(raise_cancel: Any) -> trio.lowlevel.Abort:
            seen.append(raise_cancel())
            return trio.lowlevel.Abort.SUCCEEDED

        try:
            await trio.lowlevel.wait_task_rescheduled(abort)
        except BaseException as exc:
            seen.append(type(exc).__name__)
            raise

    assert "WaitTaskRescheduled" in refused(Play(order), "which belongs to another async library")
    assert seen == [None, "Fault"]


def test_the_first_fault_is_the_one_that_is_told() -> None:
    kernel = Kernel()
    first = RuntimeError("first")
    kernel.poison(first)
    kernel.poison(RuntimeError("second"))
    with pytest.raises(RuntimeError, match=r"^first$"):
        kernel.run()


def test_a_rule_that_is_broken_outside_of_a_step_is_an_error_at_once() -> None:
    with pytest.raises(
        aion.WorkflowRuleError, match=r"^x was used, at .*test_faults_of_code.py:\d+ in .*: it would not be the same on replay; do y$"
    ):
        refuse("x was used", "do y")


def test_ctrl_c_passes_through_the_workflow_and_leaves_it_unusable() -> None:
    @aion.workflow
    async def plain() -> None:
        raise KeyboardInterrupt

    play = Play(plain)
    with pytest.raises(KeyboardInterrupt):
        play.start()
    assert play.execution.take_outputs() == [] and not play.execution.finished
    play.execution.evict()


def test_waking_a_task_outside_of_a_step_is_an_error() -> None:
    """A step is where tasks run: what leaks out of a workflow cannot move it."""
    leaked: list[Any] = []

    @aion.workflow
    async def order() -> None:
        leaked.append(durable.Event())
        await leaked[0].wait()

    play = Play(order).start()
    with pytest.raises(AssertionError, match="<Task 1 'order'> became runnable in a kernel that is not stepped"):
        leaked[0].set()
    play.execution.evict()


def test_what_belongs_to_a_workflow_says_so_outside() -> None:
    with pytest.raises(RuntimeError, match="works in that workflow's code alone"):
        current_kernel()
    with pytest.raises(RuntimeError, match="works in that workflow's code alone"):
        current_task()


def test_a_query_cannot_wait_or_start_anything() -> None:
    """S4."""

    @aion.workflow
    async def order() -> None:
        progress.serve(lambda: current_task().number)
        await approval.receive()

    play = Play(order).start()
    with pytest.raises(RuntimeError, match="no task of the workflow is running: queries and validators cannot wait"):
        play.execution.query("progress")
    play.execution.evict()


def test_setting_a_step_aside_outside_of_one_changes_nothing() -> None:
    with set_aside():
        assert local.kernel is None
    assert local.kernel is None and local.host is None


def test_anyio_finds_its_backend_outside_of_a_step_too() -> None:
    TrioGuard()
    module = sys.modules["anyio._backends._aion"]
    assert module.backend_class.__name__ == "Backend"
    with pytest.raises(AttributeError, match=r"^another$"):
        _ = module.another


def test_many_async_generators_are_kept_and_those_that_have_ended_are_let_go() -> None:
    """K1: none is closed by the garbage collector, whose time is nobody's; all are when the run is dropped."""
    ended: list[int] = []

    @aion.workflow
    async def order() -> int:
        async def values(n: int) -> AsyncIterator[int]:
            try:
                yield n
                yield n
            finally:
                ended.append(n)

        async def drain(n: int) -> None:
            assert [value async for value in values(n)] == [n, n]

        for n in range(150):
            await drain(n)
        unfinished = values(1000)
        await anext(unfinished)
        kept = len(current_kernel()._asyncgens)
        await approval.receive()
        return kept

    play = Play(order).start()
    assert ended == list(range(150))
    assert play.signal("approval", True).result < 80
    play.execution.evict()
    assert ended[150:] == [1000]


def test_cleanup_at_the_end_of_a_run_sees_the_tasks_that_are_left() -> None:
    seen: list[Any] = []

    @aion.workflow
    async def order() -> None:
        async def child() -> None:
            try:
                await durable.sleep_forever()
            finally:
                seen.append(sorted(task.name or "" for task in anyio.get_running_tasks()))

        async with durable.open_nursery() as nursery:
            nursery.start_soon(child, name="first")
            nursery.start_soon(child, name="second")

    play = Play(order).start()
    play.execution.evict()
    assert seen == [["first", "order"], ["order"]]


def test_what_a_task_yields_names_itself() -> None:
    assert repr(PARKED) == "PARKED"


def test_a_kernel_stands_alone_without_trio_and_sniffio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of Trio or sniffio is loaded for a kernel's sake; where they are not, there is nothing to replace."""
    monkeypatch.delitem(sys.modules, "trio._core._run")
    monkeypatch.delitem(sys.modules, "sniffio")
    guard = TrioGuard()
    hooks = sys.get_asyncgen_hooks()
    token = guard.enter()
    assert token[1] == []
    guard.leave(token)
    assert sys.get_asyncgen_hooks() == hooks


def test_a_kernel_of_its_own_steps_plain_coroutines() -> None:
    kernel, ended = Kernel(guard=Guard()), list[Any]()

    async def main() -> str:
        with durable.CancelScope() as scope:
            scope.cancel()
            await durable.checkpoint()
        return "done"

    token = kernel.enter()
    kernel.spawn(main(), "main", lambda value, exc: ended.append((value, exc)))
    kernel.run()
    kernel.leave(token)
    assert ended == [("done", None)]
    assert list(tasks_in(kernel.root)) == []


def test_a_coroutine_that_has_ended_has_no_frames() -> None:
    async def nothing() -> None:
        pass

    coro = nothing()
    assert len(list(await_frames(coro))) == 1
    coro.close()
    assert list(await_frames(coro)) == []
    assert line_of_coroutine(coro) == repr(coro)


def _outer() -> Any:
    import math
    import time

    moment = time.time

    async def closes_over_the_clock() -> float:
        import os.path

        return moment() + math.pi + len(os.path.sep)

    return closes_over_the_clock


def _unset() -> Any:
    async def closes_over_nothing() -> Any:
        return later  # type: ignore[name-defined]

    if sys.argv is None:
        later = 1  # type: ignore[unreachable]
    return closes_over_nothing


def test_the_static_look_sees_what_a_function_closes_over() -> None:
    """K7."""
    assert [problem.what for problem in problems(_outer())] == ["time.time"]
    assert list(problems(_unset())) == []


async def _third() -> int:
    return hash("x")


async def _first() -> int:
    return await _third()


async def _second() -> int:
    return await _third() + await _first()


def test_the_static_look_looks_at_a_function_once_however_often_it_is_called() -> None:
    """K7."""

    async def order() -> int:
        return await _first() + await _second()

    assert [problem.what for problem in problems(order)] == ["builtins.hash"]


def test_a_request_to_cancel_is_applied_once() -> None:
    """L1: a second request changes neither the reason nor the code."""

    @aion.workflow
    async def order() -> None:
        try:
            await durable.sleep_forever()
        finally:
            with durable.CancelScope(shield=True):
                await charge("undo")

    play = Play(order, known=[charge]).start().cancel("first").cancel("second").complete(1, "x")
    assert play.history[-1] == [ev.WORKFLOW_CANCELLED, START_US + 3_000_000, "first"]
    play.check()
