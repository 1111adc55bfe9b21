"""Messages that begin or end runs: start, child, successor, import, cancel, terminate.

Each function puts one message's effect into a turn. Whatever it answers is answered when the turn is durable.
"""

from __future__ import annotations

from typing import Any

from .. import codec, errors, events as ev
from ..events import Raw
from ..history import WorkflowStatus
from ..journal.rows import CANCEL_MARK, START_MARK, command_of, row_of
from ..journal.transfer import import_appends
from ..stores.contract import Close, InvalidRecord, ObligationKind
from ..stores.limits import require_id
from . import births
from .messages import Cancel, Effect, Import, ParentRequest, Start, StartChild, StartSuccessor, Terminate
from .turn import Turn


def start(turn: Turn, message: Start) -> None:
    """Start if absent; else what `if_exists` says. A known request id is answered first, whatever else is true (J2, S6)."""
    if message.request_id is not None:
        known = turn.remembered(START_MARK + message.request_id.encode())
        if known is not None:
            turn.answer(message, known)
            return
    if not turn.record.exists:
        _begin(turn, message, ev.ORIGIN_FIRST)
    elif message.if_exists == "use":
        _use(turn, message)
    elif message.if_exists == "new_run" and _closed_for_good(turn):
        _begin(turn, message, ev.ORIGIN_NEW_RUN)
    else:
        state = "is still open" if not _closed_for_good(turn) else "exists already"
        turn.refuse(message, _taken(turn, f"{state} and if_exists={message.if_exists!r} was asked for"))


def _closed_for_good(turn: Turn) -> bool:
    status = turn.projection.status
    return status is not None and status.over


def _begin(turn: Turn, message: Start, origin: int) -> None:
    run_id = turn.services.ids.run_id()
    raw = births.first_run(
        message.definition, run_id, message.input, origin=origin, timeout_us=message.timeout_us,
        attributes=message.attributes, request_id=message.request_id,
    )  # fmt: skip
    turn.answer(message, run_id)
    turn.begin(raw, message.definition)


def _use(turn: Turn, message: Start) -> None:
    """Give the existing chain back if it was started with the same type and input; its first run decides."""
    root = turn.root()
    if root is None:
        turn.refuse(message, _taken(turn, "has no readable start"))
    elif root[2] != message.definition.name:
        turn.refuse(message, _taken(turn, f"is a {root[2]!r}, not a {message.definition.name!r}"))
    elif codec.digest(turn.services.world.codec.unwrap(root[7])) != message.digest:
        turn.refuse(message, _taken(turn, "was started with another input"))
    else:
        turn.answer(message, root[4])


def _taken(turn: Turn, why: str) -> errors.WorkflowAlreadyStartedError:
    return errors.WorkflowAlreadyStartedError(
        f"workflow id {turn.record.key.workflow_id!r} {why}; choose another id, or if_exists='new_run' once it is closed"
    )


def start_child(turn: Turn, message: StartChild) -> None:
    """Start the child that its parent recorded; one that exists, names this parent and began as recorded is the same child (C1, R3, R6)."""
    _, _, ordinal, child_id, type_name, version = message.cause[:6]
    parent = [message.parent.workflow_id, message.parent_run_id, ordinal]
    if turn.record.exists:
        root = turn.root()
        if root is not None and root[9] == parent and births.began_as_recorded(root, message.cause, turn.services.world.codec):
            turn.closes.append(message.closes)
            _owe_closing_again(turn, parent)
            turn.answer(message, Effect.SETTLED)
        else:
            turn.answer(message, Effect.MOOT)
        return
    if not _can_be_an_id(child_id):
        turn.answer(message, Effect.MOOT)
        return
    try:
        definition = turn.services.registry.workflow(type_name, version)
    except errors.WorkflowNotRegisteredError as error:
        turn.services.quarantined[child_id] = f"{error} (recorded by its parent {message.parent.workflow_id!r})"
        turn.answer(message, Effect.LATER)
        return
    turn.services.quarantined.pop(child_id, None)
    turn.closes.append(Close(message.closes.kind, message.closes.row, message.closes.owner, required=True))
    turn.answer(message, Effect.DONE)
    turn.begin(births.child_run(message.cause, parent, turn.services.ids.run_id()), definition)


def _owe_closing_again(turn: Turn, parent: list[Any]) -> None:
    """A parent whose history was taken over when its child had closed is told as any other: there was nobody to tell before (C2)."""
    projection = turn.projection
    if projection.status is None or not projection.status.over:
        return
    row = row_of(projection.current.run_no, 0)
    if turn.services.journal.obligation(turn.record.key, ObligationKind.CHILD_CLOSED, row) is None:
        projection.owe_closing(parent)


def _can_be_an_id(workflow_id: str) -> bool:
    try:
        require_id(workflow_id)
    except InvalidRecord:
        return False
    return True


def start_successor(turn: Turn, message: StartSuccessor) -> None:
    """Start the successor that a continue-as-new owes; it has the latest version of its type (R4, N1)."""
    key, projection = turn.record.key, turn.projection
    if projection.status is not WorkflowStatus.CONTINUED_AS_NEW:
        turn.closes.append(message.closes)
        turn.answer(message, Effect.SETTLED)
        return
    run = projection.current
    closing = turn.services.journal.event(key, projection.head)
    started = turn.services.journal.event(key, run.first_seq)
    if closing is None or started is None or not _belong_together(started, closing):
        continued = closing[2] if closing is not None and closing[0] == ev.WORKFLOW_CONTINUED_AS_NEW else run.run_id
        reason = (
            f"BrokenChainError: event {projection.head} of {key.workflow_id!r} continues the run {continued.hex()} as new, which has "
            "no start event of its own: its history was damaged; restore it from a backup or an export"
        )
        turn.services.quarantined[key.workflow_id] = reason
        turn.answer(message, Effect.LATER)
        return
    try:
        definition = turn.services.registry.workflow(closing[4] or run.type, None)
    except errors.WorkflowNotRegisteredError as error:
        turn.services.quarantined[key.workflow_id] = str(error)
        turn.answer(message, Effect.LATER)
        return
    turn.services.quarantined.pop(key.workflow_id, None)
    turn.record.quarantine = None
    turn.answer(message, Effect.DONE)
    turn.succeed(started, closing, definition)


def _belong_together(started: Raw, closing: Raw) -> bool:
    """Whether the two are the first and the last event of one continued run."""
    return started[0] == ev.WORKFLOW_STARTED and closing[0] == ev.WORKFLOW_CONTINUED_AS_NEW and bool(started[4] == closing[2])


def require_open(turn: Turn, run_id: bytes | None, what: str) -> Exception | None:
    """The refusal of a message to a run that is not open, or None (S1, L6)."""
    key = turn.record.key
    if not turn.record.exists:
        return errors.WorkflowNotFoundError(f"there is no workflow {key.workflow_id!r}; cannot {what}: check the id and the namespace")
    run = turn.projection.current
    if run_id is not None and run_id != run.run_id:
        if any(row.run_id == run_id for row in turn.services.journal.runs(key)):
            return errors.WorkflowClosedError(
                f"workflow {key.workflow_id!r}: run {run_id.hex()} is closed, a newer run exists; cannot {what}"
            )
        return errors.WorkflowNotFoundError(f"workflow {key.workflow_id!r} has no run {run_id.hex()}")
    if turn.projection.open:
        return None
    if turn.projection.status is WorkflowStatus.CONTINUED_AS_NEW:
        reason = turn.services.quarantined.get(key.workflow_id, "its successor is not started yet")
        return errors.WorkflowQuarantinedError(f"workflow {key.workflow_id!r} waits for its successor run: {reason}", reason)
    status = turn.projection.status.value if turn.projection.status is not None else "unknown"
    return errors.WorkflowClosedError(f"workflow {key.workflow_id!r} is closed ({status}); cannot {what}")


def cancel(turn: Turn, message: Cancel) -> None:
    """Request cancellation, once a run; the workflow sees a cancelled scope and may clean up under a shield (L1)."""
    if message.request_id is not None and turn.remembered(CANCEL_MARK + message.request_id.encode()) is not None:
        turn.answer(message, None)
        return
    turn.advance()
    refusal = require_open(turn, message.run_id, "cancel it")
    if refusal is not None:
        turn.refuse(message, refusal)
        return
    if turn.projection.cancel_requested is None:
        turn.arrive(ev.CANCEL_REQUESTED, message.reason, message.request_id)
    turn.answer(message, None)


def terminate(turn: Turn, message: Terminate) -> None:
    """End the run at once, without its code; its work is retired in the same append (L1, L2)."""
    refusal = require_open(turn, message.run_id, "terminate it")
    if refusal is not None:
        turn.refuse(message, refusal)
        return
    turn.close([ev.WORKFLOW_TERMINATED, turn.now_us(), message.reason])
    turn.answer(message, None)


def parent_request(turn: Turn, message: ParentRequest) -> None:
    """Cancel or terminate the child as its parent owes it; to another chain of the same id it does not apply (C3).

    A child that has continued as new and whose successor has not started is not over: the request waits for the successor.
    """
    if not turn.record.exists:
        owner = message.closes.owner
        assert owner is not None
        waiting = turn.services.journal.obligation(owner, ObligationKind.CHILD_START, command_of(message.closes.row))
        turn.answer(message, Effect.MOOT if waiting is None else Effect.LATER)
        return
    turn.advance()
    root = turn.root()
    concerns = root is not None and root[9] == message.parent
    if concerns and turn.projection.status is WorkflowStatus.CONTINUED_AS_NEW:
        turn.answer(message, Effect.LATER)
        return
    turn.closes.append(message.closes)
    applies = concerns and turn.projection.open
    if applies and message.terminate:
        turn.close([ev.WORKFLOW_TERMINATED, turn.now_us(), message.reason])
    elif applies and turn.projection.cancel_requested is None:
        applies = turn.arrive(ev.CANCEL_REQUESTED, message.reason, None)
    else:
        applies = False
    turn.answer(message, Effect.DONE if applies else Effect.SETTLED)


def take_over(turn: Turn, message: Import) -> None:
    """Adopt a history; every index row and obligation follows from its events."""
    key = turn.record.key
    if turn.record.exists:
        turn.refuse(message, errors.WorkflowAlreadyStartedError(f"workflow id {key.workflow_id!r} exists already; import it elsewhere"))
        return
    turn.adopted = import_appends(key, message.raws)
    turn.answer(message, None)
