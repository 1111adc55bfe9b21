"""The rest of what a cancel scope promises (K8), on the kernel and on Trio: misuse, deadlines before and after entry, shields."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
import trio

from aion_trio import durable
from aion_trio.kernel.errors import Cancelled
from aion_trio.kernel.scheduler import Kernel

from .worlds import Runner, in_both_worlds, on_kernel


def test_a_deadline_is_given_once_and_as_a_time() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="timeout must be non-negative"):
            durable.CancelScope(relative_deadline=-1)
        with pytest.raises(ValueError, match="both a deadline and a relative deadline"):
            durable.CancelScope(deadline=5, relative_deadline=5)
        with pytest.raises(ValueError, match=r"NaN"):
            durable.CancelScope(relative_deadline=nan)

    on_kernel(main)


@in_both_worlds
def test_a_scope_that_was_not_entered_has_the_deadline_that_it_was_given(run: Runner) -> None:
    async def main() -> list[float]:
        relative, absolute = durable.move_on_after(5), durable.CancelScope(deadline=7)
        assert (relative.relative_deadline, absolute.deadline) == (5, 7)
        with pytest.raises(RuntimeError, match="does not have an absolute deadline"):
            relative.deadline = 5
        with pytest.raises(RuntimeError, match="does not have a relative deadline"):
            absolute.relative_deadline = 5
        with pytest.raises(RuntimeError, match="does not have a relative deadline"):
            _ = absolute.relative_deadline
        relative.relative_deadline = 3
        absolute.deadline = durable.current_time() + 9
        began, times = durable.current_time(), []
        for scope in (relative, absolute):
            with scope:
                times.append(round(scope.relative_deadline, 6))
                await durable.sleep_forever()
            times.append(round(durable.current_time() - began, 6))
        return times

    assert run(main) == [3, 3, 6, 9]


@in_both_worlds
def test_a_relative_deadline_can_be_set_inside_and_counts_from_then(run: Runner) -> None:
    async def main() -> list[float]:
        began = durable.current_time()
        with durable.CancelScope() as scope:
            assert scope.relative_deadline == inf
            await durable.sleep(1)
            scope.relative_deadline = 2
            assert scope.deadline == durable.current_time() + 2
            await durable.sleep_forever()
        return [round(durable.current_time() - began, 6)]

    assert run(main) == [3]


def test_a_deadline_that_is_no_time_cannot_be_set() -> None:
    async def main() -> None:
        scope = durable.CancelScope()
        with pytest.raises(ValueError, match="deadline must not be NaN"):
            scope.deadline = nan
        with pytest.raises(ValueError, match="relative deadline must not be NaN"):
            scope.relative_deadline = nan
        with pytest.raises(ValueError, match="relative deadline must be non-negative"):
            scope.relative_deadline = -1e-9
        scope.relative_deadline = 0
        with scope:
            await durable.checkpoint()
        assert scope.cancelled_caught

    on_kernel(main)


@in_both_worlds
def test_a_scope_that_was_cancelled_has_no_deadline_any_more(run: Runner) -> None:
    async def main() -> bool:
        with durable.CancelScope() as scope:
            scope.cancel()
            scope.cancel()
            scope.deadline = durable.current_time() + 5
            with durable.CancelScope(shield=True):
                await durable.sleep(10)
        return scope.cancelled_caught

    assert run(main) is False


@in_both_worlds
def test_a_shield_is_a_bool_and_may_be_set_before_the_block(run: Runner) -> None:
    async def main() -> list[bool]:
        scope = durable.CancelScope()
        no_bool: Any = 1
        with pytest.raises(TypeError, match="shield must be a bool"):
            scope.shield = no_bool
        seen = [scope.shield]
        scope.shield = True
        seen.append(scope.shield)
        with durable.CancelScope() as outer:
            outer.cancel()
            with scope:
                await durable.sleep(1)
                seen.append(True)
        return seen

    assert run(main) == [False, True, True]


@in_both_worlds
def test_the_error_of_a_block_passes_its_scope_as_it_is(run: Runner) -> None:
    async def main() -> bool:
        error, seen = KeyError("k"), []
        try:
            with durable.CancelScope():
                raise error
        except KeyError as caught:
            seen.append(caught is error and caught.__context__ is None)
        return seen == [True]

    assert run(main)


@in_both_worlds
def test_what_a_group_holds_besides_cancellation_passes_the_scope(run: Runner) -> None:
    async def main() -> list[Any]:
        async def clean_up_badly() -> None:
            try:
                await durable.sleep_forever()
            finally:
                raise KeyError("cleanup failed")

        with pytest.raises(BaseExceptionGroup) as info:
            with durable.CancelScope() as scope:
                async with durable.open_nursery() as nursery:
                    nursery.start_soon(durable.sleep_forever)
                    nursery.start_soon(clean_up_badly)
                    await durable.checkpoint()
                    scope.cancel()
        return [scope.cancelled_caught, [type(e) for e in info.value.exceptions]]

    assert run(main) == [True, [KeyError]]


@in_both_worlds
def test_a_group_without_cancellation_is_not_caught_by_a_cancelled_scope(run: Runner) -> None:
    async def main() -> bool:
        with pytest.raises(ExceptionGroup):
            with durable.CancelScope() as scope:
                scope.cancel()
                raise ExceptionGroup("mine", [ValueError()])
        return scope.cancelled_caught

    assert run(main) is False


@in_both_worlds
def test_leaving_a_scope_twice_is_an_error(run: Runner) -> None:
    async def main() -> None:
        scope = durable.CancelScope()
        with scope:
            pass
        with pytest.raises(RuntimeError, match="Cancel scope stack corrupted"):
            scope.__exit__(None, None, None)

    run(main)


@in_both_worlds
def test_a_scope_is_not_left_by_a_task_that_is_not_in_it(run: Runner) -> None:
    async def main() -> list[str]:
        seen, scope = list[str](), durable.CancelScope()

        async def stranger() -> None:
            with pytest.raises(RuntimeError, match="Cancel scope stack corrupted"):
                scope.__exit__(None, None, None)
            seen.append("refused")

        async with durable.open_nursery() as nursery:
            with scope:
                nursery.start_soon(stranger)
                await durable.sleep(1)
                scope.cancel()
                await durable.sleep_forever()
        return [*seen, str(scope.cancelled_caught)]

    assert run(main) == ["refused", "True"]


def test_a_task_that_ends_inside_a_scope_is_an_error() -> None:
    """Trio says so only if something else is wrong with the scope, too."""

    async def main() -> list[str]:
        async def forgets() -> None:
            scope = durable.CancelScope()
            scope.__enter__()
            raise KeyError(scope.shield)

        with pytest.raises(ExceptionGroup) as info:
            async with durable.open_nursery() as nursery:
                nursery.start_soon(forgets)
        error = info.value.exceptions[0]
        return [type(error).__name__, str(error)[:27], type(error.__context__).__name__]

    assert on_kernel(main) == ["RuntimeError", "Cancel scope stack corrupte", "KeyError"]


@in_both_worlds
def test_tasks_in_a_scope_that_was_left_before_them_stay_cancelled(run: Runner) -> None:
    """A nursery inside of a scope that was left under it: its children are cancelled, and nothing hangs."""

    async def main() -> list[str]:
        ended: list[str] = []

        async def child(name: str) -> None:
            with durable.CancelScope():
                try:
                    await durable.sleep_forever()
                finally:
                    ended.append(name)

        scope = durable.CancelScope()
        scope.__enter__()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(child, "a")
            await durable.sleep(0.1)
            with pytest.raises(RuntimeError, match="corrupted"):
                scope.__exit__(None, None, None)
        return ended

    assert run(main) == ["a"]


@in_both_worlds
@pytest.mark.parametrize("outcome", ["late", "early"])
def test_move_on_at_and_fail_at_take_a_time(run: Runner, outcome: str) -> None:
    async def main() -> list[Any]:
        began = durable.current_time()
        with durable.move_on_at(began + 2) as scope:
            await durable.sleep(5)
        seen: list[Any] = [scope.cancelled_caught, round(durable.current_time() - began, 6)]
        try:
            with durable.fail_at(began + 4):
                await durable.sleep(5 if outcome == "late" else 1)
        except trio.TooSlowError:
            seen.append("late")
        else:
            seen.append("early")
        return seen

    assert run(main) == [True, 2, outcome]


@in_both_worlds
def test_sleeping_for_ever_has_many_names(run: Runner) -> None:
    async def main() -> int:
        count = 0
        for forever in (durable.sleep_forever, lambda: durable.sleep(inf), lambda: durable.sleep_until(inf)):
            with durable.move_on_after(1) as scope:
                await forever()
            count += scope.cancelled_caught
        with pytest.raises(ValueError, match="NaN"):
            await durable.sleep_until(nan)
        with pytest.raises(ValueError, match=r"NaN|seconds"):
            await durable.sleep(nan)
        with pytest.raises(ValueError, match="seconds"):
            await durable.sleep(-1e-9)
        return count

    assert run(main) == 3


def test_cancelled_says_what_the_kernel_knows() -> None:
    assert str(Cancelled()) == "cancelled due to unknown"
    assert str(Cancelled("deadline")) == "cancelled due to deadline"
    assert (
        str(Cancelled("explicit", "enough", "<Task 1 'main'>"))
        == "cancelled due to explicit with reason 'enough' from task <Task 1 'main'>"
    )
    error = Cancelled("explicit", "enough", "t")
    assert (error.source, error.reason, error.source_task) == error.args == ("explicit", "enough", "t")


def test_a_scope_that_is_cancelled_outside_of_any_task_says_no_task() -> None:
    kernel = Kernel()
    kernel.root.cancel("from outside")
    assert (kernel.root._source, kernel.root._reason, kernel.root._source_task) == ("explicit", "from outside", None)
    assert kernel.root.cancel_called


@in_both_worlds
def test_a_nursery_whose_scope_a_child_left_is_an_error_and_not_a_crash(run: Runner) -> None:
    """What the parent still runs stays cancelled, and it may enter scopes on its way out."""

    async def main() -> list[str]:
        seen: list[str] = []

        async def parent() -> None:
            async with durable.open_nursery() as nursery:

                async def child() -> None:
                    nursery.cancel_scope.__exit__(None, None, None)
                    seen.append("left")

                nursery.start_soon(child)
                try:
                    await durable.sleep(1)
                finally:
                    try:
                        with durable.CancelScope(shield=True):
                            await durable.sleep(1)
                            seen.append("cleaned up")
                    except Exception as exc:
                        seen.append(repr(exc))

        try:
            async with durable.open_nursery() as outer:
                outer.start_soon(parent)
        except* RuntimeError as group:
            seen += [type(e).__name__ for e in group.exceptions]
        return seen

    assert run(main) == ["left", "cleaned up", "RuntimeError"]
