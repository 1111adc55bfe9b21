"""One turn of a workflow: what a batch of messages does to it, as one append.

Messages become stimuli; each is fed to the code and followed by the events that it caused (S1 C1 S2 C2); all of them,
and every index row that they change, become durable together (J4, A2). Answers are given and work is dispatched only
when that has happened. A turn that was not acknowledged leaves nothing behind: the record is thrown away, loaded again,
and the same messages make a new turn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from .. import codec, events as ev
from ..errors import AionError, WorkflowNotRegisteredError
from ..events import Raw
from ..history import WorkflowStatus
from ..journal import Changes, Projection
from ..stores.contract import Append, Close, ObligationKind
from ..supervision import Request
from . import births
from .record import Record, new_execution, root_start
from .services import Services

log = logging.getLogger("aion_trio")

AnswerT = TypeVar("AnswerT")
_NOTHING = Changes()
_STEP_ROW = b""
_WAKE_ROW = b""


class StepVoid(AionError):
    """The turn cannot be made as it is: it is void, and the run is quarantined (K4). `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Turn:
    """The effects of one batch on one workflow, until they are durable."""

    def __init__(self, services: Services, record: Record) -> None:
        self.services, self.record = services, record
        self.expected_seq = record.projection.head
        self.events: list[Raw] = []
        self.closes: list[Close] = []
        self.after: list[Callable[[], object]] = []
        self.adopted: list[Append] = []
        self.closed = False
        self.spoiled = False  # a query changed the workflow's state, which is to be made again from history (K6)
        self.changes = _NOTHING
        self._inline_successors = 1
        self._owes_step = False
        self._advanced_us = 0
        if record.step_owed and record.execution is not None:
            self._outputs()  # the step that an earlier append left owed

    @property
    def projection(self) -> Projection:
        """The index rows as this turn leaves them so far."""
        return self.record.projection

    # ---- stimuli

    def arrive(self, code: int, *fields: Any) -> bool:
        """Something happened: record it, and let the code answer. False if the run is closed (T3).

        `advance` comes first, and then whatever decides that this run wants it: what is due before may close the run, or
        continue it as another. The event is of the time that was advanced to, so nothing comes between.
        """
        if not self.projection.open:
            return False
        self.take([code, max(self._advanced_us, self.projection.last_at_us), *fields])
        return True

    def advance(self) -> None:
        """Fire what is due by now, in order; a run whose time-out passed among it is closed (T1, T4, K5)."""
        self._advanced_us = now_us = self.now_us()
        while (due := self._next_due(now_us)) is not None:
            self.take(due)
        deadline_us = self.projection.deadline_us if self.projection.open else None
        if deadline_us is not None and deadline_us <= now_us:
            self.close([ev.WORKFLOW_TIMED_OUT, now_us, "run"])

    def _next_due(self, now_us: int) -> Raw | None:
        """What is due next, by now and by the time-out of the run that is open now: what is due may continue it as new."""
        execution, projection = self.record.execution, self.projection
        if execution is None or not projection.open:
            return None
        deadline_us = projection.deadline_us
        return execution.due(now_us if deadline_us is None else min(now_us, deadline_us), now_us)

    def take(self, raw: Raw) -> None:
        """Record one stimulus and the events that it causes; without the code they stay owed (K4)."""
        self.note(raw)
        execution = self.record.execution
        if execution is None:
            self._owes_step = True
            return
        try:
            execution.feed(raw)
        except AionError as error:
            self.quarantine(f"{type(error).__name__}: {error}")
        else:
            self._outputs()

    def quarantine(self, reason: str) -> None:
        """The code cannot go on: its step is void and stays owed, what arrives is still recorded (K4, R8)."""
        workflow_id = self.record.key.workflow_id
        log.error("workflow %r is quarantined: %s", workflow_id, reason)
        self.record.evict()
        self.record.quarantine = self.services.quarantined[workflow_id] = reason
        self._owes_step = True

    def note(self, raw: Raw) -> None:
        """Record an event that the code does not see."""
        raw[1] = max(raw[1], self.projection.last_at_us)
        self.projection.apply(raw)
        self.events.append(raw)
        if raw[0] in ev.CLOSING:  # the closing event has retired these rows
            self.closed = raw[0] != ev.WORKFLOW_CONTINUED_AS_NEW
            self.record.wake_us, self.record.step_owed, self._owes_step = None, False, False

    def close(self, raw: Raw) -> None:
        """Close the run from outside: its work is retired in the same append (L2)."""
        self.note(raw)
        self.record.evict()

    def begin(self, raw: Raw, definition: births.AnyWorkflow | None) -> None:
        """Start a run. Where its code is not loaded (None), its first step stays owed."""
        raw[1] = self.now_us()
        self.record.evict()
        if definition is not None and self.record.quarantine is None:
            self.record.execution = new_execution(self.services, self.record, definition, raw[4])
        self.take(raw)

    def now_us(self) -> int:
        """The time to record: the clock's, but never before the newest event (H8)."""
        return max(self.services.clock.now_us(), self.projection.last_at_us)

    # ---- what the code asks for

    def _outputs(self) -> None:
        execution = self.record.execution
        assert execution is not None
        for raw in execution.take_outputs():
            self.note(raw)
        if not self.projection.open:
            self.record.evict()
            if self.projection.status is WorkflowStatus.CONTINUED_AS_NEW:
                self._continue_as_new()

    def _continue_as_new(self) -> None:
        """Start the successor in this very append, where its version is loaded; else the obligation stands (N1, R4)."""
        closing = self.projection.closing
        assert closing is not None
        try:
            definition = self.services.registry.workflow(closing[4] or self.projection.current.type, None)
        except WorkflowNotRegisteredError as error:
            self.services.quarantined[self.record.key.workflow_id] = str(error)
            return
        started = self._current_start()
        self.succeed(started, closing, definition)

    def succeed(self, started: Raw, closing: Raw, definition: births.AnyWorkflow) -> None:
        """Begin the successor of the run that began with `started` and ended with `closing`."""
        raw = births.successor_run(started, closing, definition, self.projection.attributes, self.services.ids.run_id())
        inline = self._inline_successors > 0
        self._inline_successors -= 1
        self.begin(raw, definition if inline else None)
        if closing[6] is not None and self.projection.open:
            self.take([ev.CANCEL_REQUESTED, self.now_us(), closing[6], None])

    def _current_start(self) -> Raw:
        for raw in reversed(self.events):
            if raw[0] == ev.WORKFLOW_STARTED:
                return raw
        first_seq = self.projection.current.first_seq
        found = self.services.journal.event(self.record.key, first_seq)
        if found is None or found[0] != ev.WORKFLOW_STARTED:
            raise StepVoid(f"run {self.projection.current.run_id.hex()} has no start event at {first_seq}")
        return found

    # ---- the append

    def appends(self) -> list[Append]:
        """Everything of this turn: one append, or none if it changed nothing. A history that is taken over comes ready made."""
        if self.adopted:
            return self.adopted
        self._set_step()
        self._set_wake_up()
        self.changes = changes = self.projection.take()
        closes = [*changes.closes, *self.closes]
        if not (self.events or closes or changes.opens):
            return []
        frame = codec.encode_frame(self.events) if self.events else b""
        return [
            Append(
                self.record.key,
                self.expected_seq,
                frame,
                len(self.events),
                changes.summary,
                changes.runs,
                changes.opens,
                closes,
                changes.marks,
            )
        ]

    def remembered(self, name: bytes) -> bytes | None:
        """What the workflow remembers under `name`, this turn included."""
        pending = self.projection.pending_mark(name)
        return pending if pending is not None else self.services.journal.mark(self.record.key, name)

    def root(self) -> Raw | None:
        """The first `WorkflowStarted` of the newest chain, this turn included (H5)."""
        for raw in reversed(self.events):
            if raw[0] == ev.WORKFLOW_STARTED and not raw[5]:
                return raw
        return root_start(self.services, self.record.key, self.services.journal.runs(self.record.key))

    def answer(self, request: Request[AnswerT], value: AnswerT) -> None:
        """Answer once the turn is durable."""
        self.after.append(partial(request.reply, value))

    def refuse(self, request: Request[Any], error: Exception) -> None:
        """Refuse once what the refusal rests on is durable."""
        self.after.append(partial(request.fail, error))

    def _set_step(self) -> None:
        record = self.record
        if not self.projection.open:
            return
        if self._owes_step:
            self.projection.replace_row(ObligationKind.STEP, _STEP_ROW)
            record.step_owed = True
        elif record.step_owed and record.execution is not None:
            self.projection.close_row(ObligationKind.STEP, _STEP_ROW)
            record.step_owed = False

    def _set_wake_up(self) -> None:
        record, projection = self.record, self.projection
        if not projection.open:
            return
        due_us = record.wake_us
        if record.execution is not None:
            dues = [due for due in (record.execution.next_due(), projection.deadline_us) if due is not None]
            due_us = min(*dues, ev.LATEST_US) if dues else None
        elif due_us is None:
            due_us = projection.deadline_us
        if due_us == record.wake_us:
            return
        if due_us is None:
            projection.close_row(ObligationKind.WAKE_UP, _WAKE_ROW)
        else:
            projection.replace_row(ObligationKind.WAKE_UP, _WAKE_ROW, due_us=due_us)
        record.wake_us = due_us
