"""Why something was cancelled, what a scope or a nursery leaves behind when it is over, and when idle tasks wake (K8)."""

from __future__ import annotations

import traceback
import weakref
from math import nan
from typing import Any

import anyio
import pytest
import trio

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel.alarms import Alarms
from aion_trio.kernel.scopes import CancelScope

from ..replay.plays import Play
from ..replay.steps import approval, progress
from .worlds import Runner, in_both_worlds, on_kernel


def why(error: Any) -> tuple[str, str | None, str | None]:
    return error.source, error.reason, error.source_task


async def reason_of_waiting() -> tuple[str, str | None, str | None]:
    """Wait for ever; why that ended."""
    try:
        await durable.sleep_forever()
    except durable.Cancelled as error:
        seen = error
    return why(seen)


def test_cancelled_tells_who_cancelled_and_why_in_scopes_further_inside_as_well() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []

        async def waiter() -> None:
            with durable.CancelScope(), durable.CancelScope():
                seen.append(await reason_of_waiting())

        async with durable.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await durable.checkpoint()
            nursery.cancel_scope.cancel("enough")
        with durable.CancelScope() as outer:
            outer.cancel("before")
            with durable.CancelScope():
                seen.append(await reason_of_waiting())
        return seen

    assert on_kernel(main) == [("explicit", "enough", "<Task 1 'main'>"), ("explicit", "before", "<Task 1 'main'>")]


def test_a_scope_that_was_cancelled_itself_keeps_its_own_reason() -> None:
    async def main() -> Any:
        with durable.CancelScope() as outer, durable.CancelScope() as inner:
            inner.cancel("mine")
            outer.cancel("another's")
            return await reason_of_waiting()

    assert on_kernel(main)[1] == "mine"


@pytest.mark.parametrize("in_body", [False, True])
def test_the_siblings_of_a_task_that_failed_learn_of_it(in_body: bool) -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []

        async def waiter() -> None:
            seen.append(await reason_of_waiting())

        async def fail() -> None:
            raise KeyError("k")

        with pytest.raises(ExceptionGroup):
            async with durable.open_nursery() as nursery:
                nursery.start_soon(waiter)
                await durable.checkpoint()
                if in_body:
                    await fail()
                nursery.start_soon(fail, name="the one")
        return seen

    why_in_body = ("nursery", "the body of the nursery raised KeyError", "<Task 1 'main'>")
    why_in_child = ("nursery", "a child task raised KeyError", "<Task 3 'the one'>")
    assert on_kernel(main) == [why_in_body if in_body else why_in_child]


@in_both_worlds
def test_a_scope_that_is_over_or_cancelled_arms_no_deadline(run: Runner) -> None:
    async def main() -> None:
        with durable.CancelScope() as over:
            pass
        with durable.CancelScope() as cancelled:
            cancelled.cancel()
            over.deadline = cancelled.deadline = durable.current_time() + 5

    run(main)


def test_a_deadline_that_can_cancel_nothing_wakes_no_run() -> None:
    """T3."""

    @aion.workflow
    async def order() -> None:
        with durable.CancelScope() as over:
            pass
        with durable.CancelScope() as cancelled:
            cancelled.cancel()
            over.deadline = cancelled.deadline = durable.current_time() + 5
            with durable.CancelScope(shield=True):
                await approval.receive()

    play = Play(order).start()
    assert play.execution.next_due() is None
    play.signal("approval", True).check()


def test_a_time_out_that_was_kept_leaves_nothing_behind() -> None:
    alarms = Alarms()
    for due in range(1000):
        alarms.clear_deadline(due, alarms.set_deadline(due, CancelScope()))
    assert alarms._by_due == {} and alarms._owners == {}


def test_a_scope_says_that_it_was_left_before() -> None:
    async def main() -> None:
        scope = durable.CancelScope()
        with scope:
            pass
        with pytest.raises(RuntimeError, match="a cancel scope was exited that had been exited before"):
            scope.__exit__(None, None, None)

    on_kernel(main)


class _Failure(Exception):
    """One that a weak reference can lead to."""


@in_both_worlds
@pytest.mark.parametrize("started", [False, True], ids=["child", "start"])
@pytest.mark.usefixtures("no_collector")
def test_an_error_that_left_a_nursery_is_freed_with_the_last_reference(run: Runner, started: bool) -> None:
    """No frame that it passed through keeps it in a circle for the collector."""

    async def fail(*, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        raise _Failure

    async def main() -> list[Any]:
        left: list[Any] = []
        try:
            async with durable.open_nursery() as nursery:
                if started:
                    await nursery.start(fail)
                else:
                    nursery.start_soon(fail)
        except* _Failure as group:
            left.append(weakref.ref(group.exceptions[0]))
        await durable.checkpoint()
        return [each() for each in left]

    assert run(main) == [None]


@in_both_worlds
def test_the_code_goes_on_behind_a_nursery_that_was_cancelled_in_its_own_block(run: Runner) -> None:
    async def main() -> str:
        async with durable.open_nursery() as nursery:
            nursery.cancel_scope.cancel()
            await durable.checkpoint()
        return "went on"

    assert run(main) == "went on"


@in_both_worlds
@pytest.mark.parametrize("shield", [False, True])
def test_a_time_out_keeps_the_cancellation_around_it_out_if_it_is_a_shield_and_lets_it_in_if_not(run: Runner, shield: bool) -> None:
    async def main() -> list[bool]:
        async def lasts(limited: Any) -> bool:
            with durable.CancelScope() as outer:
                outer.cancel()
                with limited:
                    await durable.sleep(1)
            return not outer.cancelled_caught

        how: dict[str, Any] = {"shield": True} if shield else {}
        now = durable.current_time()
        scopes = [durable.move_on_at(now + 9, **how), durable.move_on_after(9, **how)]
        return [await lasts(each) for each in [*scopes, durable.fail_at(now + 9, **how), durable.fail_after(9, **how)]]

    assert run(main) == [shield] * 4


@pytest.mark.usefixtures("no_collector")
def test_a_task_that_has_ended_is_let_go_though_its_nursery_stays_open() -> None:
    async def main() -> Any:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(durable.checkpoint)
            child = weakref.ref(nursery.child_tasks[0])
            await durable.sleep(1)
            return child()

    assert on_kernel(main) is None


@in_both_worlds
def test_the_traceback_of_an_error_leads_to_the_task_that_raised_it(run: Runner) -> None:
    async def main() -> list[str]:
        async def fail() -> None:
            raise KeyError("k")

        async with durable.open_nursery() as outer:
            try:
                async with durable.open_nursery() as nursery:
                    nursery.start_soon(fail)
            except* KeyError as group:
                names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(group.exceptions[0].__traceback__)]
            outer.cancel_scope.cancel()
        return names[-1:]

    assert run(main) == ["fail"]


@in_both_worlds
def test_a_scope_that_was_left_under_its_tasks_can_still_be_handled(run: Runner) -> None:
    async def main() -> bool:
        scope = durable.CancelScope()
        scope.__enter__()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(durable.sleep_forever)
            with pytest.raises(RuntimeError, match="corrupted"):
                scope.__exit__(None, None, None)
            scope.shield = True
            scope.shield = False
            scope.cancel()
            nursery.cancel_scope.cancel()
        return scope.cancel_called

    assert run(main)


@in_both_worlds
def test_seconds_are_seconds(run: Runner) -> None:
    async def main() -> None:
        for limit in (durable.move_on_after, lambda seconds: durable.fail_after(seconds).__enter__()):
            with pytest.raises(ValueError, match="`seconds` must be non-negative"):
                limit(-1)
            with pytest.raises(ValueError, match="`seconds` must not be NaN"):
                limit(nan)

    run(main)


@in_both_worlds
def test_in_a_cancelled_scope_nothing_is_acquired(run: Runner) -> None:
    async def main() -> list[Any]:
        lock, semaphore, limiter = durable.Lock(), durable.Semaphore(1), durable.CapacityLimiter(1)
        for thing in (lock, semaphore, limiter):
            with durable.CancelScope() as scope:
                scope.cancel()
                await thing.acquire()
        return [lock.locked(), semaphore.value, limiter.borrowed_tokens]

    assert run(main) == [False, 1, 0]


@in_both_worlds
def test_closing_an_end_ends_the_waits_on_it_and_no_others(run: Runner) -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        send, receive = durable.open_memory_channel(0)
        clone = send.clone()

        async def sender(end: Any, name: str) -> None:
            try:
                await end.send(name)
                seen.append(f"{name} was sent")
            except trio.ClosedResourceError:
                seen.append(f"{name} was closed")

        async def receiver(end: Any) -> None:
            seen.append(await end.receive())
            await receive.receive()
            seen.append("received by another end")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(sender, send, "a")
            await durable.sleep(1)
            nursery.start_soon(sender, clone, "b")
            await durable.sleep(1)
            send.close()
            await durable.sleep(1)
            assert receive.receive_nowait() == "b"
            second = receive.clone()
            nursery.start_soon(receiver, second)
            await durable.sleep(1)
            await clone.send("c")
            await durable.sleep(1)
            second.close()
            await durable.sleep(1)
            await clone.send("d")
        return seen

    assert run(main) == ["a was closed", "b was sent", "c", "received by another end"]


def test_anyio_semaphores_refuse_in_anyios_words_and_keep_their_limit() -> None:
    async def main() -> list[str]:
        said: list[str] = []
        wrong: Any = "1"
        for make in (
            lambda: anyio.Semaphore(wrong),
            lambda: anyio.Semaphore(-1),
            lambda: anyio.Semaphore(1, max_value=wrong),
            lambda: anyio.Semaphore(2, max_value=1),
            lambda: anyio.Semaphore(1, max_value=1).release(),
        ):
            try:
                make()
            except Exception as error:
                said.append(f"{type(error).__name__}: {error}")
        return [*said, str(anyio.Semaphore(1, max_value=2).max_value)]

    said = on_kernel(main)
    assert said == anyio.run(main, backend="trio") and len(said) == 6


def test_in_a_cancelled_scope_nothing_of_anyio_is_acquired() -> None:
    async def main() -> list[Any]:
        lock, semaphore, limiter = anyio.Lock(), anyio.Semaphore(1), anyio.CapacityLimiter(1)
        for thing in (lock, semaphore, limiter):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await thing.acquire()
        return [lock.locked(), semaphore.value, limiter.borrowed_tokens]

    assert on_kernel(main) == anyio.run(main, backend="trio") == [False, 1, 0]


def test_a_query_cannot_open_a_task_group() -> None:
    """S4."""

    @aion.workflow
    async def order() -> None:
        progress.serve(lambda: int(anyio.create_task_group() is None))
        await approval.receive()

    play = Play(order).start()
    with pytest.raises(RuntimeError, match="no task of the workflow is running"):
        play.execution.query("progress")
    play.execution.evict()


@in_both_worlds
@pytest.mark.parametrize("by_another_task", [False, True])
def test_a_child_that_starts_into_a_cancelled_nursery_is_cancelled_with_all_that_runs_in_it(run: Runner, by_another_task: bool) -> None:
    """Parked tasks and scopes further inside included, from the moment at which it says that it has started."""

    async def main() -> list[str]:
        seen: list[str] = []

        async def wait(name: str) -> None:
            try:
                await durable.sleep_forever()
            finally:
                seen.append(name)

        async def service(*, task_status: Any) -> None:
            if by_another_task:
                statuses.append(task_status)
                await wait("the child itself")
                return
            async with durable.open_nursery() as inner:
                inner.start_soon(wait, "a task in a nursery of the child")
                await durable.checkpoint()
                task_status.started()
                with durable.CancelScope(shield=True):
                    await durable.sleep(1)
                seen.append("the child goes on")

        async def start_it() -> None:
            while not statuses:
                await durable.checkpoint()
            statuses[0].started()

        statuses: list[Any] = []
        async with durable.open_nursery() as nursery:
            nursery.cancel_scope.cancel()
            with durable.CancelScope(shield=True):
                async with durable.open_nursery() as helpers:
                    if by_another_task:
                        helpers.start_soon(start_it)
                    await nursery.start(service)
        return seen

    inside = ["a task in a nursery of the child", "the child goes on"]
    assert run(main) == (["the child itself"] if by_another_task else inside)


@in_both_worlds
def test_a_waiter_that_is_cancelled_as_the_lock_comes_free_leaves_its_queue(run: Runner) -> None:
    """Notified, cancelled and released in one turn: it takes the lock once, in its own turn, and gives it back."""

    async def main() -> list[Any]:
        condition, seen = durable.Condition(), list[Any]()
        scope = durable.CancelScope()

        async def waiter() -> None:
            with scope:
                async with condition:
                    await condition.wait()
            seen.append(scope.cancelled_caught)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await durable.sleep(1)
            async with condition:
                condition.notify()
                scope.cancel()
        return [*seen, condition.locked()]

    assert run(main) == [True, False]


@in_both_worlds
def test_an_end_of_a_channel_is_what_its_block_is_about(run: Runner) -> None:
    async def main() -> list[bool]:
        send, receive = durable.open_memory_channel(1)
        with send as sending, receive as receiving:
            seen = [sending is send, receiving is receive]
        send, receive = durable.open_memory_channel(1)
        async with send as sending, receive as receiving:
            return [*seen, sending is send, receiving is receive]

    assert run(main) == [True] * 4


@pytest.mark.parametrize("others", [0, 1, 2])
def test_who_waits_for_all_to_be_blocked_wakes_when_they_are_and_not_before(others: int) -> None:
    """Whether others run when it begins to wait, or nobody does."""

    async def main() -> list[str]:
        seen: list[str] = []

        async def busy() -> None:
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
                seen.append("busy")

        async with anyio.create_task_group() as group:
            for _ in range(others):
                group.start_soon(busy)
            await anyio.wait_all_tasks_blocked()
            seen.append("all are blocked")
        return seen

    assert on_kernel(main) == ["busy"] * 3 * others + ["all are blocked"]


async def _a_moment() -> None:
    await anyio.sleep(0.001)


def _tasks_of_a_group() -> Any:
    async def main() -> list[Any]:
        async def child(*, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
            seen.append(anyio.get_current_task().name)
            task_status.started()

        class Callable:
            async def __call__(self) -> None:
                seen.append(anyio.get_current_task().name)

        seen: list[Any] = []
        async with anyio.create_task_group() as group:
            group.start_soon(child)
            await _a_moment()
            group.start_soon(child, name=5)
            await _a_moment()
            await group.start(child)
            await group.start(child, name="given")
            group.start_soon(Callable())
            await _a_moment()
            if hasattr(group, "create_task"):
                group.create_task(child())
                await _a_moment()
                group.create_task(child(), name="given")
        return seen

    return main


def test_tasks_of_a_group_are_named_as_anyio_names_them() -> None:
    assert on_kernel(_tasks_of_a_group()) == anyio.run(_tasks_of_a_group(), backend="trio")


def test_an_anyio_sleep_of_no_time_is_no_timer() -> None:
    @aion.workflow
    async def order() -> str:
        for delay in (0, 0.0):
            await anyio.sleep(delay)
        return "done"

    assert Play(order).start().names == ["WorkflowCompleted"]
