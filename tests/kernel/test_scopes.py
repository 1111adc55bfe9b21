"""Cancel scopes mean what they mean in Trio (K8); each test runs on the kernel and on Trio."""

from __future__ import annotations

from math import inf

import pytest
import trio

from aion_trio import durable

from .worlds import Runner, in_both_worlds


@in_both_worlds
def test_a_deadline_cuts_off_its_block_and_the_scope_says_so(run: Runner) -> None:
    async def main() -> tuple[bool, bool, float]:
        began = durable.current_time()
        with durable.move_on_after(5) as scope:
            await durable.sleep_forever()
        return scope.cancel_called, scope.cancelled_caught, durable.current_time() - began

    assert run(main) == (True, True, 5.0)


@in_both_worlds
def test_fail_after_raises_trios_too_slow_error(run: Runner) -> None:
    async def main() -> None:
        with durable.fail_after(1):
            await durable.sleep(2)

    with pytest.raises(trio.TooSlowError):
        run(main)


@in_both_worlds
def test_a_block_that_ends_in_time_is_not_touched(run: Runner) -> None:
    async def main() -> bool:
        with durable.fail_after(3):
            await durable.sleep(2)
        await durable.sleep(5)
        return True

    assert run(main)


@in_both_worlds
def test_cancellation_is_level_triggered(run: Runner) -> None:
    async def main() -> int:
        count = 0
        with durable.CancelScope() as scope:
            scope.cancel()
            for _ in range(3):
                try:
                    await durable.checkpoint()
                except durable.Cancelled:
                    count += 1
            await durable.checkpoint()
        return count

    assert run(main) == 3


@in_both_worlds
def test_a_deadline_that_has_passed_cancels_at_the_first_checkpoint(run: Runner) -> None:
    async def main() -> list[str]:
        seen = ["before"]
        with durable.move_on_at(durable.current_time() - 1) as scope:
            seen.append("inside")
            await durable.sleep(1)
            seen.append("never")
        seen.append(str(scope.cancelled_caught))
        with durable.move_on_after(0):
            await durable.checkpoint()
            seen.append("never")
        return seen

    assert run(main) == ["before", "inside", "True"]


@in_both_worlds
def test_a_shield_keeps_cancellation_of_the_scopes_around_it_out(run: Runner) -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        with durable.move_on_after(1):
            with durable.CancelScope(shield=True) as shield:
                await durable.sleep(2)
                seen.append("slept under the shield")
                shield.shield = False
                await durable.sleep(2)
                seen.append("never")
        return seen

    assert run(main) == ["slept under the shield"]


@in_both_worlds
def test_a_shielded_scope_can_still_be_cancelled_itself(run: Runner) -> None:
    async def main() -> tuple[bool, bool]:
        with durable.CancelScope() as outer:
            outer.cancel()
            with durable.move_on_after(1, shield=True) as inner:
                await durable.sleep(5)
            await durable.checkpoint()
        return inner.cancelled_caught, outer.cancelled_caught

    assert run(main) == (True, True)


@in_both_worlds
def test_the_outermost_cancelled_scope_catches(run: Runner) -> None:
    async def main() -> tuple[bool, bool]:
        with durable.CancelScope() as outer:
            with durable.CancelScope() as inner:
                inner.cancel()
                outer.cancel()
                await durable.checkpoint()
        return outer.cancelled_caught, inner.cancelled_caught

    assert run(main) == (True, False)


@in_both_worlds
def test_a_scope_may_be_cancelled_before_it_is_entered(run: Runner) -> None:
    async def main() -> bool:
        scope = durable.CancelScope()
        scope.cancel()
        with scope:
            await durable.checkpoint()
            raise AssertionError
        return scope.cancelled_caught

    assert run(main)


@in_both_worlds
def test_a_scope_is_good_for_one_block(run: Runner) -> None:
    async def main() -> None:
        with durable.CancelScope() as scope:
            pass
        with scope:
            pass

    with pytest.raises(RuntimeError, match="single 'with' block"):
        run(main)


@in_both_worlds
def test_a_deadline_can_be_moved_both_ways(run: Runner) -> None:
    async def main() -> list[float]:
        began, times = durable.current_time(), []
        with durable.move_on_after(10) as scope:
            scope.deadline += 10
            await durable.sleep_forever()
        times.append(durable.current_time() - began)
        with durable.move_on_after(10) as scope:
            scope.deadline = durable.current_time() + 1
            await durable.sleep_forever()
        times.append(durable.current_time() - began)
        with durable.CancelScope(deadline=durable.current_time() + 5) as scope:
            scope.deadline = inf
            await durable.sleep(7)
        times.append(durable.current_time() - began)
        return [round(t, 6) for t in times]

    assert run(main) == [20.0, 21.0, 28.0]


@in_both_worlds
def test_a_relative_deadline_counts_from_the_entry(run: Runner) -> None:
    async def main() -> float:
        scope = durable.move_on_after(5)
        assert scope.relative_deadline == 5
        with pytest.raises(RuntimeError):
            _ = scope.deadline
        await durable.sleep(3)
        began = durable.current_time()
        with scope:
            await durable.sleep_forever()
        return round(durable.current_time() - began, 6)

    assert run(main) == 5.0


@in_both_worlds
def test_the_effective_deadline_looks_through_scopes_up_to_a_shield(run: Runner) -> None:
    async def main() -> None:
        assert durable.current_effective_deadline() == inf
        now = durable.current_time()
        with durable.move_on_after(5):
            with durable.move_on_after(10):
                assert durable.current_effective_deadline() == now + 5
                with durable.CancelScope(shield=True):
                    assert durable.current_effective_deadline() == inf
            with durable.CancelScope() as scope:
                scope.cancel()
                assert durable.current_effective_deadline() == -inf

    run(main)


@in_both_worlds
@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_time_out_that_is_no_time_is_refused(run: Runner, seconds: float) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="seconds"):
            durable.move_on_after(seconds)
        with pytest.raises(ValueError, match=r"deadline|NaN"):
            durable.CancelScope(deadline=float("nan"))

    run(main)


@in_both_worlds
def test_scopes_that_are_left_in_the_wrong_order_are_an_error(run: Runner) -> None:
    async def main() -> None:
        outer, inner = durable.CancelScope(), durable.CancelScope()
        outer.__enter__()
        inner.__enter__()
        with pytest.raises(RuntimeError, match="corrupted"):
            outer.__exit__(None, None, None)
        inner.__exit__(None, None, None)

    run(main)


@in_both_worlds
def test_an_exception_besides_the_cancellation_passes_the_scope(run: Runner) -> None:
    async def main() -> None:
        with durable.CancelScope() as scope:
            scope.cancel()
            try:
                await durable.checkpoint()
            finally:
                raise KeyError("cleanup failed")

    with pytest.raises(KeyError):
        run(main)


@in_both_worlds
def test_cancelled_is_trios_own_class_and_no_exception(run: Runner) -> None:
    async def main() -> list[bool]:
        seen: list[bool] = []
        with durable.CancelScope() as scope:
            scope.cancel("enough")
            try:
                await durable.checkpoint()
            except durable.Cancelled as exc:
                seen = [isinstance(exc, trio.Cancelled), isinstance(exc, Exception), "enough" in str(exc)]
                raise
        return seen

    assert run(main)[:2] == [True, False]
