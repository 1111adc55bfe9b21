"""The LMDB environment of one journal: opened with the settings that were measured, read through short snapshots.

`sync` and `metasync` are on: an acknowledged commit was lost without the second, and the file was damaged without the
first, when writes were cut off at every point (J3). `writemap` is off: it dies of SIGBUS on a full disk. The map is
sparse and larger than any journal, so that it never has to be resized under a reader. The engine is 0.9.
"""

from __future__ import annotations

import errno
import os
import resource
import threading
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import lmdb

from ..contract import CorruptRecord, StoreClosed, StoreError, StoreFailed, StoreFormatError, StoreFull, StoreLocked, StoreNotWritable
from .directory import DATA, FULL, room_bytes
from .layout import TABLES

MAP_BYTES = 1 << 40
_LEAST_MAP_BYTES = 1 << 24
_SPARE_TRANSACTIONS = 8

SLACK_BYTES = 1 << 20
"""With less room than this, an error of writing is taken for a full disk."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How an environment is opened. `map_bytes` limits the size of the journal; `readers` how many may read at once."""

    read_only: bool = False
    map_bytes: int = MAP_BYTES
    readers: int = 510


class Tables:
    """The handles of the six trees, valid until their environment is closed."""

    def __init__(self, env: lmdb.Environment, txn: lmdb.Transaction[bytes] | None) -> None:
        """Make the trees that are not there in `txn`, or only open them where it is None."""
        create = txn is not None
        meta, names, ids, rows, due, vis = (env.open_db(name, txn=txn, create=create) for name in TABLES)
        self.meta, self.names, self.ids, self.rows, self.due, self.vis = meta, names, ids, rows, due, vis


class View:
    """A transaction and the trees that it sees."""

    __slots__ = ("tables", "txn")

    def __init__(self, txn: lmdb.Transaction[bytes], tables: Tables) -> None:
        self.txn, self.tables = txn, tables


class Environment:
    """An open LMDB environment. Its invariant: it is never closed under a reader.

    `view` is a snapshot for one short read, from any thread. `close` and `reopen` wait for those that are under way.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path, self.settings = path, settings
        self._gate = threading.Condition()
        self._reading = 0
        self._swapping = False
        self._closed = False
        self._lmdb: lmdb.Environment | None = None
        self.tables: Tables
        self._open()

    def view(self) -> Snapshot:
        """A context manager that gives a `View` of what is committed now."""
        return Snapshot(self)

    def begin(self) -> lmdb.Transaction[bytes]:
        """The write transaction; commit or abort it."""
        return self.handle.begin(write=True)

    @property
    def handle(self) -> lmdb.Environment:
        """The environment itself. Raises `StoreClosed`, or `StoreFailed` where opening it again failed."""
        if self._closed:
            raise StoreClosed(f"the journal {self.path} was closed")
        if self._lmdb is None:
            raise StoreFailed(f"the journal {self.path} could not be opened again; see to the cause and reopen it")
        return self._lmdb

    def room_bytes(self) -> int:
        """How much the journal may still grow."""
        info = self.handle.info()
        used = (info["last_pgno"] + 1) * self.handle.stat()["psize"]
        return min(room_bytes(self.path), max(self.settings.map_bytes - used, 0))

    def active_readers(self) -> int:
        """How many snapshots are held, in all processes."""
        return sum(line.split()[2] != "-" for line in self.handle.readers().splitlines()[1:])

    def reopen(self) -> None:
        """Close and open again; readers wait meanwhile. Where that fails it may be tried again."""
        with self._gate:
            if self._closed:
                raise StoreClosed(f"the journal {self.path} was closed")
            self._swapping = True
            self._gate.wait_for(lambda: self._reading == 0)
            try:
                self._release()
                self._open()
            finally:
                self._swapping = False
                self._gate.notify_all()

    def close(self) -> None:
        """Release the files, when the last reader is done. Closing twice is allowed."""
        with self._gate:
            self._gate.wait_for(lambda: self._reading == 0 and not self._swapping)
            self._closed = True
            self._release()

    def enter(self) -> lmdb.Transaction[bytes]:
        """Begin a read; `leave` must follow."""
        with self._gate:
            if self._swapping:
                self._gate.wait_for(lambda: not self._swapping)
            env = self.handle
            txn = _begin_read(env, self.path)
            self._reading += 1
            return txn

    def leave(self, txn: lmdb.Transaction[bytes]) -> None:
        """End a read."""
        with self._gate:
            txn.abort()
            self._reading -= 1
            if not self._reading:
                self._gate.notify_all()

    def _release(self) -> None:
        if self._lmdb is not None:
            self._lmdb.close()
            self._lmdb = None

    def _open(self) -> None:
        env = open_lmdb(self.path, self.settings)
        try:
            _require_own_trees(env, self.path)
            if self.settings.read_only:
                self.tables = Tables(env, None)
            else:
                with env.begin(write=True) as txn:
                    self.tables = Tables(env, txn)
        except lmdb.Error as error:
            env.close()
            raise refusal_of(self.path, error) from error
        except BaseException:
            env.close()
            raise
        self._lmdb = env


class Snapshot:
    """One read: begun on entry, ended on exit, never carried from one call of the store to the next."""

    __slots__ = ("_environment", "_txn")

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __enter__(self) -> View:
        self._txn = self._environment.enter()
        return View(self._txn, self._environment.tables)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._environment.leave(self._txn)
        if isinstance(error, (lmdb.CorruptedError, lmdb.PageNotFoundError)):
            where = f"a page of the journal {self._environment.path}"
            raise CorruptRecord(f"LMDB cannot read {where}: {error}; restore it from a backup, or export what can be read") from error


def open_lmdb(path: Path, settings: Settings) -> lmdb.Environment:
    """Open with the largest map that the address space allows. Raises the errors of opening a journal."""
    map_bytes = min(settings.map_bytes, _addressable_bytes())
    while True:
        try:
            return lmdb.open(str(path), map_size=map_bytes, **_options(settings))
        except lmdb.MemoryError as error:
            map_bytes //= 2
            if map_bytes < _LEAST_MAP_BYTES:
                raise refusal_of(path, error) from error
        except lmdb.Error as error:
            raise refusal_of(path, error) from error


def require_unopened(path: Path) -> None:
    """Raise `StoreLocked` if this process has the environment open.

    LMDB's lock file is not opened to find out: closing it would end the locks of who has it open, in the whole process.
    What else keeps the environment from being opened is told when it is.
    """
    options = _options(Settings(read_only=True)) | {"lock": False}
    try:
        if (path / DATA).exists():
            lmdb.open(str(path), **options).close()
    except lmdb.Error as error:
        refusal = refusal_of(path, error)
        if isinstance(refusal, StoreLocked):
            raise refusal from error


def _require_own_trees(env: lmdb.Environment, path: Path) -> None:
    """Raise `StoreFormatError` before anything is made in an environment that belongs to another program."""
    with _begin_read(env, path) as txn:
        found = set(islice(txn.cursor().iternext(keys=True, values=False), len(TABLES) + 1))
    if found - set(TABLES):
        raise StoreFormatError(f"{path} holds the LMDB environment of another program; name an empty or new directory")


def refusal_of(path: Path, error: lmdb.Error) -> StoreError:
    """What LMDB's refusal to open means to the one who asked."""
    short = error.code == errno.EIO and room_bytes(path) < SLACK_BYTES  # LMDB says the same of a short write as of a failing disk
    if isinstance(error, lmdb.MapFullError) or error.code in FULL or short:
        return StoreFull(f"there is no room for the journal {path}: {error}; free some space")
    if isinstance(error, (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError, lmdb.IncompatibleError)):
        return StoreFormatError(f"{path} holds a data file that is not a journal: {error}; name another directory or restore a backup")
    if isinstance(error, lmdb.NotFoundError):
        return StoreFormatError(f"{path} holds an LMDB environment without the trees of a journal; name another directory")
    if isinstance(error, lmdb.ReadersFullError):
        return StoreError(f"too many readers of the journal {path} at once: {error}; try again when some have ended")
    if "already open" in str(error):
        return StoreLocked(f"the journal {path} is already open in this process; use the store that opened it", os.getpid())
    return StoreNotWritable(f"the journal {path} cannot be opened: {error}; check its owner and mode")


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "max_dbs": len(TABLES),
        "max_readers": settings.readers,
        "max_spare_txns": _SPARE_TRANSACTIONS,
        "readonly": settings.read_only,
        "create": not settings.read_only,
        "readahead": False,
        "meminit": False,
        "sync": True,
        "metasync": True,
        "writemap": False,
        "mode": 0o644,
        "lib_version": 0,
    }


def _addressable_bytes() -> int:
    """What one map may take: all but a part of a limited address space belongs to the rest of the program."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return MAP_BYTES if limit == resource.RLIM_INFINITY else max(limit // 4, _LEAST_MAP_BYTES) & ~0xFFF


def _begin_read(env: lmdb.Environment, path: Path) -> lmdb.Transaction[bytes]:
    """Begin to read; where the table of readers is full, after clearing out those of dead processes."""
    try:
        return env.begin()
    except lmdb.ReadersFullError:
        env.reader_check()
    try:
        return env.begin()
    except lmdb.ReadersFullError as error:
        raise refusal_of(path, error) from error
