"""A turned bit is an error that names the workflow, or a finding; it is never a wrong answer, and it stops no other (J7)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import lmdb
import pytest

from aion_trio.history import WorkflowStatus
from aion_trio.stores import (
    Append,
    CorruptRecord,
    LmdbStore,
    ObligationKind,
    Remedy,
    StoreError,
    SummaryFilter,
    WorkflowKey,
    WorkflowRecords,
    dump,
    records_of,
)
from aion_trio.stores.lmdb_store.environment import Environment, Settings
from aion_trio.stores.lmdb_store.layout import EVENTS, EVENTS_KEY, IDENTITY, OBLIGATION, ROW
from aion_trio.stores.lmdb_store.records import seal_frame
from tests.journal.harm import trees

from .building import events, full_workflow, key, start, summary, write
from .damage import Place, places, sound_copy, turned


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return sound_copy(tmp_path)


def reading(journal: Path) -> LmdbStore:
    return LmdbStore.open(journal, read_only=True)


def expected_of(journal: Path) -> dict[WorkflowKey, WorkflowRecords]:
    store = reading(journal)
    try:
        return dict(dump(store))
    finally:
        store.close()


@pytest.mark.parametrize("part", ["key", "value"])
def test_verify_finds_any_turned_bit_of_a_record_and_no_read_is_wrong(sound: Path, tmp_path: Path, part: str) -> None:
    expected = expected_of(sound)
    records = [place for place in places(sound) if part == "key" or place.value_bytes]
    assert {place.table for place in records} == (
        {"meta", "names", "ids", "rows", "due", "vis"} if part == "key" else {"meta", "names", "ids", "rows"}
    )
    for number, place in enumerate(records):
        for at, bit in bits_of(place, part, number):
            assert_found(turned(sound, tmp_path / "turned", at, bit), expected, place)


def bits_of(place: Place, part: str, number: int) -> list[tuple[int, int]]:
    """The first, a middle and the last byte of a key or value, a different bit each."""
    start = place.at if part == "key" else place.at + place.key_bytes
    size = place.key_bytes if part == "key" else place.value_bytes
    return [(start + offset, (number + offset) % 8) for offset in sorted({0, size // 2, size - 1})]


def assert_found(journal: Path, expected: dict[WorkflowKey, WorkflowRecords], place: Place) -> None:
    try:
        store = reading(journal)
    except StoreError:
        return  # the format version itself is damaged, and opening says so
    try:
        assert store.verify() != [], place
        for known, records in expected.items():
            assert_no_wrong_answer(store, known, records, place)
    finally:
        store.close()


def assert_no_wrong_answer(store: LmdbStore, known: WorkflowKey, records: WorkflowRecords, place: Place) -> None:
    """A history is whole or refused. Of the other rows one whose key was damaged may be missing until `verify` is asked;
    none is ever another than it was."""
    try:
        found = records_of(store, known)
    except CorruptRecord as damage:
        assert damage.workflow_id in (known.workflow_id, "")
        return
    if place.table in ("ids", "names"):
        assert found in (records, WorkflowRecords((), None, (), (), ()))
        return
    assert found.frames == records.frames, place
    assert found.summary in (records.summary, None)
    for kept, before in ((found.runs, records.runs), (found.obligations, records.obligations), (found.marks, records.marks)):
        assert set(kept) <= set(before)


def place_of(sound: Path, prefix: bytes, table: str = "rows") -> Place:
    return next(place for place in places(sound) if place.table == table and place.key.startswith(prefix))


def test_a_damaged_frame_names_workflow_and_seq_and_stops_no_other(sound: Path, tmp_path: Path) -> None:
    place = place_of(sound, EVENTS_KEY.pack(1, EVENTS, 3))
    store = reading(turned(sound, tmp_path / "turned", place.at + place.key_bytes + place.value_bytes - 1, 0))
    with pytest.raises(CorruptRecord, match="workflow 'alpha': the events up to 3 fail their checksum") as error:
        store.history(key("alpha"))
    assert (error.value.workflow_id, error.value.seq) == ("alpha", 3)
    with pytest.raises(CorruptRecord):
        store.head(key("alpha"))
    assert len(store.history(key("beta", "other")).frames) == 2
    [finding] = store.verify()
    assert (finding.workflow_id, finding.seq) == ("alpha", 3)
    store.close()


def delete_row(journal: Path, table_name: bytes, row: bytes) -> None:
    import lmdb

    with lmdb.open(str(journal), max_dbs=8) as env:
        table = env.open_db(table_name, create=False)
        with env.begin(write=True) as txn:
            assert txn.delete(row, db=table)


def test_a_missing_frame_in_the_middle_is_a_gap(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path / "journal")
    write(store, events(key(), 0, 2), events(key(), 2, 2), events(key(), 4, 2))
    store.close()
    delete_row(tmp_path / "journal", b"rows", EVENTS_KEY.pack(1, EVENTS, 4))
    store = LmdbStore.open(tmp_path / "journal")
    for from_seq in (1, 3, 4):
        with pytest.raises(CorruptRecord, match=r"event [34] is missing"):
            store.history(key(), from_seq)
    assert [frame.first_seq for frame in store.history(key(), 5).frames] == [5]
    [finding] = store.verify()
    assert (finding.workflow_id, finding.seq) == ("w", 3)
    store.close()


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize("lost", [2, 4, 6], ids=["first", "middle", "last"])
def test_of_a_history_that_is_not_whole_each_range_is_given_that_is(lost: int, closed: bool, tmp_path: Path) -> None:
    """J7: three frames of two events, one of them lost. That the last one of an open history is lost nobody can tell."""
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        write(store, events(key(), 0, 2), events(key(), 2, 2), Append(key(), 4, b"ee", 2, summary(head=6 if closed else 0)))
    delete_row(tmp_path / "journal", b"rows", EVENTS_KEY.pack(1, EVENTS, lost))
    kept = [last for last in (2, 4, 6) if last != lost]
    known = 6 if closed or lost < 6 else 4
    with closing(reading(tmp_path / "journal")) as store:
        for from_seq in range(1, 9):
            missing = [seq for seq in (lost - 1, lost) if from_seq <= seq <= known]
            if missing:
                with pytest.raises(CorruptRecord, match=f"^workflow 'w': event {missing[0]} is missing$") as caught:
                    store.history(key(), from_seq)
                assert (caught.value.workflow_id, caught.value.seq) == ("w", missing[0])
            else:
                page = store.history(key(), from_seq)
                assert [frame.first_seq + 1 for frame in page.frames] == [last for last in kept if last >= from_seq]
                assert page.next_seq is None


@pytest.mark.parametrize("from_seq", [1, 2])
def test_frames_that_overlap_are_no_history(from_seq: int, tmp_path: Path) -> None:
    """J7: an event would be read twice."""
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        write(store, events(key(), 0, 2), events(key(), 2, 2))
    with trees(tmp_path / "journal") as at:
        at.put("rows", *seal_frame(1, 4, 3, b"eee"))
    with closing(reading(tmp_path / "journal")) as store, pytest.raises(CorruptRecord, match="workflow 'w'") as caught:
        store.history(key(), from_seq)
    assert (caught.value.workflow_id, caught.value.seq) == ("w", 3)


def test_a_missing_last_frame_of_a_closed_workflow_is_missed(sound: Path) -> None:
    """The summary of a closed workflow holds its final head."""
    delete_row(sound, b"rows", EVENTS_KEY.pack(3, EVENTS, 4))
    store = reading(sound)
    for from_seq in (1, 4):
        with pytest.raises(CorruptRecord, match="event 4 is missing"):
            store.history(key("gamma"), from_seq)
    assert [finding.workflow_id for finding in store.verify()] == ["gamma"]
    store.close()


def test_a_row_that_is_open_but_not_in_the_due_order_is_found(sound: Path) -> None:
    delete_row(sound, b"due", next(place.key for place in places(sound) if place.table == "due"))
    store = reading(sound)
    [finding] = store.verify()
    assert "is not in the due order" in finding.what and finding.workflow_id
    store.close()


def test_a_row_in_the_due_order_that_is_not_open_is_found_and_hides_no_other(sound: Path) -> None:
    """R8: the sweep is told of the damaged one and gets the rest."""
    delete_row(sound, b"rows", ROW.pack(1, OBLIGATION) + bytes([ObligationKind.ACTIVITY]) + b"\x00\x02")
    store = reading(sound)
    with pytest.raises(CorruptRecord, match="is due but is not open"):
        store.obligations(ObligationKind.ACTIVITY)
    damages: list[CorruptRecord] = []
    rows = store.obligations(ObligationKind.ACTIVITY, on_damage=damages.append)
    assert len(rows) == 5 and [damage.workflow_id for damage in damages] == ["alpha"]
    [finding] = store.verify()
    assert "is due but is not open" in finding.what
    store.close()


def test_index_rows_that_disagree_with_a_summary_are_found(sound: Path) -> None:
    delete_row(sound, b"vis", next(place.key for place in places(sound) if place.table == "vis"))
    store = reading(sound)
    found = [finding.what for finding in store.verify()]
    assert any("index row" in what and "missing" in what for what in found) and any("counts by status" in what for what in found)
    store.close()


def test_a_damaged_summary_is_left_out_of_listings_and_reported(sound: Path, tmp_path: Path) -> None:
    """R8."""
    place = place_of(sound, ROW.pack(1, IDENTITY))
    store = reading(turned(sound, tmp_path / "turned", place.at + place.key_bytes + 8, 1))
    with pytest.raises(CorruptRecord):
        store.summaries(SummaryFilter())
    with pytest.raises(CorruptRecord):
        store.keys()
    damages: list[CorruptRecord] = []
    assert [entry.key for entry in store.summaries(SummaryFilter(), on_damage=damages.append).entries] == [key("gamma")]
    assert list(store.keys(on_damage=damages.append).keys) == [key("beta", "other"), key("gamma")]
    assert len(damages) == 2
    with pytest.raises(CorruptRecord, match="workflow 'alpha'"):
        store.summary(key("alpha"))
    store.close()


def test_an_append_to_a_damaged_workflow_is_refused_and_its_neighbours_stand(sound: Path, tmp_path: Path) -> None:
    """J7: the damage stops that workflow alone."""
    place = place_of(sound, EVENTS_KEY.pack(1, EVENTS, 3))
    store = LmdbStore.open(turned(sound, tmp_path / "turned", place.at + place.key_bytes + 2, 1))
    outcomes = store.apply([start(key("new")), events(key("alpha"), 3), events(key("gamma"), 4)])
    assert outcomes[0] == 1 and outcomes[2] == 5
    assert isinstance(outcomes[1], CorruptRecord) and outcomes[1].workflow_id == "alpha"
    store.close()


def test_a_damaged_count_stops_no_workflow_and_is_counted_anew(sound: Path, tmp_path: Path) -> None:
    """J7: it is no part of anybody's history, so whoever reads it is told, and nobody else."""
    running = WorkflowStatus.RUNNING.number
    (place,) = [place for place in places(sound) if place.key.startswith(b"#") and place.key[-1] == running and place.key[-2] == 1]
    with closing(LmdbStore.open(turned(sound, tmp_path / "turned", place.at + place.key_bytes + place.value_bytes - 1, 1))) as store:
        assert store.apply([start(key("new"))]) == [1]
        with pytest.raises(CorruptRecord):
            store.counts("default")
        assert any("count" in finding.what and finding.remedy is Remedy.REPAIR for finding in store.verify())
        store.reindex()
        assert store.counts("default")[running] == 2
        assert store.verify() == []


@pytest.mark.parametrize("tag", [IDENTITY, EVENTS, OBLIGATION], ids=["summary", "events", "obligation"])
def test_a_damaged_workflow_can_be_purged(sound: Path, tmp_path: Path, tag: int) -> None:
    place = place_of(sound, ROW.pack(1, tag))
    store = LmdbStore.open(turned(sound, tmp_path / "turned", place.at + place.key_bytes + place.value_bytes - 1, 1))
    assert store.purge([key("alpha")]) == 1
    assert store.verify() == []
    assert list(store.keys().keys) == [key("beta", "other"), key("gamma")]
    write(store, *full_workflow(key("alpha")))
    assert [row.key.workflow_id for row in store.obligations(ObligationKind.WAKE_UP)] == ["beta", "gamma", "alpha"]
    store.close()


def test_a_page_that_lmdb_cannot_read_is_a_damaged_record(sound: Path) -> None:
    """Whatever reads, its caller meets one error for damage and none of LMDB's own."""
    environment = Environment(sound, Settings(read_only=True))
    with pytest.raises(CorruptRecord, match="backup"), environment.view():
        raise lmdb.CorruptedError("mdb_get", -30796)
    environment.close()
