"""Full disks, full maps and failing ones: nothing half-written, reads go on, and work goes on once there is room (J6)."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aion_trio.stores import Append, LmdbStore, StoreFailed, StoreFull, dump

from .building import activity, events, full_workflow, key, start, summary, write
from .processes import run_program


def large(workflow_id: str, size: int) -> Append:
    """A first append whose events do not compress."""
    data = b"".join((n * 2654435761 % (1 << 32)).to_bytes(4) for n in range(size // 4))
    return Append(key(workflow_id), 0, data, 1, summary(attributes={"n": 1}), opens=[activity(b"1", 7)])


@contextmanager
def data_file_replaced(path: Path, device: str, flags: int, *, headers_alone: bool = False) -> Iterator[None]:
    """While the block runs, LMDB's handles of the data file, or the one for its headers, lead to a device that refuses what is written."""
    target = str((path / "data.mdb").resolve())
    handles = [
        int(fd)
        for fd in os.listdir("/proc/self/fd")
        if os.path.islink(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}") == target
    ]
    if headers_alone:  # LMDB writes them through a handle that waits for the disk
        handles = [fd for fd in handles if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DSYNC]
    kept = {fd: os.dup(fd) for fd in handles}
    refusing = os.open(device, flags)
    try:
        for fd in handles:
            os.dup2(refusing, fd)
        yield
    finally:
        for fd, original in kept.items():
            os.dup2(original, fd)
            os.close(original)
        os.close(refusing)


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="finds LMDB's handles in /proc")


def test_a_full_map_refuses_the_whole_batch_and_a_smaller_one_goes_through(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path / "journal", map_bytes=1 << 20)
    write(store, *full_workflow(key("first")))
    before = dump(store)
    with pytest.raises(StoreFull, match="limit of 1048576 bytes") as refusal:
        store.apply([events(key("first"), 3), start(key("new"), summary(attributes={"fresh": 1})), large("large", 2 << 20)])
    assert dump(store) == before
    assert store.counts("default") == {1: 1}
    assert store.apply([events(key("first"), 3), start(key("new"), summary(attributes={"fresh": 1}))]) == [4, 1]
    assert store.verify() == []
    store.close()
    assert refusal.value  # whoever keeps it keeps no transaction open


def test_after_a_full_map_purging_makes_room(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path / "journal", map_bytes=1 << 20)
    filled = 0
    with pytest.raises(StoreFull):
        while True:
            write(store, large(f"w{filled}", 50_000))
            filled += 1
    assert filled > 5
    assert store.purge([key("w0"), key("w1")]) == 2
    write(store, events(key("w2"), 1))
    write(store, large("again", 50_000))
    assert store.verify() == []
    assert store.stats().free_bytes < 1 << 20
    store.close()


def test_a_limit_on_file_sizes_shows_as_full_and_lifting_it_lets_a_retry_through(tmp_path: Path) -> None:
    program = """
store = LmdbStore.open(path)
write(store, *full_workflow(key("first")))
before = dump(store)
limit = (path / "data.mdb").stat().st_size + 300_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
batch = [events(key("first"), 3)] + [Append(key(f"w{n}"), 0, os.urandom(10_000), 1, summary()) for n in range(200)]
for _ in range(3):
    try: store.apply(batch)
    except StoreFull as error: print("full", error)
assert dump(store) == before
assert store.apply([events(key("first"), 3)]) == [4]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
batch[0] = events(key("first"), 4)
assert store.apply(batch) == [5] + [1] * 200
assert store.verify() == []
"""
    told = run_program(program, tmp_path / "journal").splitlines()
    assert len(told) == 3 and all("nothing was written, free some space" in line for line in told)


@needs_proc
def test_a_disk_that_says_it_is_full_is_full(lmdb_store: LmdbStore) -> None:
    write(lmdb_store, *full_workflow(key()))
    before = dump(lmdb_store)
    with data_file_replaced(lmdb_store.path, "/dev/full", os.O_RDWR):
        for _ in range(2):
            with pytest.raises(StoreFull, match="No space left on device"):
                write(lmdb_store, events(key(), 3), start(key("new")))
        assert dump(lmdb_store) == before
    assert lmdb_store.apply([events(key(), 3), start(key("new"))]) == [4, 1]
    assert lmdb_store.verify() == []


@needs_proc
def test_after_another_failure_nothing_is_written_until_the_journal_is_opened_again(lmdb_store: LmdbStore) -> None:
    write(lmdb_store, *full_workflow(key()))
    before = dump(lmdb_store)
    with data_file_replaced(lmdb_store.path, "/dev/null", os.O_RDONLY):
        with pytest.raises(StoreFailed, match=r"outcome is unknown.*reopen"):
            write(lmdb_store, events(key(), 3))
    with pytest.raises(StoreFailed, match="reopen the journal"):
        lmdb_store.apply([events(key(), 3)])
    with pytest.raises(StoreFailed):
        lmdb_store.purge([key()])
    assert dump(lmdb_store) == before
    lmdb_store.reopen()
    assert dump(lmdb_store) == before
    assert lmdb_store.apply([events(key(), 3)]) == [4]
    assert lmdb_store.verify() == []


@needs_proc
def test_a_disk_that_is_full_when_the_header_is_written_is_told_and_the_journal_must_be_opened_again(lmdb_store: LmdbStore) -> None:
    """LMDB does not know then what its header says, and begins no transaction any more."""
    write(lmdb_store, *full_workflow(key()))
    before = dump(lmdb_store)
    with data_file_replaced(lmdb_store.path, "/dev/full", os.O_RDWR, headers_alone=True):
        with pytest.raises(StoreFull, match="No space left on device"):
            lmdb_store.apply([events(key(), 3)])
    with pytest.raises(StoreFailed, match="reopen the journal"):
        lmdb_store.apply([events(key(), 3)])
    lmdb_store.reopen()
    assert dump(lmdb_store) == before
    assert lmdb_store.apply([events(key(), 3)]) == [4]


def test_what_an_aborted_transaction_knew_is_forgotten(tmp_path: Path) -> None:
    """Serials, heads, names and counts are those of what is committed."""
    store = LmdbStore.open(tmp_path / "journal", map_bytes=1 << 20)
    rows = [activity(b"1", 1, "queue-never-committed")]
    doomed = Append(key("doomed", "namespace-never-committed"), 0, b"e", 1, summary(type_name="type-never-committed"), (), rows)
    with pytest.raises(StoreFull):
        store.apply([doomed, large("large", 2 << 20)])
    assert store.apply([start(key("kept"), summary(type_name="kept")), events(key("doomed", "namespace-never-committed"), 0)]) == [1, 1]
    store.close()
    again = LmdbStore.open(tmp_path / "journal")
    assert list(again.keys().keys) == [key("kept"), key("doomed", "namespace-never-committed")]
    assert again.counts("default") == {1: 1} and again.counts("namespace-never-committed") == {}
    assert again.verify() == []
    again.close()


def test_an_interruption_inside_a_batch_writes_nothing(lmdb_store: LmdbStore) -> None:
    write(lmdb_store, start(key()))
    with pytest.raises(KeyboardInterrupt) as interruption:
        lmdb_store.apply(Interruption(events(key(), 1)))
    assert lmdb_store.head(key()) == 1
    assert lmdb_store.apply([events(key(), 1)]) == [2]
    assert interruption.value  # whoever keeps it keeps no transaction open


class Interruption(tuple[Append, ...]):
    """A batch during whose second pass Ctrl-C arrives: the first sums up its size, the second applies it."""

    def __new__(cls, *appends: Append) -> Interruption:
        return super().__new__(cls, appends)

    def __iter__(self) -> Iterator[Append]:
        yield from super().__iter__()
        if self.passes:
            raise KeyboardInterrupt
        self.passes = 1

    passes = 0


TMPFS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x00020000) == 0, "unshare"
assert libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) == 0, "private"
assert libc.mount(b"tmpfs", str(path).encode(), b"tmpfs", 0, b"size=2m") == 0, "mount"
"""


def mounting_is_permitted(tmp_path: Path) -> bool:
    try:
        run_program(TMPFS, tmp_path)
    except (AssertionError, subprocess.TimeoutExpired):
        return False
    return True


def test_a_small_full_disk(tmp_path: Path) -> None:
    """A file system of two megabytes of its own: filled by the store, then by somebody else."""
    if not mounting_is_permitted(tmp_path):
        pytest.skip("a mount namespace of our own is not permitted here")
    program = (
        TMPFS
        + """
store = LmdbStore.open(path / "journal")
n = 0
try:
    while True:
        write(store, Append(key(f"w{n}"), 0, os.urandom(20_000), 1, summary(), opens=[activity(b"1", n)]))
        n += 1
except StoreFull as error: print(n > 5, "full", error)
assert len(dump(store)) == n and store.verify() == []
assert store.purge([key("w0"), key("w1"), key("w2")]) == 3
write(store, events(key("w3"), 1))
write(store, Append(key("again"), 0, os.urandom(20_000), 1, summary()))
store.close()
with open(path / "somebody's", "wb", buffering=0) as other:
    try:
        while other.write(bytes(4096)): pass
    except OSError: pass
store = LmdbStore.open(path / "journal")
assert store.head(key("w3")) == 2 and len(dump(store)) == n - 2
try: LmdbStore.open(path / "second")
except StoreFull as error: print("full", error)
try: store.backup(path / "backup")
except StoreFull as error: print("full", error)
os.unlink(path / "somebody's")
write(store, events(key("w3"), 2))
assert store.verify() == []
"""
    )
    told = run_program(program, tmp_path).splitlines()
    assert told[0].startswith("True full no space for the journal")
    assert "full there is no room for the journal" in told[1]
    assert told[2].startswith("full no space for the backup")


def test_a_journal_is_made_as_soon_as_there_is_room_for_it(tmp_path: Path) -> None:
    """Until then it is told what is missing, however far the opening came, and the next attempt takes what the last one left."""
    if not mounting_is_permitted(tmp_path):
        pytest.skip("a mount namespace of our own is not permitted here")
    program = (
        TMPFS
        + """
with open(path / "somebody's", "wb", buffering=0) as other:
    try:
        while other.write(bytes(4096)): pass
    except OSError: pass
    left = []
    for size in range(os.fstat(other.fileno()).st_size - 4096, 0, -4096):
        other.truncate(size)
        try: store = LmdbStore.open(path / "journal")
        except StoreFull as error: left.append(sorted(os.listdir(path / "journal") if (path / "journal").exists() else []))
        else: break
print(len(left) > 10, len(set(map(tuple, left))) > 1, left[-1])
os.unlink(path / "somebody's")
write(store, *full_workflow(key()))
assert store.verify() == []
"""
    )
    told = run_program(program, tmp_path)
    assert told == "True True ['data.mdb', 'lock.mdb', 'writer.lock']\n"
