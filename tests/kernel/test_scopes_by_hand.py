"""Scopes that are entered and left by hand, in the wrong order or twice, and Cancelled that is raised by hand: as Trio has it (K8)."""

from __future__ import annotations

from typing import Any

import pytest

from aion_trio import durable

from .worlds import Runner, in_both_worlds, on_kernel

corrupted = pytest.raises(RuntimeError, match="Cancel scope stack corrupted")


@in_both_worlds
def test_who_leaves_the_scope_around_the_innermost_one_is_out_of_both(run: Runner) -> None:
    async def main() -> list[bool]:
        outer, inner = durable.CancelScope(), durable.CancelScope()
        outer.__enter__()
        inner.__enter__()
        with corrupted:
            outer.__exit__(None, None, None)
        await durable.checkpoint()
        inner.__exit__(None, None, None)
        await durable.checkpoint()
        return [inner.cancel_called, inner.cancelled_caught]

    assert run(main) == [False, False]


@in_both_worlds
def test_a_scope_that_was_left_under_its_tasks_cannot_be_left_again(run: Runner) -> None:
    async def main() -> None:
        scope = durable.CancelScope()
        scope.__enter__()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(durable.sleep_forever)
            with corrupted:
                scope.__exit__(None, None, None)
            with corrupted:
                scope.__exit__(None, None, None)
            nursery.cancel_scope.cancel()

    run(main)


@in_both_worlds
def test_leaving_scopes_in_the_wrong_order_hides_no_error(run: Runner) -> None:
    async def main() -> list[bool]:
        outer, inner, failure = durable.CancelScope(), durable.CancelScope(), KeyError("k")
        outer.__enter__()
        inner.__enter__()
        with corrupted as info:
            outer.__exit__(KeyError, failure, None)
        inner.__exit__(None, None, None)
        return [info.value.__context__ is failure]

    assert run(main) == [True]


@in_both_worlds
@pytest.mark.parametrize("shield", [False, True])
def test_a_scope_that_is_not_cancelled_catches_no_cancelled(run: Runner, shield: bool) -> None:
    async def main() -> list[Any]:
        kept: list[BaseException] = []
        with durable.CancelScope() as scope:
            scope.cancel()
            try:
                await durable.checkpoint()
            except durable.Cancelled as error:
                kept.append(error)
        with pytest.raises(durable.Cancelled) as info, durable.CancelScope(shield=shield) as another:
            raise kept.pop()
        return [info.type is durable.Cancelled, another.cancelled_caught]

    assert run(main) == [True, False]


def test_a_task_whose_scope_was_left_under_it_is_cancelled_for_no_known_reason() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []

        async def waiter() -> None:
            try:
                await durable.sleep_forever()
            except durable.Cancelled as error:
                seen.append((error.source, error.reason))
                raise

        scope = durable.CancelScope()
        scope.__enter__()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await durable.sleep(1)
            with corrupted:
                scope.__exit__(None, None, None)
        return seen

    assert on_kernel(main) == [("unknown", None)]
