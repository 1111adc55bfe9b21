"""What must hold of a journal at any moment, whatever has happened to its engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import dropwhile, pairwise, takewhile
from typing import Any

from ... import events as ev
from ...definitions import Registry, WorkflowDefinition
from ...errors import AionError
from ...events import Raw
from ...journal.verification import verify_journal
from ...replay import World
from ...stores import Store
from ...stores.contract import ObligationKind, WorkflowKey
from ..replaying import RecordedRun, replay_run
from .lawbook import Breach, Law
from .payloads import CODEC
from .records import COMMANDS, ENDS, Ran, Records, ordinal_of


def at_any_time(store: Store, records: Records) -> Iterator[Breach]:
    """Everything that is wrong with a journal between two lives, but for what its runs come to when they are replayed."""
    yield from of_indexes(store)
    for workflow_id, raws in records.histories.items():
        if any(later[1] < earlier[1] for earlier, later in pairwise(raws)):
            yield Breach(Law.TIME_GOES_ON, f"in the history of {workflow_id!r}")
    for run in records.every_run():
        for law, what in _of_run(run):
            yield Breach(law, f"{what} (workflow {run.workflow_id!r}, run that starts at event {run.first_seq})")
    yield from _signals_once(records)
    yield from _children_once(records)


def of_indexes(store: Store) -> Iterator[Breach]:
    """What `verify` finds."""
    for finding in verify_journal(store):
        yield Breach(Law.INDEXES, f"workflow {finding.workflow_id!r}: {finding.what}")


def _of_run(run: Ran) -> Iterator[Breach]:
    closings = [raw for raw in run.raws if raw[0] in ev.CLOSING]
    if len(closings) > 1 or (closings and run.raws[-1] is not closings[0]):
        yield Breach(Law.CLOSED_IS_CLOSED, f"it goes on: {[ev.name_of(raw[0]) for raw in run.raws][-5:]}")
    ordinals = [ordinal_of(raw) for raw in run.raws if raw[0] in COMMANDS or (raw[0] == ev.ATTRIBUTES_UPDATED and raw[3])]
    if ordinals != list(range(1, len(ordinals) + 1)):
        yield Breach(Law.ORDINALS, f"they are {ordinals}")
    commands = run.commands()
    for kind, ends in ENDS.items():
        found = Counter(raw[2] for raw in run.raws if raw[0] in ends and not _was_cancelled_in_an_owed_step(run, raw))
        for ordinal, count in found.items():
            if count > 1:
                yield Breach(Law.ONE_OUTCOME, f"{ev.name_of(kind)} {ordinal} has {count} outcomes")
            if ordinal not in commands or commands[ordinal][0] != kind:
                yield Breach(Law.ONE_OUTCOME, f"an outcome of {ev.name_of(kind)} {ordinal}, which was not asked for")
    for fired in run.of(ev.TIMER_FIRED):
        if fired[2] in commands and fired[1] < commands[fired[2]][3]:
            yield Breach(Law.NOTHING_EARLY, f"timer {fired[2]} fired early")
    for passed in run.of(ev.DEADLINE_PASSED):
        if passed[1] < passed[2]:
            yield Breach(Law.NOTHING_EARLY, "a deadline passed early")
    yield from _attempts(run)
    yield from _run_timeout(run)


def _was_cancelled_in_an_owed_step(run: Ran, outcome: Raw) -> bool:
    """Whether an activity's result was recorded while the code was missing, and the code, when it came, had cancelled it before that.

    What the code would have done at the stimuli in front of the result stands behind it then, and goes to no code (K4, K9).
    """
    if outcome[0] not in (ev.ACTIVITY_COMPLETED, ev.ACTIVITY_FAILED):
        return False
    at = next(index for index, raw in enumerate(run.raws) if raw is outcome)
    step = [*dropwhile(lambda raw: raw[0] not in ev.OUTPUTS, run.raws[at:])]
    cancelled = any(raw[0] == ev.ACTIVITY_CANCELLED and raw[2] == outcome[2] for raw in takewhile(lambda raw: raw[0] in ev.OUTPUTS, step))
    return cancelled and run.raws[at - 1][0] in ev.STIMULI


def _attempts(run: Ran) -> Iterator[Breach]:
    """Attempts are counted one by one, and none begins before its time (A3)."""
    newest: dict[int, int] = {}
    for raw in run.of(ev.ACTIVITY_ATTEMPT_FAILED, ev.ACTIVITY_COMPLETED, ev.ACTIVITY_FAILED):
        attempt = raw[3] if raw[0] == ev.ACTIVITY_ATTEMPT_FAILED else raw[4]
        if attempt != newest.get(raw[2], 0) + 1:
            yield Breach(Law.ATTEMPTS, f"attempt {attempt} of activity {raw[2]} ended after attempt {newest.get(raw[2], 0)}")
        newest[raw[2]] = attempt


def _run_timeout(run: Ran) -> Iterator[Breach]:
    """A run ends by its time-out and not after it (T4); but what was due before comes before, however late the engine wakes.

    A termination may come in between.
    """
    closing, timeout_us = run.closing, run.started[11]
    if closing is None:
        return
    if closing[0] == ev.WORKFLOW_TIMED_OUT:
        if timeout_us is None or closing[1] < run.started[1] + timeout_us:
            yield Breach(Law.RUN_TIMEOUT, "it timed out before its time")
    elif timeout_us is not None and closing[0] != ev.WORKFLOW_TERMINATED and closing[1] >= run.started[1] + timeout_us:
        newest = next(raw for raw in reversed(run.raws) if raw[0] in ev.STIMULI)
        if newest[0] in (ev.TIMER_FIRED, ev.DEADLINE_PASSED):
            return
        yield Breach(Law.RUN_TIMEOUT, f"{ev.name_of(closing[0])} after the run's time-out")


def _signals_once(records: Records) -> Iterator[Breach]:
    """A signal of a workflow is received once if it was delivered, and not at all if it was refused (S2)."""
    received: Counter[tuple[str, str, bytes, int]] = Counter()
    order: dict[tuple[str, str, bytes], list[int]] = {}
    for run in records.every_run():
        for raw in run.of(ev.SIGNAL_RECEIVED):
            if raw[4] is not None:
                sender, run_id, ordinal = raw[4]
                received[run.workflow_id, sender, run_id, ordinal] += 1
                order.setdefault((run.workflow_id, sender, run_id), []).append(ordinal)
    for (target, sender, _, ordinal), count in received.items():
        if count > 1:
            yield Breach(Law.SIGNAL_ONCE, f"{target!r} received signal {ordinal} of {sender!r} {count} times")
    for (target, sender, _), ordinals in order.items():
        if ordinals != sorted(ordinals):
            yield Breach(Law.SIGNAL_ORDER, f"{target!r} received those of {sender!r} in the order {ordinals}")
    for run in records.every_run():
        for raw in run.of(ev.SIGNAL_DELIVERED, ev.SIGNAL_FAILED):
            sent = run.commands().get(raw[2])
            if sent is None:  # told of above
                continue
            count = received[sent[3], run.workflow_id, run.run_id, raw[2]]
            if count != (raw[0] == ev.SIGNAL_DELIVERED):
                what = f"signal {raw[2]} of {run.workflow_id!r} was {ev.name_of(raw[0])} and received {count} times by {sent[3]!r}"
                yield Breach(Law.SIGNAL_ONCE, what)


def _children_once(records: Records) -> Iterator[Breach]:
    """What a parent recorded of a child is how the child's chain ended, and every child was recorded by its parent (C1, C2)."""
    for chain in records.every_chain():
        if chain[0].parent is not None:
            parent_id, run_id, ordinal = chain[0].parent
            parent = records.run(parent_id, run_id)
            cause = None if parent is None else parent.commands().get(ordinal)
            if cause is None or cause[3] != chain[0].workflow_id:
                what = f"{chain[0].workflow_id!r} says that it is child {ordinal} of {parent_id!r}, which has not recorded it"
                yield Breach(Law.CHILD_IS_RECORDED, what)
            elif (cause[4], cause[5], cause[6], cause[10]) != tuple(chain[0].started[i] for i in (2, 3, 7, 11)):
                yield Breach(Law.CHILD_AS_RECORDED, f"{chain[0].workflow_id!r} was started otherwise than its parent recorded")
            if any(run.parent != chain[0].parent for run in chain):
                yield Breach(Law.SAME_PARENT, f"a successor of {chain[0].workflow_id!r} has another parent")
    for run in records.every_run():
        for outcome in run.of(ev.CHILD_WORKFLOW_COMPLETED, ev.CHILD_WORKFLOW_FAILED):
            for what in _child_outcome(records, run, outcome):
                yield Breach(Law.CHILD_OUTCOME, f"child {what}, a child of {run.workflow_id!r}")


def _child_outcome(records: Records, run: Ran, outcome: Any) -> Iterator[str]:
    command = run.commands().get(outcome[2])
    if command is None:  # told of above
        return
    child_id = command[3]
    link = [run.workflow_id, run.run_id, outcome[2]]
    chain = next((found for found in records.chains(child_id) if found[0].parent == link), None)
    if chain is None:
        if outcome[0] != ev.CHILD_WORKFLOW_FAILED or outcome[3][0] != "already_started":
            yield f"{child_id!r} has an outcome and no history"
        return
    closing = chain[-1].closing
    if closing is None or closing[0] == ev.WORKFLOW_CONTINUED_AS_NEW:
        yield f"{child_id!r} has an outcome and is open"
    elif outcome[0] == ev.CHILD_WORKFLOW_COMPLETED:
        if closing[0] != ev.WORKFLOW_COMPLETED or closing[2] != outcome[3]:
            yield f"{child_id!r} has another result than was recorded"
    elif outcome[3][0] != KIND_OF_END.get(closing[0]):
        yield f"{child_id!r} ended as {ev.name_of(closing[0])}, recorded is {outcome[3][0]!r}"


KIND_OF_END = {
    ev.WORKFLOW_FAILED: "failed",
    ev.WORKFLOW_CANCELLED: "cancelled",
    ev.WORKFLOW_TERMINATED: "terminated",
    ev.WORKFLOW_TIMED_OUT: "timed_out",
}


class Replays:
    """Replays runs from their histories; one that is as it was when it was replayed before is not replayed again."""

    def __init__(self, workflows: Iterable[WorkflowDefinition[..., Any]]) -> None:
        self._world = World(Registry(workflows), CODEC)
        self._sound: dict[tuple[str, int], tuple[bool, list[Raw]]] = {}

    def breaches(self, store: Store, records: Records) -> Iterator[Breach]:
        """The runs that do not (K1, K3)."""
        for workflow_id, runs in records.runs.items():
            key = WorkflowKey(records.namespace, workflow_id)
            owed = any(row.kind is ObligationKind.STEP for row in store.obligations_of(key))
            for run in runs:
                state = (owed and run is runs[-1], run.raws)
                if self._sound.get((workflow_id, run.first_seq)) == state:
                    continue
                try:
                    replay_run(self._world, key, RecordedRun(run.first_seq, run.raws), step_owed=state[0]).evict()
                    self._sound[workflow_id, run.first_seq] = state
                except AionError as error:
                    yield Breach(Law.REPLAY, f"{type(error).__name__}: {error}")
