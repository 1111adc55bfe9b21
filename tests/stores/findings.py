"""What `verify` must find of a damage: whole findings, on a journal of two workflows of which the first is the one that is harmed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import Finding, LmdbStore, ObligationKind, Remedy, Summary, WorkflowKey
from aion_trio.stores.lmdb_store import verify
from aion_trio.stores.lmdb_store.layout import (
    IDENTITY,
    NUMBER,
    ROW,
    SERIAL,
)
from aion_trio.stores.lmdb_store.records import seal
from aion_trio.stores.lmdb_store.rows import encode_identity
from tests.journal.harm import Trees, trees

from .building import full_workflow, key, write

ALPHA, BETA, NOBODY = 1, 2, 77  # serials
ACTIVITY = ObligationKind.ACTIVITY


def of_alpha(what: str, seq: int = 0, remedy: Remedy = Remedy.REPAIR) -> Finding:
    return Finding(what, "alpha", seq, "default", remedy)


def found(journal: Path) -> list[Finding]:
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        return store.verify()


def number(at: Trees, name: bytes) -> int:
    given: int = NUMBER.unpack(at.get("names", name)[4:])[0]
    return given


def listed(at: Trees) -> list[bytes]:
    """The rows of the listings' index that belong to `alpha`."""
    return [row for row in at.keys("vis") if row.endswith(SERIAL.pack(ALPHA))]


def put(at: Trees, place: bytes, body: bytes, tree: str = "rows") -> None:
    at.put(tree, place, seal(place, body))


def identify(at: Trees, whose: WorkflowKey, projection: Summary | None) -> None:
    put(at, ROW.pack(ALPHA, IDENTITY), encode_identity(whose, projection))


def two_workflows(path: Path) -> Path:
    """`alpha`, to which things are done, and `beta` in another namespace."""
    with closing(LmdbStore.open(path)) as store:
        write(store, *full_workflow(key("alpha")), *full_workflow(key("beta", "other")))
    return path


class Damages(dict[str, Callable[[Trees], list[Finding]]]):
    """What is done to a journal, by name; each gives what must be found."""

    def __call__(self, do: Callable[[Trees], list[Finding]]) -> Callable[[Trees], list[Finding]]:
        self[do.__name__.replace("_", " ")] = do
        return do


def require_told(do: Callable[[Trees], list[Finding]], journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a damage is told once and whole, however many snapshots the journal is read in."""
    with trees(journal) as at:
        told = do(at)
    assert found(journal) == told
    monkeypatch.setattr(verify, "_ROWS_A_SNAPSHOT", 1)
    assert found(journal) == told
