"""From events to rows: what each event opens, closes and changes, together in one append or apart (H2, R2, L2)."""

from __future__ import annotations

import pytest

import aion_trio.events as ev
from aion_trio.events import Raw
from aion_trio.history import WorkflowStatus
from aion_trio.journal import Projection
from aion_trio.journal.projection import Changes
from aion_trio.journal.rows import at_close, fields_of, row_of
from aion_trio.stores import ObligationKind
from tests.cli.histories import AT, raws

from .harm import started

SCHEDULED = raws()[1]
ATTEMPT_FAILED: Raw = [ev.ACTIVITY_ATTEMPT_FAILED, AT, 1, 1, None, AT + 7]
COMPLETED = raws()[2]
CLOSED = raws()[3]
SENT: Raw = [ev.SIGNAL_SENT, AT, 1, "target", "word", b"", b"d" * 16]
DELIVERED: Raw = [ev.SIGNAL_DELIVERED, AT, 1]
ASKED: Raw = [ev.CHILD_CANCEL_REQUESTED, AT, 1, "enough"]


def child(policy: int) -> Raw:
    return [ev.CHILD_WORKFLOW_STARTED, AT, 1, "child", "checkout", 1, b"", b"d" * 16, policy, {}, None, None]


def changes(*events: Raw) -> Changes:
    """Of all these events in one append."""
    projection = Projection()
    for raw in events:
        projection.apply(raw)
    return projection.take()


def rows(found: Changes) -> list[tuple[ObligationKind, bytes]]:
    return [(opened.kind, opened.row) for opened in found.opens]


def test_an_activity_that_fails_and_is_done_within_one_append_leaves_no_row() -> None:
    assert rows(changes(started(), SCHEDULED, ATTEMPT_FAILED)) == [(ObligationKind.ACTIVITY, row_of(1, 1))]
    assert changes(started(), SCHEDULED, ATTEMPT_FAILED).opens[0].due_us == AT + 7
    done = changes(started(), SCHEDULED, ATTEMPT_FAILED, COMPLETED)
    assert rows(done) == [] and done.closes == []


def test_an_activity_that_was_owed_before_is_closed_by_the_append_that_tries_it_again_and_has_its_outcome() -> None:
    projection = Projection()
    for raw in (started(), SCHEDULED):
        projection.apply(raw)
    projection.take()
    for raw in (ATTEMPT_FAILED, COMPLETED):
        projection.apply(raw)
    done = projection.take()
    assert rows(done) == [] and [(closed.kind, closed.row) for closed in done.closes] == [(ObligationKind.ACTIVITY, row_of(1, 1))]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ([ev.WORKFLOW_PAUSED, AT, "lunch", "Ada"], WorkflowStatus.PAUSED),
        ([ev.WORKFLOW_RESUMED, AT, "Ada"], WorkflowStatus.RUNNING),
        ([ev.WORKFLOW_REOPENED, AT, b"r" * 16, []], WorkflowStatus.RUNNING),
    ],
)
def test_an_event_of_an_operator_changes_the_status_of_the_run_and_of_the_id(event: Raw, status: WorkflowStatus) -> None:
    before = (started(), CLOSED) if event[0] == ev.WORKFLOW_REOPENED else (started(),)
    found = changes(*before, event)
    assert found.summary is not None
    assert (found.summary.status, found.summary.head, found.summary.closed_us) == (status.number, 0, 0)
    assert [(run.status, run.last_seq, run.closed_us) for run in found.runs] == [(status.number, 0, 0)]


@pytest.mark.parametrize("policy", [ev.ON_CLOSE_TERMINATE, ev.ON_CLOSE_CANCEL, ev.ON_CLOSE_ABANDON])
@pytest.mark.parametrize("asked", [False, True])
def test_a_parent_that_closes_owes_its_child_what_the_policy_says_once(policy: int, asked: bool) -> None:
    """C3: a child that was asked to cancel is not asked again, but is terminated where the policy says so."""
    found = changes(started(), child(policy), *([ASKED] if asked else []), CLOSED)
    owed = {opened.row: fields_of(opened.payload)[3:] for opened in found.opens if opened.kind is ObligationKind.CANCEL_REQUEST}
    before, at_end = row_of(1, 1), at_close(row_of(1, 1))
    if policy == ev.ON_CLOSE_TERMINATE:
        assert owed == {at_end: [True, "its parent closed"]}
    elif asked:
        assert owed == {before: [False, "enough"]}
    else:
        assert owed == ({at_end: [False, "its parent closed"]} if policy == ev.ON_CLOSE_CANCEL else {})


def test_what_is_told_twice_changes_nothing_the_second_time() -> None:
    """C3, S2: a request to cancel a child, and the outcome of a signal."""
    assert changes(started(), child(ev.ON_CLOSE_CANCEL), ASKED, [*ASKED[:3], "again"]) == changes(
        started(), child(ev.ON_CLOSE_CANCEL), ASKED
    )
    projection = Projection()
    for raw in (started(), SENT, DELIVERED):
        projection.apply(raw)
    projection.take()
    projection.apply(DELIVERED)
    assert projection.take() == Changes()
