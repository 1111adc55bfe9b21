"""How a run begins: one function for each origin, used by the live path and by the sweeps alike.

A start, a child and a successor differ only in where their fields come from; every one of them is a `WorkflowStarted`
that is built here and nowhere else, so what recovery starts equals what the live path would have started (R3, R4, N1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import events as ev
from ..codec import Codec
from ..definitions import WorkflowDefinition
from ..events import Raw
from ..kernel import KERNEL_VERSION
from ..stores.contract import AttributeValue

AnyWorkflow = WorkflowDefinition[..., Any]


def first_run(
    definition: AnyWorkflow,
    run_id: bytes,
    payload: bytes,
    *,
    origin: int = ev.ORIGIN_FIRST,
    timeout_us: int | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
    request_id: str | None = None,
) -> Raw:
    """The start of a chain that somebody asked for; `recorded_at` is still to be set."""
    return [
        ev.WORKFLOW_STARTED, 0, definition.name, definition.version, run_id, b"", origin, payload, [], None,
        ev.ON_CLOSE_TERMINATE, timeout_us if timeout_us is not None else definition.timeout_us, dict(attributes or {}),
        KERNEL_VERSION, request_id, None,
    ]  # fmt: skip


def child_run(cause: Raw, parent: list[Any], run_id: bytes) -> Raw:
    """The start that a parent recorded as `cause` (a raw `ChildWorkflowStarted`): its type, version, input, attributes (R3)."""
    _, _, _, _, type_name, version, payload, _, on_parent_close, attributes, timeout_us, trace = cause[:12]
    return [
        ev.WORKFLOW_STARTED, 0, type_name, version, run_id, b"", ev.ORIGIN_FIRST, payload, [], parent,
        on_parent_close, timeout_us, dict(attributes), KERNEL_VERSION, None, trace,
    ]  # fmt: skip


def began_as_recorded(started: Raw, cause: Raw, codec: Codec) -> bool:
    """Whether a child began with the type, version, input, policy and time-out that `cause` names (R3).

    It did not where a parent whose history was cut in front of the child was taken over, and went another way since.
    """
    of_child, of_parent = started[7], cause[6]
    same_input = of_child == of_parent or codec.unwrap(of_child) == codec.unwrap(of_parent)
    return bool(same_input and [*started[2:4], *started[10:12]] == [*cause[4:6], cause[8], cause[10]])


def successor_run(continued: Raw, closing: Raw, definition: AnyWorkflow, attributes: Mapping[str, Any], run_id: bytes) -> Raw:
    """The successor of the run that started with `continued` and ended with `closing` (R4, N1, S3)."""
    _, _, continued_run_id, payload, _, carried, _ = closing[:7]
    return [
        ev.WORKFLOW_STARTED, 0, definition.name, definition.version, run_id, continued_run_id, ev.ORIGIN_CONTINUED, payload,
        carried, continued[9], continued[10], continued[11], dict(attributes), KERNEL_VERSION, None, continued[15],
    ]  # fmt: skip
