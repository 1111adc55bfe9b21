"""One attempt: decode the input, run the function as its kind wants, turn what comes back into an outcome."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import trio

from .. import codec
from ..definitions import ActivityDefinition, Registry
from ..errors import AionError
from ..events import Failure, datetime_of
from ..seams import Clock
from .info import ActivityInfo, Attempt, current_attempt
from .task import ActivityOutcome, ActivityTask, Heartbeat

AnyActivity = ActivityDefinition[..., Any]


class Attempts:
    """Runs single attempts; keeps nothing between them."""

    def __init__(self, registry: Registry, payloads: codec.Codec, clock: Clock, jitter: random.Random, threads: int = 40) -> None:
        self._registry, self._payloads, self._clock, self._jitter = registry, payloads, clock, jitter
        self._threads = trio.CapacityLimiter(threads)

    async def run(self, task: ActivityTask, heartbeat: Heartbeat) -> ActivityOutcome:
        """Run one attempt; its result, or its failure and when to try again (A3). Cancellation passes through.

        Any `Exception` is the activity's own and becomes a failure; what is not one goes up and ends the engine.
        """
        definition = self._registry.activity(task.type)
        assert definition is not None
        outcome = ActivityOutcome(task.key.run_no, task.key.ordinal, task.attempt)
        try:
            arguments = definition.decode_input(self._payloads.unwrap(task.input))
        except AionError as error:
            outcome.failure = codec.failure_of(error, self._payloads)
            return outcome
        try:
            value = await self._call(definition, arguments, task, heartbeat)
            outcome.result = self._payloads.wrap(definition.encode_result(value))
        except Exception as error:
            self._failed(outcome, definition, task, error)
        return outcome

    async def _call(self, definition: AnyActivity, arguments: tuple[Any, ...], task: ActivityTask, heartbeat: Heartbeat) -> Any:
        """The function's own result. Raises `_TimedOut` when start-to-close passes (A4)."""
        seconds = None if task.options.start_to_close_us is None else task.options.start_to_close_us / 1e6
        current_attempt.set(Attempt(self._info(task, heartbeat), _beat(heartbeat)))
        if seconds is None:
            return await self._perform(definition, arguments)
        with trio.move_on_after(seconds) as scope:
            return await self._perform(definition, arguments)
        assert scope.cancelled_caught
        raise _TimedOut("start_to_close", task.type, seconds)

    async def _perform(self, definition: AnyActivity, arguments: tuple[Any, ...]) -> Any:
        if definition.runs_in == "task":
            return await definition.fn(*arguments)
        return await trio.to_thread.run_sync(definition.fn, *arguments, abandon_on_cancel=True, limiter=self._threads)

    def _failed(self, outcome: ActivityOutcome, definition: AnyActivity, task: ActivityTask, error: Exception) -> None:
        outcome.failure = self._failure(definition, error)
        policy = task.options.policy
        delay = policy.next_delay(task.attempt, self._jitter) if policy.allows(error, task.attempt) else None
        if delay is not None:
            outcome.next_due_us = self._clock.now_us() + round(delay * 1e6)

    def _failure(self, definition: AnyActivity, error: Exception) -> Failure:
        failure = codec.failure_of(error, self._payloads, definition.raises)
        if isinstance(error, _TimedOut):
            failure[0], failure[1] = f"timeout:{error.kind}", "ActivityTimedOutError"
        return failure

    def _info(self, task: ActivityTask, heartbeat: Heartbeat) -> ActivityInfo:
        limit_us = task.options.start_to_close_us
        run_id = task.run_id.hex()
        return ActivityInfo(
            workflow_id=task.key.workflow_id,
            run_id=run_id,
            ordinal=task.key.ordinal,
            type=task.type,
            attempt=task.attempt,
            idempotency_key=f"{task.key.workflow_id}/{run_id}/{task.key.ordinal}",
            scheduled_at=datetime_of(task.scheduled_us),
            deadline=None if limit_us is None else datetime_of(self._clock.now_us() + limit_us),
            last_heartbeat=heartbeat.details,
        )


class _TimedOut(Exception):
    """A time-out of the attempt passed."""

    def __init__(self, kind: str, activity: str, seconds: float) -> None:
        super().__init__(f"activity {activity!r} did not finish within {seconds:g} s ({kind})")
        self.kind = kind


def _beat(heartbeat: Heartbeat) -> Callable[[Any], None]:
    def beat(details: Any) -> None:
        heartbeat.details, heartbeat.seen = details, True

    return beat
