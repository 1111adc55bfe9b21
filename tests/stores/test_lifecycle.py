"""Contract suite: opening again, backups, verify, statistics, closing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aion_trio.stores import (
    Append,
    Finding,
    LmdbStore,
    MemoryStore,
    Remedy,
    Store,
    StoreClosed,
    StoreFormatError,
    StoreStats,
    SummaryFilter,
    dump,
)

from .building import events, full_workflow, key, start, summary, wake_up, write
from .conftest import Backend
from .operations import ARGUMENTS, operations


def test_everything_is_there_after_opening_again(store: Store, backend: Backend) -> None:
    """J3."""
    write(store, *full_workflow(key("a")), *full_workflow(key("b", "other")))
    before = dump(store)
    again = backend.again(store)
    assert dump(again) == before
    assert again.apply([events(key("a"), 3)]) == [4]
    write(again, *full_workflow(key("c")))
    assert again.verify() == []
    assert len(again.summaries(SummaryFilter()).entries) == 2


def test_reopen_goes_on_with_what_is_committed(store: Store) -> None:
    write(store, *full_workflow(key()))
    before = dump(store)
    store.reopen()
    assert dump(store) == before
    assert store.apply([events(key(), 3)]) == [4]


def test_a_backup_holds_the_same_records(store: Store, tmp_path: Path) -> None:
    write(store, *full_workflow(key("a")), *full_workflow(key("b", "other")))
    store.backup(tmp_path / "new" / "backup")
    copy = LmdbStore.open(tmp_path / "new" / "backup")
    assert dump(copy) == dump(store)
    assert copy.verify() == []
    assert copy.apply([events(key("a"), 3)]) == [4]
    copy.close()
    assert store.head(key("a")) == 3


def test_a_backup_while_writing_is_one_moments_picture(store: Store, tmp_path: Path) -> None:
    """J8: each batch writes two workflows, and a backup holds both of a batch or neither."""
    write(store, start(key("a")), start(key("b")))
    done = threading.Event()

    def work() -> None:
        head = 1
        while not done.is_set() and head < 2000:
            head = write(store, events(key("a"), head, 1, bytes(500)), events(key("b"), head, 1, bytes(500)))

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for number in range(4):
            store.backup(tmp_path / f"backup-{number}")
    finally:
        done.set()
        writer.join()
    for number in range(4):
        copy = LmdbStore.open(tmp_path / f"backup-{number}", read_only=True)
        assert copy.head(key("a")) == copy.head(key("b")) > 0
        assert copy.verify() == []
        copy.close()


def test_a_backup_goes_to_an_empty_directory_only(store: Store, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(StoreFormatError, match="not empty"):
        store.backup(tmp_path / "taken")
    assert [entry.name for entry in (tmp_path / "taken").iterdir()] == ["notes.txt"]


def test_verify_finds_nothing_in_a_sound_store(store: Store) -> None:
    write(store, *full_workflow(key("a")), *full_workflow(key("b", "other")))
    assert store.verify() == []


def test_verify_finds_a_closed_workflow_that_does_not_end_where_its_summary_says(store: Store) -> None:
    """Events are restored from elsewhere, a row is made anew from what is there."""
    write(store, start(key("closed"), summary(2, closed_us=9, head=1)), start(key("open")), Append(key("rows"), 0, opens=[wake_up()]))
    assert store.verify() == []
    write(store, start(key("cut", "other"), summary(2, closed_us=9, head=4)), *full_workflow(key("late")))
    write(store, Append(key("late"), 3, b"e", 1, summary(2, closed_us=9, head=3)))
    assert store.verify() == [
        Finding("the summary says that the history ends at 4, it ends at 1", "cut", 1, "other", Remedy.RESTORE),
        Finding("the summary says that the history ends at 3, it ends at 4", "late", 4, "default", Remedy.REPAIR),
    ]


def test_statistics_count_what_there_is(store: Store) -> None:
    write(store, *full_workflow(key("a")), *full_workflow(key("b")))
    stats = store.stats()
    assert stats.workflows == 2
    assert stats.obligations == {"wake_up": 2, "activity": 4}
    assert stats.size_bytes > 0 and stats.written_by


def test_statistics_of_a_store_in_memory_tell_of_no_file() -> None:
    assert MemoryStore().stats() == StoreStats(0, {}, 0, 0, 0, 0, "memory")


def test_a_backup_of_a_store_in_memory_has_the_name_of_its_writer(tmp_path: Path) -> None:
    MemoryStore(written_by="orders 1.4").backup(tmp_path / "backup")
    copy = LmdbStore.open(tmp_path / "backup", read_only=True)
    assert copy.stats().written_by == "orders 1.4"
    copy.close()


@pytest.mark.parametrize("operation", sorted({*operations()} - {"close"}))
def test_a_closed_store_says_so_whatever_it_is_asked(operation: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(store, start(key()))
    store.close()
    store.close()
    with pytest.raises(StoreClosed):
        getattr(store, operation)(*ARGUMENTS[operation])
