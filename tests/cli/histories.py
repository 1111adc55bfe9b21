"""A small history, made by hand, as export lines."""

from __future__ import annotations

import aion_trio.events as ev
from aion_trio.codec import encode, to_line
from aion_trio.events import Raw
from aion_trio.stores import WorkflowKey

KEY = WorkflowKey("default", "order-1")
AT = 1_767_225_600_000_000


def raws() -> list[Raw]:
    """A run with one activity that is done, and the close of the run."""
    started: Raw = [
        ev.WORKFLOW_STARTED,
        AT,
        "checkout",
        1,
        b"r" * 16,
        b"",
        0,
        encode([1]),
        [],
        None,
        0,
        None,
        {"shop": "Ulm"},
        1,
        None,
        None,
    ]
    return [
        started,
        [ev.ACTIVITY_SCHEDULED, AT, 1, "charge", encode([42]), b"d" * 16, "default", [None, None, None, None, None, "task"]],
        [ev.ACTIVITY_COMPLETED, AT + 5, 1, encode("receipt"), 1],
        [ev.WORKFLOW_COMPLETED, AT + 5, encode("receipt")],
    ]


def lines(count: int = 4, workflow_id: str = "order-1") -> list[str]:
    """The first `count` events."""
    return [to_line(workflow_id, "default", seq, raw) for seq, raw in enumerate(raws()[:count], 1)]
