"""What a history says: status, closing, runs and chains.

One place answers 'is this run closed, how and when' (H4), 'what is its status' (H3) and 'which runs belong
together' (H5); indexes, handles and recovery all ask here. Everything is a pure function of events, or of the run rows
that are derived from them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from . import events as ev
from .errors import BrokenChainError
from .events import Raw


class WorkflowStatus(enum.Enum):
    """The status of a run, a projection of its history (H3)."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"
    CONTINUED_AS_NEW = "continued_as_new"

    __hash__ = object.__hash__  # an enum's own is a function in Python

    @property
    def open(self) -> bool:
        """Whether the run can still go on: running and paused are open, the rest closed (H3)."""
        return self in (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED)

    @property
    def over(self) -> bool:
        """Whether the run is closed for good: no other run goes on in its place (H6)."""
        return not self.open and self is not WorkflowStatus.CONTINUED_AS_NEW

    @property
    def number(self) -> int:
        """The number that index rows hold."""
        return _NUMBERS[self]

    @classmethod
    def of_number(cls, number: int) -> WorkflowStatus:
        """The status that an index row's number stands for."""
        return _STATUSES[number - 1]


_STATUSES = tuple(WorkflowStatus)
_NUMBERS = {status: number for number, status in enumerate(_STATUSES, 1)}

STATUS_AFTER: dict[int, WorkflowStatus] = {
    ev.WORKFLOW_STARTED: WorkflowStatus.RUNNING,
    ev.WORKFLOW_REOPENED: WorkflowStatus.RUNNING,
    ev.WORKFLOW_RESUMED: WorkflowStatus.RUNNING,
    ev.WORKFLOW_PAUSED: WorkflowStatus.PAUSED,
    ev.WORKFLOW_COMPLETED: WorkflowStatus.COMPLETED,
    ev.WORKFLOW_FAILED: WorkflowStatus.FAILED,
    ev.WORKFLOW_CANCELLED: WorkflowStatus.CANCELLED,
    ev.WORKFLOW_TERMINATED: WorkflowStatus.TERMINATED,
    ev.WORKFLOW_TIMED_OUT: WorkflowStatus.TIMED_OUT,
    ev.WORKFLOW_CONTINUED_AS_NEW: WorkflowStatus.CONTINUED_AS_NEW,
}
"""The status that each lifecycle event leads to; other events change none (H3)."""


def status_of(raws: Iterable[Raw]) -> WorkflowStatus | None:
    """The status after these events of one id: the newest lifecycle event decides (H3). None for an empty history."""
    status = None
    for raw in raws:
        status = STATUS_AFTER.get(raw[0], status)
    return status


def closing_of(raws: Iterable[Raw], run_id: bytes) -> tuple[int, Raw] | None:
    """The closing event of the run `run_id` and its index in `raws`, if its newest lease is closed (H4).

    A lease begins at the run's start or reopening and ends at the first closing event after it; a closing event of
    another run never counts.
    """
    current, closing = b"", None
    for index, raw in enumerate(raws):
        code = raw[0]
        if code == ev.WORKFLOW_STARTED:
            current = raw[4]
            closing = None if current == run_id else closing
        elif code == ev.WORKFLOW_REOPENED and raw[2] == run_id:
            closing = None
        elif code in ev.CLOSING and current == run_id and closing is None:
            closing = (index, raw)
    return closing


class Run(Protocol):
    """What the chain functions need of a run; the store's run rows have it."""

    @property
    def run_id(self) -> bytes: ...
    @property
    def parent_run_id(self) -> bytes: ...
    @property
    def status(self) -> int: ...
    @property
    def first_seq(self) -> int: ...


RunT = TypeVar("RunT", bound=Run)


def chains(runs: Sequence[RunT], workflow_id: str) -> list[list[RunT]]:
    """The runs of one id, oldest first, as chains: one root each, no forks, no cycles (H5).

    A run that continues another must follow it directly and find it continued as new; a root must follow a run that is
    closed otherwise, or none. Anything else raises `BrokenChainError`, which names the event.
    """
    found: list[list[RunT]] = []
    for position, run in enumerate(runs):
        before = runs[position - 1] if position else None
        if run.parent_run_id:
            if before is None or before.run_id != run.parent_run_id:
                raise _broken(workflow_id, run, f"continues run {run.parent_run_id.hex()}, which is not the run before it")
            if before.status != WorkflowStatus.CONTINUED_AS_NEW.number:
                raise _broken(workflow_id, run, "continues a run that did not continue as new")
            found[-1].append(run)
            continue
        if before is not None and before.status == WorkflowStatus.CONTINUED_AS_NEW.number:
            raise _broken(workflow_id, run, "starts a new chain where a successor is owed")
        if before is not None and WorkflowStatus.of_number(before.status).open:
            raise _broken(workflow_id, run, "starts a new chain while a run is open")
        found.append([run])
    return found


def _broken(workflow_id: str, run: Run, what: str) -> BrokenChainError:
    return BrokenChainError(
        f"workflow {workflow_id!r}: the run {run.run_id.hex()} that starts at event {run.first_seq} {what}; "
        "its history was damaged or was not written by this engine: restore it from a backup or an export"
    )


def chain_with(runs: Sequence[RunT], run_id: bytes, workflow_id: str) -> list[RunT]:
    """The chain that the run belongs to, oldest run first; empty if there is no such run (H5, H6)."""
    for chain in chains(runs, workflow_id):
        if any(run.run_id == run_id for run in chain):
            return chain
    return []
