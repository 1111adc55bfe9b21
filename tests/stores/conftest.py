"""The backends that the contract suite runs on: memory, LMDB, and LMDB inside a `FaultyStore` without faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aion_trio.stores import FaultyStore, LmdbStore, MemoryStore, Store


class Backend:
    """Opens stores of one kind. `again` gives what a new process would find."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind, self.path = kind, path
        self._opened: list[Store] = []

    @property
    def on_disk(self) -> bool:
        return self.kind != "memory"

    def open(self) -> Store:
        store = self._new()
        self._opened.append(store)
        return store

    def again(self, store: Store) -> Store:
        if not self.on_disk:
            return store
        store.close()
        return self.open()

    def close(self) -> None:
        for store in self._opened:
            store.close()

    def _new(self) -> Store:
        match self.kind:
            case "memory":
                return MemoryStore()
            case "lmdb":
                return LmdbStore.open(self.path)
            case _:
                return FaultyStore(LmdbStore.open(self.path))


@pytest.fixture(params=["memory", "lmdb", "faulty"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    kind: str = request.param
    made = Backend(kind, tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def store(backend: Backend) -> Store:
    return backend.open()


@pytest.fixture
def lmdb_store(tmp_path: Path) -> Iterator[LmdbStore]:
    store = LmdbStore.open(tmp_path / "journal")
    yield store
    store.close()
