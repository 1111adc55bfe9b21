"""Nurseries mean what they mean in Trio (K8); each test runs on the kernel and on Trio."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from aion_trio import durable

from .worlds import Runner, in_both_worlds


async def fail(exc: Exception) -> None:
    await durable.checkpoint()
    raise exc


@in_both_worlds
def test_a_nursery_waits_for_its_children(run: Runner) -> None:
    async def main() -> list[int]:
        done: list[int] = []

        async def child(n: int) -> None:
            await durable.sleep(n)
            done.append(n)

        async with durable.open_nursery() as nursery:
            for n in (3, 1, 2):
                nursery.start_soon(child, n)
        return done

    assert run(main) == [1, 2, 3]


@in_both_worlds
def test_one_failure_cancels_the_others_and_comes_in_a_group(run: Runner) -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def sleeper() -> None:
            try:
                await durable.sleep_forever()
            except durable.Cancelled:
                seen.append("cancelled")
                raise

        with pytest.raises(ExceptionGroup) as info:
            async with durable.open_nursery() as nursery:
                nursery.start_soon(sleeper)
                nursery.start_soon(fail, ValueError("no"))
        assert [type(e) for e in info.value.exceptions] == [ValueError]
        return seen

    assert run(main) == ["cancelled"]


@in_both_worlds
def test_a_single_error_of_the_body_comes_in_a_group_too(run: Runner) -> None:
    async def main() -> None:
        async with durable.open_nursery():
            raise ValueError("body")

    with pytest.raises(ExceptionGroup) as info:
        run(main)
    assert isinstance(info.value.exceptions[0], ValueError)


@in_both_worlds
def test_errors_of_nested_nurseries_come_in_nested_groups(run: Runner) -> None:
    async def main() -> str:
        async def inner() -> None:
            async with durable.open_nursery() as nursery:
                nursery.start_soon(fail, ValueError("a"))
                nursery.start_soon(fail, KeyError("b"))

        try:
            async with durable.open_nursery() as nursery:
                nursery.start_soon(inner)
        except* ValueError as group:
            first = type(group.exceptions[0]).__name__
        except* KeyError:
            pass
        return first

    assert run(main) == "ExceptionGroup"


@in_both_worlds
def test_cancelling_the_nurserys_scope_cancels_all_children_and_raises_nothing(run: Runner) -> None:
    async def main() -> list[str]:
        ended: list[str] = []

        async def child(name: str) -> None:
            try:
                await durable.sleep_forever()
            finally:
                ended.append(name)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(child, "a")
            nursery.start_soon(child, "b")
            await durable.checkpoint()
            nursery.cancel_scope.cancel()
        return sorted(ended)

    assert run(main) == ["a", "b"]


@in_both_worlds
def test_a_cancelled_nursery_raises_a_group_of_cancellations(run: Runner) -> None:
    async def main() -> Any:
        kinds: Any = None
        with durable.CancelScope() as scope:
            try:
                async with durable.open_nursery() as nursery:
                    nursery.start_soon(durable.sleep_forever)
                    scope.cancel()
            except BaseException as exc:
                assert isinstance(exc, BaseExceptionGroup)
                kinds = [type(e) for e in exc.exceptions]
                raise
        return kinds

    assert run(main) == [trio.Cancelled]


@in_both_worlds
def test_start_waits_for_started_and_gives_its_value(run: Runner) -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []

        async def service(*, task_status: Any = durable.TASK_STATUS_IGNORED) -> None:
            await durable.sleep(1)
            task_status.started("ready")
            await durable.sleep(1)
            seen.append("service ended")

        async with durable.open_nursery() as nursery:
            seen.append(await nursery.start(service))
        return seen

    assert run(main) == ["ready", "service ended"]


@in_both_worlds
def test_an_error_before_started_is_the_callers(run: Runner) -> None:
    async def main() -> bool:
        async def service(*, task_status: Any) -> None:
            raise ValueError("not today")

        async with durable.open_nursery() as nursery:
            with pytest.raises(ValueError, match="not today"):
                await nursery.start(service)
            await durable.checkpoint()
            return not nursery.cancel_scope.cancel_called

    assert run(main)


@in_both_worlds
def test_a_child_that_never_says_started_is_an_error(run: Runner) -> None:
    async def main() -> None:
        async def service(*, task_status: Any) -> None:
            await durable.checkpoint()

        async with durable.open_nursery() as nursery:
            with pytest.raises(RuntimeError, match="without calling"):
                await nursery.start(service)

    run(main)


@in_both_worlds
def test_started_may_be_called_once(run: Runner) -> None:
    async def main() -> None:
        async def service(*, task_status: Any) -> None:
            task_status.started()
            with pytest.raises(RuntimeError, match="twice"):
                task_status.started()

        async with durable.open_nursery() as nursery:
            await nursery.start(service)

    run(main)


@in_both_worlds
def test_cancelling_start_cancels_the_child(run: Runner) -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def service(*, task_status: Any) -> None:
            try:
                await durable.sleep_forever()
            except durable.Cancelled:
                seen.append("child cancelled")
                raise

        async with durable.open_nursery() as nursery:
            with durable.move_on_after(1) as scope:
                await nursery.start(service)
            seen.append(f"start cancelled: {scope.cancelled_caught}")
        return seen

    assert run(main) == ["child cancelled", "start cancelled: True"]


@in_both_worlds
def test_a_child_that_has_started_no_longer_follows_the_scope_around_start(run: Runner) -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def service(*, task_status: Any) -> None:
            with durable.CancelScope():
                task_status.started()
                await durable.sleep(5)
            seen.append("ran on")

        async with durable.open_nursery() as nursery:
            with durable.move_on_after(1):
                await nursery.start(service)
                await durable.sleep_forever()
        return seen

    assert run(main) == ["ran on"]


@in_both_worlds
def test_a_closed_nursery_takes_no_children(run: Runner) -> None:
    async def main() -> None:
        async with durable.open_nursery() as nursery:
            pass
        with pytest.raises(RuntimeError, match="closed"):
            nursery.start_soon(durable.checkpoint)
        with pytest.raises(RuntimeError, match="closed"):
            await nursery.start(durable.checkpoint)

    run(main)


@in_both_worlds
def test_only_async_functions_become_tasks(run: Runner) -> None:
    class Receiver:
        def send(self, value: object) -> None: ...

    class Catcher:
        def throw(self, error: BaseException) -> None: ...

    async def main() -> None:
        async with durable.open_nursery() as nursery:
            not_async: Any
            for not_async in (dict, Receiver, Catcher):
                with pytest.raises(TypeError):
                    nursery.start_soon(not_async)

    run(main)


@in_both_worlds
def test_wait_all_gives_results_in_the_order_of_its_arguments(run: Runner) -> None:
    async def main() -> tuple[Any, ...]:
        async def slow() -> str:
            await durable.sleep(2)
            return "slow"

        async def quick() -> str:
            await durable.sleep(1)
            return "quick"

        return await durable.wait_all(slow, quick)

    assert run(main) == ("slow", "quick")


@in_both_worlds
def test_wait_any_gives_the_first_result_and_cancels_the_rest(run: Runner) -> None:
    async def main() -> tuple[Any, float]:
        began = durable.current_time()

        async def after(seconds: float) -> float:
            await durable.sleep(seconds)
            return seconds

        async def slow() -> float:
            return await after(5)

        async def quick() -> float:
            return await after(1)

        return await durable.wait_any(slow, quick), round(durable.current_time() - began, 6)

    assert run(main) == (1, 1.0)


@in_both_worlds
def test_a_nursery_takes_a_schedule_point_on_its_way_out(run: Runner) -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def other() -> None:
            seen.append("other")

        async with durable.open_nursery() as outer:
            outer.start_soon(other)
            async with durable.open_nursery():
                seen.append("inside")
            seen.append("outside")
        return seen

    assert run(main) == ["inside", "other", "outside"]
