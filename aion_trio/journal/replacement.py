"""A journal's directory replaced by another one, at once: what `compact` and `repair` end with.

The other directory is made beside the journal, under a name that no engine opens, and is whole and durable before it is
swapped in. The swap is one call of the system that exchanges two names, so whoever opens the journal finds the old one or
the new one. After a crash before it, only a directory is left over; after it, the old journal is.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import AionError, JournalNotWritableError
from ..stores import LmdbStore
from ..stores.dump import each_key

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # Linux, renameat2
_RENAME_SWAP = 2  # macOS, renamex_np


def compact_journal(directory: Path, destination: Path | None = None) -> tuple[int, int]:
    """Copy a journal without its free pages, to `destination` or into its own place; bytes before and after.

    Takes the writer's lock, so no engine may have it. Raises `StoreLocked`, `StoreFull` and what opening a journal raises;
    then the journal is as it was.
    """
    with closing(LmdbStore.open(directory)) as store:
        before = store.stats().size_bytes
        if destination is not None:
            store.backup(destination)
            return before, _size_of(destination)
        _remove_left_over(directory)
        with beside(directory, "compact") as copy:
            store.backup(copy.path)
            _require_same(store, copy.path)
            after = _size_of(copy.path)
            exchange(directory, copy.path)  # what is removed now is the old one
    return before, after


@dataclass(slots=True)
class Beside:
    """A path beside a journal; what is there is removed when the block ends, unless `keep` was set."""

    path: Path
    keep: bool = False


@contextmanager
def beside(directory: Path, purpose: str) -> Iterator[Beside]:
    """A path beside the journal, for a directory that is yet to be made."""
    place = directory.absolute()
    copy = Beside(place.with_name(f".{place.name}.{purpose}-{os.getpid()}"))
    try:
        yield copy
    finally:
        if not copy.keep:
            shutil.rmtree(copy.path, ignore_errors=True)


def exchange(one: Path, other: Path) -> None:
    """Let two directories of one file system change their names with each other, in one step, durably.

    Raises `JournalNotWritableError` where the system or the file system cannot; then nothing was changed.
    """
    if not _exchange(os.fsencode(one.absolute()), os.fsencode(other.absolute())):
        code = ctypes.get_errno()
        reason = "this file system cannot exchange names" if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP) else os.strerror(code)
        raise JournalNotWritableError(f"the journal {one} cannot be replaced at once: {reason}; use a destination and move it by hand")
    fd = os.open(one.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _exchange(one: bytes, other: bytes) -> bool:
    """Whether the system has done it; if not, errno says why."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if sys.platform == "darwin":
            return bool(libc.renamex_np(one, other, _RENAME_SWAP) == 0)
        return bool(libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE) == 0)
    except AttributeError:
        ctypes.set_errno(errno.ENOSYS)
        return False


def _remove_left_over(directory: Path) -> None:
    """Remove what compactions left that were cut off: a copy, or the old journal. Only for the holder of the lock."""
    place = directory.absolute()
    for left in place.parent.glob(f".{glob.escape(place.name)}.compact-*"):
        shutil.rmtree(left, ignore_errors=True)


def _size_of(directory: Path) -> int:
    with closing(LmdbStore.open(directory, read_only=True)) as store:
        return store.stats().size_bytes


def _require_same(store: LmdbStore, copy: Path) -> None:
    """Look at each history's head in the copy before it takes the journal's place."""
    with closing(LmdbStore.open(copy, read_only=True)) as copied:
        for key in each_key(store):
            if store.head(key) != copied.head(key):
                raise AionError(f"the copy {copy} lacks events of {key.workflow_id!r}; the journal is as it was")
