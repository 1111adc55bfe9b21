"""Who owns what after a call, which damage is told by which words, and how near to full is full."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from aion_trio.stores import (
    Append,
    CorruptRecord,
    FaultyStore,
    LmdbStore,
    Mark,
    MemoryStore,
    Store,
    StoreFailed,
    StoreFormatError,
    StoreFull,
    StoreLocked,
    Summary,
)
from aion_trio.stores.lmdb_store.environment import Environment
from aion_trio.stores.lmdb_store.layout import (
    EVENTS,
    EVENTS_KEY,
    FORMAT_VERSION,
    META_COUNT,
    META_FORMAT,
    META_SERIAL,
    NUMBER,
    SERIAL,
    TABLES,
)
from aion_trio.stores.lmdb_store.records import seal

from .building import activity, events, full_workflow, key, run, start, summary, write
from .test_lmdb_room import data_file_replaced

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def test_a_store_keeps_what_it_was_given_and_not_what_becomes_of_it(store: Store) -> None:
    attributes: dict[str, object] = {"region": "eu"}
    write(store, start(key(), summary(attributes=attributes)))
    attributes["region"] = "us"
    found = store.summary(key())
    assert found is not None and found.attributes == {"region": "eu"}


@pytest.mark.parametrize(
    "rows",
    [{"summary": summary()}, {"runs": [run(1)]}, {"opens": [activity(b"1")]}, {"marks": [Mark(b"once")]}],
    ids=lambda rows: next(iter(rows)),
)
def test_any_row_makes_an_id_known(rows: dict[str, object], store: Store) -> None:
    """H2: rows may come before the first event."""
    assert store.apply([replace(Append(key(), 0), **rows)]) == [0]  # type: ignore[arg-type]
    assert list(store.keys().keys) == [key()]


def test_a_summary_says_of_itself_that_the_run_is_open_and_stands_alone() -> None:
    found = Summary("checkout", 1, 1, b"r" * 16, 1, 1, 5)
    assert (found.closed_us, found.head, found.parent_id, found.attributes) == (0, 0, "", {})


@pytest.mark.parametrize("backend", [LmdbStore, MemoryStore, FaultyStore])
def test_what_a_caller_leaves_out_means_what_the_contract_says(backend: type) -> None:
    """A page of history is a megabyte, one of rows a thousand, everywhere."""
    for name, method in inspect.getmembers(Store, inspect.isfunction):
        if not name.startswith("_"):
            asked, taken = inspect.signature(method), inspect.signature(getattr(backend, name))
            assert {each.name: each.default for each in taken.parameters.values()} == {
                each.name: each.default for each in asked.parameters.values()
            }, name
    assert inspect.signature(Store.history).parameters["max_bytes"].default == 1 << 20
    for name in ("summaries", "keys", "obligations"):
        assert inspect.signature(getattr(Store, name)).parameters["limit"].default == 1000


# ---- opening


@contextmanager
def environment(path: Path) -> Iterator[lmdb.Environment]:
    with lmdb.open(str(path), max_dbs=len(TABLES) + 1) as env:
        yield env


@pytest.mark.parametrize("name", [b"\x01first", b"zzz"])
def test_one_tree_of_another_program_among_those_of_a_journal_is_enough_to_refuse_it(name: bytes, tmp_path: Path) -> None:
    LmdbStore.open(tmp_path / "journal").close()
    with environment(tmp_path / "journal") as env:
        env.open_db(name)
    with pytest.raises(StoreFormatError, match="another program"):
        LmdbStore.open(tmp_path / "journal")


@needs_proc
@pytest.mark.parametrize("read_only", [True, False])
def test_a_refused_journal_is_not_kept_open(read_only: bool, tmp_path: Path) -> None:
    """J8: who mends it, or opens it with the right program, does so in the same process."""
    path = tmp_path / "journal"
    LmdbStore.open(path).close()
    _put(path, b"meta", META_FORMAT, seal(META_FORMAT, NUMBER.pack(FORMAT_VERSION + 1)))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(StoreFormatError) as caught:
        LmdbStore.open(path, read_only=read_only)
    assert len(os.listdir("/proc/self/fd")) == len(before), caught
    _put(path, b"meta", META_FORMAT, seal(META_FORMAT, NUMBER.pack(FORMAT_VERSION)))
    LmdbStore.open(path, read_only=read_only).close()


def test_who_has_the_journal_is_told_by_its_number(lmdb_store: LmdbStore) -> None:
    """J8."""
    with pytest.raises(StoreLocked, match=f"in use by process {os.getpid()}; ") as caught:
        LmdbStore.open(lmdb_store.path)
    assert caught.value.pid == os.getpid()


# ---- damage


def _put(path: Path, table: bytes, at: bytes, value: bytes) -> None:
    with environment(path) as env, env.begin(write=True) as txn:
        txn.put(at, value, db=env.open_db(table, txn=txn, create=False))


def _edit(path: Path, table: bytes, change: Callable[[bytes, bytes], tuple[bytes, bytes] | None]) -> None:
    """Every record of a tree that `change` gives another key and value for."""
    with environment(path) as env, env.begin(write=True) as txn:
        tree = env.open_db(table, txn=txn, create=False)
        for at, value in [(bytes(at), bytes(value)) for at, value in txn.cursor(db=tree)]:
            changed = change(at, value)
            if changed is not None:
                txn.delete(at, db=tree)
                txn.put(*changed, db=tree)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Two workflows with rows of every kind, numbers 1 and 2."""
    store = LmdbStore.open(tmp_path / "journal")
    write(store, *full_workflow(key("alpha")), *full_workflow(key("beta")))
    store.close()
    return tmp_path / "journal"


def found(journal: Path) -> list[str]:
    store = LmdbStore.open(journal, read_only=True)
    try:
        return [finding.what for finding in store.verify()]
    finally:
        store.close()


def test_a_count_that_cannot_be_read_is_told(journal: Path) -> None:
    """J7: beside the count that then differs."""
    assert found(journal) == []
    _edit(journal, b"meta", lambda at, value: (at, value[:-1] + bytes([value[-1] ^ 1])) if at.startswith(META_COUNT) else None)
    assert any(what.startswith("a count cannot be read: ") for what in found(journal))


@pytest.mark.parametrize(("following", "taken"), [(1, True), (2, True), (3, False)])
def test_the_next_number_is_one_that_nobody_has(following: int, taken: bool, journal: Path) -> None:
    _put(journal, b"meta", META_SERIAL, seal(META_SERIAL, SERIAL.pack(following)))
    assert found(journal) == ([f"the next workflow would get number {following}, and 2 is taken"] if taken else [])


def test_an_id_that_leads_to_the_rows_of_another_is_told_of_both(journal: Path) -> None:
    """J7: it would give another workflow's history for its own."""
    _edit(journal, b"ids", lambda at, value: (at, value[:4] + SERIAL.pack(2)) if at.endswith(b"alpha") else None)
    _edit(journal, b"ids", lambda at, value: (at, seal(at, value[4:])) if at.endswith(b"alpha") else None)
    told = found(journal)
    assert "the id does not lead to its rows" in told
    assert "the id b'alpha' leads to the rows of 'beta'" in told


def test_a_row_of_a_listing_that_the_summary_does_not_bear_out_is_told(journal: Path) -> None:
    _edit(journal, b"vis", lambda at, value: (at[:5] + bytes([at[5] ^ 7]) + at[6:], value) if at.endswith(SERIAL.pack(1)) else None)
    assert any("does not agree with the workflow's summary" in what for what in found(journal))


def test_a_frame_under_a_damaged_key_is_named_and_the_history_is_not_taken_for_a_shorter_one(journal: Path) -> None:
    """J7: by an append, too, which would begin in the midst of the history."""
    last = EVENTS_KEY.pack(1, EVENTS, 3)
    moved = last[: SERIAL.size] + bytes([EVENTS | 1]) + last[SERIAL.size + 1 :]
    _edit(journal, b"rows", lambda at, value: (moved, value) if at == last else None)
    store = LmdbStore.open(journal)
    with pytest.raises(CorruptRecord, match="workflow 'alpha': the key of the event 2 is damaged") as caught:
        store.head(key("alpha"))
    assert (caught.value.workflow_id, caught.value.seq) == ("alpha", 2)
    assert isinstance(store.apply([events(key("alpha"), 2)])[0], CorruptRecord)
    store.close()


# ---- room


@needs_proc
@pytest.mark.parametrize(("spare", "told"), [(0, StoreFull), (399_999, StoreFull), (400_000, StoreFailed)])
def test_a_failed_write_is_a_full_disk_where_the_batch_might_not_have_had_room(
    spare: int, told: type[Exception], lmdb_store: LmdbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J6: LMDB reports a short write as an I/O error; a megabyte and four times the batch are enough."""
    write(lmdb_store, start(key()))
    monkeypatch.setattr(Environment, "room_bytes", lambda _: (1 << 20) + spare)
    with data_file_replaced(lmdb_store.path, "/dev/null", os.O_RDONLY), pytest.raises(told):
        write(lmdb_store, Append(key(), 1, b"e" * 100_000, 1))
