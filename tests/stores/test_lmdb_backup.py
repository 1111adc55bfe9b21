"""A backup is whole and durable, or nothing is left of it and it says why (J6, J7)."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import CorruptRecord, LmdbStore, StoreClosed, StoreError, StoreFormatError, StoreFull, StoreNotWritable, dump

from .building import events, full_workflow, key, start, write
from .damage import root_page


def test_a_backup_that_is_not_durable_is_none(lmdb_store: LmdbStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(lmdb_store, *full_workflow(key()))

    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(StoreNotWritable, match="Input/output error"):
            lmdb_store.backup(tmp_path / "backup")
    assert os.listdir(tmp_path / "backup") == []
    lmdb_store.backup(tmp_path / "backup")
    copy = LmdbStore.open(tmp_path / "backup")
    assert dump(copy) == dump(lmdb_store)
    copy.close()


@pytest.mark.parametrize(
    ("device", "flags", "blocks", "error", "words"),
    [
        ("/dev/full", os.O_WRONLY, 1, StoreFull, "no space for the backup"),
        ("/dev/null", os.O_RDONLY, 1, StoreNotWritable, "the backup .* failed: "),
        ("/dev/null", os.O_RDONLY, 0, StoreFull, "no space for the backup"),
    ],
    ids=["full", "failing", "failing where no block is free"],
)
def test_a_backup_that_its_disk_refuses_leaves_nothing(
    lmdb_store: LmdbStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    flags: int,
    blocks: int,
    error: type[StoreError],
    words: str,
) -> None:
    """J6. The file that LMDB writes to is on a device that takes nothing."""
    write(lmdb_store, *full_workflow(key()))
    opened, space = os.open, list(os.statvfs(tmp_path))
    space[4] = blocks

    def on_device(path: str | Path, asked: int, mode: int = 0o777) -> int:
        fd = opened(path, asked, mode)
        if str(path).endswith(".partial"):
            refusing = opened(device, flags)
            os.dup2(refusing, fd)
            os.close(refusing)
        return fd

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", on_device)
        patch.setattr(os, "statvfs", lambda path: os.statvfs_result(space))
        with pytest.raises(error, match=words + ".*nothing was left there"):
            lmdb_store.backup(tmp_path / "backup")
    assert os.listdir(tmp_path / "backup") == []
    assert write(lmdb_store, events(key(), 3)) == 4


def test_a_backup_of_a_journal_with_a_torn_page_is_refused(tmp_path: Path) -> None:
    """J7: LMDB copies no page that it cannot read, and its copy would not be whole."""
    store = LmdbStore.open(tmp_path / "journal")
    write(store, *[start(key(f"w{number}")) for number in range(300)])
    store.close()
    number, size = root_page(tmp_path / "journal", b"rows")
    data = bytearray((tmp_path / "journal" / "data.mdb").read_bytes())
    node = number * size + int.from_bytes(data[number * size + 16 : number * size + 18], "little")
    data[node : node + 4] = b"\xff\xff\xff\x00"  # the page that its first branch leads to is far behind the last
    (tmp_path / "journal" / "data.mdb").write_bytes(data)
    store = LmdbStore.open(tmp_path / "journal", read_only=True)
    with pytest.raises(CorruptRecord, match="restore it from a backup"):
        store.backup(tmp_path / "backup")
    assert os.listdir(tmp_path / "backup") == []
    store.close()
    shutil.rmtree(tmp_path / "backup")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("how", ["backup", "salvage"])
@pytest.mark.parametrize("where", ["new/copy", "empty"])
def test_a_copy_lies_in_a_new_or_an_empty_directory_and_is_durable_with_its_names(
    lmdb_store: LmdbStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, where: str
) -> None:
    """J3. No file of it stays open, and others may read it."""
    write(lmdb_store, *full_workflow(key()))
    place, before, mask = tmp_path / where, open_files(), os.umask(0)
    (tmp_path / "empty").mkdir()
    synchronised, durable = os.fsync, set[int]()

    def synchronise(fd: int) -> None:
        durable.add(os.fstat(fd).st_ino)
        synchronised(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", synchronise)
        getattr(lmdb_store, how)(place)
    os.umask(mask)
    assert {place.stat().st_ino, place.parent.stat().st_ino} <= durable and open_files() == before
    assert (place / "data.mdb").stat().st_mode & 0o777 == 0o644
    with closing(LmdbStore.open(place, read_only=True)) as copy:
        assert dump(copy) == dump(lmdb_store)


@pytest.mark.parametrize("how", ["backup", "salvage"])
def test_a_copy_is_not_put_beside_other_files(lmdb_store: LmdbStore, tmp_path: Path, how: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(StoreFormatError, match="not empty"):
        getattr(lmdb_store, how)(tmp_path / "taken")
    assert os.listdir(tmp_path / "taken") == ["notes.txt"]


@pytest.mark.parametrize("how", ["backup", "salvage"])
def test_a_copy_of_a_closed_journal_leaves_nothing(lmdb_store: LmdbStore, tmp_path: Path, how: str) -> None:
    lmdb_store.close()
    with pytest.raises(StoreClosed):
        getattr(lmdb_store, how)(tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_backup_takes_no_room_for_what_was_purged(lmdb_store: LmdbStore, tmp_path: Path) -> None:
    keys = [key(f"w{number}") for number in range(300)]
    write(lmdb_store, *[start(each) for each in keys])
    lmdb_store.purge(keys[1:])
    lmdb_store.backup(tmp_path / "backup")
    assert 2 * (tmp_path / "backup" / "data.mdb").stat().st_size < lmdb_store.stats().size_bytes
