"""The rows of runs that follow each other under one id: what each is, owes and has of the one before (H2, H5, R4)."""

from __future__ import annotations

import aion_trio.events as ev
from aion_trio.events import Raw
from aion_trio.history import WorkflowStatus
from aion_trio.journal import Changes, Projection, rows
from aion_trio.stores import Mark, ObligationKind, RunRow, Summary
from tests.cli.histories import AT

from .harm import started
from .test_rows_of_each_event import RUN, SCHEDULED, SENT, TERMINATED, after, named

CONTINUED: Raw = [ev.WORKFLOW_CONTINUED_AS_NEW, AT + 9, RUN, b"", None, [], None]


def successor() -> Raw:
    """The start of the run that goes on as new, in which no field is that of the first."""
    raw = started("again", parent=["parent", b"p" * 16, 4])
    raw[1:7] = [AT + 10, "audit", 5, b"s" * 16, RUN, 2]
    return raw


def test_a_start_is_the_run_of_its_row_and_of_the_summary() -> None:
    """H2, H5: and a chain goes on with the next number."""
    projection, changes = after(started(), CONTINUED, successor())
    running = WorkflowStatus.RUNNING.number
    assert changes.runs == [
        RunRow(
            run_id=b"s" * 16, run_no=2, parent_run_id=RUN, origin=2, type="audit", version=5, status=running, first_seq=3, last_seq=0,
            started_us=AT + 10, closed_us=0,
        )
    ]  # fmt: skip
    assert changes.summary == Summary(
        type="audit", version=5, status=running, run_id=b"s" * 16, run_no=2, first_seq=3, started_us=AT + 10, closed_us=0, head=0,
        parent_id="parent", attributes={"shop": "Ulm"},
    )  # fmt: skip
    assert changes.marks == [Mark(b"start:again", b"s" * 16)]
    assert (projection.current, projection.last_at_us) == (changes.runs[0], AT + 10)


def test_a_run_that_goes_on_as_new_owes_its_successor_until_that_has_started() -> None:
    """R4, J9: a start after another end has no such row to close."""
    successors_row = (ObligationKind.RUN_START, rows.row_of(1, 0))
    _, changes = after(started(), CONTINUED)
    assert [(each.kind, each.row) for each in changes.opens] == [successors_row]
    assert rows.fields_of(changes.opens[0].payload) == [2, "", RUN]
    assert changes.runs[0].status == WorkflowStatus.CONTINUED_AS_NEW.number
    assert (changes.runs[0].last_seq, changes.runs[0].closed_us) == (2, AT + 9)
    assert named(after(started(), CONTINUED, successor())[1]) == ([], [successors_row])
    assert named(after(started(), TERMINATED, successor())[1]) == ([], [])
    at_once = Projection()
    for raw in (started(), CONTINUED, successor()):
        at_once.apply(raw)
    assert named(at_once.take())[0] == []


def test_a_closing_is_owed_to_the_parent_and_the_command_that_it_names() -> None:
    """C2: in whatever run of the child it comes."""
    _, changes = after(started(), CONTINUED, successor(), [ev.WORKFLOW_COMPLETED, AT + 11, b""])
    (opened,) = changes.opens
    assert (opened.kind, opened.row) == (ObligationKind.CHILD_CLOSED, rows.row_of(2, 0))
    assert rows.fields_of(opened.payload) == [4, "parent", b"s" * 16, b"p" * 16, 4]


def test_a_run_begins_with_nothing_of_the_one_before() -> None:
    """H5: what is pending, asked for and remembered belongs to one run; what was sent or asked in the next is keyed by its number."""
    child: Raw = [ev.CHILD_WORKFLOW_STARTED, AT, 1, "child", "checkout", 1, b"", b"d" * 16, ev.ON_CLOSE_ABANDON, {}, None, None]
    asked: Raw = [ev.CANCEL_REQUESTED, AT, "enough", None]
    before, _ = after(started(), SCHEDULED, child, SENT, asked, TERMINATED)
    assert (before.cancel_requested, before.closing, before.last_child) == ("enough", TERMINATED, 1)
    projection, _ = after(started(), SCHEDULED, child, SENT, asked, TERMINATED, successor())
    assert (projection.activities, projection.children, projection.signals) == ({}, {}, {})
    assert (projection.cancel_requested, projection.closing, projection.last_child) == (None, None, 0)
    projection.apply(SENT)
    (opened,) = projection.take().opens
    assert (opened.row, rows.fields_of(opened.payload)) == (rows.row_of(2, 1), [8, "target", b"s" * 16])


def test_what_was_told_of_is_told_once() -> None:
    """H2: a summary is written again by events that change it, and by no others."""
    assert after(started(), SCHEDULED)[1].summary is None
    projection, changes = after(started(), [ev.ATTRIBUTES_UPDATED, AT, {"team": "red"}])
    assert changes.summary == projection.summary()
    assert projection.take() == Changes()
    projection.apply([ev.PATCH_MARKED, AT + 7, "more"])
    assert (projection.take(), projection.last_at_us, projection.head) == (Changes(), AT + 7, 3)


def test_an_id_goes_on_behind_the_runs_that_the_store_has() -> None:
    """H5: the next run's number and events follow those that were there."""
    projection = Projection(head=7, run_no=3, last_at_us=AT)
    projection.apply(started())
    (run,) = projection.take().runs
    assert (projection.head, run.run_no, run.first_seq) == (8, 3, 8)
    unknown = Projection(head=7)
    assert (unknown.head, unknown.run, unknown.last_at_us) == (7, None, 0)


def test_nothing_is_pending_where_the_history_was_not_read() -> None:
    """A closed run's record is made of its summary: whoever asks it finds nothing, and no deadline."""
    projection = Projection(head=7, run_no=3, last_at_us=AT)
    assert (projection.activities, projection.children, projection.signals, projection.last_child) == ({}, {}, {}, 0)
    assert (projection.open, projection.parent, projection.attributes, projection.deadline_us) == (False, None, {}, None)
    assert (projection.cancel_requested, projection.closing) == (None, None)
    assert projection.take() == Changes()
