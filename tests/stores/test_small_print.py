"""Sentences of the contract that are easily lost: an append of a summary alone, and a backup that cannot begin."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aion_trio.stores import Append, LmdbStore, Store, StoreFull, StoreNotWritable
from aion_trio.stores.limits import MAX_SEQ, InvalidRecord

from .building import key, start, summary, write


def test_a_summary_without_events_is_kept(store: Store) -> None:
    """H2: rows can be rebuilt where a workflow has no history any more."""
    assert store.apply([Append(key(), 0, b"", 0, summary())]) == [0]
    assert store.summary(key()) == summary()


def test_an_append_of_nothing_leaves_nothing(store: Store) -> None:
    assert store.apply([Append(key(), 0, b"", 0)]) == [0]
    assert store.keys()[0] == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_backup_that_the_system_refuses_is_told_as_such(lmdb_store: LmdbStore) -> None:
    """J6."""
    with pytest.raises(StoreNotWritable, match="cannot be written"):
        lmdb_store.backup(Path("/proc/no-such-place/backup"))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_backup_keeps_no_file_open(lmdb_store: LmdbStore, tmp_path: Path) -> None:
    write(lmdb_store, start(key()))
    before = os.listdir("/proc/self/fd")
    lmdb_store.backup(tmp_path / "backup")
    assert len(os.listdir("/proc/self/fd")) == len(before)


@contextmanager
def no_file_grows() -> Iterator[None]:
    """The system lets no file grow beyond some kilobytes, as if the disk were full."""
    resource = pytest.importorskip("resource")
    before, signalled = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signalled)


@pytest.mark.skipif(sys.platform != "linux", reason="knows how Linux refuses")
def test_a_backup_that_finds_no_room_says_so_and_leaves_nothing(lmdb_store: LmdbStore, tmp_path: Path) -> None:
    """J6."""
    with no_file_grows(), pytest.raises(StoreFull, match=r"no space for the backup .*; nothing was left there, free some space"):
        lmdb_store.backup(tmp_path / "backup")
    assert os.listdir(tmp_path / "backup") == []


def test_the_last_number_is_a_number_and_the_next_is_none(store: Store) -> None:
    """J6."""
    taken, refused = store.apply([start(key(), summary(head=MAX_SEQ)), start(key("v"), summary(head=MAX_SEQ + 1))])
    assert taken == 1
    assert isinstance(refused, InvalidRecord)
