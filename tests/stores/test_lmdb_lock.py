"""One writer, many readers (J8)."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import LmdbStore, StoreError, StoreLocked, StoreNotWritable, dump
from aion_trio.stores.lmdb_store import writer as writers
from aion_trio.stores.lmdb_store.directory import WRITER

from .building import events, full_workflow, key, write
from .processes import run_program, running

needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")

HOLD = "store = LmdbStore.open(path); write(store, *full_workflow(key())); print('ready', flush=True); sys.stdin.read()"


def test_a_second_writer_is_told_who_holds_the_journal(lmdb_store: LmdbStore) -> None:
    program = """
try: LmdbStore.open(path)
except StoreLocked as error: print(error.pid, error)
"""
    told = run_program(program, lmdb_store.path)
    assert told.startswith(f"{os.getpid()} the journal {lmdb_store.path} is in use by process {os.getpid()}")


def test_a_second_open_in_one_process_is_refused(lmdb_store: LmdbStore) -> None:
    for read_only in (False, True):
        with pytest.raises(StoreLocked) as refusal:
            LmdbStore.open(lmdb_store.path, read_only=read_only)
        assert refusal.value.pid == os.getpid()
    assert write(lmdb_store, events(key(), 0)) == 1


def test_a_writer_that_is_refused_leaves_the_readers_of_its_process_their_lock(tmp_path: Path) -> None:
    """J5: without its lock another process takes the table of readers for nobody's, and wipes the slots of those who read."""
    path = tmp_path / "journal"
    store = LmdbStore.open(path)
    write(store, events(key(), 0))
    store.close()
    reader = LmdbStore.open(path, read_only=True)
    assert reader.head(key()) == 1
    for _ in range(2):
        with pytest.raises(StoreLocked, match="already open in this process"):
            LmdbStore.open(path)
    told = run_program("store = LmdbStore.open(path); write(store, events(key(), 1)); print(store.head(key())); store.close()", path)
    assert told == "2\n"
    assert reader.head(key()) == 2 and reader.stats().readers > 0
    reader.close()


def test_a_refused_writer_leaves_the_owners_name(lmdb_store: LmdbStore) -> None:
    for _ in range(2):
        with pytest.raises(StoreLocked) as refusal:
            LmdbStore.open(lmdb_store.path)
        assert refusal.value.pid == os.getpid()


def test_the_lock_names_its_owner_and_nobody_else(tmp_path: Path) -> None:
    """Also behind one whose number was longer."""
    (tmp_path / WRITER).write_text("12345678901\n67\n")
    LmdbStore.open(tmp_path).close()
    assert (tmp_path / WRITER).read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("name", ["", "\n", "somebody\n"])
def test_an_owner_that_has_not_named_itself_is_another_process(tmp_path: Path, name: str) -> None:
    (tmp_path / WRITER).write_text(name)
    with (tmp_path / WRITER).open() as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        with pytest.raises(StoreLocked, match="in use by another process; ") as refusal:
            LmdbStore.open(tmp_path)
    assert refusal.value.pid == 0


@needs_proc
def test_what_was_closed_or_refused_keeps_no_file_open_and_closes_no_other(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(2):
        store = LmdbStore.open(tmp_path / "journal")
        held = os.listdir("/proc/self/fd")
        with pytest.raises(StoreLocked) as refusal:
            LmdbStore.open(tmp_path / "journal")
        assert len(os.listdir("/proc/self/fd")) == len(held), refusal
        store.close()
        store.close()
        assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_program_without_standard_input_lets_go_of_its_lock_too(tmp_path: Path) -> None:
    """The lock is the first file that it opens, and gets the lowest number."""
    kept = os.dup(0)
    os.close(0)
    try:
        store = LmdbStore.open(tmp_path / "journal")
        assert os.path.samestat(os.fstat(0), (tmp_path / "journal" / WRITER).stat())
        store.close()
        LmdbStore.open(tmp_path / "journal").close()
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_closing_lets_the_next_writer_in(lmdb_store: LmdbStore) -> None:
    write(lmdb_store, events(key(), 0))
    lmdb_store.close()
    run_program("store = LmdbStore.open(path); write(store, events(key(), 1)); store.close()", lmdb_store.path)
    again = LmdbStore.open(lmdb_store.path)
    assert again.head(key()) == 2
    again.close()


def test_killing_the_owner_frees_the_journal(tmp_path: Path) -> None:
    with running(HOLD, tmp_path / "journal") as owner:
        with pytest.raises(StoreLocked) as refusal:
            LmdbStore.open(tmp_path / "journal")
        assert refusal.value.pid == owner.pid
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        store = LmdbStore.open(tmp_path / "journal")
        assert store.head(key()) == 3 and store.verify() == []
        store.close()


def test_another_process_reads_while_the_writer_works(tmp_path: Path) -> None:
    with running(HOLD, tmp_path / "journal"):
        reader = LmdbStore.open(tmp_path / "journal", read_only=True)
        assert reader.head(key()) == 3
        assert list(dump(reader)) == [key()]
        assert reader.verify() == []
        reader.backup(tmp_path / "backup")
        reader.close()
    copy = LmdbStore.open(tmp_path / "backup")
    assert copy.head(key()) == 3
    copy.close()


def test_a_reader_in_another_process_sees_each_commit_whole(lmdb_store: LmdbStore) -> None:
    """J5: the two workflows are written by one batch, so a reader that takes the second one first never finds it ahead."""
    program = """
store = LmdbStore.open(path, read_only=True)
print("ready", flush=True)
seen = 0
while seen < 300:
    second = store.head(key("b"))
    first = store.head(key("a"))
    assert first >= second >= seen, (first, second, seen)
    seen = second
print("done", flush=True)
"""
    write(lmdb_store, events(key("a"), 0), events(key("b"), 0))
    with running(program, lmdb_store.path) as reader:
        head = 1
        while head < 300:
            head = write(lmdb_store, events(key("a"), head), events(key("b"), head))
        assert reader.stdout is not None and reader.stdout.readline() == "done\n"


def test_a_read_only_store_refuses_every_write(lmdb_store: LmdbStore) -> None:
    program = """
store = LmdbStore.open(path, read_only=True)
for write in (lambda: store.apply([events(key(), 0)]), lambda: store.purge([key()])):
    try: write()
    except StoreNotWritable as error: print(error)
"""
    refusals = run_program(program, lmdb_store.path).splitlines()
    assert refusals == [f"the journal {lmdb_store.path} was opened for reading only"] * 2
    assert issubclass(StoreNotWritable, Exception)


def test_a_reader_of_a_journal_writes_nothing(tmp_path: Path) -> None:
    LmdbStore.open(tmp_path / "journal").close()
    with closing(LmdbStore.open(tmp_path / "journal", read_only=True)) as store:
        for write_it in (lambda: store.apply([events(key(), 0)]), lambda: store.purge([key()])):
            with pytest.raises(StoreNotWritable, match="was opened for reading only"):
                write_it()
        assert store.head(key()) == 0


def test_the_snapshot_of_a_dead_reader_is_let_go(lmdb_store: LmdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """J5: a reader that was killed in a read must not keep the file growing. The writer looks now and then."""
    program = """
store = LmdbStore.open(path, read_only=True)
view = store._environment.view().__enter__()
print("ready", flush=True)
sys.stdin.read()
"""
    write(lmdb_store, *full_workflow(key()))
    with running(program, lmdb_store.path):  # whose life keeps LMDB from clearing the table when the journal is opened again
        with running(program, lmdb_store.path) as dying:
            assert lmdb_store.stats().readers == 3
            dying.kill()
            dying.wait()
        lmdb_store.reopen()
        assert lmdb_store.stats().readers == 3
        write(lmdb_store, events(key(), 3))
        assert lmdb_store.stats().readers == 2
        monkeypatch.setattr(writers, "_TRANSACTIONS_PER_CHECK", 3)
        with running(program, lmdb_store.path) as dying:
            dying.kill()
            dying.wait()
        for head, readers in ((4, 3), (5, 3), (6, 2)):
            write(lmdb_store, events(key(), head))
            assert lmdb_store.stats().readers == readers


def test_dead_readers_that_fill_the_table_make_room_for_the_living(lmdb_store: LmdbStore) -> None:
    """J5: as long as they live, one more is told that there are too many, also if it only comes to open the journal."""
    program = """
store = LmdbStore.open(path, read_only=True)
views = []
try:
    while True: views.append(store._environment.view().__enter__())
except StoreError as error: told = error
assert "too many readers of the journal" in str(told), told
print("ready", flush=True)
sys.stdin.read()
"""
    write(lmdb_store, *full_workflow(key()))
    another = """
try: print(LmdbStore.open(path, read_only=True).head(key()))
except StoreError as error: print(error)
"""
    with running(program, lmdb_store.path) as readers, lmdb_store._environment.view():
        assert "too many readers" in run_program(another, lmdb_store.path)
        with pytest.raises(StoreError, match="too many readers"):
            lmdb_store.head(key())
        readers.kill()
        readers.wait()
        assert lmdb_store.head(key()) == 3
        assert run_program(another, lmdb_store.path) == "3\n"


def test_reads_wait_while_the_journal_is_opened_again(lmdb_store: LmdbStore) -> None:
    """No read has its environment closed under it: those under way are waited for, and those that come meanwhile wait."""
    write(lmdb_store, *full_workflow(key()))
    environment, heads = lmdb_store._environment, list[int]()
    view = environment.view()
    txn = view.__enter__().txn
    opening = threading.Thread(target=lmdb_store.reopen)
    reading = threading.Thread(target=lambda: heads.append(lmdb_store.head(key())))
    for thread, waiting in ((opening, 1), (reading, 2)):
        thread.start()
        while len(environment._gate._waiters) < waiting:  # type: ignore[attr-defined]
            assert thread.is_alive()
    assert heads == [] and txn.stat(environment.tables.rows)["entries"] > 0
    view.__exit__(None, None, None)
    opening.join()
    reading.join()
    assert heads == [3]


def test_a_long_read_does_not_block_the_writer(lmdb_store: LmdbStore) -> None:
    """J5: the reader keeps its moment, the writer goes on."""
    write(lmdb_store, events(key(), 0))
    with lmdb_store._environment.view() as view:
        before = view.txn.stat(view.tables.rows)["entries"]
        for head in range(1, 50):
            write(lmdb_store, events(key(), head))
        assert view.txn.stat(view.tables.rows)["entries"] == before
    assert lmdb_store.head(key()) == 50
