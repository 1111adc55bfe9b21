"""The rest of what a nursery promises (K8), on the kernel and on Trio: names, what is refused, and children on their way in."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from aion_trio import durable
from aion_trio.kernel.nursery import TASK_STATUS_IGNORED, Nursery, name_of

from .worlds import Runner, in_both_worlds, on_kernel


@in_both_worlds
def test_a_nursery_knows_its_parent_and_its_children(run: Runner) -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []
        async with durable.open_nursery() as nursery:
            nursery.start_soon(durable.sleep_forever)
            nursery.start_soon(durable.checkpoint)
            seen.append(len(nursery.child_tasks))
            await durable.sleep(1)
            seen.append(len(nursery.child_tasks))
            async with durable.open_nursery() as inner:
                seen.append(inner.parent_task is nursery.parent_task)
            nursery.cancel_scope.cancel()
        return [*seen, len(nursery.child_tasks)]

    assert run(main) == [2, 1, True, 0]


def test_a_nursery_that_was_not_entered_takes_nobody() -> None:
    async def main() -> None:
        nursery = Nursery()
        with pytest.raises(RuntimeError, match="closed to new arrivals"):
            nursery.start_soon(durable.checkpoint)
        with pytest.raises(RuntimeError, match="has not been entered"):
            _ = nursery.parent_task

    on_kernel(main)


def test_children_are_in_the_order_of_their_start() -> None:
    """K1: `child_tasks` is an ordered tuple here, where Trio has a frozen set."""

    async def main() -> list[str]:
        async with durable.open_nursery() as nursery:
            for name in "cab":
                nursery.start_soon(durable.sleep, 1, name=name)
            return [task.name for task in nursery.child_tasks]

    assert on_kernel(main) == ["c", "a", "b"]


@in_both_worlds
def test_start_passes_a_group_of_several_errors_on(run: Runner) -> None:
    async def main() -> list[str]:
        async def service(*, task_status: Any) -> None:
            async with durable.open_nursery() as inner:
                inner.start_soon(fail, "a")
                inner.start_soon(fail, "b")

        async def fail(name: str) -> None:
            raise KeyError(name)

        async with durable.open_nursery() as nursery:
            with pytest.raises(ExceptionGroup) as info:
                await nursery.start(service)
            nursery.cancel_scope.cancel()
        return sorted(str(e) for e in info.value.exceptions)

    assert run(main) == ["'a'", "'b'"]


@in_both_worlds
def test_a_child_that_fails_while_start_is_cancelled_gives_both(run: Runner) -> None:
    async def main() -> list[str]:
        async def service(*, task_status: Any) -> None:
            try:
                await durable.sleep_forever()
            finally:
                raise KeyError("cleanup failed")

        async with durable.open_nursery() as nursery:
            with pytest.raises(KeyError) as info:
                with durable.move_on_after(1):
                    await nursery.start(service)
            await durable.checkpoint()
        return [type(info.value).__name__]

    assert run(main) == ["KeyError"]


@in_both_worlds
def test_a_child_that_says_started_when_start_is_cancelled_stays_outside(run: Runner) -> None:
    """It is on its way out, and its Cancelled is caught where `start` waits."""

    async def main() -> list[Any]:
        seen: list[Any] = []

        async def service(*, task_status: Any) -> None:
            try:
                await durable.sleep_forever()
            finally:
                task_status.started("too late")
                seen.append(len(nursery.child_tasks))

        async with durable.open_nursery() as nursery:
            with durable.move_on_after(1) as scope:
                seen.append(await nursery.start(service))
            seen.append(scope.cancelled_caught)
        return seen

    assert run(main) == [0, True]


@in_both_worlds
@pytest.mark.parametrize("fails", [False, True])
def test_a_nursery_stays_open_for_a_child_that_another_task_is_starting_in_it(run: Runner, fails: bool) -> None:
    """It closes when that child has ended, or when it turns out that none will come."""

    async def main() -> list[str]:
        seen: list[str] = []

        async def service(*, task_status: Any) -> None:
            await durable.sleep(2)
            if fails:
                raise KeyError("not today")
            task_status.started()
            await durable.sleep(2)
            seen.append("the service ended")

        async def start() -> None:
            try:
                await nursery.start(service)
            except KeyError:
                seen.append("the service did not start")

        async with durable.open_nursery() as helpers:
            async with durable.open_nursery() as nursery:
                helpers.start_soon(start)
                await durable.sleep(1)
            seen.append("the nursery closed")
        return seen

    assert run(main) == ["the service did not start" if fails else "the service ended", "the nursery closed"]


def test_a_plain_function_may_say_started_before_its_coroutine_runs() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []

        def service(*, task_status: Any) -> Any:
            task_status.started("at once")
            return work()

        async def work() -> None:
            await durable.sleep(5)
            seen.append("worked")

        async with durable.open_nursery() as nursery:
            with durable.move_on_after(1):
                seen.append(await nursery.start(service))
                seen.append(len(nursery.child_tasks))
                await durable.sleep_forever()
        return seen

    assert on_kernel(main) == ["at once", 1, "worked"]


def test_the_ignored_status_takes_every_value() -> None:
    assert repr(TASK_STATUS_IGNORED) == "TASK_STATUS_IGNORED"
    TASK_STATUS_IGNORED.started()
    TASK_STATUS_IGNORED.started("value")


class _Nameless:
    async def __call__(self) -> None: ...


def test_a_task_has_the_name_that_was_given_or_its_functions() -> None:
    class Named:
        name = "charge"

    assert name_of(durable.sleep, 5) == "5"
    assert name_of(durable.sleep) == "sleep"
    assert name_of(partial(partial(durable.sleep, 1))) == "sleep"
    assert name_of(Named()) == "charge"
    assert name_of(_Nameless()) == "_Nameless"


@in_both_worlds
def test_wait_any_needs_something_to_wait_for(run: Runner) -> None:
    async def main() -> tuple[Any, ...]:
        with pytest.raises(ValueError, match="at least one"):
            await durable.wait_any()
        return await durable.wait_all()

    assert run(main) == ()


@in_both_worlds
def test_the_group_of_a_nursery_holds_the_error_of_its_body_and_does_not_name_it_as_its_context(run: Runner) -> None:
    async def main() -> list[Any]:
        with pytest.raises(ExceptionGroup) as info:
            async with durable.open_nursery():
                raise KeyError("k")
        return [type(info.value.exceptions[0]), info.value.__context__]

    assert run(main) == [KeyError, None]


@in_both_worlds
def test_a_nursery_in_a_cancelled_scope_raises_nothing_of_its_own(run: Runner) -> None:
    async def main() -> bool:
        with durable.CancelScope() as scope:
            async with durable.open_nursery():
                scope.cancel()
        return scope.cancelled_caught

    assert run(main) is False
