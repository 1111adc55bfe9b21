"""Small appends and rows, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from aion_trio.stores import Append, AttributeValue, Close, Mark, ObligationKind, Open, RunRow, Store, Summary, WorkflowKey

RUNNING, COMPLETED, FAILED = 1, 2, 3


def key(workflow_id: str = "w", namespace: str = "default") -> WorkflowKey:
    return WorkflowKey(namespace, workflow_id)


def events(workflow: WorkflowKey, expected_seq: int, count: int = 1, data: bytes = b"e") -> Append:
    """An append of `count` events that are `count` times `data`."""
    return Append(workflow, expected_seq, data * count, count)


def summary(
    status: int = RUNNING,
    *,
    type_name: str = "checkout",
    started_us: int = 1000,
    closed_us: int = 0,
    head: int = 0,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Summary:
    return Summary(type_name, 1, status, b"run-1", 1, 1, started_us, closed_us, head, "", attributes or {})


def start(workflow: WorkflowKey, projection: Summary | None = None) -> Append:
    """The first append of a workflow: one event and its summary."""
    return Append(workflow, 0, b"started", 1, projection or summary())


def opens(workflow: WorkflowKey, expected_seq: int, *rows: Open) -> Append:
    return Append(workflow, expected_seq, b"e", 1, opens=rows)


def closes(workflow: WorkflowKey, expected_seq: int, *rows: Close) -> Append:
    return Append(workflow, expected_seq, b"e", 1, closes=rows)


def run(number: int, parent: bytes = b"", *, run_id: bytes | None = None) -> RunRow:
    return RunRow(run_id or b"run-%d" % number, number, parent, 1, "checkout", 1, RUNNING, number, 0, 1000 + number, 0)


def wake_up(row: bytes = b"", due_us: int = 0, queue: str = "", payload: bytes = b"") -> Open:
    return Open(ObligationKind.WAKE_UP, row, due_us, queue, payload)


def activity(row: bytes, due_us: int = 0, queue: str = "default", payload: bytes = b"") -> Open:
    return Open(ObligationKind.ACTIVITY, row, due_us, queue, payload)


def mark(name: bytes, value: bytes = b"") -> Mark:
    return Mark(name, value)


def write(store: Store, *appends: Append) -> int:
    """Apply in one batch and require that all of it is taken; the last head."""
    heads = [outcome for outcome in store.apply(appends) if isinstance(outcome, int)]
    assert len(heads) == len(appends)
    return heads[-1]


def full_workflow(workflow: WorkflowKey) -> list[Append]:
    """A workflow with a row of every kind: events, summary, run, obligations in two queues, a mark."""
    projection = summary(attributes={"region": "eu", "cents": -5, "rate": 0.5, "vip": True})
    first = Append(workflow, 0, b"started", 1, projection, [run(1)], [wake_up(due_us=30)], (), [mark(b"request-1", b"outcome")])
    rows = [activity(b"\x00\x01", 10, "default", b"input"), activity(b"\x00\x02", 5, "gpu")]
    return [first, Append(workflow, 1, b"ab", 2, opens=rows)]
