"""Openings that fail, or nearly: what the system refuses, what a power cut or another program left, and opening again."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import lmdb
import pytest

from aion_trio.stores import LmdbStore, StoreClosed, StoreError, StoreFailed, StoreFormatError, StoreFull, StoreNotWritable
from aion_trio.stores.lmdb_store.directory import READERS, WRITER
from aion_trio.stores.lmdb_store.layout import META_FORMAT
from aion_trio.stores.lmdb_store.records import seal

from .building import key
from .damage import root_page
from .processes import run_program
from .test_lmdb_opening import closed_journal, put_meta

PAGE = resource.getpagesize()


def test_an_address_space_that_is_nearly_used_up_gets_the_map_that_fits_or_is_told(tmp_path: Path) -> None:
    program = """
import mmap
store = LmdbStore.open(path)
write(store, *full_workflow(key()))
store.close()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
ballast = mmap.mmap(-1, 600 << 20)
for spare in (100 << 20, 4 << 20):
    limit = used + (600 << 20) + spare
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        store = LmdbStore.open(path)
        print(store._environment.handle.info()["map_size"] < limit // 4, store.head(key()))
        store.close()
    except StoreNotWritable as error: print(error)
ballast.close()
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    smaller, refused = run_program(program, tmp_path / "journal").splitlines()
    assert smaller == "True 3" and "cannot be opened: " in refused and "Cannot allocate memory" in refused


def test_an_environment_without_the_trees_of_a_journal_is_not_read_as_one(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "empty"), max_dbs=8):
        pass
    with pytest.raises(StoreFormatError, match="without the trees of a journal") as refusal:
        LmdbStore.open(tmp_path / "empty", read_only=True)
    with lmdb.open(str(tmp_path / "empty")):
        assert refusal.value  # what was refused is not kept open with it


def test_a_journal_that_is_being_made_cannot_be_read_yet(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    LmdbStore.open(path).close()
    put_meta(path, META_FORMAT, None)
    put_meta(path, b"written_by", None)
    with pytest.raises(StoreFormatError, match="is not a journal"):
        LmdbStore.open(path, read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_whose_format_version_is_damaged_is_not_opened(read_only: bool, tmp_path: Path) -> None:
    """Nobody knows what its records mean."""
    path = closed_journal(tmp_path / "journal")
    put_meta(path, META_FORMAT, b"damaged")
    with pytest.raises(StoreFormatError, match=r"the format version of the journal .* is damaged; restore a backup"):
        LmdbStore.open(path, read_only=read_only)


@pytest.mark.parametrize("name", [b"damaged", None, seal(b"written_by", b"\xff")], ids=["damaged", "gone", "no text"])
def test_a_name_of_the_writer_that_cannot_be_read_stops_nobody(name: bytes | None, tmp_path: Path) -> None:
    path = closed_journal(tmp_path / "journal")
    put_meta(path, b"written_by", name)
    reader = LmdbStore.open(path, read_only=True)
    assert reader.stats().written_by == ""
    reader.close()
    LmdbStore.open(path, written_by="aion-trio 1.1").close()
    store = LmdbStore.open(path, read_only=True)
    assert store.stats().written_by == "aion-trio 1.1" and store.verify() == []
    store.close()


@pytest.mark.parametrize("pages", [1, 2, 3])
@pytest.mark.parametrize("torn", [0, 1])
def test_what_a_power_cut_left_of_a_journal_that_was_being_made_is_taken_for_nothing(tmp_path: Path, pages: int, torn: int) -> None:
    """LMDB refuses such a file. Without the lock's file it may be somebody else's, and is left as it is."""
    with lmdb.open(str(tmp_path / "whole")) as env, env.begin(write=True) as txn:
        txn.put(b"k", b"v")
    data = bytearray((tmp_path / "whole" / "data.mdb").read_bytes())
    assert len(data) == 3 * PAGE
    data[torn * PAGE : (torn + 1) * PAGE] = bytes(PAGE)
    for name in ("owned", "foreign"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").write_bytes(data[: pages * PAGE])
    (tmp_path / "owned" / WRITER).touch()
    closed_journal(tmp_path / "owned")
    with pytest.raises(StoreFormatError, match="not a journal"):
        LmdbStore.open(tmp_path / "foreign")


def test_what_no_power_cut_leaves_is_not_taken_for_nothing(tmp_path: Path) -> None:
    """Whole headers, or a file that is longer than what is written before the headers are durable."""
    for name in ("sound", "long"):
        with lmdb.open(str(tmp_path / name)) as env, env.begin(write=True) as txn:
            txn.put(b"k", b"v" * (PAGE if name == "long" else 1))
        (tmp_path / name / WRITER).touch()
    with (tmp_path / "long" / "data.mdb").open("r+b") as file:
        file.write(bytes(2 * PAGE))
    for name in ("sound", "long"):
        before = (tmp_path / name / "data.mdb").read_bytes()
        with pytest.raises(StoreFormatError):
            LmdbStore.open(tmp_path / name)
        assert (tmp_path / name / "data.mdb").read_bytes() == before


def test_where_the_table_of_readers_finds_no_room_the_journal_is_not_opened(tmp_path: Path) -> None:
    """LMDB would open it, and die in the first read."""
    program = """
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try: LmdbStore.open(path)
except StoreFull as error: print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
LmdbStore.open(path).close()
"""
    assert "there is no room for the journal" in run_program(program, tmp_path / "journal")


def test_where_the_system_cannot_reserve_room_a_journal_is_opened_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    closed_journal(tmp_path / "journal")


@pytest.mark.skipif(not os.path.isdir("/proc/self/cwd"), reason="needs a directory that cannot be synchronised")
def test_a_name_below_a_directory_that_cannot_be_synchronised_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network file systems."""
    monkeypatch.chdir(tmp_path)
    closed_journal(Path("/proc/self/cwd/journal"))
    assert os.listdir(tmp_path) == ["journal"]


def test_a_name_that_cannot_be_made_durable_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J3: what is acknowledged later could be lost with its name. The lock is free again, so that it may be tried again."""

    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(StoreNotWritable, match="Input/output error"):
            LmdbStore.open(tmp_path / "journal")
    closed_journal(tmp_path / "journal")


def test_the_names_of_a_journal_are_durable_up_to_a_directory_that_nobody_may_read_and_beyond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J3: a journal that was made with its parents is lost with the name of any of them."""
    opened, synchronised, durable = os.open, os.fsync, set[int]()

    def open_below(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECTORY and Path(path) == tmp_path / "made" / "passable":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, mode)

    def synchronise(fd: int) -> None:
        durable.add(os.fstat(fd).st_ino)
        synchronised(fd)

    monkeypatch.setattr(os, "open", open_below)
    monkeypatch.setattr(os, "fsync", synchronise)
    LmdbStore.open(tmp_path / "made" / "passable" / "journal").close()
    assert {(tmp_path / name).stat().st_ino for name in ("", "made", "made/passable/journal")} <= durable


@pytest.mark.parametrize(("code", "told"), [(errno.ENOSPC, StoreFull), (errno.EIO, StoreNotWritable)])
@pytest.mark.parametrize(
    ("step", "name"), [("open", WRITER), ("pwrite", ""), ("ftruncate", ""), ("open", READERS), ("posix_fallocate", "")]
)
def test_an_opening_that_the_system_refuses_says_why_and_lets_go_of_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, name: str, code: int, told: type[StoreError]
) -> None:
    """J6, J8: so that it may be tried again."""
    done = getattr(os, step, None)
    if done is None:
        pytest.skip("the system reserves no room")

    def refuse(target: object, *arguments: int) -> object:
        if str(target).endswith(name):
            raise OSError(code, "refused")
        return done(target, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, refuse)
        with pytest.raises(told, match=f"the journal {tmp_path / 'journal'}.*: refused; ") as refusal:
            LmdbStore.open(tmp_path / "journal")
    assert type(refusal.value) is told
    closed_journal(tmp_path / "journal")


def test_a_journal_whose_own_tree_is_torn_is_not_opened(tmp_path: Path) -> None:
    """J7: who writes is not found out, so that nothing is written."""
    path = closed_journal(tmp_path / "journal")
    number, size = root_page(path, b"meta")
    data = bytearray((path / "data.mdb").read_bytes())
    data[number * size + 10 : number * size + 12] = b"\x04\x00"  # the page says that it is part of a large record
    (path / "data.mdb").write_bytes(data)
    with pytest.raises(StoreError):
        LmdbStore.open(path)


def test_a_journal_that_cannot_be_opened_again_says_so_until_it_can(tmp_path: Path) -> None:
    path = closed_journal(tmp_path / "journal")
    store = LmdbStore.open(path)
    sound = (path / "data.mdb").read_bytes()
    (path / "data.mdb").rename(tmp_path / "kept")
    (path / "data.mdb").write_bytes(b"something else" * 1000)
    with pytest.raises(StoreFormatError):
        store.reopen()
    for read in (lambda: store.head(key()), store.stats, store.verify):
        with pytest.raises(StoreFailed, match="could not be opened again"):
            read()
    (path / "data.mdb").write_bytes(sound)
    store.reopen()
    assert store.head(key()) == 3 and store.verify() == []
    store.close()
    with pytest.raises(StoreClosed):
        store.reopen()


def test_a_journal_whose_file_was_removed_under_it_is_read_on_and_takes_no_room(tmp_path: Path) -> None:
    path = closed_journal(tmp_path / "journal")
    store = LmdbStore.open(path)
    (path / "data.mdb").unlink()
    assert store.head(key()) == 3 and store.stats().size_bytes == 0
    store.close()
