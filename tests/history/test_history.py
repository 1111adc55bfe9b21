"""Status, closing and chains are functions of history alone (H3, H4, H5, H6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aion_trio import events as ev
from aion_trio.errors import BrokenChainError
from aion_trio.history import WorkflowStatus, chain_with, chains, closing_of, status_of

RUN, NEXT = b"r" * 16, b"n" * 16


def started(run_id: bytes = RUN, parent: bytes = b"") -> list[Any]:
    return [ev.WORKFLOW_STARTED, 1, "double", 1, run_id, parent, 0, b"\x80", [], None, 0, None, {}, 1, None, None]


LIFECYCLE = [
    ([started()], WorkflowStatus.RUNNING),
    ([started(), [ev.WORKFLOW_PAUSED, 2, "", ""]], WorkflowStatus.PAUSED),
    ([started(), [ev.WORKFLOW_PAUSED, 2, "", ""], [ev.WORKFLOW_RESUMED, 3, "", ""]], WorkflowStatus.RUNNING),
    ([started(), [ev.WORKFLOW_COMPLETED, 2, b"\x01"]], WorkflowStatus.COMPLETED),
    ([started(), [ev.WORKFLOW_FAILED, 2, []]], WorkflowStatus.FAILED),
    ([started(), [ev.WORKFLOW_CANCELLED, 2, ""]], WorkflowStatus.CANCELLED),
    ([started(), [ev.WORKFLOW_TERMINATED, 2, ""]], WorkflowStatus.TERMINATED),
    ([started(), [ev.WORKFLOW_TIMED_OUT, 2, "run"]], WorkflowStatus.TIMED_OUT),
    ([started(), [ev.WORKFLOW_CONTINUED_AS_NEW, 2, RUN, b"", None, [], None]], WorkflowStatus.CONTINUED_AS_NEW),
    ([started(), [ev.WORKFLOW_FAILED, 2, []], [ev.WORKFLOW_REOPENED, 3, RUN, []]], WorkflowStatus.RUNNING),
    ([started(), [ev.SIGNAL_RECEIVED, 2, "go", b"", None, None]], WorkflowStatus.RUNNING),
]


@pytest.mark.parametrize(("raws", "status"), LIFECYCLE, ids=lambda value: value.value if isinstance(value, WorkflowStatus) else "")
def test_the_newest_lifecycle_event_decides(raws: list[list[Any]], status: WorkflowStatus) -> None:
    """H3."""
    assert status_of(raws) is status


def test_an_empty_history_has_no_status() -> None:
    """H3."""
    assert status_of([]) is None


def test_running_and_paused_are_open_and_the_rest_are_closed() -> None:
    """H3."""
    assert [status for status in WorkflowStatus if status.open] == [WorkflowStatus.RUNNING, WorkflowStatus.PAUSED]


def test_statuses_keep_their_numbers() -> None:
    """They are in index rows: a changed number is a format change."""
    assert [(status.number, status.value) for status in WorkflowStatus] == [
        (1, "running"), (2, "paused"), (3, "completed"), (4, "failed"), (5, "cancelled"), (6, "terminated"), (7, "timed_out"),
        (8, "continued_as_new"),
    ]  # fmt: skip
    assert all(WorkflowStatus.of_number(status.number) is status for status in WorkflowStatus)


def test_a_closing_belongs_to_its_run_and_its_lease() -> None:
    """H4: not that of another run, not one from before a reopening, and the first of a lease."""
    closed = [ev.WORKFLOW_FAILED, 2, []]
    assert closing_of([started()], RUN) is None
    assert closing_of([started(), closed], RUN) == (1, closed)
    assert closing_of([started(), closed, [ev.WORKFLOW_REOPENED, 3, RUN, []]], RUN) is None
    assert closing_of([started(), closed, started(NEXT)], NEXT) is None
    assert closing_of([started(), closed, started(NEXT)], RUN) == (1, closed)


@dataclass
class Run:
    run_id: bytes
    parent_run_id: bytes
    status: int
    first_seq: int


def runs(*shape: tuple[str, str, WorkflowStatus]) -> list[Run]:
    return [Run(run.encode(), parent.encode(), status.number, 10 * n + 1) for n, (run, parent, status) in enumerate(shape)]


CONTINUED, COMPLETED, RUNNING = WorkflowStatus.CONTINUED_AS_NEW, WorkflowStatus.COMPLETED, WorkflowStatus.RUNNING


def test_runs_form_chains_with_one_root_each() -> None:
    """H5."""
    rows = runs(("a", "", CONTINUED), ("b", "a", COMPLETED), ("c", "", CONTINUED), ("d", "c", CONTINUED), ("e", "d", RUNNING))
    assert [[run.run_id for run in chain] for chain in chains(rows, "w")] == [[b"a", b"b"], [b"c", b"d", b"e"]]
    assert [run.run_id for run in chain_with(rows, b"d", "w")] == [b"c", b"d", b"e"]
    assert chain_with(rows, b"x", "w") == []


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (runs(("a", "", CONTINUED), ("b", "x", RUNNING)), "is not the run before it"),
        (runs(("a", "", COMPLETED), ("b", "a", RUNNING)), "did not continue as new"),
        (runs(("a", "", CONTINUED), ("b", "", RUNNING)), "a successor is owed"),
        (runs(("a", "", RUNNING), ("b", "", RUNNING)), "while a run is open"),
        (runs(("a", "z", RUNNING)), "is not the run before it"),
    ],
    ids=["unknown parent", "parent closed otherwise", "root where a successor is owed", "root beside an open run", "no root"],
)
def test_a_broken_chain_names_the_event(rows: list[Run], what: str) -> None:
    """H5: an error, not a partial answer."""
    with pytest.raises(BrokenChainError, match=what) as caught:
        chains(rows, "w")
    assert f"event {rows[-1].first_seq}" in str(caught.value)
