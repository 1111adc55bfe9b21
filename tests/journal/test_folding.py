"""A whole history folded: the rows that are left at its end, and when its newest run must be woken (H2, T1, T4)."""

from __future__ import annotations

import pytest

import aion_trio.events as ev
from aion_trio.codec import encode_frame
from aion_trio.errors import AionError, JournalCorruptedError
from aion_trio.events import Raw
from aion_trio.journal.folding import Folded
from aion_trio.journal.rows import row_of
from aion_trio.stores import Frame, ObligationKind
from tests.cli.histories import AT, raws

from .harm import key, started

SOON: Raw = [ev.TIMER_STARTED, AT, 1, AT + 50]
LATER: Raw = [ev.TIMER_STARTED, AT, 2, AT + 100]
BEYOND: Raw = [ev.TIMER_STARTED, AT, 3, ev.LATEST_US + 1]
TERMINATED: Raw = [ev.WORKFLOW_TERMINATED, AT, "enough"]
REOPENED: Raw = [ev.WORKFLOW_REOPENED, AT, b"r" * 16, []]


def timed() -> Raw:
    """A start with a time-out."""
    raw = started()
    raw[11] = 70
    return raw


def folded(*events: Raw) -> Folded:
    """Each event a frame of its own."""
    fold = Folded(key("w"))
    for seq, raw in enumerate(events, 1):
        fold.take(Frame(seq, 1, encode_frame([raw])))
    return fold


@pytest.mark.parametrize(
    ("events", "wake_us"),
    [
        ([started()], None),
        ([started(), LATER, SOON], AT + 50),
        ([started(), LATER, SOON, [ev.TIMER_FIRED, AT + 50, 1]], AT + 100),
        ([started(), LATER, SOON, [ev.TIMER_CANCELLED, AT, 2]], AT + 50),
        ([started(), SOON, [ev.TIMER_FIRED, AT + 50, 1]], None),
        ([timed()], AT + 70),
        ([timed(), LATER], AT + 70),
        ([timed(), SOON], AT + 50),
        ([started(), BEYOND], ev.LATEST_US),
        ([started(), SOON, TERMINATED, REOPENED], None),
        ([started(), SOON, TERMINATED, started()], None),
    ],
)  # fmt: skip
def test_a_run_must_be_woken_for_what_is_due_first(events: list[Raw], wake_us: int | None) -> None:
    """T1, T4: the timers of a run that was closed are over, also where it is opened again."""
    assert folded(*events).wake_us == wake_us


def test_what_is_left_at_the_end_is_what_is_owed_and_every_run_and_mark() -> None:
    fold = folded(started("once"), *raws()[1:], started("twice"), raws()[1])
    assert list(fold.opens) == [(ObligationKind.ACTIVITY, row_of(2, 1))]
    assert [(run.run_no, run.first_seq, run.last_seq) for run in fold.runs.values()] == [(1, 1, 4), (2, 5, 0)]
    assert list(fold.marks) == [b"start:once", b"start:twice"]


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ([[ev.PATCH_MARKED, AT, "more"]], "does not begin with a start"),
        ([started(), started()], "starts a new chain while a run is open"),
        ([started(), [ev.WORKFLOW_CONTINUED_AS_NEW, AT, b"r" * 16, b"", None, [], None], started()], "where a successor is owed"),
    ],
)
def test_runs_that_form_no_chains_are_no_history(events: list[Raw], complaint: str) -> None:
    """H5: whoever compares rows with them, or makes rows of them, is told."""
    with pytest.raises(AionError, match=complaint):
        folded(*events).require_history()
    folded(*raws(), started()).require_history()


def test_an_event_that_cannot_follow_is_named_with_its_number_and_its_workflow() -> None:
    """J7."""
    with pytest.raises(JournalCorruptedError, match=r"event 2 \(ActivityAttemptFailed\) cannot follow the events before it") as caught:
        folded(started(), [ev.ACTIVITY_ATTEMPT_FAILED, AT, 7, 1, None, AT])
    assert (caught.value.workflow_id, caught.value.seq) == ("w", 2)
