"""The events of a history and their durable form.

In a journal an event is a positional CBOR array `[code, recorded_at_us, *fields]`. Fields are only ever appended,
and a field that was added later has a fixed default for the events that were written without it (H7). The engine
works on these arrays as plain lists ("raw events"), for speed; people get one frozen object per event, of a class
with the event's name, with `seq` and `recorded_at` (UTC) added.

The codes, the order of the fields and the defaults are the durable format: never change one, never reuse one.

Who causes what: *stimuli* come from outside and move the workflow's time; *outputs* are what workflow code caused in
answer; *markers* are invisible to replay (K6).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

Raw = list[Any]
"""A raw event: `[code, recorded_at_us, *fields]`."""

Failure = list[Any]
"""`[kind, type name, message, details payload or None, cause failure or None, non_retryable]`; see `codec`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LATEST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""The last microsecond that a datetime can tell; what is due later is due never, and index rows say this time."""


def datetime_of(us: int) -> datetime:
    """The aware UTC datetime of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=us)


def microseconds_of(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


# ---- codes: the ones below 24 take one byte

WORKFLOW_STARTED = 1
WORKFLOW_COMPLETED = 2
WORKFLOW_FAILED = 3
WORKFLOW_CANCELLED = 4
WORKFLOW_TERMINATED = 5
WORKFLOW_TIMED_OUT = 6
WORKFLOW_CONTINUED_AS_NEW = 7
ACTIVITY_SCHEDULED = 8
ACTIVITY_ATTEMPT_FAILED = 9
ACTIVITY_COMPLETED = 10
ACTIVITY_FAILED = 11
ACTIVITY_CANCELLED = 12
TIMER_STARTED = 13
TIMER_FIRED = 14
TIMER_CANCELLED = 15
DEADLINE_PASSED = 16
CHILD_WORKFLOW_STARTED = 17
CHILD_WORKFLOW_COMPLETED = 18
CHILD_WORKFLOW_FAILED = 19
CHILD_CANCEL_REQUESTED = 20
SIGNAL_RECEIVED = 21
SIGNAL_SENT = 22
SIGNAL_DELIVERED = 23
SIGNAL_FAILED = 24
CANCEL_REQUESTED = 25
ATTRIBUTES_UPDATED = 26
PATCH_MARKED = 27
UPDATE_ACCEPTED = 28
UPDATE_COMPLETED = 29
WORKFLOW_REOPENED = 30
WORKFLOW_PAUSED = 31
WORKFLOW_RESUMED = 32

# ---- small vocabularies inside events

ORIGIN_FIRST, ORIGIN_CONTINUED, ORIGIN_NEW_RUN, ORIGIN_RESET = range(4)
ON_CLOSE_TERMINATE, ON_CLOSE_CANCEL, ON_CLOSE_ABANDON = range(3)
ON_PARENT_CLOSE = ("terminate", "cancel", "abandon")
"""Names of the parent-close policies, by their number."""


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has: its number within the workflow id, from 1, and when it was recorded (UTC, never decreasing)."""

    code: ClassVar[int] = 0
    role: ClassVar[str] = "marker"
    seq: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class WorkflowStarted(Event):
    """A run began; the first event of each run (H5, T4, V1).

    `parent_run_id` is the run that this one continues, b"" at the root of a chain. `parent` is `[workflow id, run id,
    ordinal]` of the workflow that started it as a child. `carried_signals` are `[name, payload, sender key]`.
    """

    code: ClassVar[int] = WORKFLOW_STARTED
    role: ClassVar[str] = "stimulus"
    type: str
    version: int
    run_id: bytes
    parent_run_id: bytes
    origin: int
    input: bytes
    carried_signals: list[list[Any]]
    parent: list[Any] | None
    on_parent_close: int
    timeout_us: int | None
    attributes: dict[str, Any]
    kernel_version: int
    request_id: str | None
    trace_context: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class WorkflowCompleted(Event):
    """The workflow function returned `result` (a payload)."""

    code: ClassVar[int] = WORKFLOW_COMPLETED
    role: ClassVar[str] = "output"
    result: bytes


@dataclass(frozen=True, slots=True)
class WorkflowFailed(Event):
    """An exception left the workflow function."""

    code: ClassVar[int] = WORKFLOW_FAILED
    role: ClassVar[str] = "output"
    failure: Failure


@dataclass(frozen=True, slots=True)
class WorkflowCancelled(Event):
    """The workflow let a requested cancellation through (L1)."""

    code: ClassVar[int] = WORKFLOW_CANCELLED
    role: ClassVar[str] = "output"
    reason: str


@dataclass(frozen=True, slots=True)
class WorkflowTerminated(Event):
    """The run was ended from outside, at once (L1)."""

    code: ClassVar[int] = WORKFLOW_TERMINATED
    reason: str


@dataclass(frozen=True, slots=True)
class WorkflowTimedOut(Event):
    """The run's time-out passed (T4)."""

    code: ClassVar[int] = WORKFLOW_TIMED_OUT
    kind: str


@dataclass(frozen=True, slots=True)
class WorkflowContinuedAsNew(Event):
    """The run ended and a successor under the same id goes on (N1).

    `type` is None where the successor has this run's own type. `carried_signals` as in `WorkflowStarted`;
    `cancel_reason` is a cancel request that this run had not answered, None if there was none.
    """

    code: ClassVar[int] = WORKFLOW_CONTINUED_AS_NEW
    role: ClassVar[str] = "output"
    continued_run_id: bytes
    input: bytes
    type: str | None
    carried_signals: list[list[Any]]
    cancel_reason: str | None


@dataclass(frozen=True, slots=True)
class ActivityScheduled(Event):
    """The workflow asked for an activity (C1, A2). `options` is an encoded `codec.ActivityOptions`."""

    code: ClassVar[int] = ACTIVITY_SCHEDULED
    role: ClassVar[str] = "output"
    ordinal: int
    type: str
    input: bytes
    input_digest: bytes
    queue: str
    options: list[Any]


@dataclass(frozen=True, slots=True)
class ActivityAttemptFailed(Event):
    """An attempt failed and another one is due at `next_due_us` (A3)."""

    code: ClassVar[int] = ACTIVITY_ATTEMPT_FAILED
    ordinal: int
    attempt: int
    failure: Failure
    next_due_us: int


@dataclass(frozen=True, slots=True)
class ActivityCompleted(Event):
    """An activity returned `result` (a payload) at its `attempt`."""

    code: ClassVar[int] = ACTIVITY_COMPLETED
    role: ClassVar[str] = "stimulus"
    ordinal: int
    result: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class ActivityFailed(Event):
    """An activity failed for good."""

    code: ClassVar[int] = ACTIVITY_FAILED
    role: ClassVar[str] = "stimulus"
    ordinal: int
    failure: Failure
    attempt: int


@dataclass(frozen=True, slots=True)
class ActivityCancelled(Event):
    """The scope around an activity was cancelled; its late result will be dropped (K9)."""

    code: ClassVar[int] = ACTIVITY_CANCELLED
    role: ClassVar[str] = "output"
    ordinal: int


@dataclass(frozen=True, slots=True)
class TimerStarted(Event):
    """A durable sleep until `fire_at_us` began."""

    code: ClassVar[int] = TIMER_STARTED
    role: ClassVar[str] = "output"
    ordinal: int
    fire_at_us: int


@dataclass(frozen=True, slots=True)
class TimerFired(Event):
    """A durable sleep is over (T1, T2)."""

    code: ClassVar[int] = TIMER_FIRED
    role: ClassVar[str] = "stimulus"
    ordinal: int


@dataclass(frozen=True, slots=True)
class TimerCancelled(Event):
    """The scope around a durable sleep was cancelled (T2)."""

    code: ClassVar[int] = TIMER_CANCELLED
    role: ClassVar[str] = "output"
    ordinal: int


@dataclass(frozen=True, slots=True)
class DeadlinePassed(Event):
    """The deadline `due_us` of one or more cancel scopes passed."""

    code: ClassVar[int] = DEADLINE_PASSED
    role: ClassVar[str] = "stimulus"
    due_us: int


@dataclass(frozen=True, slots=True)
class ChildWorkflowStarted(Event):
    """The workflow asked for a child; recorded before the child exists (C1)."""

    code: ClassVar[int] = CHILD_WORKFLOW_STARTED
    role: ClassVar[str] = "output"
    ordinal: int
    child_id: str
    type: str
    version: int
    input: bytes
    input_digest: bytes
    on_parent_close: int
    attributes: dict[str, Any]
    timeout_us: int | None
    trace_context: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class ChildWorkflowCompleted(Event):
    """A child's chain of runs completed with `result` (a payload) (C2)."""

    code: ClassVar[int] = CHILD_WORKFLOW_COMPLETED
    role: ClassVar[str] = "stimulus"
    ordinal: int
    result: bytes


@dataclass(frozen=True, slots=True)
class ChildWorkflowFailed(Event):
    """A child's chain of runs ended otherwise; the failure's kind says how (C2)."""

    code: ClassVar[int] = CHILD_WORKFLOW_FAILED
    role: ClassVar[str] = "stimulus"
    ordinal: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class ChildCancelRequested(Event):
    """The workflow asked to cancel a child, by its handle or by the scope around it (K9)."""

    code: ClassVar[int] = CHILD_CANCEL_REQUESTED
    role: ClassVar[str] = "output"
    ordinal: int
    reason: str


@dataclass(frozen=True, slots=True)
class SignalReceived(Event):
    """A signal arrived (S1). `sender` is `[workflow id, run id, ordinal]` of a sending workflow, else None."""

    code: ClassVar[int] = SIGNAL_RECEIVED
    role: ClassVar[str] = "stimulus"
    name: str
    payload: bytes
    sender: list[Any] | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class SignalSent(Event):
    """The workflow sent a signal to the workflow `target` (S2)."""

    code: ClassVar[int] = SIGNAL_SENT
    role: ClassVar[str] = "output"
    ordinal: int
    target: str
    name: str
    payload: bytes
    payload_digest: bytes


@dataclass(frozen=True, slots=True)
class SignalDelivered(Event):
    """The target of a sent signal has recorded it."""

    code: ClassVar[int] = SIGNAL_DELIVERED
    role: ClassVar[str] = "stimulus"
    ordinal: int


@dataclass(frozen=True, slots=True)
class SignalFailed(Event):
    """The target of a sent signal is closed or does not exist."""

    code: ClassVar[int] = SIGNAL_FAILED
    role: ClassVar[str] = "stimulus"
    ordinal: int
    reason: str


@dataclass(frozen=True, slots=True)
class CancelRequested(Event):
    """Cancellation of the run was requested (L1)."""

    code: ClassVar[int] = CANCEL_REQUESTED
    role: ClassVar[str] = "stimulus"
    reason: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class AttributesUpdated(Event):
    """Attributes were set (None deletes one): by the workflow's command `ordinal`, or from outside (0)."""

    code: ClassVar[int] = ATTRIBUTES_UPDATED
    role: ClassVar[str] = "output"
    attributes: dict[str, Any]
    ordinal: int


@dataclass(frozen=True, slots=True)
class PatchMarked(Event):
    """The run takes the new branch of the patch `name` (V3)."""

    code: ClassVar[int] = PATCH_MARKED
    role: ClassVar[str] = "output"
    name: str


@dataclass(frozen=True, slots=True)
class UpdateAccepted(Event):
    """An update passed its validator (S5)."""

    code: ClassVar[int] = UPDATE_ACCEPTED
    role: ClassVar[str] = "stimulus"
    update_id: str
    name: str
    input: bytes


@dataclass(frozen=True, slots=True)
class UpdateCompleted(Event):
    """An update's answer: `[True, payload]` or `[False, failure]` (S5)."""

    code: ClassVar[int] = UPDATE_COMPLETED
    role: ClassVar[str] = "output"
    update_id: str
    outcome: list[Any]


@dataclass(frozen=True, slots=True)
class WorkflowReopened(Event):
    """A closed run goes on; the steps `ordinals` run again (L4)."""

    code: ClassVar[int] = WORKFLOW_REOPENED
    run_id: bytes
    ordinals: list[int]


@dataclass(frozen=True, slots=True)
class WorkflowPaused(Event):
    """An operator paused the run (L3)."""

    code: ClassVar[int] = WORKFLOW_PAUSED
    reason: str
    operator: str


@dataclass(frozen=True, slots=True)
class WorkflowResumed(Event):
    """An operator resumed the run (L3)."""

    code: ClassVar[int] = WORKFLOW_RESUMED
    reason: str
    operator: str


CLASSES: dict[int, type[Event]] = {cls.code: cls for cls in Event.__subclasses__() if cls.code}
"""The event class of each code."""

STIMULI = frozenset(code for code, cls in CLASSES.items() if cls.role == "stimulus")
OUTPUTS = frozenset(code for code, cls in CLASSES.items() if cls.role == "output")
MARKERS = frozenset(code for code, cls in CLASSES.items() if cls.role == "marker")
CLOSING = frozenset(range(WORKFLOW_COMPLETED, WORKFLOW_CONTINUED_AS_NEW + 1))
FIELD_NAMES: dict[int, tuple[str, ...]] = {code: tuple(f.name for f in fields(cls))[2:] for code, cls in CLASSES.items()}
"""The names of an event's own fields, in their durable order."""


def name_of(code: int) -> str:
    """The event's name, also for a code that this version does not know."""
    cls = CLASSES.get(code)
    return cls.__name__ if cls is not None else f"event code {code}"
