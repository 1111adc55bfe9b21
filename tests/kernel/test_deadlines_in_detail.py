"""Deadlines: what a cancellation by one says of itself, and when a scope has one at all (K5, K8)."""

from __future__ import annotations

from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable

from ..replay.plays import Play
from ..replay.steps import approval
from .worlds import on_kernel


@pytest.mark.parametrize("seconds", [0, 5])
def test_a_cancellation_by_a_deadline_says_so(seconds: float) -> None:
    """Whether the deadline passes while the task waits or has passed when it is set."""

    async def main() -> list[Any]:
        seen: list[Any] = []
        with durable.move_on_after(seconds):
            try:
                await durable.sleep_forever()
            except durable.Cancelled as error:
                seen += [error.source, error.reason, error.source_task]
                raise
        return seen

    assert on_kernel(main) == ["deadline", None, None]


@pytest.mark.parametrize("before", [False, True])
def test_a_scope_that_was_cancelled_wakes_no_run(before: bool) -> None:
    """T3: its deadline can cancel nothing any more, whether it was cancelled before its block or in it."""

    @aion.workflow
    async def order() -> None:
        scope = durable.CancelScope(deadline=durable.current_time() + 5)
        if before:
            scope.cancel()
        with scope, durable.CancelScope(shield=True):
            scope.cancel()
            await approval.receive()

    play = Play(order).start()
    assert play.execution.next_due() is None
    play.signal("approval", True).check()
