"""The rows that follow from events, event by event (H2, H3, J4), and their bytes, which journals on disk have already."""

from __future__ import annotations

import pytest

import aion_trio.events as ev
from aion_trio.events import Raw
from aion_trio.history import WorkflowStatus
from aion_trio.journal import Changes, Projection, rows
from aion_trio.journal.projection import OpenChild, PendingActivity
from aion_trio.stores import Close, ObligationKind, Open
from tests.cli.histories import AT, raws

from .harm import started

RUN = b"r" * 16
SCHEDULED = raws()[1]
COMPLETED = raws()[3]
SENT: Raw = [ev.SIGNAL_SENT, AT, 1, "target", "word", b"", b"d" * 16]
TERMINATED: Raw = [ev.WORKFLOW_TERMINATED, AT, "enough"]


def after(*events: Raw) -> tuple[Projection, Changes]:
    """The fold of a history, and the rows of its last event."""
    projection = Projection()
    for raw in events[:-1]:
        projection.apply(raw)
    projection.take()
    projection.apply(events[-1])
    return projection, projection.take()


def named(changes: Changes) -> tuple[list[tuple[ObligationKind, bytes]], list[tuple[ObligationKind, bytes]]]:
    """Which rows are opened, and which are closed."""
    return [(each.kind, each.row) for each in changes.opens], [(each.kind, each.row) for each in changes.closes]


def test_keys_and_names_of_rows_are_these_bytes() -> None:
    """Journals that were written before hold them."""
    assert rows.row_of(1, 2) == b"\0\0\0\1\0\0\0\2"
    assert rows.at_close(rows.row_of(1, 2)) == b"\0\0\0\1\0\0\0\2\1"
    assert rows.command_of(rows.at_close(rows.row_of(1, 2))) == rows.row_of(1, 2)
    assert rows.run_and_ordinal(rows.at_close(rows.row_of(7, 9))) == (7, 9)
    assert rows.payload_of(3, "child", b"r") == b"\x83\x03\x65child\x41r"
    assert rows.fields_of(b"\x83\x03\x65child\x41r") == [3, "child", b"r"]
    assert rows.sender_mark(["s", b"r", 1]) == b"sender:\x83\x61s\x41r\x01"
    assert (rows.START_MARK, rows.SIGNAL_MARK, rows.CANCEL_MARK) == (b"start:", b"signal:", b"cancel:")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([[ev.WORKFLOW_PAUSED, AT, "", "me"]], WorkflowStatus.PAUSED),
        ([[ev.WORKFLOW_PAUSED, AT, "", "me"], [ev.WORKFLOW_RESUMED, AT, "", "me"]], WorkflowStatus.RUNNING),
        ([TERMINATED, [ev.WORKFLOW_REOPENED, AT, RUN, []]], WorkflowStatus.RUNNING),
    ],
    ids=["paused", "resumed", "reopened"],
)
def test_pause_resume_and_reopen_make_the_same_run_open(events: list[Raw], status: WorkflowStatus) -> None:
    """H3: Running and Paused are open."""
    projection, changes = after(started(), *events)
    assert (projection.open, projection.status, changes.summary) == (True, status, projection.summary())
    (run,) = changes.runs
    assert (run.run_no, run.run_id, run.status) == (1, RUN, status.number)
    assert (run.first_seq, run.last_seq, run.started_us, run.closed_us) == (1, 0, AT, 0)
    assert (run.type, run.version, run.parent_run_id) == ("checkout", 1, b"")


def test_a_closing_is_the_end_of_the_run_in_its_rows() -> None:
    projection, changes = after(started(), SCHEDULED, [ev.WORKFLOW_TERMINATED, AT + 9, "enough"])
    (run,) = changes.runs
    assert (run.status, run.last_seq, run.closed_us) == (WorkflowStatus.TERMINATED.number, 3, AT + 9)
    assert projection.summary().head == 3
    closed = [(ObligationKind.ACTIVITY, rows.row_of(1, 1)), (ObligationKind.WAKE_UP, b""), (ObligationKind.STEP, b"")]
    assert named(changes) == ([], closed)
    assert projection.activities == {}
    _, changes = after(started(), SCHEDULED, TERMINATED, [ev.WORKFLOW_REOPENED, AT, RUN, []], TERMINATED)
    assert named(changes) == ([], closed[1:])


def test_a_failed_attempt_owes_the_next_at_its_time() -> None:
    """A3."""
    scheduled: Raw = [*SCHEDULED[:2], 4, *SCHEDULED[3:]]
    failed: Raw = [ev.ACTIVITY_ATTEMPT_FAILED, AT, 4, 2, ["raised", "E", "", None, None, False], AT + 60]
    projection, changes = after(started(), scheduled)
    assert changes.opens == [Open(ObligationKind.ACTIVITY, rows.row_of(1, 4), 0, "default", rows.payload_of(2, 1))]
    assert projection.activities == {4: PendingActivity(seq=2, raw=scheduled, attempt=1, due_us=0)}
    projection, changes = after(started(), scheduled, failed)
    assert changes.opens == [Open(ObligationKind.ACTIVITY, rows.row_of(1, 4), AT + 60, "default", rows.payload_of(2, 3))]
    assert projection.activities == {4: PendingActivity(seq=2, raw=scheduled, attempt=3, due_us=AT + 60)}


def test_what_one_append_opens_and_closes_leaves_no_trace() -> None:
    """J9: and what was open before, and is replaced and closed in one append, is closed in the store."""
    projection = Projection()
    for raw in raws()[:3]:
        projection.apply(raw)
    assert named(projection.take()) == ([], [])
    failed: Raw = [ev.ACTIVITY_ATTEMPT_FAILED, AT, 1, 1, ["raised", "E", "", None, None, False], AT + 60]
    projection, _ = after(started(), SCHEDULED)
    projection.apply(failed)
    projection.apply(raws()[2])
    assert projection.take().closes == [Close(ObligationKind.ACTIVITY, rows.row_of(1, 1))]


@pytest.mark.parametrize("outcome", [[ev.SIGNAL_DELIVERED, AT, 1], [ev.SIGNAL_FAILED, AT, 1, "it is closed"]], ids=["delivered", "failed"])
def test_a_signal_is_owed_until_its_outcome_is_on_record(outcome: Raw) -> None:
    """S2: and an outcome that is told again finds nothing."""
    projection, changes = after(started(), SENT)
    assert changes.opens == [Open(ObligationKind.SIGNAL, rows.row_of(1, 1), 0, "", rows.payload_of(2, "target", RUN))]
    assert projection.signals == {1: 2}
    projection.apply(outcome)
    assert projection.signals == {}
    assert named(projection.take()) == ([], [(ObligationKind.SIGNAL, rows.row_of(1, 1))])
    projection.apply(outcome)
    assert named(projection.take()) == ([], [])


@pytest.mark.parametrize(
    ("raw", "marks"),
    [
        ([ev.SIGNAL_RECEIVED, AT, "word", b"", None, None], []),
        ([ev.SIGNAL_RECEIVED, AT, "word", b"", ["s", RUN, 1], None], [(rows.sender_mark(["s", RUN, 1]), b"")]),
        ([ev.SIGNAL_RECEIVED, AT, "word", b"", None, "once"], [(b"signal:once", b"")]),
        ([ev.CANCEL_REQUESTED, AT, "enough", None], []),
        ([ev.CANCEL_REQUESTED, AT, "enough", "once"], [(b"cancel:once", b"")]),
    ],
)
def test_what_is_to_have_one_effect_is_remembered(raw: Raw, marks: list[tuple[bytes, bytes]]) -> None:
    """S2, S6."""
    _, changes = after(started(), raw)
    assert [(mark.name, mark.value) for mark in changes.marks] == marks


def test_a_start_remembers_its_request_and_its_run() -> None:
    """S6."""
    projection = Projection()
    projection.apply(started("once"))
    assert projection.pending_mark(b"start:once") == RUN
    assert projection.pending_mark(b"start:twice") is None
    assert [(mark.name, mark.value) for mark in projection.take().marks] == [(b"start:once", RUN)]
    assert projection.pending_mark(b"start:once") is None


@pytest.mark.parametrize(
    ("policy", "asked_before", "terminate", "closed_kinds"),
    [
        (ev.ON_CLOSE_ABANDON, False, None, []),
        (ev.ON_CLOSE_ABANDON, True, None, []),
        (ev.ON_CLOSE_TERMINATE, False, True, [ObligationKind.CHILD_START]),
        (ev.ON_CLOSE_TERMINATE, True, True, [ObligationKind.CHILD_START, ObligationKind.CANCEL_REQUEST]),
        (ev.ON_CLOSE_CANCEL, False, False, [ObligationKind.CHILD_START]),
        (ev.ON_CLOSE_CANCEL, True, None, [ObligationKind.CHILD_START]),
    ],
)
def test_a_closing_applies_the_policy_to_each_open_child(
    policy: int, asked_before: bool, terminate: bool | None, closed_kinds: list[ObligationKind]
) -> None:
    """C3, L2: one that was asked to cancel is not asked again, and is terminated in place of it."""
    child: Raw = [ev.CHILD_WORKFLOW_STARTED, AT, 1, "child", "checkout", 1, b"", b"d" * 16, policy, {}, None, None]
    asked: list[Raw] = [[ev.CHILD_CANCEL_REQUESTED, AT, 1, "enough"]] if asked_before else []
    projection, changes = after(started(), child, *asked, COMPLETED)
    owed = [(each.row, rows.fields_of(each.payload)) for each in changes.opens if each.kind is ObligationKind.CANCEL_REQUEST]
    row = rows.row_of(1, 1)
    expected = [(rows.at_close(row), [projection.head, "child", RUN, terminate, "its parent closed"])]
    assert owed == (expected if terminate is not None else [])
    assert [each.kind for each in changes.closes if each.row == row] == closed_kinds


def test_a_second_request_to_cancel_a_child_owes_nothing_more() -> None:
    """K9."""
    child: Raw = [ev.CHILD_WORKFLOW_STARTED, AT, 1, "child", "checkout", 1, b"", b"d" * 16, ev.ON_CLOSE_ABANDON, {}, None, None]
    _, changes = after(started(), child, [ev.CHILD_CANCEL_REQUESTED, AT, 1, "enough"])
    (opened,) = changes.opens
    assert (opened.row, rows.fields_of(opened.payload)) == (rows.row_of(1, 1), [3, "child", RUN, False, "enough"])
    _, changes = after(started(), child, [ev.CHILD_CANCEL_REQUESTED, AT, 1, "enough"], [ev.CHILD_CANCEL_REQUESTED, AT, 1, "again"])
    assert named(changes) == ([], [])


def test_attributes_are_set_and_taken_away() -> None:
    projection, changes = after(started(), [ev.ATTRIBUTES_UPDATED, AT, {"shop": None, "team": "red", "none": None}])
    assert changes.summary is not None
    assert changes.summary.attributes == projection.attributes == {"team": "red"}


def test_a_history_that_the_store_has_already_makes_no_row_again() -> None:
    projection = Projection()
    projection.reading = True
    for raw in (started(), SCHEDULED, SENT, TERMINATED):
        projection.apply(raw)
    projection.reading = False
    assert named(projection.take()) == ([], [])
    assert (projection.open, projection.status, projection.head) == (False, WorkflowStatus.TERMINATED, 4)


def test_a_run_with_a_time_out_has_a_deadline_from_its_start() -> None:
    """T4."""
    timed = started()
    timed[11] = 500
    assert after(timed)[0].deadline_us == AT + 500
    assert after(started())[0].deadline_us is None


def test_a_childs_closing_closes_what_is_owed_for_it() -> None:
    """J9: its start, and the request to cancel it if there was one."""
    child: Raw = [ev.CHILD_WORKFLOW_STARTED, AT, 1, "child", "checkout", 1, b"", b"d" * 16, ev.ON_CLOSE_ABANDON, {}, None, None]
    asked: Raw = [ev.CHILD_CANCEL_REQUESTED, AT, 1, "enough"]
    ended: Raw = [ev.CHILD_WORKFLOW_COMPLETED, AT, 1, b""]
    start, request = (ObligationKind.CHILD_START, rows.row_of(1, 1)), (ObligationKind.CANCEL_REQUEST, rows.row_of(1, 1))
    projection, changes = after(started(), child, ended)
    assert (named(changes), projection.children) == (([], [start]), {})
    assert named(after(started(), child, asked, ended)[1]) == ([], [start, request])


def test_a_row_that_is_closed_opened_and_closed_in_one_append_is_closed_in_the_store() -> None:
    """J9: it was open before."""
    projection, _ = after(started(), SCHEDULED)
    row = rows.row_of(1, 1)
    projection.close_row(ObligationKind.ACTIVITY, row)
    projection.open_row(ObligationKind.ACTIVITY, row)
    projection.close_row(ObligationKind.ACTIVITY, row)
    assert named(projection.take()) == ([], [(ObligationKind.ACTIVITY, row)])


def test_a_child_is_waited_for_until_its_closing_and_asked_to_cancel_no_later() -> None:
    """C2, C3: and what is told again of one that has ended closes no request that another may have made."""
    child: Raw = [ev.CHILD_WORKFLOW_STARTED, AT, 3, "child", "checkout", 1, b"", b"d" * 16, ev.ON_CLOSE_CANCEL, {}, None, None]
    ended: Raw = [ev.CHILD_WORKFLOW_FAILED, AT, 3, ["raised", "E", "", None, None, False]]
    asked: Raw = [ev.CHILD_CANCEL_REQUESTED, AT, 3, "enough"]
    projection, changes = after(started(), child)
    assert projection.children == {3: OpenChild(seq=2, child_id="child", on_parent_close=ev.ON_CLOSE_CANCEL, cancel_requested=False)}
    assert projection.last_child == 3
    assert changes.opens == [Open(ObligationKind.CHILD_START, rows.row_of(1, 3), 0, "", rows.payload_of(2, "child", RUN))]
    assert named(after(started(), child, ended, asked)[1]) == ([], [])
    assert named(after(started(), child, ended, ended)[1]) == ([], [(ObligationKind.CHILD_START, rows.row_of(1, 3))])
    at_once = Projection()
    for raw in (started(), child, ended, ended):
        at_once.apply(raw)
    assert named(at_once.take())[0] == []


def test_an_outcome_of_an_activity_that_is_not_pending_closes_nothing() -> None:
    """A1: its row may be open again, for nobody else than the one who opened it."""
    assert named(after(started(), SCHEDULED, raws()[2], raws()[2])[1]) == ([], [])


def test_what_is_owed_by_the_engine_itself_is_put_in_the_place_of_what_was_owed_before() -> None:
    """J9: the step, which no event tells of, and the wake-up."""
    projection, _ = after(started())
    projection.replace_row(ObligationKind.STEP, b"")
    projection.open_row(ObligationKind.WAKE_UP, b"", due_us=7)
    projection.replace_row(ObligationKind.WAKE_UP, b"", due_us=9)
    assert projection.take() == Changes(opens=[Open(ObligationKind.STEP, b"", 0, "", b""), Open(ObligationKind.WAKE_UP, b"", 9, "", b"")])
    projection.replace_row(ObligationKind.STEP, b"")
    projection.close_row(ObligationKind.STEP, b"")
    assert projection.take() == Changes(closes=[Close(ObligationKind.STEP, b"")])
    projection.open_row(ObligationKind.WAKE_UP, b"", due_us=7)
    projection.replace_row(ObligationKind.WAKE_UP, b"", due_us=9)
    projection.close_row(ObligationKind.WAKE_UP, b"")
    assert projection.take() == Changes()
    projection.open_row(ObligationKind.STEP, b"")
    assert projection.take().opens == [Open(ObligationKind.STEP, b"", 0, "", b"")]
