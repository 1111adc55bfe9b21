"""What clients were told, held against the journal when everything has come to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ... import events as ev
from .clients import AwaitIt, CancelIt, Operation, QueryIt, SignalIt, StartIt, TerminateIt
from .lawbook import Breach, Law
from .payloads import value_of
from .records import Records


def to_clients(records: Records, operations: Sequence[Operation]) -> Iterator[Breach]:
    """Every acknowledgement and refusal that was not kept."""
    for operation in operations:
        for law, what in _of(operation, records):
            yield Breach(law, f"{what}; {type(operation).__name__} {operation.number} of {operation.target!r}: {operation.asked}")
    yield from _queries_never_go_back(operations)


def _of(operation: Operation, records: Records) -> Iterator[Breach]:
    asked = operation.asked
    match operation:
        case StartIt():
            yield from _start(operation, records)
        case SignalIt():
            yield from _signal(operation, records)
        case CancelIt() if asked.acknowledged:
            if not any(True for run in records.runs.get(operation.target, ()) for _ in run.of(ev.CANCEL_REQUESTED)):
                yield Breach(Law.CANCEL_IS_KEPT, "it is not")
        case TerminateIt():
            text = f"terminate-{operation.number}"
            count = sum(raw[2] == text for run in records.runs.get(operation.target, ()) for raw in run.of(ev.WORKFLOW_TERMINATED))
            if count > 1 or (asked.acknowledged and count != 1) or (asked.refusal is not None and asked.tries == 1 and count):
                yield Breach(Law.TERMINATED_ONCE, f"{count} times")
        case AwaitIt() if asked.acknowledged:
            yield from _awaited(operation, records)
        case _:
            pass


def _start(operation: StartIt, records: Records) -> Iterator[Breach]:
    request_id, asked = operation.request_id, operation.asked
    mine = [run for run in records.runs.get(operation.target, ()) if request_id is not None and run.started[14] == request_id]
    if len(mine) > 1:
        yield Breach(Law.START_ONCE, f"it started {len(mine)}")
    if not asked.acknowledged:
        if mine and asked.refusal is not None:
            yield Breach(Law.START_ONCE, "it was refused, and started")
        return
    run = records.run(operation.target, bytes.fromhex(asked.answer))
    if run is None:
        yield Breach(Law.START_IS_KEPT, "it is not")
    elif mine and run is not mine[0]:
        yield Breach(Law.START_ONCE, "the request id's own run is another one than was answered")
    elif run.started[5]:
        yield Breach(Law.START_IS_KEPT, "the answer is not the root of a chain")
    elif run.arguments[0] != operation.program:
        yield Breach(Law.START_IS_KEPT, "the run that was answered has another input")


def _signal(operation: SignalIt, records: Records) -> Iterator[Breach]:
    asked = operation.asked
    received = Counter(value_of(raw[3]) for run in records.runs.get(operation.target, ()) for raw in run.of(ev.SIGNAL_RECEIVED))
    count = received[operation.text]
    most = min(asked.tries, 1) if operation.with_request else asked.tries
    least = 1 if asked.acknowledged else 0
    if asked.refusal is not None:
        most = 0 if operation.with_request else asked.tries - 1
    if not least <= count <= most:
        yield Breach(Law.SIGNAL_IS_KEPT, f"{count} times, expected {least} to {most}")


def _awaited(operation: AwaitIt, records: Records) -> Iterator[Breach]:
    """What `result` gave is what the chain's end says (H6)."""
    run_id, kind, value = operation.asked.answer
    chain = records.chain_of(operation.target, bytes.fromhex(run_id))
    later = records.chains(operation.target)
    candidates = later[later.index(chain) :] if chain in later else []
    for found in candidates:  # between looking for the run and waiting for it a newer chain may have begun
        closing = found[-1].closing
        if closing is None:
            continue
        if kind == "completed" and closing[0] == ev.WORKFLOW_COMPLETED and value_of(closing[2]) == value:
            return
        if ENDED_WITH.get(closing[0]) == kind:
            return
    yield Breach(Law.RESULT, "no chain ended so")


ENDED_WITH = {
    ev.WORKFLOW_FAILED: "WorkflowFailedError",
    ev.WORKFLOW_CANCELLED: "WorkflowCancelledError",
    ev.WORKFLOW_TERMINATED: "WorkflowTerminatedError",
    ev.WORKFLOW_TIMED_OUT: "WorkflowTimedOutError",
}


def _queries_never_go_back(operations: Sequence[Operation]) -> Iterator[Breach]:
    """A run that has told how far it is never tells less later (S4: answers come from what is durable)."""
    queries = [each for each in operations if isinstance(each, QueryIt) and each.asked.acknowledged]
    for earlier in queries:
        for later in queries:
            (run_id, *before), (other_id, *now) = earlier.asked.answer, later.asked.answer
            follows = run_id == other_id and earlier.asked.ended < later.asked.began
            if follows and any(less < more for less, more in zip(now, before, strict=True)):
                yield Breach(Law.QUERY, f"run {run_id} of {earlier.target!r} told {before} and then {now}")
