"""The engine's descriptions as wire models, and back: both sides use the classes of `engine`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..codec.plain import decode, encode
from ..engine import ParentLink, PendingActivity, PendingChild, WorkflowDescription, WorkflowSummary
from ..history import WorkflowStatus
from ..recovery import RecoveryReport
from ..recovery.report import Quarantined
from ..stores.contract import AttributeValue
from ..supervision import Exit, Node
from . import models
from .models import StatusName
from .values import Json, value_from_json, value_to_json


def attributes_to_json(attributes: Mapping[str, AttributeValue]) -> dict[str, Json]:
    """Attributes on the wire."""
    return {name: value_to_json(decode(encode(value))) for name, value in attributes.items()}


def attributes_from_json(attributes: Mapping[str, Json]) -> dict[str, Any]:
    """Attributes from the wire, not yet checked."""
    return {name: value_from_json(value, f"attributes.{name}") for name, value in attributes.items()}


def status_name(status: WorkflowStatus) -> StatusName:
    """A status on the wire."""
    return status.value


def summary_to_wire(summary: WorkflowSummary) -> models.Summary:
    """A listing's line on the wire."""
    return models.Summary(
        id=summary.id,
        run_id=summary.run_id,
        type=summary.type,
        status=status_name(summary.status),
        started_at=summary.started_at,
        closed_at=summary.closed_at,
        attributes=attributes_to_json(summary.attributes),
    )


def summary_from_wire(summary: models.Summary) -> WorkflowSummary:
    """A listing's line from the wire."""
    return WorkflowSummary(
        id=summary.id,
        run_id=summary.run_id,
        type=summary.type,
        status=WorkflowStatus(summary.status),
        started_at=summary.started_at,
        closed_at=summary.closed_at,
        attributes=attributes_from_json(summary.attributes),
    )


def description_to_wire(found: WorkflowDescription) -> models.Description:
    """A description on the wire."""
    return models.Description(
        id=found.id,
        run_id=found.run_id,
        type=found.type,
        version=found.version,
        status=status_name(found.status),
        started_at=found.started_at,
        closed_at=found.closed_at,
        attributes=attributes_to_json(found.attributes),
        history_length=found.history_length,
        history_bytes=found.history_bytes,
        pending_activities=[models.PendingActivity(**each._asdict()) for each in found.pending_activities],
        pending_children=[models.PendingChild(**each._asdict()) for each in found.pending_children],
        next_wakeup=found.next_wakeup,
        parent=None if found.parent is None else models.ParentLink(**found.parent._asdict()),
        quarantine=found.quarantine,
    )


def description_from_wire(found: models.Description) -> WorkflowDescription:
    """A description from the wire."""
    parent = found.parent
    return WorkflowDescription(
        id=found.id,
        run_id=found.run_id,
        type=found.type,
        version=found.version,
        status=WorkflowStatus(found.status),
        started_at=found.started_at,
        closed_at=found.closed_at,
        attributes=attributes_from_json(found.attributes),
        history_length=found.history_length,
        history_bytes=found.history_bytes,
        pending_activities=tuple(
            PendingActivity(each.ordinal, each.type, each.attempt, each.due, each.queue, each.served) for each in found.pending_activities
        ),
        pending_children=tuple(PendingChild(each.ordinal, each.id) for each in found.pending_children),
        next_wakeup=found.next_wakeup,
        parent=None if parent is None else ParentLink(parent.workflow_id, parent.run_id, parent.ordinal),
        quarantine=found.quarantine,
    )


def recovery_to_wire(report: RecoveryReport, quarantined_now: Mapping[str, str]) -> models.Recovery:
    """A recovery report on the wire, with what is quarantined at this moment."""
    return models.Recovery(
        children_started=report.children_started,
        successors_started=report.successors_started,
        results_delivered=report.results_delivered,
        signals_delivered=report.signals_delivered,
        wakeups_due=report.wakeups_due,
        activities_resumed=report.activities_resumed,
        quarantined=[models.QuarantinedWorkflow(**each._asdict()) for each in report.quarantined],
        seconds=report.seconds,
        quarantined_now=[models.QuarantinedWorkflow(workflow_id=id, reason=why) for id, why in sorted(quarantined_now.items())],
    )


def recovery_from_wire(report: models.Recovery) -> RecoveryReport:
    """A recovery report from the wire."""
    return RecoveryReport(
        children_started=report.children_started,
        successors_started=report.successors_started,
        results_delivered=report.results_delivered,
        signals_delivered=report.signals_delivered,
        wakeups_due=report.wakeups_due,
        activities_resumed=report.activities_resumed,
        quarantined=tuple(Quarantined(each.workflow_id, each.reason) for each in report.quarantined),
        seconds=report.seconds,
    )


def node_to_wire(node: Node, most: int = 1000) -> models.TreeNode:
    """A supervision tree on the wire; under one node at most `most` children."""
    return models.TreeNode(
        path=node.path,
        name=node.name,
        kind=node.kind,
        state=node.state,
        runs=node.runs,
        up_for=node.up_for,
        queued=node.queued,
        last_exit=None if node.last_exit is None else _ending(node.last_exit),
        children=[node_to_wire(child, most) for child in node.children[:most]],
    )


def node_from_wire(node: models.TreeNode) -> Node:
    """A supervision tree from the wire, without the exceptions of its exits."""
    return Node(
        path=node.path,
        name=node.name,
        kind=node.kind,
        state=node.state,
        runs=node.runs,
        up_for=node.up_for,
        queued=node.queued,
        last_exit=None,
        children=tuple(node_from_wire(child) for child in node.children),
    )


def _ending(exit: Exit) -> str:
    return f"raised {exit.error!r}" if exit.error is not None else exit.how
