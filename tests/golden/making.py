"""Make the golden set of a format version: `python -m tests.golden.making`.

The set of a version lies in `v{format}.{kernel}/`: every history as it is exported (`histories.jsonl`), and the journal that held
them, compressed (`data.mdb.gz`). A set is made once, when a version is new, and kept for as long as a program reads that version.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import aion_trio as aion
from aion_trio.journal.transfer import export_lines
from aion_trio.kernel import KERNEL_VERSION
from aion_trio.stores import LmdbStore, MemoryStore, Store, each_key
from aion_trio.stores.lmdb_store.layout import FORMAT_VERSION
from aion_trio.testing import run_virtual
from aion_trio.testing.doubles import Attempts
from aion_trio.testing.life import SeededIds, live, program_of

from .definitions import ACTIVITIES, WORKFLOWS, clients

HERE = Path(__file__).parent
CURRENT = HERE / f"v{FORMAT_VERSION}.{KERNEL_VERSION}"
PATIENCE = 86_400.0


def recorded() -> MemoryStore:
    """What the clients leave, in virtual time and with ids from a seed: the same on every machine."""
    store = MemoryStore(written_by="golden")
    program = program_of(clients, (WORKFLOWS, ACTIVITIES, ()), aion.EngineConfig(), PATIENCE)
    lived = run_virtual(live, program, store, SeededIds(1), Attempts().perform, None, seed=1)
    assert lived.raised is None and not lived.quarantined, lived
    return store


def lines_of(store: Store) -> list[str]:
    """Every history of a store, line by line."""
    return [line for key in each_key(store) for line in export_lines(store, key)]


@contextmanager
def stored(version: Path) -> Iterator[LmdbStore]:
    """The journal of a set, in a directory of its own."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "data.mdb").write_bytes(gzip.decompress((version / "data.mdb.gz").read_bytes()))
        with closing(LmdbStore.open(place)) as store:
            yield store


def make() -> None:
    """Write the set of this program's version; refuses where it is there."""
    CURRENT.mkdir()
    store = recorded()
    (CURRENT / "histories.jsonl").write_text("".join(f"{line}\n" for line in lines_of(store)), encoding="utf-8")
    with tempfile.TemporaryDirectory() as place:
        store.backup(Path(place) / "full")
        with closing(LmdbStore.open(Path(place) / "full")) as full:
            full.backup(Path(place) / "compact")
        data = (Path(place) / "compact" / "data.mdb").read_bytes()
    (CURRENT / "data.mdb.gz").write_bytes(gzip.compress(data, mtime=0))
    print(f"{CURRENT} is made; commit it, and leave the older sets as they are")


if __name__ == "__main__":
    make()
