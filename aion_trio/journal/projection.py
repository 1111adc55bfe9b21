"""From events to index rows: the one function that the live path, import and verification share (H2, J4).

A `Projection` is a fold over the events of one workflow id. `apply` takes the next event; `take` gives the index rows
that changed since the last `take`, for the append that holds those events. Because every row follows from events, a
history alone is enough to make all of them again.

Two rows do not follow from events alone and are left to the caller: the wake-up (it needs a replay, for the deadlines
of cancel scopes) and the step (it says that a replay is owed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .. import events as ev
from ..events import Raw
from ..history import STATUS_AFTER, WorkflowStatus
from ..stores.contract import AttributeValue, Close, Mark, ObligationKind, Open, RunRow, Summary
from . import rows


@dataclass(slots=True)
class Changes:
    """Index rows that an append has to write beside its events."""

    summary: Summary | None = None
    runs: list[RunRow] = field(default_factory=list[RunRow])
    opens: list[Open] = field(default_factory=list[Open])
    closes: list[Close] = field(default_factory=list[Close])
    marks: list[Mark] = field(default_factory=list[Mark])


@dataclass(slots=True)
class PendingActivity:
    """An activity without an outcome: where its event stands, the attempt that is owed and when it is due."""

    seq: int
    raw: Raw
    attempt: int = 1
    due_us: int = 0


@dataclass(slots=True)
class OpenChild:
    """A recorded child whose closing is not recorded yet."""

    seq: int
    child_id: str
    on_parent_close: int
    cancel_requested: bool = False


class Projection:
    """The index rows of one workflow id, after the events that were applied so far.

    Invariant: `head` is the seq of the last applied event, and what `take` has given so far, applied in order to an
    empty store, equals the rows of that history.
    """

    __slots__ = (
        "_changed", "_fresh", "_marks", "_runs", "_summary_changed", "activities", "attributes", "cancel_requested", "children",
        "closing", "head", "last_at_us", "last_child", "open", "parent", "reading", "run", "signals", "status", "timeout_us",
    )  # fmt: skip

    def __init__(self, head: int = 0, run_no: int = 0, last_at_us: int = 0) -> None:
        self.head, self.last_at_us = head, last_at_us
        self.reading = False
        """Events of a history that is in the store already are taken: the rows that they made are there."""
        self.run: RunRow | None = None
        self.status: WorkflowStatus | None = None
        self.open = False  # whether the newest run is open (H3)
        self.attributes: dict[str, AttributeValue] = {}
        self.parent: list[Any] | None = None
        self.timeout_us: int | None = None
        self.activities: dict[int, PendingActivity] = {}
        self.children: dict[int, OpenChild] = {}
        self.last_child = 0
        self.signals: dict[int, int] = {}
        self.cancel_requested: str | None = None
        self.closing: Raw | None = None
        self._changed: dict[tuple[ObligationKind, bytes], Open | Close] = {}
        self._fresh: dict[tuple[ObligationKind, bytes], None] = {}  # an empty set takes three times the room
        self._marks: list[Mark] = []
        self._runs: dict[int, RunRow] = {}
        self._summary_changed = False
        if run_no:  # continue an id whose earlier runs are in the store already
            self.run = RunRow(b"", run_no - 1, b"", 0, "", 0, 0, 0, 0, 0, 0)

    @property
    def current(self) -> RunRow:
        """The newest run; only where there is one."""
        assert self.run is not None
        return self.run

    @property
    def deadline_us(self) -> int | None:
        """When the newest run times out, None if it never does (T4)."""
        return None if self.timeout_us is None else self.current.started_us + self.timeout_us

    def apply(self, raw: Raw) -> None:
        """Take the next event of the history."""
        self.head += 1
        self.last_at_us = raw[1]
        effect = self.EFFECTS.get(raw[0])
        if effect is not None:
            effect(self, raw)

    def take(self) -> Changes:
        """The rows that changed since the last call."""
        changes = Changes(runs=list(self._runs.values()), marks=self._marks)
        for change in self._changed.values():
            if isinstance(change, Open):
                changes.opens.append(change)
            else:
                changes.closes.append(change)
        if self._summary_changed:
            changes.summary = self.summary()
        self._changed, self._fresh, self._marks, self._runs, self._summary_changed = {}, {}, [], {}, False
        return changes

    def summary(self) -> Summary:
        """The projection row of the id as it stands (H2)."""
        run = self.current
        return Summary(
            type=run.type,
            version=run.version,
            status=run.status,
            run_id=run.run_id,
            run_no=run.run_no,
            first_seq=run.first_seq,
            started_us=run.started_us,
            closed_us=run.closed_us,
            head=0 if self.open else self.head,
            parent_id=self.parent[0] if self.parent is not None else "",
            attributes=dict(self.attributes),
        )

    def pending_mark(self, name: bytes) -> bytes | None:
        """The value of a mark that `take` has not given yet."""
        return next((mark.value for mark in self._marks if mark.name == name), None)

    # ---- rows

    def open_row(self, kind: ObligationKind, row: bytes, *, due_us: int = 0, queue: str = "", payload: bytes = b"") -> None:
        """Open or replace an obligation of this workflow."""
        if self.reading:
            return
        key = (kind, row)
        if key not in self._changed:
            self._fresh[key] = None
        self._changed[key] = Open(kind, row, due_us, queue, payload)

    def replace_row(self, kind: ObligationKind, row: bytes, *, due_us: int = 0, queue: str = "", payload: bytes = b"") -> None:
        """Open an obligation that may be open already: closing it later in this append must reach the store."""
        fresh = (kind, row) in self._fresh
        self.open_row(kind, row, due_us=due_us, queue=queue, payload=payload)
        if not fresh:
            self._fresh.pop((kind, row), None)

    def close_row(self, kind: ObligationKind, row: bytes) -> None:
        """Close an obligation of this workflow; one that this append opened leaves no trace."""
        if self.reading:
            return
        key = (kind, row)
        if key in self._fresh:
            del self._fresh[key]
            del self._changed[key]
        else:
            self._changed[key] = Close(kind, row)

    def _row(self, ordinal: int) -> bytes:
        return rows.row_of(self.current.run_no, ordinal)

    def _owed_to(self, target: str, *fields: Any) -> bytes:
        """The payload of an outward row: its cause, to whom it is owed, by which run, and what its kind needs."""
        return rows.payload_of(self.head, target, self.current.run_id, *fields)

    def _set_run(self, run: RunRow) -> None:
        self.run = self._runs[run.run_no] = run
        self._summary_changed = True

    # ---- lifecycle

    def _started(self, raw: Raw) -> None:
        before = self.run
        _, at_us, type_name, version, run_id, parent_run_id, origin = raw[:7]
        run_no = 1 if before is None else before.run_no + 1
        if self.status is WorkflowStatus.CONTINUED_AS_NEW:
            self.close_row(ObligationKind.RUN_START, rows.row_of(run_no - 1, 0))
        self.status, self.open = WorkflowStatus.RUNNING, True
        self.parent, self.timeout_us, self.attributes = raw[9], raw[11], dict(raw[12])
        self.activities, self.children, self.signals = {}, {}, {}
        self.last_child = 0
        self.cancel_requested = self.closing = None
        running = WorkflowStatus.RUNNING.number
        self._set_run(RunRow(run_id, run_no, parent_run_id, origin, type_name, version, running, self.head, 0, at_us, 0))
        if raw[14] is not None:
            self._marks.append(Mark(rows.START_MARK + raw[14].encode(), run_id))

    def _status_changed(self, raw: Raw) -> None:
        self.status, self.open = STATUS_AFTER[raw[0]], True
        self._set_run(_with_status(self.current, self.status, 0, 0))

    def _closed(self, raw: Raw) -> None:
        self._end_run(raw)
        for ordinal, child in self.children.items():
            self._close_child(ordinal, child)
        if self.parent is not None:
            self.owe_closing(self.parent)

    def owe_closing(self, parent: list[Any]) -> None:
        """The run, which has closed, owes that to its parent `[workflow id, run id, ordinal]` (C2)."""
        payload = self._owed_to(*parent)
        self.open_row(ObligationKind.CHILD_CLOSED, rows.row_of(self.current.run_no, 0), payload=payload)

    def _close_child(self, ordinal: int, child: OpenChild) -> None:
        """Apply the parent-close policy, also to a child that was recorded and never started (C3, L2)."""
        if child.on_parent_close == ev.ON_CLOSE_ABANDON:
            return
        row = self._row(ordinal)
        self.close_row(ObligationKind.CHILD_START, row)
        terminate = child.on_parent_close == ev.ON_CLOSE_TERMINATE
        if child.cancel_requested:
            if not terminate:
                return  # it was asked already
            self.close_row(ObligationKind.CANCEL_REQUEST, row)
        payload = self._owed_to(child.child_id, terminate, "its parent closed")
        self.open_row(ObligationKind.CANCEL_REQUEST, rows.at_close(row), payload=payload)

    def _continued(self, raw: Raw) -> None:
        self._end_run(raw)
        payload = self._owed_to("")
        self.open_row(ObligationKind.RUN_START, rows.row_of(self.current.run_no, 0), payload=payload)

    def _end_run(self, raw: Raw) -> None:
        """Retire the run's inward rows; what it owes to others outlives it (L2)."""
        self.closing = raw
        self.status, self.open = STATUS_AFTER[raw[0]], False
        self._set_run(_with_status(self.current, self.status, self.head, raw[1]))
        for ordinal in self.activities:
            self.close_row(ObligationKind.ACTIVITY, self._row(ordinal))
        self.activities = {}
        self.close_row(ObligationKind.WAKE_UP, b"")
        self.close_row(ObligationKind.STEP, b"")

    def _attributes_updated(self, raw: Raw) -> None:
        for name, value in raw[2].items():
            if value is None:
                self.attributes.pop(name, None)
            else:
                self.attributes[name] = value
        self._summary_changed = True

    def _cancel_requested(self, raw: Raw) -> None:
        self.cancel_requested = raw[2]
        if raw[3] is not None:
            self._marks.append(Mark(rows.CANCEL_MARK + raw[3].encode()))

    # ---- activities

    def _activity_scheduled(self, raw: Raw) -> None:
        self.activities[raw[2]] = PendingActivity(self.head, raw)
        if self.reading:
            return
        payload = rows.payload_of(self.head, 1)
        self.open_row(ObligationKind.ACTIVITY, self._row(raw[2]), queue=raw[6], payload=payload)

    def _attempt_failed(self, raw: Raw) -> None:
        pending = self.activities[raw[2]]
        pending.attempt, pending.due_us = raw[3] + 1, raw[5]
        payload = rows.payload_of(pending.seq, pending.attempt)
        self.replace_row(ObligationKind.ACTIVITY, self._row(raw[2]), due_us=raw[5], queue=pending.raw[6], payload=payload)

    def _activity_settled(self, raw: Raw) -> None:
        if self.activities.pop(raw[2], None) is not None and not self.reading:
            self.close_row(ObligationKind.ACTIVITY, self._row(raw[2]))

    # ---- children

    def _child_started(self, raw: Raw) -> None:
        self.last_child = raw[2]
        self.children[raw[2]] = OpenChild(self.head, raw[3], raw[8])
        self.open_row(ObligationKind.CHILD_START, self._row(raw[2]), payload=self._owed_to(raw[3]))

    def _child_closed(self, raw: Raw) -> None:
        child = self.children.pop(raw[2], None)
        self.close_row(ObligationKind.CHILD_START, self._row(raw[2]))
        if child is not None and child.cancel_requested:
            self.close_row(ObligationKind.CANCEL_REQUEST, self._row(raw[2]))

    def _child_cancel_requested(self, raw: Raw) -> None:
        child = self.children.get(raw[2])
        if child is not None and not child.cancel_requested:
            child.cancel_requested = True
            payload = self._owed_to(child.child_id, False, raw[3])
            self.open_row(ObligationKind.CANCEL_REQUEST, self._row(raw[2]), payload=payload)

    # ---- signals

    def _signal_received(self, raw: Raw) -> None:
        if raw[4] is not None:
            self._marks.append(Mark(rows.sender_mark(raw[4])))
        if raw[5] is not None:
            self._marks.append(Mark(rows.SIGNAL_MARK + raw[5].encode()))

    def _signal_sent(self, raw: Raw) -> None:
        self.signals[raw[2]] = self.head
        self.open_row(ObligationKind.SIGNAL, self._row(raw[2]), payload=self._owed_to(raw[3]))

    def _signal_settled(self, raw: Raw) -> None:
        if self.signals.pop(raw[2], None) is not None:
            self.close_row(ObligationKind.SIGNAL, self._row(raw[2]))

    # ---- which event has which effect; the others change no row

    EFFECTS: ClassVar[dict[int, Callable[[Projection, Raw], None]]] = {
        ev.WORKFLOW_STARTED: _started,
        ev.WORKFLOW_REOPENED: _status_changed,
        ev.WORKFLOW_PAUSED: _status_changed,
        ev.WORKFLOW_RESUMED: _status_changed,
        ev.WORKFLOW_COMPLETED: _closed,
        ev.WORKFLOW_FAILED: _closed,
        ev.WORKFLOW_CANCELLED: _closed,
        ev.WORKFLOW_TERMINATED: _closed,
        ev.WORKFLOW_TIMED_OUT: _closed,
        ev.WORKFLOW_CONTINUED_AS_NEW: _continued,
        ev.ATTRIBUTES_UPDATED: _attributes_updated,
        ev.CANCEL_REQUESTED: _cancel_requested,
        ev.ACTIVITY_SCHEDULED: _activity_scheduled,
        ev.ACTIVITY_ATTEMPT_FAILED: _attempt_failed,
        ev.ACTIVITY_COMPLETED: _activity_settled,
        ev.ACTIVITY_FAILED: _activity_settled,
        ev.ACTIVITY_CANCELLED: _activity_settled,
        ev.CHILD_WORKFLOW_STARTED: _child_started,
        ev.CHILD_WORKFLOW_COMPLETED: _child_closed,
        ev.CHILD_WORKFLOW_FAILED: _child_closed,
        ev.CHILD_CANCEL_REQUESTED: _child_cancel_requested,
        ev.SIGNAL_RECEIVED: _signal_received,
        ev.SIGNAL_SENT: _signal_sent,
        ev.SIGNAL_DELIVERED: _signal_settled,
        ev.SIGNAL_FAILED: _signal_settled,
    }


def _with_status(run: RunRow, status: WorkflowStatus, last_seq: int, closed_us: int) -> RunRow:
    """As `dataclasses.replace`, in a fifth of its time."""
    return RunRow(
        run.run_id, run.run_no, run.parent_run_id, run.origin, run.type, run.version, status.number, run.first_seq,
        last_seq, run.started_us, closed_us,
    )  # fmt: skip
