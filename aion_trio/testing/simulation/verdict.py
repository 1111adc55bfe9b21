"""What must hold when everything has come to rest: the model's judgement of every outcome, and what each thing was done for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ... import events as ev
from ...events import Raw
from ...stores import Store
from ..life import left_owed
from .clients import Operation
from .lawbook import Breach, Law
from .nodes import Wrong
from .payloads import value_of
from .programs import continues_beside_others, judge_failure, judge_result, successors_of
from .records import Ran, Records

TOLD_WITHIN_US = 20_000 * 1_000_000
"""Longer than all lives that are cut off, and than clocks are set forward."""
POLICIES = {0: "terminate", 1: "cancel", 2: "abandon"}


def at_rest(store: Store, records: Records, operations: Sequence[Operation]) -> Iterator[Breach]:
    """Everything that is wrong once all is closed, but for what clients were told."""
    for what in left_owed(store):
        yield Breach(Law.NOTHING_OWED, what)
    yield from outcomes(records)
    yield from _causes(records, operations)
    yield from _orphans(records)
    yield from _outlived(records)


def outcomes(records: Records, heads: Mapping[str, int] | None = None) -> Iterator[Breach]:
    """What the model forbids. A history that was cut at its head may have lost a request that stood in one append with the cut."""
    for workflow_id, runs in records.runs.items():
        closing = runs[-1].closing
        if closing is None or closing[0] == ev.WORKFLOW_CONTINUED_AS_NEW:
            yield Breach(Law.ALL_ENDS, f"{workflow_id!r} does not: {[ev.name_of(raw[0]) for raw in runs[-1].raws][-6:]}")
    for chain in records.every_chain():
        for number, run in enumerate(chain):
            successor = chain[number + 1] if number + 1 < len(chain) else None
            for law, what in _of_run(run, successor, (heads or {}).get(run.workflow_id)):
                yield Breach(law, f"{run.workflow_id!r}, run that starts at event {run.first_seq}: {what}")
        yield from _received_in_order(chain)


def _of_run(run: Ran, successor: Ran | None, cut_at: int | None) -> Iterator[Breach]:
    try:
        _judge_end(run)
    except Wrong as wrong:
        yield Breach(Law.PROGRAM, str(wrong))
    closing = run.closing
    if successor is None or closing is None or closing[0] != ev.WORKFLOW_CONTINUED_AS_NEW:
        return
    started = successor.started
    if started[7] != closing[3] or started[2] != (closing[4] or run.started[2]) or started[8] != closing[5]:
        yield Breach(Law.SUCCESSOR, f"it started otherwise than was recorded: {started}, {closing}")
    if started[11] != run.started[11] or started[10] != run.started[10]:
        yield Breach(Law.SUCCESSOR, "it lost the run's time-out or parent-close policy")
    if (cut_at is None or not _is_cut(successor, cut_at)) and _lost_the_carried_cancel(closing, successor):
        yield Breach(Law.CARRIED_CANCEL, f"{closing[6]!r} did not reach the successor")


def _judge_end(run: Ran) -> None:
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
            rest, name = value_of(closing[3])[0], closing[4]
            if (rest, name) not in [(node, None if other == run.started[2] else other) for node, other in successors_of(program)]:
                raise Wrong(f"continued as new with {rest!r} ({name})")
        case _:
            pass


def _is_cut(successor: Ran, cut_at: int) -> bool:
    """Whether the history that was taken over ended in this run."""
    return successor.first_seq <= cut_at < successor.first_seq + len(successor.raws)


def _lost_the_carried_cancel(closing: Raw, successor: Ran) -> bool:
    ended_at_once = successor.closing is not None and not any(True for _ in successor.of(*ev.STIMULI - {ev.WORKFLOW_STARTED}))
    return closing[6] is not None and not ended_at_once and all(raw[2] != closing[6] for raw in successor.of(ev.CANCEL_REQUESTED))


def _received_in_order(chain: Sequence[Ran]) -> Iterator[Breach]:
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
                yield Breach(Law.RECEIVED, f"{chain[0].workflow_id!r} received {texts} of {name!r}, and {arrived[name]} arrived")


def _causes(records: Records, operations: Sequence[Operation]) -> Iterator[Breach]:
    """Nothing is cancelled or terminated but by a client that asked, a parent that asked, or a parent that closed."""
    asked = {f"{kind}-{each.number}" for each in operations for kind in ("cancel", "terminate") if each.asked.tries}
    for run in records.every_run():
        if run.closing is not None and run.closing[0] == ev.WORKFLOW_CANCELLED and not any(True for _ in run.of(ev.CANCEL_REQUESTED)):
            yield Breach(Law.CAUSE, f"{run.workflow_id!r} was cancelled, and nobody asked for it")
    for chain in records.every_chain():
        for number, run in enumerate(chain):
            carried = chain[number - 1].closing if number else None
            for raw in run.of(ev.CANCEL_REQUESTED, ev.WORKFLOW_TERMINATED):
                by_predecessor = carried is not None and carried[0] == ev.WORKFLOW_CONTINUED_AS_NEW and carried[6] == raw[2]
                if raw[2] not in asked and not by_predecessor and not _asked_by_parent(records, chain[0], raw):
                    yield Breach(Law.CAUSE, f"{ev.name_of(raw[0])} of {run.workflow_id!r}: {raw[2]!r}")


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


def _orphans(records: Records) -> Iterator[Breach]:
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
                yield Breach(Law.CHILD_STARTS, f"child {command[3]!r} of {run.workflow_id!r} did not")


def _outlived(records: Records) -> Iterator[Breach]:
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
            yield Breach(Law.PARENT_CLOSE, f"{chain[0].workflow_id!r} outlived its parent {parent.workflow_id!r} and was not told")
