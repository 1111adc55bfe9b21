"""`LmdbStore`: the contract, put together from the writer and the readers of one environment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..contract import (
    Append,
    Damage,
    Finding,
    HistoryPage,
    KeyPage,
    Mark,
    Obligation,
    ObligationKind,
    Outcome,
    RunRow,
    StoreStats,
    Summary,
    SummaryFilter,
    SummaryPage,
    WorkflowKey,
)
from .backup import back_up
from .directory import (
    WRITER,
    WriterLock,
    clear_stillborn,
    prepare,
    require_journal,
    require_vacant,
    reserve_reader_table,
    size_bytes,
    sync_names,
)
from .environment import MAP_BYTES, Environment, Settings, require_unopened
from .format import claim, require_ours, written_by
from .layout import FORMAT_VERSION
from .listing import Listings, Page
from .owed import Owed, Sought
from .reader import Reader
from .reindex import reindex
from .salvage import salvage
from .scan import keys_under
from .verify import verify
from .writer import Writer

_KINDS = {int(kind): kind.name.lower() for kind in ObligationKind}


class LmdbStore:
    """A journal in a directory. `apply` returns when the batch would survive a power cut (J3).

    One process writes, any number read: `open(path, read_only=True)` takes no lock. After `kill -9` the next `open`
    finds the last commit, and the lock is free. A fork must not use its parent's store.
    """

    blocking = True

    def __init__(self, environment: Environment, lock: WriterLock | None, writer: str) -> None:
        self._environment, self._lock, self._written_by = environment, lock, writer
        self._writer = Writer(environment)
        self._reader = Reader(environment)
        self._listings = Listings(environment, self._reader.names)
        self._owed = Owed(environment, self._reader.names)

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, read_only: bool = False, map_bytes: int = MAP_BYTES, written_by: str = "aion_trio.stores"
    ) -> LmdbStore:
        """Open the journal at `path`, made if it is not there. `map_bytes` is the most that it may grow to.

        Raises `StoreLocked` (it has a writer), `StoreFormatError` (something else lies there, or another version),
        `StoreNotWritable`, `StoreFull`. Read-only it takes no lock, makes nothing and refuses every write.
        """
        place = Path(path)
        settings = Settings(read_only=read_only, map_bytes=map_bytes)
        return _open_reader(cls, place, settings) if read_only else _open_writer(cls, place, settings, written_by)

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, map_bytes: int = MAP_BYTES, written_by: str = "aion_trio.stores") -> LmdbStore:
        """Like `open`, but in an empty or new directory only, else `StoreFormatError`."""
        require_vacant(Path(path))
        return cls.open(path, map_bytes=map_bytes, written_by=written_by)

    @property
    def path(self) -> Path:
        """The journal's directory."""
        return self._environment.path

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        return self._writer.apply(batch)

    def head(self, key: WorkflowKey) -> int:
        return self._reader.head(key)

    def history(self, key: WorkflowKey, from_seq: int = 1, max_bytes: int = 1 << 20) -> HistoryPage:
        return self._reader.history(key, from_seq, max_bytes)

    def summary(self, key: WorkflowKey) -> Summary | None:
        return self._reader.summary(key)

    def summaries(
        self, where: SummaryFilter, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None
    ) -> SummaryPage:
        return self._listings.summaries(where, Page(after, limit, on_damage))

    def keys(self, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None) -> KeyPage:
        return self._listings.keys(Page(after, limit, on_damage))

    def counts(self, namespace: str) -> Mapping[int, int]:
        return self._listings.counts(namespace)

    def runs(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[RunRow]:
        return self._reader.runs(key, on_damage)

    def mark(self, key: WorkflowKey, name: bytes) -> bytes | None:
        return self._reader.mark(key, name)

    def marks(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Mark]:
        return self._reader.marks(key, on_damage)

    def obligations(
        self,
        kind: ObligationKind,
        *,
        until_us: int | None = None,
        queue: str | None = None,
        after: Obligation | None = None,
        limit: int = 1000,
        on_damage: Damage | None = None,
    ) -> list[Obligation]:
        return self._owed.obligations(Sought(kind, until_us, queue, after, limit, on_damage))

    def obligations_of(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Obligation]:
        return self._reader.obligations_of(key, on_damage)

    def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
        return self._reader.obligation(key, kind, row)

    def purge(self, keys: Sequence[WorkflowKey]) -> int:
        return self._writer.purge(keys)

    def backup(self, destination: Path) -> None:
        back_up(self._environment, Path(destination))

    def verify(self) -> list[Finding]:
        return verify(self._environment)

    def salvage(self, destination: Path) -> None:
        """Copy every record that can be read to an empty or new directory: what `backup` is where no page is torn."""
        salvage(self._environment, Path(destination), self._written_by)

    def reindex(self) -> None:
        """Make all index trees anew from the workflows' own rows. Not for a journal that others read, nor safe from a crash."""
        reindex(self._environment, self._written_by)
        self._writer = Writer(self._environment)

    def stats(self) -> StoreStats:
        environment = self._environment
        with environment.view() as view:
            kinds = Counter(key[0] for key in keys_under(view.txn.cursor(db=view.tables.due), b""))
            return StoreStats(
                workflows=view.txn.stat(view.tables.ids)["entries"],
                obligations={_KINDS.get(kind, f"kind {kind}"): count for kind, count in kinds.items()},
                size_bytes=size_bytes(environment.path),
                free_bytes=environment.room_bytes(),
                readers=environment.active_readers(),
                format_version=FORMAT_VERSION,
                written_by=written_by(view),
            )

    def reopen(self) -> None:
        self._environment.reopen()
        self._writer = Writer(self._environment)

    def close(self) -> None:
        self._environment.close()
        if self._lock is not None:
            self._lock.release()


def _open_reader(cls: type[LmdbStore], path: Path, settings: Settings) -> LmdbStore:
    require_journal(path)
    environment = Environment(path, settings)
    try:
        require_ours(environment)
    except BaseException:
        environment.close()
        raise
    return cls(environment, None, "")


def _open_writer(cls: type[LmdbStore], path: Path, settings: Settings, writer: str) -> LmdbStore:
    """Lock first: only the owner may make or claim a journal, and only it may touch LMDB's own lock file."""
    prepare(path)
    owned = (path / WRITER).exists()
    lock = WriterLock(path)
    try:
        if owned:
            clear_stillborn(path)
        require_unopened(path)
        reserve_reader_table(path, settings.readers)
        environment = Environment(path, settings)
        try:
            claim(environment, writer)
            sync_names(path)
        except BaseException:
            environment.close()
            raise
    except BaseException:
        lock.release()
        raise
    return cls(environment, lock, writer)
