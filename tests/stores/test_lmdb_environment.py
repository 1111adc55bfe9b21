"""An environment under its store: how much room it says there is, whom it waits for, and what a refusal of LMDB's means (J5, J6)."""

from __future__ import annotations

import errno
import os
import resource
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import lmdb
import pytest

from aion_trio.stores import CorruptRecord, LmdbStore, StoreClosed, StoreError, StoreFormatError, StoreFull, StoreLocked, StoreNotWritable
from aion_trio.stores.lmdb_store import environment as environments
from aion_trio.stores.lmdb_store.environment import Environment

from .building import events, full_workflow, key, write

MEGABYTE = 1 << 20


def test_room_is_what_the_limit_of_the_journal_leaves(tmp_path: Path) -> None:
    with closing(LmdbStore.open(tmp_path / "journal", map_bytes=MEGABYTE)) as store:
        write(store, *full_workflow(key()))
        told = store.stats()
        assert told.free_bytes + told.size_bytes == MEGABYTE
        assert told.size_bytes == (tmp_path / "journal" / "data.mdb").stat().st_size


def test_a_journal_beyond_its_limit_has_no_room(tmp_path: Path) -> None:
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        write(store, *[events(key(), head, data=os.urandom(50_000)) for head in range(12)])
    with closing(LmdbStore.open(tmp_path / "journal", map_bytes=MEGABYTE // 2)) as store:
        assert store.stats().free_bytes == 0


def test_a_journal_that_was_only_now_made_has_its_limit(tmp_path: Path) -> None:
    with closing(LmdbStore.create(tmp_path / "journal", map_bytes=MEGABYTE)) as store:
        assert store.stats().free_bytes < MEGABYTE


@pytest.mark.parametrize("spare", [5000, 0, -5000])
def test_room_is_what_the_limit_of_the_process_leaves(lmdb_store: LmdbStore, monkeypatch: pytest.MonkeyPatch, spare: int) -> None:
    limit = lmdb_store.stats().size_bytes + spare
    monkeypatch.setattr(resource, "getrlimit", lambda which: {resource.RLIMIT_FSIZE: (limit, resource.RLIM_INFINITY)}[which])
    assert lmdb_store.stats().free_bytes == max(spare, 0)


def test_room_is_what_the_file_system_has_for_this_user(lmdb_store: LmdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(os.statvfs(lmdb_store.path))
    found[1:5] = [512, 1000, 30, 20]  # size of blocks, all of them, those that are free, and free for others than root
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(found))
    assert lmdb_store.stats().free_bytes == 20 * 512


def test_closing_waits_for_reads_and_for_an_opening_under_way(lmdb_store: LmdbStore) -> None:
    """Neither has the environment closed under it, and afterwards it is closed."""
    write(lmdb_store, *full_workflow(key()))
    environment = lmdb_store._environment
    first, second = environment.view(), environment.view()
    views = [first.__enter__(), second.__enter__()]
    threads = [threading.Thread(target=each) for each in (lmdb_store.close, lmdb_store.reopen)]
    for waiting, thread in enumerate(threads, 1):
        thread.start()
        while len(environment._gate._waiters) < waiting:  # type: ignore[attr-defined]
            assert thread.is_alive()
    first.__exit__(None, None, None)
    assert all(thread.is_alive() for thread in threads)
    assert views[1].txn.stat(views[1].tables.rows)["entries"] > 0
    second.__exit__(None, None, None)
    for thread in threads:
        thread.join()
    with pytest.raises(StoreClosed):
        lmdb_store.head(key())
    with closing(LmdbStore.open(lmdb_store.path)) as again:
        assert again.head(key()) == 3


def test_each_read_is_counted_as_long_as_it_lasts(lmdb_store: LmdbStore) -> None:
    """And no longer, whoever keeps what it was read with (J5)."""
    environment = lmdb_store._environment
    assert environment.active_readers() == 0
    with environment.view() as first:
        assert environment.active_readers() == 1
        with environment.view() as second:
            assert environment.active_readers() == 2
    assert environment.active_readers() == 0
    assert first.txn is not second.txn


@pytest.mark.parametrize("fits", [1 << 40, 1 << 26, 1 << 24, 1])
def test_the_map_is_the_largest_that_the_address_space_has_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: int) -> None:
    """Halved until it fits. One of less than 16 MB is of no use."""
    opened, asked = lmdb.open, list[int]()

    def open_below(path: str, *, map_size: int, **options: Any) -> lmdb.Environment:
        asked.append(map_size)
        if map_size > fits:
            raise lmdb_error(lmdb.MemoryError, errno.ENOMEM)
        return opened(path, map_size=map_size, **options)

    monkeypatch.setattr(lmdb, "open", open_below)
    if fits == 1:
        with pytest.raises(StoreNotWritable, match="cannot be opened"):
            LmdbStore.open(tmp_path / "journal")
    else:
        with closing(LmdbStore.open(tmp_path / "journal")) as store:
            assert write(store, events(key(), 0)) == 1
    assert asked == [1 << bits for bits in range(40, max(24, fits.bit_length() - 1) - 1, -1)]


@pytest.mark.parametrize(
    ("limit", "map_bytes"),
    [(resource.RLIM_INFINITY, 1 << 40), ((1 << 32) + 12345, 1 << 30), ((1 << 32) + (1 << 15), (1 << 30) + (1 << 13)), (1 << 20, 1 << 24)],
)
def test_a_limited_address_space_gives_a_quarter_to_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, map_bytes: int
) -> None:
    """In whole pages, and not less than 16 MB."""
    limits = {resource.RLIMIT_AS: (limit, resource.RLIM_INFINITY), resource.RLIMIT_FSIZE: (resource.RLIM_INFINITY,) * 2}
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[which])
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        assert store._environment.handle.info()["map_size"] == map_bytes


def lmdb_error(kind: type[lmdb.Error], code: int) -> lmdb.Error:
    error = kind("mdb_env_open")
    error.code = code
    return error


@pytest.mark.parametrize(
    ("kind", "code", "room", "told", "words"),
    [
        (lmdb.MapFullError, -30792, MEGABYTE, StoreFull, "no room"),
        (lmdb.DiskError, errno.ENOSPC, MEGABYTE, StoreFull, "no room"),
        (lmdb.DiskError, errno.EIO, MEGABYTE - 1, StoreFull, "no room"),
        (lmdb.DiskError, errno.EIO, MEGABYTE, StoreNotWritable, "cannot be opened"),
        (lmdb.LockError, errno.EACCES, 0, StoreNotWritable, "cannot be opened"),
        (lmdb.CorruptedError, -30796, 0, StoreFormatError, "not a journal"),
        (lmdb.VersionMismatchError, -30794, 0, StoreFormatError, "not a journal"),
        (lmdb.ReadersFullError, -30790, 0, StoreError, "too many readers"),
    ],
)
def test_a_refusal_to_open_says_what_can_be_done(
    kind: type[lmdb.Error], code: int, room: int, told: type[StoreError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J6. A short write is reported as a failing disk, so that the room that is left decides."""

    def refuse(*arguments: object, **options: object) -> lmdb.Environment:
        raise lmdb_error(kind, code)

    monkeypatch.setattr(lmdb, "open", refuse)
    monkeypatch.setattr(environments, "room_bytes", lambda path: room)
    with pytest.raises(told, match=words) as refusal:
        LmdbStore.open(tmp_path / "journal")
    assert type(refusal.value) is told


def test_an_environment_that_this_process_has_open_is_told_as_locked(lmdb_store: LmdbStore) -> None:
    """J8: also where the lock's file is gone."""
    (lmdb_store.path / "writer.lock").unlink()
    with pytest.raises(StoreLocked, match="already open in this process") as refusal:
        LmdbStore.open(lmdb_store.path)
    assert refusal.value.pid == os.getpid()


def test_a_page_that_is_not_there_is_told_as_damage(lmdb_store: LmdbStore) -> None:
    """J7."""
    with pytest.raises(CorruptRecord, match="LMDB cannot read"), lmdb_store._environment.view():
        raise lmdb.PageNotFoundError("mdb_get", -30797)
    with pytest.raises(lmdb.BadTxnError), Environment.view(lmdb_store._environment):
        raise lmdb.BadTxnError("mdb_get", -30782)
