"""What must hold when everything has come to rest: the model's judgement of every outcome and every acknowledgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ... import events as ev
from ...definitions import WorkflowDefinition
from ...events import Raw
from ...journal.verification import verify_journal
from ...stores import Store
from ..life import left_owed
from .clients import AwaitIt, CancelIt, Operation, QueryIt, SignalIt, StartIt, TerminateIt
from .laws import faults_of_replay
from .nodes import Wrong
from .payloads import value_of
from .programs import continues_beside_others, judge_failure, judge_result, successors_of
from .records import Ran, Records

TOLD_WITHIN_US = 20_000 * 1_000_000
"""Longer than all lives that are cut off, and than clocks are set forward."""
POLICIES = {0: "terminate", 1: "cancel", 2: "abandon"}


def faults_at_rest(store: Store, records: Records, operations: Sequence[Operation]) -> Iterator[str]:
    """Everything that is wrong once all is closed."""
    yield from left_owed(store)
    yield from outcomes(records)
    yield from _causes(records, operations)
    yield from _orphans(records)
    yield from _outlived(records)
    for operation in operations:
        for what in _faults_of(operation, records):
            yield f"{what}; {type(operation).__name__} {operation.number} of {operation.target!r}: {operation.asked}"
    yield from _queries_never_go_back(operations)


def faults_of_takeover(
    store: Store, records: Records, workflows: Iterable[WorkflowDefinition[..., Any]], heads: Mapping[str, int]
) -> Iterator[str]:
    """Everything that is wrong where prefixes of histories were taken over, each cut at its head, and brought to an end."""
    for finding in verify_journal(store):
        yield f"verify: workflow {finding.workflow_id!r}: {finding.what}"
    yield from outcomes(records, heads)
    yield from faults_of_replay(store, records, workflows)


def outcomes(records: Records, heads: Mapping[str, int] | None = None) -> Iterator[str]:
    """What the model forbids. A history that was cut at its head may have lost a request that stood in one append with the cut."""
    for workflow_id, runs in records.runs.items():
        closing = runs[-1].closing
        if closing is None or closing[0] == ev.WORKFLOW_CONTINUED_AS_NEW:
            yield f"{workflow_id!r} never ends: {[ev.name_of(raw[0]) for raw in runs[-1].raws][-6:]}"
    for chain in records.every_chain():
        for number, run in enumerate(chain):
            try:
                _judge_run(run, chain[number + 1] if number + 1 < len(chain) else None, (heads or {}).get(run.workflow_id))
            except Wrong as wrong:
                yield f"the model: {run.workflow_id!r}, run that starts at event {run.first_seq}: {wrong}"
        yield from _received_in_order(chain)


def _judge_run(run: Ran, successor: Ran | None, cut_at: int | None = None) -> None:
    """Raise `Wrong` unless the run's program can have ended as it did (the oracle)."""
    closing = run.closing
    if closing is None:
        return
    program, _ = run.arguments
    match closing[0]:
        case ev.WORKFLOW_COMPLETED:
            judge_result(program, run.started[3], value_of(closing[2]))
        case ev.WORKFLOW_FAILED:
            judge_failure(program, closing[2][2])
        case ev.WORKFLOW_CONTINUED_AS_NEW:
            _judge_successor(run, program, closing, successor)
            if successor is not None and (cut_at is None or not _is_cut(successor, cut_at)):
                _judge_carried_cancel(closing, successor)
        case ev.WORKFLOW_CANCELLED:
            if not any(True for _ in run.of(ev.CANCEL_REQUESTED)):
                raise Wrong("cancelled, and nobody asked for it")
        case _:
            pass


def _judge_successor(run: Ran, program: Any, closing: Raw, successor: Ran | None) -> None:
    rest = value_of(closing[3])[0]
    if (rest, closing[4]) not in [(node, None if type_name == run.started[2] else type_name) for node, type_name in successors_of(program)]:
        raise Wrong(f"continued as new with {rest!r} ({closing[4]})")
    if successor is None:
        return
    started = successor.started
    if started[7] != closing[3] or started[2] != (closing[4] or run.started[2]) or started[8] != closing[5]:
        raise Wrong(f"the successor started otherwise than was recorded: {started}, {closing}")
    if started[11] != run.started[11] or started[10] != run.started[10]:
        raise Wrong("N1: the successor lost the run's time-out or parent-close policy")


def _is_cut(successor: Ran, cut_at: int) -> bool:
    """Whether the history that was taken over ended in this run."""
    return successor.first_seq <= cut_at < successor.first_seq + len(successor.raws)


def _judge_carried_cancel(closing: Raw, successor: Ran) -> None:
    ended_at_once = successor.closing is not None and not any(True for _ in successor.of(*ev.STIMULI - {ev.WORKFLOW_STARTED}))
    if closing[6] is not None and not ended_at_once and not any(raw[2] == closing[6] for raw in successor.of(ev.CANCEL_REQUESTED)):
        raise Wrong("N1: the successor lost a cancel request")


def _received_in_order(chain: Sequence[Ran]) -> Iterator[str]:
    """What the code received is what arrived, in order, over the whole chain (S1, S3).

    Where a task continued as new beside others, they may have received something after it had said what goes along.
    """
    arrived: dict[str, list[str]] = {"go": [], "side": []}
    for run in chain:
        for raw in run.of(ev.SIGNAL_RECEIVED):
            arrived[raw[2]].append(value_of(raw[3]))
    closing = chain[-1].closing
    beside = any(continues_beside_others(run.arguments[0]) for run in chain)
    if closing is not None and closing[0] == ev.WORKFLOW_COMPLETED:
        for name, texts in value_of(closing[2])[2].items():
            came = iter(arrived[name])
            in_order = all(text in came for text in texts)
            if not in_order or (not beside and texts != arrived[name][: len(texts)]):
                yield f"S1, S3: {chain[0].workflow_id!r} received {texts} of {name!r}, and {arrived[name]} arrived"


def _causes(records: Records, operations: Sequence[Operation]) -> Iterator[str]:
    """Nothing is cancelled or terminated but by a client that asked, a parent that asked, or a parent that closed."""
    asked = {f"{kind}-{each.number}" for each in operations for kind in ("cancel", "terminate") if each.asked.tries}
    for chain in records.every_chain():
        for number, run in enumerate(chain):
            carried = chain[number - 1].closing if number else None
            for raw in run.of(ev.CANCEL_REQUESTED, ev.WORKFLOW_TERMINATED):
                by_predecessor = carried is not None and carried[0] == ev.WORKFLOW_CONTINUED_AS_NEW and carried[6] == raw[2]
                if raw[2] not in asked and not by_predecessor and not _asked_by_parent(records, chain[0], raw):
                    yield f"{ev.name_of(raw[0])} of {run.workflow_id!r} has no cause: {raw[2]!r}"


def _asked_by_parent(records: Records, root: Ran, raw: Raw) -> bool:
    if root.parent is None:
        return False
    parent = records.run(root.parent[0], root.parent[1])
    if parent is None:
        return False
    requested = any(found[2] == root.parent[2] and found[3] == raw[2] for found in parent.of(ev.CHILD_CANCEL_REQUESTED))
    policy = POLICIES[parent.commands()[root.parent[2]][8]]
    by_close = parent.closing is not None and raw[2] == "its parent closed"
    closes = policy == ("terminate" if raw[0] == ev.WORKFLOW_TERMINATED else "cancel")
    return (requested and raw[0] == ev.CANCEL_REQUESTED) or (by_close and closes)


def _orphans(records: Records) -> Iterator[str]:
    """Every recorded child exists, unless its id was taken or its parent closed first and did not abandon it (R3, L2)."""
    for run in records.every_run():
        for ordinal, command in run.commands().items():
            if command[0] != ev.CHILD_WORKFLOW_STARTED:
                continue
            link = [run.workflow_id, run.run_id, ordinal]
            outcome = run.outcome_of(ordinal)
            taken = outcome is not None and outcome[0] == ev.CHILD_WORKFLOW_FAILED and outcome[3][0] == "already_started"
            excused = run.closing is not None and run.closing[0] != ev.WORKFLOW_CONTINUED_AS_NEW and command[8] != ev.ON_CLOSE_ABANDON
            exists = any(chain[0].parent == link for chain in records.chains(command[3]))
            known = command[3] in records.runs  # the id of another: its parent has closed and cannot be told
            if not (exists or taken or excused or known):
                yield f"R3: child {command[3]!r} of {run.workflow_id!r} was recorded and never started"


def _outlived(records: Records) -> Iterator[str]:
    """Who lives on after its parent has closed was abandoned, or was told (C3)."""
    for chain in records.every_chain():
        link, closing = chain[0].parent, chain[-1].closing
        parent = None if link is None else records.run(link[0], link[1])
        if parent is None or parent.closing is None or closing is None or chain[0].started[10] == ev.ON_CLOSE_ABANDON:
            continue
        told = any(raw[2] == "its parent closed" for run in chain for raw in run.of(ev.CANCEL_REQUESTED, ev.WORKFLOW_TERMINATED))
        asked_before = any(True for run in chain for _ in run.of(ev.CANCEL_REQUESTED))
        late = closing[1] > parent.closing[1] + TOLD_WITHIN_US
        if late and parent.closing[0] != ev.WORKFLOW_CONTINUED_AS_NEW and not told and not asked_before:
            yield f"C3: {chain[0].workflow_id!r} outlived its parent {parent.workflow_id!r} and was not told"


# ---- what clients were told


def _faults_of(operation: Operation, records: Records) -> Iterator[str]:
    asked = operation.asked
    match operation:
        case StartIt():
            yield from _start(operation, records)
        case SignalIt():
            yield from _signal(operation, records)
        case CancelIt() if asked.acknowledged:
            if not any(True for run in records.runs.get(operation.target, ()) for _ in run.of(ev.CANCEL_REQUESTED)):
                yield "L1: an acknowledged cancellation is not recorded"
        case TerminateIt():
            text = f"terminate-{operation.number}"
            count = sum(raw[2] == text for run in records.runs.get(operation.target, ()) for raw in run.of(ev.WORKFLOW_TERMINATED))
            if count > 1 or (asked.acknowledged and count != 1) or (asked.refusal is not None and asked.tries == 1 and count):
                yield f"L1: recorded {count} times"
        case AwaitIt() if asked.acknowledged:
            yield from _awaited(operation, records)
        case _:
            pass


def _start(operation: StartIt, records: Records) -> Iterator[str]:
    request_id, asked = operation.request_id, operation.asked
    mine = [run for run in records.runs.get(operation.target, ()) if request_id is not None and run.started[14] == request_id]
    if len(mine) > 1:
        yield f"S6: one request id started {len(mine)} runs"
    if not asked.acknowledged:
        if mine and asked.refusal is not None:
            yield "S6: it was refused, and started"
        return
    run = records.run(operation.target, bytes.fromhex(asked.answer))
    if run is None:
        yield "J2: an acknowledged start is not in the journal"
    elif mine and run is not mine[0]:
        yield "S6: the request id's own run is another one than was answered"
    elif run.started[5]:
        yield "the handle of a start is not at the root of its chain"
    elif run.arguments[0] != operation.program:
        yield "J2: the run that was answered has another input"


def _signal(operation: SignalIt, records: Records) -> Iterator[str]:
    asked = operation.asked
    received = Counter(value_of(raw[3]) for run in records.runs.get(operation.target, ()) for raw in run.of(ev.SIGNAL_RECEIVED))
    count = received[operation.text]
    most = min(asked.tries, 1) if operation.with_request else asked.tries
    least = 1 if asked.acknowledged else 0
    if asked.refusal is not None:
        most = 0 if operation.with_request else asked.tries - 1
    if not least <= count <= most:
        yield f"S1, S6: recorded {count} times, expected {least} to {most}"


def _awaited(operation: AwaitIt, records: Records) -> Iterator[str]:
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
    yield "H6: no chain ended so"


ENDED_WITH = {
    ev.WORKFLOW_FAILED: "WorkflowFailedError",
    ev.WORKFLOW_CANCELLED: "WorkflowCancelledError",
    ev.WORKFLOW_TERMINATED: "WorkflowTerminatedError",
    ev.WORKFLOW_TIMED_OUT: "WorkflowTimedOutError",
}


def _queries_never_go_back(operations: Sequence[Operation]) -> Iterator[str]:
    """A run that has told how far it is never tells less later (S4: answers come from what is durable)."""
    queries = [each for each in operations if isinstance(each, QueryIt) and each.asked.acknowledged]
    for earlier in queries:
        for later in queries:
            (run_id, *before), (other_id, *now) = earlier.asked.answer, later.asked.answer
            follows = run_id == other_id and earlier.asked.ended < later.asked.began
            if follows and any(less < more for less, more in zip(now, before, strict=True)):
                yield f"S4: run {run_id} of {earlier.target!r} told {before} and then {now}"
