"""The rest of what AnyIO's own objects promise: the backend keeps it inside of a workflow, on replay as well (K1, K8)."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel import Kernel, TrioGuard, anyio_backend

from ..replay.plays import START_US, Play
from ..replay.steps import charge

Runner = Callable[[Callable[[], Awaitable[Any]]], Any]


def in_a_workflow(async_fn: Callable[[], Awaitable[Any]]) -> Any:
    """The result of a function as a workflow that waits for time alone, checked from every prefix."""

    @aion.workflow
    async def main() -> Any:
        return await async_fn()

    play = Play(main).start()
    while not play.execution.finished:
        play.pass_time()
    result = play.result
    play.check()
    return result


def in_anyio(async_fn: Callable[[], Awaitable[Any]]) -> Any:
    """The same on AnyIO's Trio backend; nothing in it takes long."""
    return anyio.run(async_fn, backend="trio")


both = pytest.mark.parametrize("run", [in_a_workflow, in_anyio], ids=["workflow", "anyio"])


async def wait_a_moment() -> None:
    await anyio.sleep(0.001)


@both
def test_a_task_group_is_good_for_one_block(run: Runner) -> None:
    async def main() -> list[str]:
        said: list[str] = []
        group = anyio.create_task_group()
        with pytest.raises(RuntimeError, match="not active"):
            group.start_soon(wait_a_moment)
        async with group:
            pass
        for act, why in ((group.__aenter__, "once"), (partial(group.start, wait_a_moment), "not active")):
            with pytest.raises(RuntimeError, match=why):
                await act()
            said.append("refused")
        with pytest.raises(RuntimeError, match="not active"):
            group.start_soon(wait_a_moment)
        return said

    assert run(main) == ["refused", "refused"]


@both
def test_only_functions_that_return_coroutines_become_tasks(run: Runner) -> None:
    async def main() -> list[str]:
        said: list[str] = []
        no_async: Any = len
        for function in (no_async, partial(no_async)):
            async with anyio.create_task_group() as group:
                try:
                    await group.start(partial(function, "x"))
                except TypeError:
                    said.append("TypeError")
        return said

    assert run(main) == ["TypeError", "TypeError"]


def test_a_function_that_returns_no_coroutine_is_named() -> None:
    def plain(*, task_status: Any) -> int:
        return 5

    class Nameless:
        __module__ = ""

        def __call__(self, *, task_status: Any) -> int:
            return 5

    nameless = Nameless()

    async def main() -> list[str]:
        said: list[str] = []
        for function in (plain, partial(plain), nameless):
            async with anyio.create_task_group() as group:
                with pytest.raises(TypeError) as info:
                    await group.start(function)  # type: ignore[arg-type]
                said.append(str(info.value).partition(" to return")[0])
        return said

    name = f"Expected {__name__}.{plain.__qualname__}()"
    assert in_a_workflow(main) == [name, name, f"Expected {nameless}()"]


def test_a_coroutine_object_can_be_given_to_create_task() -> None:
    if anyio_backend.TaskHandle is None:
        pytest.skip("AnyIO has no task handles before 4.14")

    async def main() -> list[Any]:
        seen: list[Any] = []
        group: Any = anyio.create_task_group()
        unused = wait_a_moment()
        with pytest.raises(RuntimeError, match="This task group is not active; no new tasks can be started"):
            group.create_task(unused)
        seen.append(unused.cr_frame is None)
        async with group:
            with pytest.raises(TypeError, match="expected a coroutine, got int"):
                group.create_task(5)

            async def service(*, task_status: Any) -> str:
                task_status.started("ready")
                await anyio.sleep(0.001)
                return "served"

            handle = await group.start(service, return_handle=True, name="it")
            seen += [handle.name, handle.start_value]

            async def work() -> str:
                return "worked"

            worker = group.create_task(work())
        seen += [handle.return_value, worker.return_value]
        return seen

    assert in_a_workflow(main) == [True, "it", "ready", "served", "worked"]


@both
def test_a_lock_knows_its_owner_and_its_waiters(run: Runner) -> None:
    async def main() -> list[Any]:
        lock, order = anyio.Lock(), list[Any]()

        async def worker(n: int) -> None:
            async with lock:
                order.append(n)

        async with anyio.create_task_group() as group:
            async with lock:
                for n in range(3):
                    group.start_soon(worker, n, name=f"worker {n}")
                    await wait_a_moment()
                with pytest.raises(RuntimeError, match="already held"):
                    lock.acquire_nowait()
                counts = lock.statistics()
                order += [counts.locked, counts.owner == anyio.get_current_task(), counts.tasks_waiting]
            with pytest.raises(RuntimeError, match="can't release a Lock you don't own"):
                lock.release()
        counts = lock.statistics()
        return [*order, counts.locked, counts.owner, counts.tasks_waiting]

    assert run(main) == [True, True, 3, 0, 1, 2, False, None, 0]


@pytest.mark.parametrize("fast", [False, True])
def test_fast_locks_and_semaphores_take_no_turn(fast: bool) -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def other(name: str) -> None:
            seen.append(name)

        for thing in (anyio.Lock(fast_acquire=fast), anyio.Semaphore(1, fast_acquire=fast)):
            async with anyio.create_task_group() as group:
                group.start_soon(other, "other")
                async with thing:
                    seen.append("inside")
        return seen

    assert in_a_workflow(main) == (["inside", "other"] if fast else ["other", "inside"]) * 2


@both
def test_semaphores_and_limiters_let_waiters_through_in_order(run: Runner) -> None:
    async def main() -> list[Any]:
        semaphore, limiter, seen = anyio.Semaphore(0), anyio.CapacityLimiter(2), list[Any]()

        async def wait_for(thing: Any, name: str) -> None:
            async with thing:
                seen.append(name)
                await wait_a_moment()

        async with anyio.create_task_group() as group:
            for name in "ab":
                group.start_soon(wait_for, semaphore, name)
                await wait_a_moment()
            seen.append(semaphore.statistics().tasks_waiting)
            semaphore.release()
        await limiter.acquire_on_behalf_of("me")
        limiter.total_tokens = 3
        counts = limiter.statistics()
        seen += [counts.borrowed_tokens, counts.total_tokens]
        limiter.total_tokens = 1
        async with anyio.create_task_group() as group:
            for name in "cd":
                group.start_soon(wait_for, limiter, name)
                await wait_a_moment()
            counts = limiter.statistics()
            seen += [counts.borrowed_tokens, counts.total_tokens, list(counts.borrowers), counts.tasks_waiting]
            limiter.release_on_behalf_of("me")
        return seen

    assert run(main) == [2, "a", "b", 1, 3, 1, 1, ["me"], 2, "c", "d"]


def test_checkpoints_of_all_kinds() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []

        async def other() -> None:
            seen.append("other")

        async with anyio.create_task_group() as group:
            group.start_soon(other)
            await anyio.lowlevel.checkpoint_if_cancelled()
            seen.append("went on")
            await anyio.lowlevel.cancel_shielded_checkpoint()
            seen.append("let others run")
        with anyio.CancelScope() as scope:
            scope.cancel()
            seen.append(anyio.get_current_task().has_pending_cancellation())
            await anyio.lowlevel.cancel_shielded_checkpoint()
            seen.append("is shielded")
            await anyio.lowlevel.checkpoint_if_cancelled()
            seen.append("never")
        no_time = 0
        await anyio.sleep(no_time)
        with anyio.move_on_after(0.002) as scope:
            await anyio.sleep(inf)
        return [*seen, scope.cancelled_caught]

    assert in_a_workflow(main) == ["went on", "other", "let others run", True, "is shielded", True]


def test_deadlines_and_tokens_of_the_run() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = [anyio.current_effective_deadline()]
        with anyio.move_on_after(5):
            seen.append(anyio.current_effective_deadline() - anyio.current_time())
            await anyio.lowlevel.checkpoint()
        seen.append(anyio.lowlevel.current_token() == anyio.lowlevel.current_token())
        return [str(part) for part in seen]

    assert in_a_workflow(main) == ["inf", "5.0", "True"]


def test_waiting_until_all_are_blocked_can_be_cancelled() -> None:
    async def main() -> bool:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.001)
            await anyio.wait_all_tasks_blocked()
        return scope.cancelled_caught

    assert in_a_workflow(main) is True


def test_a_task_that_no_longer_waits_for_all_to_be_blocked_is_not_woken_by_it() -> None:
    async def main() -> float:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
        begun = anyio.current_time()
        await anyio.sleep(5)
        return anyio.current_time() - begun

    assert in_a_workflow(main) == 5


@both
def test_a_task_knows_its_parents_id(run: Runner) -> None:
    async def main() -> list[bool]:
        parent, seen = anyio.get_current_task(), list[Any]()

        async def child() -> None:
            seen.append(anyio.get_current_task())

        async with anyio.create_task_group() as group:
            group.start_soon(child)
        (info,) = seen
        return [info.parent_id == parent.id, info.id != parent.id]

    assert run(main) == [True, True]


def test_a_variable_of_a_run_is_that_runs_own() -> None:
    variable = anyio.lowlevel.RunVar[str]("variable")

    async def main() -> list[str]:
        before = variable.get("unset")
        variable.set("set")
        await anyio.sleep(1)
        return [before, variable.get("unset")]

    assert in_a_workflow(main) == in_a_workflow(main) == ["unset", "set"]


@both
@pytest.mark.parametrize("shield", [False, True])
def test_a_time_out_of_anyio_may_be_a_shield(run: Runner, shield: bool) -> None:
    async def main() -> list[bool]:
        seen: list[bool] = []
        for limited in (lambda: anyio.move_on_after(9, shield=shield), lambda: anyio.fail_after(9, shield=shield)):
            with anyio.CancelScope() as outer:
                outer.cancel()
                with limited():
                    await wait_a_moment()
            seen.append(outer.cancelled_caught)
        return seen

    assert run(main) == [not shield] * 2


def test_what_is_refused_names_what_was_used() -> None:
    """K7."""

    @aion.workflow
    async def order() -> None:
        await anyio.open_file("x")

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError, match=r"^anyio's .* was used in workflow code, at .*: .*; do it in an activity$"):
        play.start()
    play.execution.evict()


def test_a_sleep_on_a_kernel_without_a_run_is_a_deadline() -> None:
    kernel, seen = Kernel(guard=TrioGuard()), list[Any]()

    async def main() -> None:
        await anyio.sleep(5)
        seen.append(durable.current_time())

    def step(time_us: int) -> None:
        kernel.time_us = time_us
        token = kernel.enter()
        try:
            kernel.deadline_passed(time_us)
            kernel.run()
        finally:
            kernel.leave(token)

    token = kernel.enter()
    kernel.spawn(main(), "main", lambda value, exc: seen.append(exc))
    kernel.leave(token)
    step(START_US)
    assert kernel.alarms.first() is not None and kernel.alarms.first()[0] == START_US + 5_000_000  # type: ignore[index]
    step(START_US + 5_000_000)
    assert seen == [START_US / 1e6 + 5, None]


def test_a_task_that_ended_has_nothing_to_be_cancelled() -> None:
    @aion.workflow
    async def order() -> list[Any]:
        infos: list[Any] = []

        async def child() -> None:
            infos.append(anyio.get_current_task())

        async with anyio.create_task_group() as group:
            group.start_soon(child)
            await charge("a")
            group.cancel_scope.cancel()
            return [infos[0].has_pending_cancellation(), anyio.get_current_task().has_pending_cancellation()]

    play = Play(order, known=[charge]).start().complete(1, "x")
    assert play.result == [False, True]
    play.check()


def test_a_body_that_was_cancelled_raises_its_own_cancelled() -> None:
    async def main() -> bool:
        seen: list[BaseException] = []
        with anyio.CancelScope() as scope:
            try:
                async with anyio.create_task_group():
                    scope.cancel()
                    try:
                        await anyio.sleep(1)
                    except BaseException as exc:
                        seen.append(exc)
                        raise
            except BaseException as exc:
                seen.append(exc)
                raise
        return seen[0] is seen[1]

    assert in_a_workflow(main) is True


def test_children_start_as_they_are_where_anyio_has_no_task_handles(monkeypatch: pytest.MonkeyPatch) -> None:
    """AnyIO before 4.14."""
    monkeypatch.setattr(anyio, "TaskHandle", None, raising=False)
    spec = importlib.util.spec_from_file_location("aion_trio.kernel.without_handles", anyio_backend.__file__)
    assert spec is not None and spec.loader is not None
    before: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(before)
    assert before.TaskHandle is None
    before.TaskGroup.__abstractmethods__ = frozenset()  # those of the AnyIO that is installed

    async def main() -> list[Any]:
        seen: list[Any] = []

        async def child(name: str, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
            task_status.started(f"{name} is ready")
            await anyio.sleep(1)
            seen.append(name)

        group = before.TaskGroup()
        with pytest.raises(RuntimeError, match="not active"):
            group.start_soon(child, "a")
        async with group:
            group.start_soon(child, "a")
            seen.append(await group.start(child, "b"))
        return seen

    assert in_a_workflow(main) == ["b is ready", "a", "b"]
