"""Messages that reach a run while it goes on: signals, outcomes of activities and children, wake-ups, queries.

Each function puts one message's effect into a turn. A message that comes too late, or twice, has no effect (A1, C2, S2).
"""

from __future__ import annotations

from contextvars import Context

from .. import errors, events as ev
from ..activities import ActivityOutcome
from ..activities.task import TaskKey
from ..events import Raw
from ..journal.projection import OpenChild
from ..journal.rows import SIGNAL_MARK, fields_of, row_of, sender_mark
from ..replay import Execution
from ..stores.contract import Close, ObligationKind, RunRow, WorkflowKey
from .lifecycle import require_open
from .messages import Ask, ChildClosed, Deliver, DeliverFrom, Effect, Resume, Settle, SignalOutcome, Stack
from .record import new_execution
from .turn import Turn


def deliver(turn: Turn, message: Deliver) -> None:
    """Record a signal from outside, in the order of arrival (S1)."""
    if message.request_id is not None and turn.remembered(SIGNAL_MARK + message.request_id.encode()) is not None:
        turn.answer(message, None)
        return
    turn.advance()
    refusal = require_open(turn, message.run_id, f"signal it with {message.name!r}")
    if refusal is not None:
        turn.refuse(message, refusal)
        return
    turn.arrive(ev.SIGNAL_RECEIVED, message.name, message.payload, None, message.request_id)
    turn.answer(message, None)


def deliver_from(turn: Turn, message: DeliverFrom) -> None:
    """Record a signal of another workflow, once: its key is remembered until this workflow is purged (S2)."""
    if turn.remembered(sender_mark(message.sender)) is not None:
        turn.answer(message, "")
        return
    turn.advance()
    if turn.projection.open:
        turn.arrive(ev.SIGNAL_RECEIVED, message.name, message.payload, message.sender, None)
        turn.answer(message, "")
    elif turn.record.exists:
        refusal = require_open(turn, None, "signal it")
        turn.answer(message, None if isinstance(refusal, errors.WorkflowQuarantinedError) else str(refusal))
    elif _awaited_as_child(turn):
        turn.answer(message, None)
    else:
        turn.answer(message, f"there is no workflow {turn.record.key.workflow_id!r}")


def _awaited_as_child(turn: Turn) -> bool:
    """Whether somebody recorded this id as a child that has not started yet: then it counts as existing."""
    journal, after = turn.services.journal, None
    namespace, workflow_id = turn.record.key
    while True:
        rows = journal.obligations(ObligationKind.CHILD_START, after=after)
        if any(row.key.namespace == namespace and fields_of(row.payload)[1] == workflow_id for row in rows):
            return True
        if not rows:
            return False
        after = rows[-1]


def signal_outcome(turn: Turn, message: SignalOutcome) -> None:
    """Tell the sender's code what became of its signal; a run that is over just stops owing it."""
    turn.advance()
    projection = turn.projection
    current = projection.open and projection.current.run_no == message.run_no
    if current and message.ordinal in projection.signals:
        reason = [message.reason] if message.reason else []
        if turn.arrive(ev.SIGNAL_FAILED if reason else ev.SIGNAL_DELIVERED, message.ordinal, *reason):
            turn.answer(message, Effect.DONE)
            return
    turn.closes.append(Close(ObligationKind.SIGNAL, row_of(message.run_no, message.ordinal)))
    turn.answer(message, Effect.SETTLED)


def child_closed(turn: Turn, message: ChildClosed) -> None:
    """Record a child's closing, once (C2). It goes to the code unless the child was cancelled (K9).

    A parent that was purged is told nothing. One that is imported later is told when it asks for the child's start (`start_child`).
    """
    projection = turn.projection
    if not turn.record.exists:
        turn.answer(message, Effect.MOOT)
        return
    turn.advance()
    current = projection.open and projection.current.run_id == message.run_id
    if current and message.ordinal > projection.last_child:
        turn.answer(message, Effect.LATER)  # this history does not reach to the child's record yet
        return
    if current and _is_awaited(projection.children.get(message.ordinal), message):
        if _is_to_be_started(turn, message):
            turn.answer(message, Effect.LATER)  # only the start tells whether the one that has closed is this run's child
            return
        if message.failure is None:
            turn.arrive(ev.CHILD_WORKFLOW_COMPLETED, message.ordinal, message.result)
        else:
            turn.arrive(ev.CHILD_WORKFLOW_FAILED, message.ordinal, message.failure)
        turn.closes.append(message.closes)
        turn.answer(message, Effect.DONE)
        return
    turn.closes.append(message.closes)
    turn.answer(message, Effect.SETTLED)


def _is_awaited(child: OpenChild | None, message: ChildClosed) -> bool:
    """Whether the run waits for the workflow that has closed: what goes on from a prefix of a history may have another child there."""
    if child is None or message.closes.kind is ObligationKind.CHILD_START:  # that is owed by the run itself
        return child is not None
    return message.closes.owner is not None and message.closes.owner.workflow_id == child.child_id


def _is_to_be_started(turn: Turn, message: ChildClosed) -> bool:
    """Whether the child's start is owed still, which is itself what a child that could not be started is told by (C1)."""
    row = row_of(turn.projection.current.run_no, message.ordinal)
    start = turn.services.journal.obligation(turn.record.key, ObligationKind.CHILD_START, row)
    return start is not None and message.closes.kind is ObligationKind.CHILD_CLOSED


def settle(turn: Turn, message: Settle) -> None:
    """Stop owing something whose effect needs no event here.

    Whoever comes to be after this look finds the row closed: what then asks for it comes in a later turn.
    """
    namespace = turn.record.key.namespace
    if message.absent is not None and turn.services.journal.head(WorkflowKey(namespace, message.absent)):
        turn.answer(message, Effect.LATER)
        return
    turn.closes.append(message.closes)
    turn.answer(message, Effect.SETTLED)


def resume(turn: Turn, message: Resume) -> None:
    """Be in memory, with everything that is due done and everything that is pending dispatched."""
    turn.advance()
    turn.after.append(lambda: message.reply(0 if turn.record.quarantine else len(turn.projection.activities)))


def activity_outcome(turn: Turn, message: ActivityOutcome) -> None:
    """Record how an attempt ended, if it is the attempt that is owed; else drop it (A1, A3, K9)."""
    turn.advance()
    projection = turn.projection
    current = projection.open and projection.current.run_no == message.run_no
    pending = projection.activities.get(message.ordinal) if current else None
    if pending is None or pending.attempt != message.attempt:
        key = TaskKey(turn.record.key.workflow_id, message.run_no, message.ordinal)
        if pending is None:
            turn.after.append(lambda: turn.services.activities.settle(key))
    elif message.failure is None:
        turn.arrive(ev.ACTIVITY_COMPLETED, message.ordinal, message.result, message.attempt)
    elif message.next_due_us is None:
        turn.arrive(ev.ACTIVITY_FAILED, message.ordinal, message.failure, message.attempt)
    else:
        turn.note([ev.ACTIVITY_ATTEMPT_FAILED, turn.now_us(), message.ordinal, message.attempt, message.failure, message.next_due_us])


def ask(turn: Turn, message: Ask) -> None:
    """Answer a query from live state, or from a closed run's history; nothing is recorded (S4, K6)."""
    if not turn.record.exists:
        name = turn.record.key.workflow_id
        turn.refuse(message, errors.WorkflowNotFoundError(f"there is no workflow {name!r} to query: check the id and the namespace"))
        return
    newest = message.run_id is None or message.run_id == turn.projection.current.run_id
    if newest and turn.projection.open and turn.record.quarantine is not None:
        name, reason = turn.record.key.workflow_id, turn.record.quarantine
        turn.refuse(message, errors.WorkflowQuarantinedError(f"workflow {name!r} cannot be queried: {reason}", reason))
        return
    try:
        if newest and turn.record.execution is not None:
            turn.answer(message, _answer(turn.record.execution, message))
        else:
            turn.answer(message, _ask_closed(turn, message))
    except Exception as error:  # the query function is the user's: its exception is the caller's answer
        turn.refuse(message, error)
    execution = turn.record.execution
    turn.spoiled = execution is not None and execution.spoiled


def stack(turn: Turn, message: Stack) -> None:
    """Show where the code of an open run waits; nothing is recorded (K6)."""
    refusal = require_open(turn, None, "show its stack")
    execution, reason = turn.record.execution, turn.record.quarantine or "its code is not in memory"
    if refusal is not None:
        turn.refuse(message, refusal)
    elif execution is None:
        name = turn.record.key.workflow_id
        turn.refuse(message, errors.WorkflowQuarantinedError(f"workflow {name!r} has no stack: {reason}", reason))
    else:
        turn.answer(message, execution.stack())


def _answer(execution: Execution, message: Ask) -> bytes:
    """What the query's function says, in a context as empty as the workflow's own."""
    answer: bytes = Context().run(execution.query, message.name)
    return answer


def _ask_closed(turn: Turn, message: Ask) -> bytes:
    """Replay a closed run, ask, and let it go."""
    services, key = turn.services, turn.record.key
    run_id = message.run_id if message.run_id is not None else turn.projection.current.run_id
    run = next((row for row in services.journal.runs(key) if row.run_id == run_id), None)
    if run is None:
        raise errors.WorkflowNotFoundError(f"workflow {key.workflow_id!r} has no run {run_id.hex()}")
    definition = services.registry.workflow(run.type, run.version)
    execution: Execution = new_execution(services, turn.record, definition, run_id)
    try:
        execution.replay(_events_of(turn, run))
        return _answer(execution, message)
    finally:
        execution.evict()


def _events_of(turn: Turn, run: RunRow) -> list[Raw]:
    raws: list[Raw] = []
    for first_seq, page, _ in turn.services.journal.pages(turn.record.key, run.first_seq):
        raws += [raw for seq, raw in enumerate(page, first_seq) if run.first_seq <= seq <= run.last_seq]
        if first_seq + len(page) > run.last_seq:
            break
    return raws
