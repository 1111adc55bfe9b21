"""What an activity knows of itself: `activity_info()` and `heartbeat()`, from tasks and threads alike."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import trio

from ..errors import AionError
from ..events import LATEST_US, datetime_of
from .task import ActivityTask, Heartbeat


class NotInActivityError(AionError):
    """`activity_info()` or `heartbeat()` was called outside of an activity."""


@dataclass(frozen=True, slots=True)
class ActivityInfo:
    """The attempt that is running (A1).

    `idempotency_key` is the same for every attempt of one call, also after a crash: pass it to the service that you
    call, or store it beside the effect, and the effect happens once. `deadline` is when the attempt times out, None if
    it never does; `last_heartbeat` are the details that an earlier attempt reported last, None if there are none.
    """

    workflow_id: str
    run_id: str
    ordinal: int
    type: str
    attempt: int
    idempotency_key: str
    scheduled_at: datetime
    deadline: datetime | None
    last_heartbeat: Any


@dataclass(slots=True)
class Attempt:
    """The attempt that the current context belongs to. Most activities never ask, so `info` is made when they do."""

    task: ActivityTask
    heartbeat: Heartbeat
    deadline_us: int

    @property
    def info(self) -> ActivityInfo:
        """What the activity is told of itself; the heartbeat details are those of the earlier attempt."""
        task, run_id = self.task, self.task.run_id.hex()
        return ActivityInfo(
            workflow_id=task.key.workflow_id,
            run_id=run_id,
            ordinal=task.key.ordinal,
            type=task.type,
            attempt=task.attempt,
            idempotency_key=f"{task.key.workflow_id}/{run_id}/{task.key.ordinal}",
            scheduled_at=datetime_of(task.scheduled_us),
            deadline=datetime_of(min(self.deadline_us, LATEST_US)) if self.deadline_us else None,
            last_heartbeat=self.heartbeat.before,
        )


current_attempt: ContextVar[Attempt] = ContextVar("aion_trio.activity")
elsewhere: ContextVar[ActivityInfo] = ContextVar("aion_trio.activity.elsewhere")
"""What an activity in a worker process is told of itself."""


def activity_info() -> ActivityInfo:
    """What the running activity knows of itself. Raises `NotInActivityError` elsewhere."""
    found = elsewhere.get(None)
    return _attempt("activity_info()").info if found is None else found


def heartbeat(details: Any = None) -> None:
    """Report progress; `details` (plain data) are there for the next attempt as `activity_info().last_heartbeat`.

    In a thread this also notices that the activity was cancelled, and raises `trio.Cancelled` then (A5). Heartbeat details
    live in memory: they survive a failed attempt, not a crash. Raises `NotInActivityError` elsewhere, and in a worker process, where
    nobody would hear it.
    """
    if elsewhere.get(None) is not None:
        raise NotInActivityError("heartbeat() is not heard from a worker process: leave it out, or run the activity in a task or a thread")
    _attempt("heartbeat()").heartbeat.details = details
    try:
        trio.from_thread.check_cancelled()
    except RuntimeError:  # in a Trio task: its next checkpoint notices
        return


def _attempt(what: str) -> Attempt:
    try:
        return current_attempt.get()
    except LookupError:
        raise NotInActivityError(f"{what} was called outside of an activity: call it in a function decorated with @activity "
                                 "while the engine runs it") from None  # fmt: skip
