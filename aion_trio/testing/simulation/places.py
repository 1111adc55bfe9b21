"""Where the journal of a simulation lies: in memory, or on a disk with the same journal in memory beside it.

A commit on the disk is made on the loop, so that virtual time stands still while it works: the batches, rows, listings and
checks of the real store run, its writer thread does not. What it then gives back is held against the store in memory.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ...stores import FaultyStore, LmdbStore, MemoryStore, Store, dump
from ...stores.contract import Append, ObligationKind, Outcome, SummaryEntry, SummaryFilter

ON_DISK = 0.15
"""The share of the seeds whose journal lies on a disk."""
_IN_MEMORY = Path("/dev/shm")
_FEW_ROWS = 3
"""Rows of a page, so few that listings have several."""


class DiskJournal(FaultyStore):
    """An `LmdbStore`, and a `MemoryStore` that gets the same batches; `differences` says where they differ."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._memory = MemoryStore()
        self._differing: list[str] = []
        super().__init__(LmdbStore.open(path))
        self.blocking = False

    def begin_life(self) -> None:
        """Close the journal and open it, as the next process does."""
        self.inner.close()
        self.inner = LmdbStore.open(self._path)

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        """Make the batch durable in both."""
        told = super().apply(batch)
        expected = self._memory.apply(batch)
        if list(map(_outcome, told)) != list(map(_outcome, expected)):
            self._differing.append(f"the disk says {told} of a batch, and the memory {expected}")
        return told

    def differences(self) -> Iterator[str]:
        """What is not the same on the disk and in memory: records, their order, what is owed in which order, listings."""
        yield from self._differing
        on_disk, in_memory = dump(self.inner), dump(self._memory)
        if list(on_disk.items()) != list(in_memory.items()):
            differing = [key.workflow_id for key in {**on_disk, **in_memory} if on_disk.get(key) != in_memory.get(key)]
            yield f"the records on the disk and in memory differ: {differing or 'their order'}"
        for kind in ObligationKind:
            if self.inner.obligations(kind) != self._memory.obligations(kind):
                yield f"what is owed of {kind.name} is another on the disk than in memory"
        for namespace in {key.namespace for key in in_memory}:
            if self.inner.counts(namespace) != self._memory.counts(namespace):
                yield f"the counts of {namespace!r} on the disk and in memory differ"
            for where in _filters(namespace, self._memory):
                if _listed(self.inner, where) != _listed(self._memory, where):
                    yield f"the listing of {where} on the disk is another than in memory"


def _outcome(told: Outcome) -> object:
    return told if isinstance(told, int) else type(told)


def _filters(namespace: str, store: Store) -> Iterator[SummaryFilter]:
    yield SummaryFilter(namespace)
    for status in store.counts(namespace):
        yield SummaryFilter(namespace, statuses=frozenset({status}))
    yield SummaryFilter(namespace, type="other")
    yield SummaryFilter(namespace, attributes={"team": "red"})


def _listed(store: Store, where: SummaryFilter) -> list[SummaryEntry]:
    entries: list[SummaryEntry] = []
    after: bytes | None = None
    while True:
        page = store.summaries(where, after, _FEW_ROWS)
        entries += page.entries
        after = page.after
        if after is None:
            return entries


@contextmanager
def journal_of(chance: random.Random) -> Iterator[MemoryStore | DiskJournal]:
    """The journal of one simulation; what lies on a disk is gone with the block."""
    if chance.random() >= ON_DISK:
        yield MemoryStore()
        return
    with TemporaryDirectory(prefix="aion-simulation-", dir=_IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None) as directory:
        store = DiskJournal(Path(directory))
        try:
            yield store
        finally:
            store.inner.close()
