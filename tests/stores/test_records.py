"""Contract suite: runs, marks, purge, dump and copy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aion_trio.stores import (
    Append,
    CorruptRecord,
    Damage,
    FaultyStore,
    KeyPage,
    LmdbStore,
    MemoryStore,
    ObligationKind,
    SequenceConflict,
    Store,
    copy_records,
    dump,
    each_key,
)

from .building import RUNNING, activity, events, full_workflow, key, mark, run, start, write
from .conftest import Backend


def test_run_chains_are_given_oldest_first(store: Store) -> None:
    """H5: one run, two, three; each append writes the rows that it changes."""
    write(store, Append(key(), 0, b"e", 1, runs=[run(1)]))
    assert store.runs(key()) == [run(1)]
    write(store, Append(key(), 1, b"e", 1, runs=[run(2, b"run-1")]))
    assert store.runs(key()) == [run(1), run(2, b"run-1")]
    write(store, Append(key(), 2, b"e", 1, runs=[run(3, b"run-2")]))
    assert [row.run_id for row in store.runs(key())] == [b"run-1", b"run-2", b"run-3"]


def test_a_run_row_is_replaced_by_its_number(store: Store) -> None:
    write(store, Append(key(), 0, b"e", 1, runs=[run(1)]), Append(key(), 1, b"e", 1, runs=[run(1, run_id=b"other")]))
    assert [row.run_id for row in store.runs(key())] == [b"other"]


def test_a_broken_chain_is_stored_as_it_is_given(store: Store) -> None:
    """H5: what a chain means is for its reader to say."""
    rows = [run(1, b"nobody"), run(2, b"run-2"), run(5, b"run-1"), run(300, b"")]
    write(store, Append(key(), 0, b"e", 1, runs=list(reversed(rows))))
    assert store.runs(key()) == rows


def test_a_mark_is_remembered_and_the_newest_value_counts(store: Store) -> None:
    """S6."""
    write(
        store, Append(key(), 0, b"e", 1, marks=[mark(b"r1", b"one"), mark(b"r2")]), Append(key(), 1, b"e", 1, marks=[mark(b"r1", b"two")])
    )
    assert store.mark(key(), b"r1") == b"two" and store.mark(key(), b"r2") == b""
    assert store.mark(key(), b"r3") is None and store.mark(key("other"), b"r1") is None
    assert store.marks(key()) == [mark(b"r1", b"two"), mark(b"r2")]


def test_purge_deletes_everything_of_an_id_and_nothing_of_another(store: Store) -> None:
    gone = key("gone", "other")
    write(store, *full_workflow(key("kept")), *full_workflow(gone))
    kept = {at: records for at, records in dump(store).items() if at == key("kept")}
    assert store.purge([gone, gone, key("nobody")]) == 1
    assert dump(store) == kept
    assert store.head(gone) == 0 and store.mark(gone, b"request-1") is None
    assert [row.key for row in store.obligations(ObligationKind.ACTIVITY)] == [key("kept")] * 2
    assert store.counts("default") == {RUNNING: 1} and store.counts("other") == {}
    assert store.verify() == []


def test_a_purged_id_begins_again_from_nothing(store: Store) -> None:
    write(store, *full_workflow(key()))
    store.purge([key()])
    assert store.apply([start(key())]) == [1]
    assert store.obligations_of(key()) == [] and store.marks(key()) == [] and store.runs(key()) == []
    assert store.verify() == []


def test_what_was_purged_from_memory_takes_no_room_there() -> None:
    store, data = MemoryStore(), b"started".upper()
    before = sys.getrefcount(data)
    write(store, Append(key(), 0, data, 1))
    assert sys.getrefcount(data) > before
    store.purge([key()])
    assert sys.getrefcount(data) == before


def test_a_dump_holds_every_record(store: Store) -> None:
    write(store, *full_workflow(key("a")), *full_workflow(key("b", "other")))
    records = dump(store)
    assert list(records) == [key("a"), key("b", "other")]
    one = records[key("a")]
    assert sum(frame.count for frame in one.frames) == 3
    assert one.summary is not None and len(one.runs) == 1 and len(one.obligations) == 3 and one.marks == (mark(b"request-1", b"outcome"),)


def test_dumps_differ_by_any_record(store: Store) -> None:
    """R7: what the comparison is made with must see a row more or less."""
    write(store, *full_workflow(key()))
    before = dump(store)
    write(store, Append(key(), 3, opens=[activity(b"\x00\x03")]))
    assert dump(store) != before


def test_a_copy_holds_the_same_records(store: Store, backend: Backend, tmp_path: Path) -> None:
    write(store, *full_workflow(key("a")), *full_workflow(key("b", "other")), Append(key("c"), 0, opens=[activity(b"1")]))
    write(store, events(key("a"), 3, 4))
    memory, disk = MemoryStore(), LmdbStore.open(tmp_path / "copy")
    assert copy_records(store, memory) == copy_records(store, disk) == 3
    assert dump(memory) == dump(disk) == dump(store)
    assert disk.verify() == []
    disk.close()


def test_a_copy_to_a_store_that_knows_one_of_the_ids_is_refused(store: Store) -> None:
    write(store, *full_workflow(key("a")))
    target = MemoryStore()
    write(target, start(key("a")))
    with pytest.raises(SequenceConflict):
        copy_records(store, target)


def test_a_dump_of_more_ids_than_a_page_has_holds_all_of_them(store: Store) -> None:
    ids = [key(f"w{number}") for number in range(1001)]
    write(store, *[events(each, 0) for each in ids])
    assert list(dump(store)) == ids


def test_a_copy_of_many_workflows_is_written_in_a_few_transactions() -> None:
    source, target = MemoryStore(), FaultyStore(MemoryStore())
    write(source, *(Append(key(f"w{number}"), 0, marks=[mark(b"m")]) for number in range(2500)))
    assert copy_records(source, target) == 2500
    assert dump(target) == dump(source)
    assert 2 <= target.calls["apply"] <= 3


def test_damage_on_any_page_of_keys_is_told() -> None:
    """R8."""
    damages: list[CorruptRecord] = []
    store = MemoryStore()
    write(store, events(key("a"), 0), events(key("b"), 0))

    def keys(after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None) -> KeyPage:
        assert on_damage is not None
        on_damage(CorruptRecord(f"behind {after!r}"))
        return MemoryStore.keys(store, after, 1)

    store.keys = keys  # type: ignore[method-assign]
    assert list(each_key(store, damages.append)) == [key("a"), key("b")]
    assert len({str(damage) for damage in damages}) == 2


def test_a_head_is_found_before_whatever_lies_behind_it(store: Store, backend: Backend) -> None:
    """Where it is not remembered it is looked for, and the row behind it is looked at: a short one, and one that counts very high."""
    write(store, Append(key("mark"), 0, b"ab", 2, marks=[mark(b"m")]))
    write(store, Append(key("late"), 0, b"ab", 2, opens=[activity(b"1", (1 << 63) - 1)]))
    store = backend.again(store)
    assert (store.head(key("mark")), store.head(key("late"))) == (2, 2)
    assert [store.apply([events(each, 2)]) for each in (key("mark"), key("late"))] == [[3], [3]]
