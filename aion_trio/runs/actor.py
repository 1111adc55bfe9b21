"""The actor of one workflow: the only writer of its history.

It takes what is in its mailbox, makes one turn of it, waits until that is durable, and then answers and dispatches.
It holds no truth of its own: whatever fails, the record is thrown away and made again from the journal, and messages
that are still in hand make a new turn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from .. import codec
from ..activities import ActivityOutcome, ActivityTask
from ..activities.task import TaskKey
from ..definitions import ActivityOptions
from ..errors import (
    AionError,
    AppendOutcomeUnknown,
    InvalidInputError,
    JournalCorruptedError,
    JournalFullError,
    PayloadTooLargeError,
    SequenceConflict,
    UnknownEventError,
)
from ..journal.rows import run_and_ordinal
from ..journal.writer import ObligationSettled
from ..stores.contract import Obligation, ObligationKind
from ..supervision import Mailbox, Request
from . import arrivals, intake, lifecycle
from .messages import (
    Ask,
    Cancel,
    ChildClosed,
    Deliver,
    DeliverFrom,
    Effect,
    Import,
    Message,
    ParentRequest,
    Resume,
    Settle,
    SignalOutcome,
    Stack,
    Start,
    StartChild,
    StartSuccessor,
    Terminate,
    Wake,
)
from .record import Record, load
from .services import Services
from .turn import StepVoid, Turn
from .waiting import Ending

log = logging.getLogger("aion_trio")

_OUTWARD = frozenset(
    {
        ObligationKind.CHILD_START,
        ObligationKind.RUN_START,
        ObligationKind.SIGNAL,
        ObligationKind.CHILD_CLOSED,
        ObligationKind.CANCEL_REQUEST,
    }
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_RELOADS = 8

_EFFECTS: dict[type, Callable[[Turn, Any], None]] = {
    Start: lifecycle.start,
    StartChild: lifecycle.start_child,
    StartSuccessor: lifecycle.start_successor,
    Cancel: lifecycle.cancel,
    Terminate: lifecycle.terminate,
    ParentRequest: lifecycle.parent_request,
    Import: lifecycle.take_over,
    Deliver: arrivals.deliver,
    DeliverFrom: arrivals.deliver_from,
    SignalOutcome: arrivals.signal_outcome,
    ChildClosed: arrivals.child_closed,
    Settle: arrivals.settle,
    Resume: arrivals.resume,
    Ask: arrivals.ask,
    Stack: arrivals.stack,
    ActivityOutcome: arrivals.activity_outcome,
    Wake: lambda turn, _: turn.advance(),
}


class RunActor:
    """One workflow in memory, from its first message until it has been idle.

    Invariant: nothing was answered or dispatched that is not durable, and nothing durable stays undispatched while the
    actor lives.
    """

    def __init__(self, services: Services, workflow_id: str, mailbox: Mailbox[Message], *, cut_off: bool = False) -> None:
        self._services, self._id, self._mailbox = services, workflow_id, mailbox
        self._cut_off = cut_off  # an incarnation before this one failed, perhaps between a commit and what follows from it
        self._record: Record | None = None
        self._dispatched = False

    async def run(self) -> None:
        """Serve messages until the mailbox is closed, or the workflow and nobody writes; the record leaves memory with the actor."""
        try:
            while True:  # not `async for`: its frame would stay as long as the run is parked
                try:
                    message = await self._mailbox.receive()
                except trio.EndOfChannel:
                    return
                await self._serve(intake.batch_behind(self._mailbox, message))
                for message in intake.one_alone(self._mailbox):
                    await self._serve([message])
                del message
                if self._has_ended():
                    return
        finally:
            self._drop()

    def _has_ended(self) -> bool:
        """Whether nothing is to be expected: the workflow is closed for good, and nobody has written meanwhile."""
        record = self._record
        if record is None or record.quarantine is not None or self._mailbox.queued:
            return False
        status = record.projection.status
        return status is not None and status.over

    async def _serve(self, batch: list[Message]) -> None:
        """Make the batch's effects durable, whatever it takes; refuse what cannot be."""
        pause, reloads = _FIRST_PAUSE, 0
        while True:
            try:
                await self._turn(batch)
                return
            except StepVoid as void:
                self._quarantine(void.reason)
            except (PayloadTooLargeError, InvalidInputError) as error:
                self._quarantine(f"what the step asked for cannot be stored: {error}")
            except ObligationSettled:
                if len(batch) == 1:
                    self._settled(batch[0])
                    return
                self._drop()
                for message in batch:
                    await self._serve([message])
                return
            except SequenceConflict:
                reloads += 1
                if reloads > _RELOADS:
                    raise
            except JournalFullError as error:
                self._drop()
                batch = intake.refuse_calls(batch, error)
                if not batch:
                    return
                await self._wait_for_room(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except (JournalCorruptedError, UnknownEventError) as error:
                self._unreadable(batch, error)
                return
            self._drop()

    async def _wait_for_room(self, seconds: float) -> None:
        """Pause with what the engine owes in hand; callers are served meanwhile, which is to be refused while it is full (J6)."""
        deadline = trio.current_time() + seconds
        while True:
            call: Message | None = None
            with trio.move_on_at(deadline):
                call = await intake.next_call(self._mailbox)
            if call is None:
                return
            await self._serve([call])

    async def _turn(self, batch: list[Message]) -> None:
        record = self._record
        if record is not None and record.quarantine is not None and self._id not in self._services.quarantined:
            record = None  # it was released: it may try again
        if record is None:
            record = self._record = load(self._services, self._id)
            self._dispatched = False
        turn = Turn(self._services, record)
        try:
            for message in batch:
                _EFFECTS[type(message)](turn, message)
            appends = turn.appends()
        except UnicodeEncodeError as error:  # a name or an id that the code made up of half a character
            raise StepVoid(f"what the step asked for cannot be stored: {error}") from error
        if appends:
            try:
                await self._services.journal.append_all(appends, partial(self._durable, turn))
            except AppendOutcomeUnknown:
                if not self._is_durable(turn):
                    raise SequenceConflict(f"workflow {self._id!r}: the append did not reach the disk", 0, 0) from None
                self._durable(turn)
        else:
            self._durable(turn)
        self._owe_again()
        if turn.adopted or turn.spoiled:
            self._drop()
        elif record.step_owed and record.quarantine is None:  # a successor whose first step is still to be taken
            self._drop()
            self._services.wake(self._id)

    def _is_durable(self, turn: Turn) -> bool:
        """Whether the turn's events are in the history, after a commit whose outcome is unknown."""
        if turn.adopted:  # this actor is the only writer: a head that is as expected was written by this turn
            return self._services.journal.head(turn.record.key) == turn.adopted[-1].expected_seq + turn.adopted[-1].count
        if not turn.events:
            return False
        found = [raw for _, raws, _ in self._services.journal.pages(turn.record.key, turn.expected_seq + 1) for raw in raws]
        return codec.encode_frame(found[-len(turn.events) :]) == codec.encode_frame(turn.events)

    # ---- after it is durable

    def _durable(self, turn: Turn) -> None:
        services, changes, key = self._services, turn.changes, turn.record.key
        for close in changes.closes:
            if close.kind is ObligationKind.ACTIVITY:
                services.activities.settle(self._task_key(close.row))
        for row in changes.opens:
            if row.kind is ObligationKind.ACTIVITY and self._dispatched:
                self._dispatch(turn.record, run_and_ordinal(row.row)[1])
            elif row.kind is ObligationKind.WAKE_UP:
                services.timers.note(row.due_us)
            elif row.kind in _OUTWARD:
                services.courier.owe(Obligation(key, row.kind, row.row, row.due_us, row.queue, row.payload))
        if not self._dispatched:
            self._dispatched = True
            for ordinal in turn.projection.activities:
                self._dispatch(turn.record, ordinal)
        for action in turn.after:
            action()
        if turn.closed and not turn.projection.open:
            services.quarantined.pop(self._id, None)
        if turn.events or turn.adopted or turn.record.quarantine is not None:
            ended = changes.summary is not None or turn.record.quarantine is not None
            services.note_change(self._id, ended=ended, ending=self._ending(turn) if turn.closed else None)

    def _owe_again(self) -> None:
        """Hand over what a failed incarnation made durable and may not have handed over; the courier knows what is done.

        What it retired and may not have said so is withdrawn: no attempt begins that is not owed.
        """
        if self._cut_off:
            rows = self._services.journal.obligations_of(self._services.key(self._id))
            self._services.activities.keep(self._id, {self._task_key(row.row) for row in rows if row.kind is ObligationKind.ACTIVITY})
            for row in rows:
                if row.kind in _OUTWARD:
                    self._services.courier.owe(row)
                elif row.kind is ObligationKind.WAKE_UP:
                    self._services.timers.note(row.due_us)
            self._cut_off = False

    def _ending(self, turn: Turn) -> Ending | None:
        """The run that this turn closed for good, if nothing followed it."""
        projection = turn.projection
        return None if projection.open or projection.closing is None else Ending(projection.current, projection.closing)

    def _task_key(self, row: bytes) -> TaskKey:
        run_no, ordinal = run_and_ordinal(row)
        return TaskKey(self._id, run_no, ordinal)

    def _dispatch(self, record: Record, ordinal: int) -> None:
        """Hand an owed attempt to the activities actor, which refuses one that it has already."""
        if record.quarantine is not None:
            return
        pending, run = record.projection.activities[ordinal], record.projection.current
        _, scheduled_us, _, type_name, payload, _, queue, options = pending.raw[:8]
        definition = self._services.registry.activity(type_name)
        if definition is not None and definition.options == options:
            decoded = definition.activity_options
        else:
            decoded = ActivityOptions.from_raw(options)
        self._services.activities.dispatch(
            ActivityTask(
                TaskKey(self._id, run.run_no, ordinal),
                run.run_id,
                type_name,
                payload,
                queue,
                decoded,
                pending.attempt,
                pending.due_us,
                scheduled_us,
            )
        )

    # ---- when it cannot be

    def _drop(self) -> None:
        if self._record is not None:
            self._record.evict()
            self._record = None

    def _quarantine(self, reason: str) -> None:
        """Keep this run from going on until its code is mended; arrivals are still recorded (K4, R8)."""
        if self._id in self._services.quarantined:
            raise AionError(f"workflow {self._id!r} is quarantined and still failed: {reason}")
        log.error("workflow %r is quarantined: %s", self._id, reason)
        self._services.quarantined[self._id] = reason
        self._services.note_change(self._id)

    def _settled(self, message: Message) -> None:
        """What the message was to settle is settled already: its row is gone."""
        self._drop()
        if isinstance(message, StartChild):
            message.reply(Effect.SETTLED)

    def _unreadable(self, batch: list[Message], error: AionError) -> None:
        """Refuse what is said to a workflow whose history cannot be read; no other is affected (J7)."""
        self._drop()
        self._services.quarantined[self._id] = f"{type(error).__name__}: {error}"
        self._services.note_change(self._id)
        for message in batch:
            if isinstance(message, Request):
                message.fail(error)
