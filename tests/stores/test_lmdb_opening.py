"""What may lie in a journal's directory, which versions are read, and who may write."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from pathlib import Path

import lmdb
import pytest

from aion_trio.stores import LmdbStore, StoreFormatError, StoreNotWritable
from aion_trio.stores.lmdb_store.directory import READERS, WRITER
from aion_trio.stores.lmdb_store.layout import FORMAT_VERSION, META_FORMAT, NUMBER
from aion_trio.stores.lmdb_store.records import seal

from .building import full_workflow, key, write
from .processes import run_program


def closed_journal(path: Path, written_by: str = "aion-trio 9.9") -> Path:
    store = LmdbStore.open(path, written_by=written_by)
    write(store, *full_workflow(key()))
    store.close()
    return path


def put_meta(path: Path, name: bytes, value: bytes | None) -> None:
    with lmdb.open(str(path), max_dbs=8) as env:
        meta = env.open_db(b"meta")
        with env.begin(write=True) as txn:
            if value is None:
                txn.delete(name, db=meta)
            else:
                txn.put(name, value, db=meta)


def test_a_journal_is_made_with_its_parents(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path / "a" / "b")
    assert sorted(os.listdir(tmp_path / "a" / "b")) == ["data.mdb", "lock.mdb", "writer.lock"]
    assert store.stats().format_version == FORMAT_VERSION
    store.close()


def test_an_empty_directory_and_a_beginning_that_was_cut_off_are_taken(tmp_path: Path) -> None:
    for leftovers in ((), ("writer.lock",), ("writer.lock", "lock.mdb"), ("writer.lock", "lock.mdb", "data.mdb")):
        path = tmp_path / f"with-{len(leftovers)}"
        path.mkdir()
        for name in leftovers:
            (path / name).touch()
        LmdbStore.open(path).close()
        closed_journal(path)


def test_a_journal_whose_trees_were_made_and_not_yet_claimed_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    LmdbStore.open(path).close()
    put_meta(path, META_FORMAT, None)
    put_meta(path, b"written_by", None)
    closed_journal(path)


def test_a_journal_is_read_by_others_and_written_by_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        closed_journal(tmp_path / "journal")
    finally:
        os.umask(before)
    modes = {name: (tmp_path / "journal" / name).stat().st_mode & 0o777 for name in ("data.mdb", "lock.mdb", "writer.lock")}
    assert modes == {"data.mdb": 0o644, "lock.mdb": 0o644, "writer.lock": 0o644}


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no room")
def test_the_whole_table_of_readers_has_its_room_on_disk(tmp_path: Path) -> None:
    """J6: a reader whose slot finds no block on a full disk would die."""
    closed_journal(tmp_path / "journal")
    table = (tmp_path / "journal" / READERS).stat()
    assert table.st_blocks * 512 >= table.st_size


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orders.db").write_bytes(b"SQLite format 3")
    with pytest.raises(StoreFormatError, match="is a file; a journal is a directory"):
        LmdbStore.open(tmp_path / "orders.db")


def test_a_directory_with_other_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreFormatError, match=r"holds other files \(notes\.txt\)"):
        LmdbStore.open(tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_journal_beside_which_somebody_put_a_file_is_opened(tmp_path: Path) -> None:
    closed_journal(tmp_path / "journal")
    (tmp_path / "journal" / "notes.txt").write_text("mine")
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        assert store.head(key()) == 3


@pytest.mark.parametrize("missing", [os.W_OK, os.X_OK])
def test_a_directory_in_which_nothing_can_be_made_is_refused_with_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & missing)
    with pytest.raises(StoreNotWritable, match=rf"cannot be written by this user \(uid {os.geteuid()}\); check its owner and mode"):
        LmdbStore.open(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("step", "words"), [("exists", "cannot be reached: no; check the modes"), ("iterdir", "cannot be read: no; check its")]
)
def test_a_place_that_cannot_be_looked_at_is_refused_with_what_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, words: str
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, refuse)
        with pytest.raises(StoreNotWritable, match=words):
            LmdbStore.open(tmp_path)


def test_a_data_file_that_is_not_lmdbs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"something else" * 1000)
    with pytest.raises(StoreFormatError, match="not a journal"):
        LmdbStore.open(tmp_path)


def test_the_environment_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path), max_dbs=2) as env:
        other = env.open_db(b"somebody's")
        with env.begin(write=True) as txn:
            txn.put(b"k", b"v", db=other)
    for read_only in (False, True):
        with pytest.raises(StoreFormatError, match="another program") as refusal:
            LmdbStore.open(tmp_path, read_only=read_only)
        with lmdb.open(str(tmp_path), max_dbs=2):
            assert refusal.value  # what was refused is not kept open with it
    with lmdb.open(str(tmp_path), max_dbs=2) as env, env.begin() as txn:
        assert list(txn.cursor().iternext(values=False)) == [b"somebody's"]


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0])
def test_another_format_version_is_refused_with_both_numbers_and_its_writer(tmp_path: Path, version: int) -> None:
    path = closed_journal(tmp_path / "journal")
    put_meta(path, META_FORMAT, seal(META_FORMAT, NUMBER.pack(version)))
    for read_only in (False, True):
        with pytest.raises(StoreFormatError, match=rf"format version {version} \(written by aion-trio 9\.9\).* version {FORMAT_VERSION}"):
            LmdbStore.open(path, read_only=read_only)


def test_records_without_a_version_are_refused(tmp_path: Path) -> None:
    path = closed_journal(tmp_path / "journal")
    put_meta(path, META_FORMAT, None)
    with pytest.raises(StoreFormatError, match="no format version"):
        LmdbStore.open(path)


def test_the_last_program_that_opened_it_for_writing_is_noted(tmp_path: Path) -> None:
    closed_journal(tmp_path / "journal", "aion-trio 1.0")
    store = LmdbStore.open(tmp_path / "journal", written_by="aion-trio 1.1")
    assert store.stats().written_by == "aion-trio 1.1"
    store.close()


def test_a_journal_whose_writer_has_no_name_is_a_journal(tmp_path: Path) -> None:
    LmdbStore.open(tmp_path / "journal", written_by="").close()
    with closing(LmdbStore.open(tmp_path / "journal", read_only=True)) as store:
        assert (store.stats().format_version, store.stats().written_by) == (FORMAT_VERSION, "")


def test_reading_where_there_is_no_journal_makes_none(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StoreFormatError, match="there is no journal"):
            LmdbStore.open(path, read_only=True)
    assert os.listdir(tmp_path) == []


def test_create_takes_an_empty_or_new_directory_only(tmp_path: Path) -> None:
    LmdbStore.create(tmp_path / "new").close()
    (tmp_path / "file").touch()
    for taken in ("new", "file"):
        with pytest.raises(StoreFormatError, match="not empty"):
            LmdbStore.create(tmp_path / taken)


def test_a_path_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreNotWritable, match="cannot be made"):
        LmdbStore.open(tmp_path / "file" / "journal")


@pytest.mark.skipif(os.geteuid() != 0, reason="drops the rights of root")
def test_a_directory_of_another_user_is_not_writable(tmp_path: Path) -> None:
    program = """
import aion_trio.stores.lmdb_store
os.setresuid(65534, 65534, 0)
for place in ("journal", "journal/new", "closed/journal", "unreadable", "lock-of-another", "readers-of-another"):
    try: LmdbStore.open(path / place)
    except StoreNotWritable as error: print(error)
store = LmdbStore.open(path / "passable" / "own" / "journal")
write(store, *full_workflow(key()))
store.close()
os.setresuid(0, 0, 0)
"""
    public = Path("/tmp") / f"stores-not-writable-{os.getpid()}"
    public.mkdir(mode=0o755)
    try:
        closed_journal(public / "journal")
        closed_journal(public / "closed" / "journal")
        (public / "closed").chmod(0o700)
        for name, mode, inside in (
            ("unreadable", 0o733, ()),
            ("lock-of-another", 0o777, (WRITER,)),
            ("readers-of-another", 0o777, (READERS,)),
        ):
            (public / name).mkdir()
            (public / name).chmod(mode)
            for each in inside:
                (public / name / each).touch(mode=0o644)
        (public / "passable" / "own").mkdir(parents=True)
        (public / "passable" / "own").chmod(0o777)
        (public / "passable").chmod(0o711)
        refusals = run_program(program, public).splitlines()
    finally:
        shutil.rmtree(public)
    assert len(refusals) == 6
    assert all(str(public) in refusal and ("check" in refusal or "choose" in refusal) for refusal in refusals)


def test_a_small_address_space_gets_a_smaller_map(tmp_path: Path) -> None:
    program = """
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
store = LmdbStore.open(path)
write(store, *full_workflow(key()))
print(store._environment.handle.info()["map_size"])
store.close()
"""
    assert int(run_program(program, tmp_path / "journal")) <= 1 << 29


def test_the_engine_is_lmdb_0_9_with_every_commit_synchronised(lmdb_store: LmdbStore) -> None:
    handle = lmdb_store._environment.handle
    flags = handle.flags()
    assert flags["sync"] and flags["metasync"] and not flags["writemap"] and not flags["map_async"] and not flags["readahead"]
    assert handle.lib_version()[:2] == (0, 9)
    assert handle.info()["map_size"] == 1 << 40
