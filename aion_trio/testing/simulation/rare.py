"""Rare states that a simulation is to reach: what is never met is not tested, and the campaign says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ... import events as ev
from .clients import Operation, SignalIt
from .lives import Lived
from .payloads import is_masked
from .records import Ran, Records

Points = set[str]

OF_A_RUN: dict[str, Callable[[Ran], bool]] = {
    "a timer and a cancel request at one time": lambda run: _together(run, ev.TIMER_FIRED, ev.CANCEL_REQUESTED),
    "a deadline and a result at one time": lambda run: _together(run, ev.DEADLINE_PASSED, ev.ACTIVITY_COMPLETED),
    "a timer and a deadline at one time": lambda run: _together(run, ev.TIMER_FIRED, ev.DEADLINE_PASSED),
    "an activity was cancelled": lambda run: _has(run, ev.ACTIVITY_CANCELLED),
    "a timer was cancelled": lambda run: _has(run, ev.TIMER_CANCELLED),
    "an activity failed for good": lambda run: _has(run, ev.ACTIVITY_FAILED),
    "a run timed out": lambda run: _has(run, ev.WORKFLOW_TIMED_OUT),
    "a run was terminated": lambda run: _has(run, ev.WORKFLOW_TERMINATED),
    "a run was cancelled": lambda run: _has(run, ev.WORKFLOW_CANCELLED),
    "a run failed": lambda run: _has(run, ev.WORKFLOW_FAILED),
    "a run declined its cancellation": lambda run: _has(run, ev.CANCEL_REQUESTED) and _has(run, ev.WORKFLOW_COMPLETED),
    "signals were carried to a successor": lambda run: any(raw[5] for raw in run.of(ev.WORKFLOW_CONTINUED_AS_NEW)),
    "a cancel request was carried to a successor": lambda run: any(raw[6] is not None for raw in run.of(ev.WORKFLOW_CONTINUED_AS_NEW)),
    "a successor has another type": lambda run: any(raw[4] is not None for raw in run.of(ev.WORKFLOW_CONTINUED_AS_NEW)),
    "a new chain began": lambda run: run.started[6] == ev.ORIGIN_NEW_RUN,
    "a child's id was taken": lambda run: any(raw[3][0] == "already_started" for raw in run.of(ev.CHILD_WORKFLOW_FAILED)),
    "a child timed out": lambda run: any(raw[3][0] == "timed_out" for raw in run.of(ev.CHILD_WORKFLOW_FAILED)),
    "a signal was refused": lambda run: _has(run, ev.SIGNAL_FAILED),
    "a workflow signalled itself": lambda run: any(raw[3] == run.workflow_id for raw in run.of(ev.SIGNAL_SENT)),
    "a run was its parent's, and abandoned": lambda run: run.parent is not None and run.started[10] == ev.ON_CLOSE_ABANDON,
    "its parent closed, and a child was cancelled": lambda run: any(raw[2] == "its parent closed" for raw in run.of(ev.CANCEL_REQUESTED)),
    "its parent closed, and a child was terminated": lambda run: any(
        raw[2] == "its parent closed" for raw in run.of(ev.WORKFLOW_TERMINATED)
    ),
}
"""What one run shows."""

OF_A_LIFE: dict[str, Callable[[Lived], bool]] = {
    "a crash during recovery": lambda lived: lived.died and not lived.opened and lived.commits > 0,
    "a crash before recovery wrote anything": lambda lived: lived.died and not lived.opened and lived.commits <= 1,
    "there was no room to recover": lambda lived: lived.refused,
    "a child's start was swept": lambda lived: any(report.children_started for report in lived.reports),
    "a successor was swept": lambda lived: any(report.successors_started for report in lived.reports),
    "a signal was swept": lambda lived: any(report.signals_delivered for report in lived.reports),
    "a child's result was swept": lambda lived: any(report.results_delivered for report in lived.reports),
    "a wake-up was due at boot": lambda lived: any(report.wakeups_due for report in lived.reports),
    "activities were resumed": lambda lived: any(report.activities_resumed for report in lived.reports),
    "a read failed while an engine opened": lambda lived: lived.unread and not lived.opened,
    "a read failed in an open engine": lambda lived: lived.unread and lived.opened,
    "a workflow was quarantined at boot": lambda lived: any(report.quarantined for report in lived.reports),
}
"""What one life shows."""

OF_ALL = (
    "one run has masked payloads and others",
    "a signal came before its target's first event",
    "a child was recorded and never started",
    "a client asked twice for one thing that was done",
    "a prefix of the journal was taken over",
    "the journal lay on a disk",
    "two namespaces shared a journal",
)
POINTS = (*OF_A_RUN, *OF_A_LIFE, *OF_ALL)


def points_of(records: Records, lives: Sequence[Lived], operations: Iterable[Operation]) -> Points:
    """The rare states that a simulation has reached, as far as they can be seen in what it left."""
    found = {name for name, shows in OF_A_RUN.items() for run in records.every_run() if shows(run)}
    found |= {name for name, shows in OF_A_LIFE.items() for lived in lives if shows(lived)}
    found |= set(_between(records))
    if any(len({is_masked(raw[3]) for raw in run.of(ev.SIGNAL_RECEIVED, ev.ACTIVITY_COMPLETED)}) > 1 for run in records.every_run()):
        found.add("one run has masked payloads and others")
    for operation in operations:
        if isinstance(operation, SignalIt) and operation.with_request and operation.asked.tries > 1 and operation.asked.acknowledged:
            found.add("a client asked twice for one thing that was done")
    return found


def _between(records: Records) -> Iterable[str]:
    for run in records.every_run():
        for ordinal, command in run.commands().items():
            if command[0] == ev.SIGNAL_SENT:
                outcome, target = run.outcome_of(ordinal), records.runs.get(command[3])
                delivered = outcome is not None and outcome[0] == ev.SIGNAL_DELIVERED
                if delivered and target and target[0].started[1] > command[1]:
                    yield "a signal came before its target's first event"
            if command[0] == ev.CHILD_WORKFLOW_STARTED and command[3] not in records.runs:
                yield "a child was recorded and never started"


def _has(run: Ran, code: int) -> bool:
    return any(raw[0] == code for raw in run.raws)


def _together(run: Ran, one: int, other: int) -> bool:
    times = {raw[1] for raw in run.of(one)}
    return any(raw[1] in times for raw in run.of(other))
