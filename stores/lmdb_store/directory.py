"""The journal's directory: what it may hold, who owns it, how much room its file system has.

    data.mdb      the records
    lock.mdb      LMDB's table of readers
    writer.lock   locked (`flock`) by the one writer, and holding its process id

The lock dies with the process, however it dies, so there is never a stale one to remove (J8).
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import sys
from pathlib import Path

from ..contract import StoreFormatError, StoreFull, StoreLocked, StoreNotWritable

DATA, READERS, WRITER = "data.mdb", "lock.mdb", "writer.lock"

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when there is no room, where it says it."""

_SLOT_BYTES = 64
_STILLBORN_PAGES = 3
_MAGIC, _MAGIC_AT = (0xBEEFC0DE).to_bytes(4, sys.byteorder), 16
_LEVELS = 3


def prepare(path: Path) -> None:
    """Make the directory if it is not there, and require that it is a journal or empty.

    Raises `StoreFormatError` for anything else, and `StoreNotWritable`.
    """
    require_journal_or_vacant(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreNotWritable(f"the journal {path} cannot be made: {error.strerror}; choose another place") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise StoreNotWritable(f"the journal {path} cannot be written by this user (uid {os.geteuid()}); check its owner and mode")


def require_journal_or_vacant(path: Path) -> None:
    """Raise `StoreFormatError` if the path is a file, or a directory with other things in it and no data file."""
    if _exists(path) and not path.is_dir():
        raise StoreFormatError(f"{path} is a file; a journal is a directory: name one, or a path that is not there yet")
    others = _foreign(path)
    if others and not (path / DATA).exists():
        raise StoreFormatError(f"{path} holds other files ({', '.join(others[:3])}) and no journal; name an empty or new directory")


def require_vacant(path: Path) -> None:
    """Raise `StoreFormatError` unless the path is not there or an empty directory."""
    if _exists(path) and (not path.is_dir() or any(path.iterdir())):
        raise StoreFormatError(f"{path} is not empty; name an empty or new directory")


def require_journal(path: Path) -> None:
    """Raise `StoreFormatError` unless there is a data file to be read."""
    if not _exists(path / DATA):
        raise StoreFormatError(f"there is no journal at {path}; check the path")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise StoreNotWritable(f"the journal {path} cannot be reached: {error.strerror}; check the modes of its parents") from error


def _foreign(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    try:
        return sorted(entry.name for entry in path.iterdir() if entry.name not in (DATA, READERS, WRITER))
    except OSError as error:
        raise StoreNotWritable(f"the journal {path} cannot be read: {error.strerror}; check its owner and mode") from error


class WriterLock:
    """The right to write to one journal, held from construction to `release` or to the end of the process.

    A second writer, in this process or another, gets `StoreLocked` with the holder's process id.
    """

    def __init__(self, path: Path) -> None:
        self._fd = _open_lock(path / WRITER)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = _holder(self._fd)
            os.close(self._fd)
            who = f"process {pid}" if pid else "another process"
            raise StoreLocked(f"the journal {path} is in use by {who}; stop it, or open another journal", pid) from None
        self._name_holder(path)

    def release(self) -> None:
        """Let another writer in. Releasing twice is allowed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _name_holder(self, path: Path) -> None:
        """Write down who holds the lock. The old name goes last: on a full disk a longer one would not fit."""
        name = f"{os.getpid()}\n".encode()
        try:
            os.pwrite(self._fd, name, 0)
            os.ftruncate(self._fd, len(name))
        except OSError as error:
            self.release()
            raise refusal_of(path, error) from error


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise refusal_of(path.parent, error) from error


def _holder(fd: int) -> int:
    text = os.pread(fd, 32, 0).split()
    return int(text[0]) if text and text[0].isdigit() else 0


def refusal_of(path: Path, error: OSError) -> StoreFull | StoreNotWritable:
    """What a failure of the system means while a journal is being opened."""
    if error.errno in FULL:
        return StoreFull(f"there is no room for the journal {path}: {error.strerror}; free some space")
    return StoreNotWritable(f"the journal {path} cannot be written: {error.strerror}; check its owner and mode")


def clear_stillborn(path: Path) -> None:
    """Remove what a power cut left of a journal that was being made and never was one.

    LMDB writes its two header pages and the first page of records before it waits for the disk, so that any part of them
    may be missing, and it refuses such a file. A journal that was ever opened is longer. Only for the owner of the lock, in
    a directory that had the lock's file before: what others left there is refused, not removed.
    """
    data, page = path / DATA, resource.getpagesize()
    try:
        head = data.read_bytes() if data.stat().st_size <= _STILLBORN_PAGES * page else b""
    except FileNotFoundError:
        return
    if head and any(head[at : at + 4] != _MAGIC for at in (_MAGIC_AT, page + _MAGIC_AT)):
        data.unlink()


def reserve_reader_table(path: Path, readers: int) -> None:
    """Give LMDB's table of readers its blocks on disk.

    LMDB maps that file and would die of SIGBUS where a reader's slot finds no block on a full disk. Only for a
    process that has not opened the environment: closing any handle of the file ends LMDB's own locks on it.
    """
    try:
        fd = os.open(path / READERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise refusal_of(path, error) from error
    try:
        size = max(os.fstat(fd).st_size, (readers + 2) * _SLOT_BYTES)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
    except OSError as error:
        raise refusal_of(path, error) from error
    finally:
        os.close(fd)


def sync_names(path: Path) -> None:
    """Make the name of the directory, and the names in it, durable: a file that is synchronised can be lost with its name.

    At every opening, since one that was cut off may have made the names and not come this far. A directory that this
    user may pass but not read cannot be synchronised, nor can one on some network file systems.
    """
    for place in (path, *path.absolute().parents[:_LEVELS]):
        try:
            fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            continue
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise refusal_of(path, error) from error
        finally:
            os.close(fd)


def room_bytes(path: Path) -> int:
    """How much the data file may still grow: what the file system has, or the process's limit on file sizes."""
    space = os.statvfs(path)
    room = space.f_bavail * space.f_frsize
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit != resource.RLIM_INFINITY:
        room = min(room, limit - size_bytes(path))
    return max(room, 0)


def size_bytes(path: Path) -> int:
    """The size of the data file, 0 where there is none yet."""
    try:
        return (path / DATA).stat().st_size
    except OSError:
        return 0
