"""One attempt of an activity: what is asked, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..definitions import ActivityOptions
from ..events import Failure


class TaskKey(NamedTuple):
    """Names an activity of a run: workflow id, run number, ordinal."""

    workflow_id: str
    run_no: int
    ordinal: int


@dataclass(slots=True)
class ActivityTask:
    """An attempt that is owed, as its row and its `ActivityScheduled` event say."""

    key: TaskKey
    run_id: bytes
    type: str
    input: bytes
    queue: str
    options: ActivityOptions
    attempt: int
    due_us: int
    scheduled_us: int


@dataclass(slots=True)
class ActivityOutcome:
    """How an attempt ended: a result, or a failure with the time of the next attempt if there is one."""

    run_no: int
    ordinal: int
    attempt: int
    result: bytes | None = None
    failure: Failure | None = None
    next_due_us: int | None = None


@dataclass(slots=True)
class Heartbeat:
    """The last details that an attempt reported, and those that it found from the one `before`; kept in memory."""

    details: object = None
    before: object = None
