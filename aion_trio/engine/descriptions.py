"""What the engine tells of a workflow: a line of a listing, and everything that is known of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from ..events import datetime_of
from ..history import WorkflowStatus
from ..journal import Journal, Projection
from ..journal.rows import fields_of, run_and_ordinal
from ..stores.contract import AttributeValue, Obligation, ObligationKind, RunRow, Summary, WorkflowKey


class ParentLink(NamedTuple):
    """The workflow that started this one as a child."""

    workflow_id: str
    run_id: str
    ordinal: int


class PendingActivity(NamedTuple):
    """An activity without an outcome.

    `due` is when its attempt may start; `served` is False while no function of its type is loaded (A7).
    """

    ordinal: int
    type: str
    attempt: int
    due: datetime
    queue: str
    served: bool


class PendingChild(NamedTuple):
    """A recorded child whose closing is not recorded yet."""

    ordinal: int
    id: str


@dataclass(frozen=True, slots=True)
class WorkflowSummary:
    """One line of a listing: the newest run of an id."""

    id: str
    run_id: str
    type: str
    status: WorkflowStatus
    started_at: datetime
    closed_at: datetime | None
    attributes: Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class WorkflowDescription:
    """Everything that is known of a run, the newest unless another was asked for, from what is durable.

    `history_length` counts the events of all runs of the id up to this one and `history_bytes` what they take before compression.
    `next_wakeup` is when the run will be woken if nothing happens before. `quarantine` says why the run cannot go on, None
    if it can.
    """

    id: str
    run_id: str
    type: str
    version: int
    status: WorkflowStatus
    started_at: datetime
    closed_at: datetime | None
    attributes: Mapping[str, AttributeValue]
    history_length: int
    history_bytes: int
    pending_activities: tuple[PendingActivity, ...]
    pending_children: tuple[PendingChild, ...]
    next_wakeup: datetime | None
    parent: ParentLink | None
    quarantine: str | None


def moment(us: int) -> datetime | None:
    """The datetime of a row's time, None where it is 0."""
    return datetime_of(us) if us else None


def summary_of(key: WorkflowKey, summary: Summary) -> WorkflowSummary:
    """A listing's line from a projection row."""
    return WorkflowSummary(
        id=key.workflow_id,
        run_id=summary.run_id.hex(),
        type=summary.type,
        status=WorkflowStatus.of_number(summary.status),
        started_at=datetime_of(summary.started_us),
        closed_at=moment(summary.closed_us),
        attributes=dict(summary.attributes),
    )


def description_of(
    journal: Journal, key: WorkflowKey, summary: Summary, served: frozenset[str], quarantine: str | None
) -> WorkflowDescription:
    """The description of a workflow from its rows and the events of its newest run."""
    projection, size = _fold(journal, key, summary.first_seq, summary.run_no)
    owed = journal.obligations_of(key)
    wakeup = next((row.due_us for row in owed if row.kind is ObligationKind.WAKE_UP), 0)
    return replace(
        _closed_description(key, summary, projection, size),
        pending_activities=tuple(_activity(row, projection, served) for row in owed if row.kind is ObligationKind.ACTIVITY),
        pending_children=tuple(PendingChild(n, child.child_id) for n, child in projection.children.items()) if projection.open else (),
        next_wakeup=moment(wakeup),
        quarantine=quarantine,
    )


def description_of_run(journal: Journal, key: WorkflowKey, run: RunRow) -> WorkflowDescription:
    """The description of a run behind which there is a newer one: it is closed, and nothing that is pending is its own."""
    projection, size = _fold(journal, key, run.first_seq, run.run_no, run.last_seq)
    return _closed_description(key, projection.summary(), projection, size)


def _closed_description(key: WorkflowKey, summary: Summary, projection: Projection, size: int) -> WorkflowDescription:
    return WorkflowDescription(
        id=key.workflow_id,
        run_id=summary.run_id.hex(),
        type=summary.type,
        version=summary.version,
        status=WorkflowStatus.of_number(summary.status),
        started_at=datetime_of(summary.started_us),
        closed_at=moment(summary.closed_us),
        attributes=dict(summary.attributes),
        history_length=projection.head,
        history_bytes=size,
        pending_activities=(),
        pending_children=(),
        next_wakeup=None,
        parent=_parent(projection),
        quarantine=None,
    )


def _fold(journal: Journal, key: WorkflowKey, run_seq: int, run_no: int, last_seq: float = math.inf) -> tuple[Projection, int]:
    projection, size = Projection(run_seq - 1, run_no), 0
    for first_seq, raws, size_bytes in journal.pages(key):
        if first_seq > last_seq:
            break
        size += size_bytes
        for seq, raw in enumerate(raws, first_seq):
            if run_seq <= seq <= last_seq:
                projection.apply(raw)
    return projection, size


def _activity(row: Obligation, projection: Projection, served: frozenset[str]) -> PendingActivity:
    _, attempt = fields_of(row.payload)
    ordinal = run_and_ordinal(row.row)[1]
    pending = projection.activities.get(ordinal)
    type_name, scheduled_us = ("", 0) if pending is None else (pending.raw[3], pending.raw[1])
    return PendingActivity(ordinal, type_name, attempt, datetime_of(row.due_us or scheduled_us), row.queue, type_name in served)


def _parent(projection: Projection) -> ParentLink | None:
    if projection.parent is None:
        return None
    workflow_id, run_id, ordinal = projection.parent
    return ParentLink(workflow_id, run_id.hex(), ordinal)
