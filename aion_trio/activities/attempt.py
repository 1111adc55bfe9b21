"""One attempt: decode the input, run the function as its kind wants, turn what comes back into an outcome."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from .. import codec
from ..definitions import ActivityDefinition, Registry
from ..errors import AionError
from ..events import LATEST_US, Failure
from ..seams import Clock
from .info import Attempt, current_attempt
from .process import run_in_process
from .task import ActivityOutcome, ActivityTask, Heartbeat

AnyActivity = ActivityDefinition[..., Any]


@dataclass(slots=True)
class Slot:
    """One attempt's place within the limit of its kind; `free` gives it back, and is called once.

    It is what Trio calls a limiter, for one thread: a thread that nobody waits for any more keeps its place until it
    ends, so the limit holds whatever was cancelled (A6).
    """

    free: Callable[[], None]
    in_thread: bool = False

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        """A thread is about to start."""
        await trio.lowlevel.checkpoint()
        self.in_thread = True

    def release_on_behalf_of(self, borrower: object) -> None:
        """The thread has ended."""
        self.free()

    def leave(self) -> None:
        """The attempt's task ends."""
        if not self.in_thread:
            self.free()


@dataclass(slots=True)
class _Call:
    definition: AnyActivity
    task: ActivityTask
    heartbeat: Heartbeat
    slot: Slot


class Attempts:
    """Runs single attempts; keeps nothing between them."""

    def __init__(self, registry: Registry, payloads: codec.Codec, clock: Clock, jitter: random.Random) -> None:
        self._registry, self._payloads, self._clock, self._jitter = registry, payloads, clock, jitter

    async def run(self, task: ActivityTask, heartbeat: Heartbeat, slot: Slot) -> ActivityOutcome:
        """Run one attempt; its result, or its failure and when to try again (A3). Cancellation passes through.

        Any `Exception` is the activity's own and becomes a failure, and so does `SystemExit`, which ends no more than in a workflow.
        What else there is, an interrupt before all, goes up and ends the engine.
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
            value = await self._call(_Call(definition, task, heartbeat, slot), arguments)
            outcome.result = self._payloads.wrap(definition.encode_result(value))
        except (Exception, SystemExit) as error:
            self._failed(outcome, definition, task, error)
        return outcome

    async def _call(self, call: _Call, arguments: tuple[Any, ...]) -> Any:
        """The function's own result. Raises `_TimedOut` when start-to-close passes (A4)."""
        limit_us = call.task.options.start_to_close_us
        call.heartbeat.before = call.heartbeat.details
        current_attempt.set(Attempt(call.task, call.heartbeat, 0 if limit_us is None else self._clock.now_us() + limit_us))
        if limit_us is None:
            return await _perform(call, arguments)
        with trio.move_on_after(limit_us / 1e6) as scope:
            return await _perform(call, arguments)
        assert scope.cancelled_caught
        raise _TimedOut("start_to_close", call.task.type, limit_us / 1e6)

    def _failed(self, outcome: ActivityOutcome, definition: AnyActivity, task: ActivityTask, error: Exception | SystemExit) -> None:
        outcome.failure = self._failure(definition, error)
        policy = task.options.policy
        delay = policy.next_delay(task.attempt, self._jitter) if policy.allows(error, task.attempt) else None
        if delay is not None:
            outcome.next_due_us = min(self._clock.now_us() + round(delay * 1e6), LATEST_US)

    def _failure(self, definition: AnyActivity, error: Exception | SystemExit) -> Failure:
        failure = codec.failure_of(error, self._payloads, definition.raises)
        if isinstance(error, _TimedOut):
            failure[0], failure[1] = f"timeout:{error.kind}", "ActivityTimedOutError"
        return failure


class _TimedOut(Exception):
    """A time-out of the attempt passed."""

    def __init__(self, kind: str, activity: str, seconds: float) -> None:
        super().__init__(f"activity {activity!r} did not finish within {seconds:g} s ({kind})")
        self.kind = kind


async def _perform(call: _Call, arguments: tuple[Any, ...]) -> Any:
    """The function itself. A thread that is cancelled is told by its flag, and is not waited for (A5)."""
    if call.definition.runs_in == "task":
        return await call.definition.fn(*arguments)
    if call.definition.runs_in == "process":
        return await run_in_process(call.definition.fn, arguments, current_attempt.get().info)
    limiter: Any = call.slot  # Trio's annotation names a class; it uses these two methods alone
    return await trio.to_thread.run_sync(call.definition.fn, *arguments, abandon_on_cancel=True, limiter=limiter)
