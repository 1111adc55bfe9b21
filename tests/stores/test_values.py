"""The values of the contract: what they say where nothing was said, which of them can be changed, and what is written on disk."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from aion_trio.stores import (
    Append,
    Close,
    CorruptRecord,
    Fault,
    Finding,
    Frame,
    HistoryPage,
    Mark,
    Obligation,
    ObligationKind,
    Open,
    Remedy,
    SequenceConflict,
    StoreLocked,
    StoreStats,
    SummaryFilter,
    WorkflowRecords,
)

from .building import key, run, summary

STEP = ObligationKind.STEP

ROWS = {
    type(row).__name__: row
    for row in (
        Open(STEP, b"1"),
        Close(STEP, b"1"),
        Mark(b"m"),
        run(1),
        Append(key(), 0),
        Frame(1, 1, b"e"),
        Obligation(key(), STEP, b"1", 0, "", b""),
    )
}
ANSWERS = {
    type(answer).__name__: answer
    for answer in (
        HistoryPage((), None),
        SummaryFilter(),
        Finding("what"),
        StoreStats(0, {}, 0, 0, 0, 0, ""),
        Fault("apply"),
        WorkflowRecords((), None, (), (), ()),
    )
}


def test_the_numbers_of_what_can_be_owed_are_those_on_disk() -> None:
    assert {kind.name: int(kind) for kind in ObligationKind} == {
        "WAKE_UP": 1,
        "ACTIVITY": 2,
        "CHILD_START": 3,
        "RUN_START": 4,
        "SIGNAL": 5,
        "CHILD_CLOSED": 6,
        "CANCEL_REQUEST": 7,
        "SCHEDULE_TICK": 8,
        "RETENTION": 9,
        "STEP": 10,
    }


def test_a_remedy_is_told_in_one_word() -> None:
    assert [str(remedy) for remedy in Remedy] == ["repair", "salvage", "restore"]


def test_what_is_not_said_of_a_row_is_nothing() -> None:
    opened, closed, append = Open(STEP, b"1"), Close(STEP, b"1"), Append(key(), 0)
    assert (opened.due_us, opened.queue, opened.payload) == (0, "", b"")
    assert (closed.owner, closed.required) == (None, False)
    assert Mark(b"m").value == b""
    assert (append.frame, append.count, append.summary) == (b"", 0, None)
    assert not (append.runs or append.opens or append.closes or append.marks)


def test_a_filter_says_nothing_but_the_namespace() -> None:
    assert SummaryFilter() == SummaryFilter("default", None, None, {}, None, None, None, None)


def test_a_finding_is_of_the_index_unless_it_says_whose_it_is() -> None:
    assert Finding("what") == Finding("what", "", 0, "", Remedy.REPAIR)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_a_value_that_a_set_can_hold(name: str) -> None:
    row = ROWS[name]
    twin = type(row)(*(getattr(row, field.name) for field in fields(row)))
    assert twin is not row and {twin} == {row}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_and_a_plan_cannot_be_changed(name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(ANSWERS[name], fields(ANSWERS[name])[0].name, None)


@pytest.mark.parametrize("value", [*ROWS.values(), *ANSWERS.values(), summary()], ids=lambda value: type(value).__name__)
def test_a_value_has_its_fields_and_no_room_for_others(value: object) -> None:
    """There may be millions of them."""
    assert not hasattr(value, "__dict__")


def test_errors_say_what_they_are_about() -> None:
    conflict, locked = SequenceConflict(key("order-7"), 3, 5), StoreLocked("in use by process 12", 12)
    assert str(conflict) == "workflow 'order-7': the append expected head 3, the history is at 5"
    assert (str(locked), locked.pid) == ("in use by process 12", 12)
    found = CorruptRecord("torn")
    assert (str(found), found.workflow_id, found.seq) == ("torn", "", 0)
