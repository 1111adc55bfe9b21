"""`verify_journal` notices every index row that the events do not bear out, and none that they do (H2, R2)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import aion_trio.events as ev
from aion_trio.codec import encode_frame
from aion_trio.journal.rows import payload_of, row_of
from aion_trio.journal.transfer import import_lines
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import Append, Close, LmdbStore, Mark, MemoryStore, ObligationKind, Open, Remedy, WorkflowKey
from aion_trio.stores.lmdb_store.layout import IDENTITY, ROW, SERIAL
from aion_trio.stores.lmdb_store.records import seal
from tests.cli.histories import AT, lines

from .harm import appends, started, trees

KEY = WorkflowKey("default", "order-1")
ACTIVITY = row_of(1, 1)


@pytest.fixture
def store() -> MemoryStore:
    """A run with one activity that has no outcome yet."""
    made = MemoryStore()
    import_lines(made, lines(2))
    return made


def write(store: MemoryStore, append: Append) -> None:
    assert store.apply([append]) == [append.expected_seq]


def findings(store: MemoryStore) -> list[str]:
    return [finding.what for finding in verify_journal(store)]


def test_rows_as_the_events_say_are_no_finding(store: MemoryStore) -> None:
    assert findings(store) == []


def test_an_obligation_that_was_lost_is_found(store: MemoryStore) -> None:
    write(store, Append(KEY, 2, closes=[Close(ObligationKind.ACTIVITY, ACTIVITY)]))
    assert findings(store) == [f"ACTIVITY {ACTIVITY.hex()} has a cause in the history and is not owed"]


def test_an_obligation_without_a_cause_is_found(store: MemoryStore) -> None:
    row = row_of(1, 9)
    write(store, Append(KEY, 2, opens=[Open(ObligationKind.CHILD_START, row, payload=payload_of(2, "child"))]))
    assert findings(store) == [f"CHILD_START {row.hex()} is owed without a cause in its history"]


def test_an_obligation_that_says_something_else_than_its_cause_is_found(store: MemoryStore) -> None:
    write(store, Append(KEY, 2, opens=[Open(ObligationKind.ACTIVITY, ACTIVITY, due_us=5, queue="default", payload=payload_of(2, 1))]))
    (found,) = findings(store)
    assert found.startswith(f"ACTIVITY {ACTIVITY.hex()} says")


def test_a_summary_that_its_events_do_not_bear_out_is_found(store: MemoryStore) -> None:
    summary = store.summary(KEY)
    assert summary is not None
    write(store, Append(KEY, 2, summary=replace(summary, attributes={"shop": "Bonn"})))
    (found,) = findings(store)
    assert found.startswith("its summary says")


def test_runs_and_marks_are_told_with_what_they_say_and_what_they_should(store: MemoryStore) -> None:
    """H2: a row that is wrong, one too many and one that is not there."""
    (run,) = store.runs(KEY)
    wrong, more, mark = replace(run, version=9), replace(run, run_no=2), Mark(b"start:x", b"r")
    write(store, Append(KEY, 2, runs=[wrong, more], marks=[mark]))
    assert findings(store) == [
        f"its run row 1 says {wrong}, its events {run}",
        f"its run row 2 says {more}, its events nothing",
        f"its mark b'start:x' says {mark}, its events nothing",
    ]
    bare = MemoryStore()
    for append in appends(KEY, [started()]):
        assert bare.apply([replace(append, runs=[])]) == [1]
    assert findings(bare) == [f"its run row 1 says nothing, its events {run}"]


def test_a_wake_up_that_comes_later_than_a_timer_is_found_and_one_that_comes_earlier_is_not() -> None:
    """T1: the deadline of a scope, which no event tells of, may ask for an earlier one."""
    timer: list[object] = [ev.TIMER_STARTED, AT, 1, AT + 100]
    for due, late in ((AT + 99, False), (AT + 100, False), (AT + 101, True)):
        store = MemoryStore()
        for append in appends(KEY, [started(), timer]):
            store.apply([append])
        write(store, Append(KEY, 2, opens=[Open(ObligationKind.WAKE_UP, b"", due)]))
        told = f"WAKE_UP is due at {due}, after a timer or the time-out of its run at {AT + 100}"
        assert findings(store) == ([told] if late else [])


def test_a_timer_that_has_fired_asks_for_nothing() -> None:
    store = MemoryStore()
    for append in appends(KEY, [started(), [ev.TIMER_STARTED, AT, 1, AT + 100], [ev.TIMER_FIRED, AT + 100, 1]]):
        store.apply([append])
    assert findings(store) == []


def test_a_closed_run_is_not_woken_for_what_it_had_set() -> None:
    """L2: neither for its timers nor for its time-out."""
    timed = started()
    timed[11] = 500
    store = MemoryStore()
    for append in appends(KEY, [timed, [ev.TIMER_STARTED, AT, 1, AT + 100], [ev.WORKFLOW_TERMINATED, AT, "enough"]]):
        store.apply([append])
    assert findings(store) == []


def test_a_step_that_is_owed_to_a_closed_run_is_found() -> None:
    store = MemoryStore()
    import_lines(store, lines(4))
    write(store, Append(KEY, 4, opens=[Open(ObligationKind.STEP, b"")]))
    assert findings(store) == ["STEP is owed to a run that is closed"]


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"\x83\x18\xfa\x00\x00", "UnknownEventError"), (b"no events", "JournalFormatError")],
    ids=["of a later program", "garbage"],
)
def test_an_event_that_cannot_be_read_is_a_finding_and_no_end_of_the_search(store: MemoryStore, data: bytes, error: str) -> None:
    """One bad history does not hide the others (J7); what cannot be read is what stands behind what can."""
    import_lines(store, lines(2, "order-2"))
    assert store.apply([Append(KEY, 2, data, 1)]) == [3]
    store.apply([Append(WorkflowKey("default", "order-2"), 2, closes=[Close(ObligationKind.ACTIVITY, ACTIVITY)])])
    bad, lost = verify_journal(store)
    assert (bad.workflow_id, bad.seq, bad.remedy, lost.workflow_id) == ("order-1", 3, Remedy.RESTORE, "order-2")
    assert bad.what.startswith(error)


def test_an_event_that_cannot_follow_those_before_it_is_a_finding(store: MemoryStore) -> None:
    """J7: its record is sound, and no history has it there; what it was to change cannot be told."""
    attempt = encode_frame([[ev.ACTIVITY_ATTEMPT_FAILED, AT, 7, 1, None, AT]])
    assert store.apply([Append(KEY, 2, attempt, 1)]) == [3]
    (found,) = verify_journal(store)
    assert "event 3 (ActivityAttemptFailed) cannot follow the events before it" in found.what
    assert (found.seq, found.remedy) == (3, Remedy.RESTORE)


def test_a_history_without_a_start_is_a_finding() -> None:
    store = MemoryStore()
    assert store.apply([Append(KEY, 0, encode_frame([[ev.PATCH_MARKED, AT, "more"]]), 1)]) == [1]
    (found,) = verify_journal(store)
    assert "does not begin with a start" in found.what


def test_an_id_that_leads_to_rows_that_cannot_be_read_ends_no_search(tmp_path: Path) -> None:
    """J7: of `order-1`, whose id leads to the rows of `order-2`; the identity of these is damaged, their events are not."""
    with closing(LmdbStore.open(tmp_path / "j")) as store:
        for workflow_id in ("order-1", "order-2", "order-3"):
            import_lines(store, lines(2, workflow_id))
        store.apply([Append(WorkflowKey("default", "order-3"), 2, closes=[Close(ObligationKind.ACTIVITY, ACTIVITY)])])
    with trees(tmp_path / "j") as at:
        at.turn("rows", ROW.pack(2, IDENTITY))
        place = at.keys("ids", b"order-1")[0]
        at.put("ids", place, seal(place, SERIAL.pack(2)))
    with closing(LmdbStore.open(tmp_path / "j", read_only=True)) as store:
        found = [(finding.workflow_id, finding.what) for finding in verify_journal(store)]
    assert ("order-1", "the id does not lead to its rows") in found
    assert ("order-3", f"ACTIVITY {ACTIVITY.hex()} has a cause in the history and is not owed") in found


def test_a_journal_is_copied_for_torn_pages_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy takes as much room as the journal: whatever else is wrong is told without one."""
    monkeypatch.setattr(LmdbStore, "salvage", lambda *_: pytest.fail("it is copied"))
    with closing(LmdbStore.open(tmp_path / "j")) as store:
        import_lines(store, lines(2))
        assert verify_journal(store) == []
    with trees(tmp_path / "j") as at:
        at.delete("vis", at.keys("vis")[0])
    with closing(LmdbStore.open(tmp_path / "j", read_only=True)) as store:
        assert {finding.remedy for finding in verify_journal(store)} == {Remedy.REPAIR}
