"""Rows that no program writes: keys cut off or of no kind, bodies that do not decode, rows that contradict each other (J7, R8).

Each is told by `verify`, none is taken for something else, and none keeps the sound workflows from being read or indexed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aion_trio.stores import CorruptRecord, Finding, LmdbStore, MemoryStore, ObligationKind, Remedy, dump, records_of
from aion_trio.stores.lmdb_store.layout import BY_STATUS, EVENTS, EVENTS_KEY, IDENTITY, MARK, OBLIGATION, OBLIGATION_KEY, ROW, RUN, RUN_KEY
from aion_trio.stores.lmdb_store.records import seal
from aion_trio.stores.lmdb_store.rows import encode_identity, encode_obligation, encode_run
from tests.journal.harm import Trees, trees

from .building import activity, events, full_workflow, key, run, start, summary, wake_up, write

ALPHA, BETA = 1, 2  # their serials


def two_workflows(path: Path) -> Path:
    """`alpha`, to which things are done, and `beta`, to which nothing is."""
    with closing(LmdbStore.open(path)) as store:
        write(store, *full_workflow(key("alpha")), *full_workflow(key("beta", "other")))
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return two_workflows(tmp_path / "journal")


def put(at: Trees, place: bytes, body: bytes) -> None:
    at.put("rows", place, seal(place, body))


def cut_off_key(at: Trees) -> None:
    at.put("rows", ALPHA.to_bytes(8), b"no tag")


def key_of_no_workflow(at: Trees) -> None:
    put(at, ROW.pack((1 << 64) - 1, MARK) + b"m", b"value")


def unknown_tag(at: Trees) -> None:
    put(at, ROW.pack(ALPHA, 9) + b"row", b"body")


def short_run(at: Trees) -> None:
    put(at, RUN_KEY.pack(ALPHA, RUN, 1), b"too short")


def identity_of_no_body(at: Trees) -> None:
    put(at, ROW.pack(ALPHA, IDENTITY), b"")


def identity_cut_off(at: Trees) -> None:
    put(at, ROW.pack(ALPHA, IDENTITY), encode_identity(key("alpha"), summary())[:20])


def identity_in_no_language(at: Trees) -> None:
    put(at, ROW.pack(ALPHA, IDENTITY), b"\1\xff\0\1\xff")


def open_row_of_no_body(at: Trees) -> None:
    put(at, OBLIGATION_KEY.pack(ALPHA, OBLIGATION, ObligationKind.ACTIVITY) + b"\0\1", b"")


def open_row_whose_queue_is_no_text(at: Trees) -> None:
    put(at, OBLIGATION_KEY.pack(ALPHA, OBLIGATION, ObligationKind.ACTIVITY) + b"\0\1", bytes(8) + b"\1\xff")


def short_next_serial(at: Trees) -> None:
    at.put("meta", b"next_serial", seal(b"next_serial", b"\1"))


def short_id(at: Trees) -> None:
    (place,) = at.keys("ids", b"alpha")
    at.put("ids", place, seal(place, b"\1"))


def short_name(at: Trees) -> None:
    at.put("names", b"checkout", seal(b"checkout", b"\1"))


def short_count(at: Trees) -> None:
    (place, *_) = at.keys("meta", b"#")
    at.put("meta", place, seal(place, b"\1"))


def run_of_another_number(at: Trees) -> None:
    put(at, RUN_KEY.pack(ALPHA, RUN, 7), encode_run(run(1)))


def frame_that_does_not_inflate(at: Trees) -> None:
    put(at, EVENTS_KEY.pack(ALPHA, EVENTS, 3), bytes([1]) + (2).to_bytes(4) + b"not deflated")


def short_due_key(at: Trees) -> None:
    at.put("due", bytes([ObligationKind.ACTIVITY]) + bytes(10), b"")


def last_queue(at: Trees) -> None:
    at.put("due", bytes([ObligationKind.ACTIVITY]) + b"\xff" * 4 + bytes(8) + ALPHA.to_bytes(8) + b"x", b"")


def due_at_another_time(at: Trees) -> None:
    place = OBLIGATION_KEY.pack(ALPHA, OBLIGATION, ObligationKind.ACTIVITY) + b"\0\1"
    put(at, place, encode_obligation(activity(b"\0\1", 11)))


def id_of_another(at: Trees) -> None:
    put(at, ROW.pack(ALPHA, IDENTITY), encode_identity(key("beta", "other"), None))


def short_visible_key(at: Trees) -> None:
    at.put("vis", bytes([BY_STATUS]) + bytes(3) + b"\1", b"")


def short_listing_key(at: Trees) -> None:
    first = at.keys("vis", bytes([BY_STATUS]))[0]
    at.put("vis", first[:-1], b"")


def damaged_name(at: Trees) -> None:
    at.turn("names", b"checkout")
    at.turn("rows", ROW.pack(ALPHA, IDENTITY))


def count_that_cannot_be_read(at: Trees) -> None:
    at.turn("meta", at.keys("meta", b"#")[0])


def damaged_next_serial(at: Trees) -> None:
    at.turn("meta", b"next_serial")


STRANGE: dict[str, tuple[Callable[[Trees], None], str]] = {
    each.__name__.replace("_", " "): (each, found)
    for each, found in (
        (cut_off_key, "is of no kind that is known"),
        (key_of_no_workflow, "do not say whose they are"),
        (unknown_tag, "is of no kind that is known"),
        (short_run, "cannot be decoded"),
        (identity_of_no_body, "cannot be decoded"),
        (identity_cut_off, "cannot be decoded"),
        (identity_in_no_language, "cannot be decoded"),
        (open_row_of_no_body, "cannot be decoded"),
        (open_row_whose_queue_is_no_text, "cannot be decoded"),
        (short_next_serial, "cannot be decoded"),
        (short_id, "cannot be decoded"),
        (short_name, "cannot be decoded"),
        (short_count, "a count cannot be read"),
        (run_of_another_number, "run 1 lies where another belongs"),
        (frame_that_does_not_inflate, "the events up to 3 fail their checksum"),
        (short_due_key, "cannot be decoded"),
        (last_queue, "is due but is not open"),
        (due_at_another_time, "is due at another time or place"),
        (id_of_another, "leads to the rows of 'beta'"),
        (short_visible_key, "cannot be decoded"),
        (short_listing_key, "do not say whose they are"),
        (damaged_name, "fails its checksum"),
        (count_that_cannot_be_read, "a count cannot be read"),
        (damaged_next_serial, "fails its checksum"),
    )
}


@pytest.mark.parametrize("how", STRANGE)
def test_a_strange_row_is_told_and_hides_no_other(journal: Path, how: str) -> None:
    do, words = STRANGE[how]
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        sound = records_of(store, key("beta", "other"))
    with trees(journal) as at:
        do(at)
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        found = [finding.what for finding in store.verify()]
        assert any(words in what for what in found), found
        damages: list[CorruptRecord] = []
        assert key("beta", "other") in store.keys(on_damage=damages.append).keys
        assert records_of(store, key("beta", "other")) == sound
        owed = store.obligations(ObligationKind.ACTIVITY, on_damage=damages.append)
        assert [row for row in owed if row.key == key("beta", "other")] == [
            row for row in sound.obligations if row.kind is ObligationKind.ACTIVITY
        ][::-1]
    for each in {damage.workflow_id for damage in damages}:
        assert each in ("alpha", "beta", "")


@pytest.mark.parametrize("how", STRANGE)
def test_an_index_made_anew_leaves_out_what_is_strange(journal: Path, how: str) -> None:
    """H2: what is said of the index is said no more, and the sound workflow is in it as it was."""
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        sound = records_of(store, key("beta", "other"))
    with trees(journal) as at:
        STRANGE[how][0](at)
    with closing(LmdbStore.open(journal)) as store:
        store.reindex()
        assert records_of(store, key("beta", "other")) == sound
        assert store.counts("other") == {1: 1}
        assert write(store, start(key("new"))) == 1
        assert store.counts("default")[1] >= 1
        found = {finding.workflow_id for finding in store.verify()}
        assert not found & ({"new"} if how == "id of another" else {"beta", "new"})
        if how.endswith(("due key", "queue", "visible key", "listing key", "serial", "be read")):
            assert store.verify() == []


def test_a_workflow_of_which_nothing_tells_whose_it_is_stays_out_of_an_index_made_anew(journal: Path) -> None:
    """Its identity is damaged and no id leads to it; its rows are kept, and its number is not given again."""
    with trees(journal) as at:
        at.turn("rows", ROW.pack(ALPHA, IDENTITY))
        at.delete("ids", at.keys("ids", b"alpha")[0])
    with closing(LmdbStore.open(journal)) as store:
        store.reindex()
        assert [each.workflow_id for each in store.keys(on_damage=lambda damage: None).keys] == ["beta"]
        assert store.head(key("alpha")) == 0
        write(store, *full_workflow(key("alpha")))
        assert store.head(key("alpha")) == 3
        assert {finding.workflow_id for finding in store.verify()} == {""}


@pytest.mark.parametrize("how", ["gap", "event's bit", "end"])
def test_a_damaged_identity_is_not_made_anew_for_a_history_that_is_not_whole(journal: Path, how: str) -> None:
    """J7: with it the history would be one that ends early."""
    with trees(journal) as at:
        at.turn("rows", ROW.pack(ALPHA, IDENTITY))
        if how == "gap":
            at.delete("rows", EVENTS_KEY.pack(ALPHA, EVENTS, 1))
        elif how == "event's bit":
            at.turn("rows", EVENTS_KEY.pack(ALPHA, EVENTS, 3))
        else:
            last = at.get("rows", EVENTS_KEY.pack(ALPHA, EVENTS, 3))
            at.delete("rows", EVENTS_KEY.pack(ALPHA, EVENTS, 3))
            at.put("rows", EVENTS_KEY.pack(ALPHA, EVENTS + 1, 3), last)
    with closing(LmdbStore.open(journal)) as store:
        store.reindex()
        with pytest.raises(CorruptRecord, match="alpha"):
            store.summary(key("alpha"))
        with pytest.raises(CorruptRecord, match="alpha"):
            store.history(key("alpha"))


def test_a_large_journal_is_verified_and_indexed_in_parts(tmp_path: Path) -> None:
    """More rows than one snapshot takes, and more workflows than one transaction."""
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        for first in range(0, 2001, 500):
            rows = [[wake_up(due_us=number), activity(b"1", number), activity(b"2", number)] for number in range(first, first + 500)]
            write(store, *[replace(start(key(f"w{first + number}")), opens=opened) for number, opened in enumerate(rows)])
        assert store.verify() == []
        before, counts = dump(store), store.counts("default")
        store.reindex()
        assert store.verify() == []
        assert dump(store) == before and store.counts("default") == counts


def test_verify_of_a_store_in_memory_tells_what_a_fault_of_the_store_would_leave() -> None:
    store = MemoryStore()
    write(store, *full_workflow(key()), events(key(), 3))
    held = store._workflows[key()]
    del held.frames[1]
    held.opens.popitem()
    assert store.verify() == [
        Finding("event 2 is missing", "w", 2, "default", Remedy.RESTORE),
        Finding("the due order and the open rows differ"),
    ]
