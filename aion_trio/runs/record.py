"""What an actor holds of its workflow while it is in memory: index rows, and the code's state.

A `Record` is made from the journal alone, so whatever went wrong with one, the next is right: that is the whole of
recovering a run (R10). The history of the newest run is read once, page by page; the live path never reads it (K10).
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import events as ev
from ..errors import AionError, AppendOutcomeUnknown, JournalCorruptedError, UnknownEventError
from ..events import Raw
from ..history import WorkflowStatus
from ..journal import Projection
from ..replay import Execution, RunIdentity
from ..stores.contract import ObligationKind, RunRow, Summary, WorkflowKey
from .services import Services


class Record:
    """One workflow id in memory.

    `projection` is always there. `execution` is there while the newest run is open and its code can be replayed;
    `quarantine` says why it cannot (R8, K4, V1).
    """

    __slots__ = ("key", "projection", "execution", "wake_us", "step_owed", "quarantine")

    def __init__(self, key: WorkflowKey, projection: Projection) -> None:
        self.key, self.projection = key, projection
        self.execution: Execution | None = None
        self.wake_us: int | None = None
        self.step_owed = False
        self.quarantine: str | None = None

    @property
    def exists(self) -> bool:
        """Whether the id has a history."""
        return self.projection.head > 0

    def evict(self) -> None:
        """Let the code go; nothing is recorded by it."""
        if self.execution is not None:
            self.execution.evict()
            self.execution = None


def load(services: Services, workflow_id: str) -> Record:
    """The record of a workflow id as the journal has it. Raises `JournalCorruptedError` or `UnknownEventError` if that cannot be read."""
    key = services.key(workflow_id)
    summary = services.journal.summary(key)
    if summary is not None and WorkflowStatus.of_number(summary.status).open:
        return _open(services, key, summary)
    record = Record(key, Projection() if summary is None else _closed(summary))
    record.quarantine = services.quarantined.get(workflow_id)
    return record


def _closed(summary: Summary) -> Projection:
    """A closed run's projection, without reading its history: nothing can happen to it but a new chain."""
    projection = Projection(summary.head, summary.run_no, summary.closed_us)
    projection.status = WorkflowStatus.of_number(summary.status)
    projection.run = RunRow(
        summary.run_id, summary.run_no, b"", 0, summary.type, summary.version, summary.status, summary.first_seq,
        summary.head, summary.started_us, summary.closed_us,
    )  # fmt: skip
    projection.attributes = dict(summary.attributes)
    return projection


def _open(services: Services, key: WorkflowKey, summary: Summary) -> Record:
    record = Record(key, Projection(summary.first_seq - 1, summary.run_no))
    record.projection.reading = True
    wake = services.journal.obligation(key, ObligationKind.WAKE_UP, b"")
    record.wake_us = None if wake is None else wake.due_us
    record.step_owed = services.journal.obligation(key, ObligationKind.STEP, b"") is not None
    stream = _events(services, record, summary)
    reason = services.quarantined.get(key.workflow_id)
    if reason is None:
        try:
            _replay(services, record, stream, summary)
        except (JournalCorruptedError, UnknownEventError, AppendOutcomeUnknown):  # of the journal, not of the code
            record.evict()
            raise
        except AionError as error:
            reason = f"{type(error).__name__}: {error}"
    if reason is not None:
        record.evict()
        record.quarantine = services.quarantined[key.workflow_id] = reason
    for _ in stream:  # the index rows need all events, also where the code could not follow
        pass
    record.projection.take()
    record.projection.reading = False
    return record


def _events(services: Services, record: Record, summary: Summary) -> Iterator[Raw]:
    """The newest run's events; each is in the projection before it is given on."""
    apply = record.projection.apply
    for first_seq, raws, _ in services.journal.pages(record.key, summary.first_seq):
        for seq, raw in enumerate(raws, first_seq):
            if seq >= summary.first_seq:
                apply(raw)
                yield raw


def _replay(services: Services, record: Record, stream: Iterator[Raw], summary: Summary) -> None:
    definition = services.registry.workflow(summary.type, summary.version)
    record.execution = execution = new_execution(services, record, definition, summary.run_id)
    execution.position = summary.first_seq - 1
    execution.replay(stream, step_owed=record.step_owed)
    if not record.step_owed:
        execution.require_settled()


def new_execution(services: Services, record: Record, definition: object, run_id: bytes) -> Execution:
    """The code's state of a run, before its first event."""
    identity = RunIdentity(record.key.workflow_id, run_id, services.namespace)
    return Execution(definition, identity, services.world)


def root_start(services: Services, key: WorkflowKey, runs: list[RunRow]) -> Raw | None:
    """The first `WorkflowStarted` of the newest chain, which says whose child it is and what was asked for (H5)."""
    root = next((run for run in reversed(runs) if not run.parent_run_id), None)
    raw = None if root is None else services.journal.event(key, root.first_seq)
    return raw if raw is not None and raw[0] == ev.WORKFLOW_STARTED else None
