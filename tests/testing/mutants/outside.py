"""Faults in what activities and clients have of the engine."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import trio

from aion_trio import errors, events as ev
from aion_trio.activities import actor as activities, attempt
from aion_trio.engine import results
from aion_trio.runs import arrivals, lifecycle

from .planting import patched


def an_attempt_is_made_many_times() -> AbstractContextManager[None]:
    old = attempt.Attempts._call

    async def call(self: Any, call: Any, arguments: Any) -> Any:
        for _ in range(30):
            value = await old(self, call, arguments)
        return value

    return patched(attempt.Attempts, "_call", call)


def an_activity_is_left_out() -> AbstractContextManager[None]:
    old = attempt.Attempts._call

    async def call(self: Any, call: Any, arguments: Any) -> Any:
        if call.task.type == "contribute":
            await trio.lowlevel.checkpoint()
            return arguments[0] * 1_000_000 + arguments[1]
        return await old(self, call, arguments)

    return patched(attempt.Attempts, "_call", call)


def an_attempt_is_slow_to_go() -> AbstractContextManager[None]:
    old = activities.Activities._attempt

    async def slow_to_go(self: Any, entry: Any, scope: Any, slot: Any) -> None:
        try:
            await old(self, entry, scope, slot)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

    return patched(activities.Activities, "_attempt", slow_to_go)


def a_refusal_is_of_another_type() -> AbstractContextManager[None]:
    old = lifecycle.require_open

    def require_open(*args: Any) -> Any:
        refusal = old(*args)
        return errors.InvalidInputError(str(refusal)) if isinstance(refusal, errors.WorkflowClosedError) else refusal

    return patched(arrivals, "require_open", require_open)


def who_was_terminated_is_said_to_have_timed_out() -> AbstractContextManager[None]:
    old = results.Results._error

    def error(self: Any, key: Any, closing: Any, successor: Any) -> Exception:
        told = [ev.WORKFLOW_TIMED_OUT, *closing[1:]] if closing[0] == ev.WORKFLOW_TERMINATED else closing
        return old(self, key, told, successor)

    return patched(results.Results, "_error", error)


def a_closed_run_is_queried_at_its_beginning() -> AbstractContextManager[None]:
    old = arrivals._events_of
    return patched(arrivals, "_events_of", lambda turn, run: old(turn, run)[:1])
