"""Journals with one bit turned: where each record lies in a data file, and a copy of it with a bit the other way.

A compact backup holds each record once, so its bytes are found by searching for them. The structure of LMDB's pages
is not touched: what LMDB makes of that is LMDB's.

`python -m tests.stores.damage [--bits N]` turns bits anywhere in a data file, each in a process of its own, and says
what came of it; an answer that is neither right nor an error is a fault.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import lmdb

from aion_trio.stores import CorruptRecord, LmdbStore, StoreError, WorkflowKey, WorkflowRecords, dump
from aion_trio.stores.lmdb_store.environment import Environment, Settings
from aion_trio.stores.lmdb_store.layout import TABLES
from aion_trio.stores.lmdb_store.pages import committed, pass_over

from .building import full_workflow, key, summary, write


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies in the data file."""

    table: str
    key: bytes
    at: int
    key_bytes: int
    value_bytes: int


def sound_copy(path: Path) -> Path:
    """A compact journal of three workflows with rows of every kind, one of them closed."""
    store = LmdbStore.open(path / "original")
    write(store, *full_workflow(key("alpha")), *full_workflow(key("beta", "other")))
    final = summary(2, closed_us=9, head=4, attributes={"region": "us"})
    write(store, *full_workflow(key("gamma")))
    last = full_workflow(key("gamma"))[0]
    write(store, type(last)(key("gamma"), 3, b"closed", 1, final))
    store.backup(path / "sound")
    store.close()
    return path / "sound"


def places(journal: Path) -> list[Place]:
    """Where every record of the six trees lies."""
    data = (journal / "data.mdb").read_bytes()
    found: list[Place] = []
    with lmdb.open(str(journal), max_dbs=len(TABLES), readonly=True, lock=False) as env:
        tables = [(name, env.open_db(name, create=False)) for name in TABLES]
        with env.begin() as txn:
            for name, table in tables:
                for record_key, value in txn.cursor(db=table):
                    at = data.find(record_key + value)
                    assert at > 0 and data.find(record_key + value, at + 1) < 0, (name, record_key)
                    found.append(Place(name.decode(), record_key, at, len(record_key), len(value)))
    return found


def root_page(journal: Path, table: bytes) -> tuple[int, int]:
    """The number of the page at which a tree begins, and the size of pages."""
    environment = Environment(journal, Settings(read_only=True))
    fd = os.open(journal / "data.mdb", os.O_RDONLY)
    try:
        size: int = environment.handle.stat()["psize"]
        with environment.view() as view:
            state = committed(fd, size, view.txn.id())
        assert state is not None
        pages, _, main = state
        return next(tree.root for tree in (main, *pages.trees(main, pass_over)) if tree.name == table), size
    finally:
        os.close(fd)
        environment.close()


def turned(journal: Path, target: Path, at: int, bit: int) -> Path:
    """A copy of a journal with one bit the other way."""
    target.mkdir(exist_ok=True)
    data = bytearray((journal / "data.mdb").read_bytes())
    data[at] ^= 1 << bit
    (target / "data.mdb").write_bytes(data)
    return target


def verdict(journal: Path, expected: dict[WorkflowKey, WorkflowRecords]) -> str:
    """What reading a damaged journal comes to: 'same', 'refused', 'found' by verify alone, or 'WRONG'."""
    try:
        store = LmdbStore.open(journal, read_only=True)
    except (StoreError, lmdb.Error):
        return "refused"
    try:
        findings = store.verify()
        try:
            same = dict(dump(store)) == expected
        except (CorruptRecord, lmdb.Error):
            return "refused" if findings else "refused, NOT FOUND"
        return ("found" if findings else "same") if same else ("found" if findings else "WRONG")
    finally:
        store.close()


def in_a_process(journal: Path, expected: dict[WorkflowKey, WorkflowRecords]) -> str:
    """The verdict, from a process that LMDB may take down with it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.write(writing, verdict(journal, expected).encode())
        except BaseException as error:
            os.write(writing, f"WRONG: {error!r}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    status = os.waitpid(child, 0)[1]
    return told or f"killed by signal {os.WTERMSIG(status)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bits", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    root = Path(tempfile.mkdtemp(prefix="stores-damage-"))
    try:
        journal = sound_copy(root)
        store = LmdbStore.open(journal, read_only=True)
        expected = dict(dump(store))
        store.close()
        size = (journal / "data.mdb").stat().st_size
        verdicts = Counter[str]()
        for _ in range(arguments.bits):
            target = turned(journal, root / "turned", chance.randrange(size), chance.randrange(8))
            verdicts[in_a_process(target, expected)] += 1
        print(f"{arguments.bits} bits of {size} bytes, seed {arguments.seed}: {dict(verdicts.most_common())}")
        return 1 if any("WRONG" in told or "NOT FOUND" in told for told in verdicts) else 0
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(main())
