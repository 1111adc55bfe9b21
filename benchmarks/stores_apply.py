"""What `LmdbStore.apply` costs beside LMDB itself: `python -m benchmarks.stores_apply [--path DIR] [--appends N]`.

Each append holds an event frame of 150 bytes, opens one obligation and closes the one that the append before it
opened. The floor writes the same keys and as many bytes with bare LMDB calls, prepared beforehand, in the same run on
the same disk. Rounds alternate between the two, and the median is printed with the spread.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lmdb

from aion_trio.stores import Append, Close, LmdbStore, ObligationKind, Open, Summary, WorkflowKey

BATCHES = (1, 10, 100, 1000)
FRAME = bytes(range(150))
OPEN_PAYLOAD = b"p" * 40


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured round: wall clock and processor time of so many appends."""

    appends: int
    wall_s: float
    cpu_s: float


def timed(appends: int, run: Callable[[], None]) -> Sample:
    """Run once and measure it."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Sample(appends, time.perf_counter() - wall, time.process_time() - cpu)


class Stored:
    """The appends of a growing number of steps of `width` workflows, through the store."""

    def __init__(self, path: Path, width: int) -> None:
        self.store = LmdbStore.open(path)
        self.keys = [WorkflowKey("default", f"order-{number:06}") for number in range(width)]
        self.heads = [0] * width
        self.batches: list[list[Append]] = []
        summary = Summary("checkout", 1, 1, b"r" * 16, 1, 1, 1)
        self.store.apply([Append(key, 0, FRAME, 1, summary, opens=(row(1),)) for key in self.keys])
        self.step = 1

    def prepare(self, commits: int) -> None:
        """Make the appends of the next commits, so that only `apply` is measured."""
        self.batches = [self._next() for _ in range(commits)]

    def run(self) -> None:
        for batch in self.batches:
            self.store.apply(batch)

    def _next(self) -> list[Append]:
        step = self.step
        self.step += 1
        closes, opens = (Close(ObligationKind.ACTIVITY, step.to_bytes(4)),), (row(step + 1),)
        return [Append(key, step, FRAME, 1, None, (), opens, closes) for key in self.keys]


def row(step: int) -> Open:
    return Open(ObligationKind.ACTIVITY, step.to_bytes(4), 1_700_000_000_000_000 + step, "default", OPEN_PAYLOAD)


class Bare:
    """The same rows through bare LMDB: puts and deletes of prepared keys and values."""

    def __init__(self, path: Path, width: int) -> None:
        path.mkdir()
        self.env = lmdb.open(str(path), map_size=1 << 40, max_dbs=2, readahead=False, meminit=False)
        self.rows, self.due = self.env.open_db(b"rows"), self.env.open_db(b"due")
        self.width, self.step = width, 1
        self.commits: list[list[tuple[bytes, bytes, bytes, bytes, bytes]]] = []

    def prepare(self, commits: int) -> None:
        self.commits = [self._next() for _ in range(commits)]

    def run(self) -> None:
        frame, owed = b"c" * 9 + FRAME, b"c" * 20 + OPEN_PAYLOAD
        rows, due = self.rows, self.due
        for commit in self.commits:
            with self.env.begin(write=True) as txn:
                put, delete = txn.put, txn.delete
                for event, opened, opened_due, closed, closed_due in commit:
                    put(event, frame, db=rows)
                    delete(closed, db=rows)
                    delete(closed_due, db=due)
                    put(opened, owed, db=rows)
                    put(opened_due, b"", db=due)

    def _next(self) -> list[tuple[bytes, bytes, bytes, bytes, bytes]]:
        step = self.step
        self.step += 1
        return [self._keys(serial.to_bytes(8), step) for serial in range(1, self.width + 1)]

    def _keys(self, serial: bytes, step: int) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        opened, closed = (step + 1).to_bytes(4), step.to_bytes(4)
        event = serial + b"\2" + opened
        return event, serial + b"\3\2" + opened, due(step + 1, serial, opened), serial + b"\3\2" + closed, due(step, serial, closed)


def due(step: int, serial: bytes, name: bytes) -> bytes:
    return b"\2" + (1).to_bytes(4) + (1_700_000_000_000_000 + step).to_bytes(8) + serial + name


def line(batch: int, name: str, samples: Sequence[Sample]) -> float:
    """Print one row of the table; the median rate."""
    rates = sorted(sample.appends / sample.wall_s for sample in samples)
    cpu = statistics.median(sample.cpu_s / sample.appends for sample in samples) * 1e6
    rate = statistics.median(rates)
    print(f"{batch:6} {name:6} {rate / batch:10,.0f} {rate:12,.0f} {rates[0]:12,.0f} {rates[-1]:12,.0f} {cpu:10.1f}")
    return rate


def measure(root: Path, batch: int, appends: int, rounds: int) -> None:
    """Alternate rounds of both over one batch size and print them."""
    stored, bare = Stored(root / f"store-{batch}", batch), Bare(root / f"bare-{batch}", batch)
    commits = max(appends // batch, 3)
    samples: dict[str, list[Sample]] = {"bare": [], "store": []}
    for _ in range(rounds):
        for name, subject in (("bare", bare), ("store", stored)):
            subject.prepare(commits)
            samples[name].append(timed(commits * batch, subject.run))
    floor = line(batch, "bare", samples["bare"])
    print(f"{'':36}{line(batch, 'store', samples['store']) / floor:18.0%} of the floor")
    stored.store.close()
    bare.env.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", type=Path, help="a directory on the disk to measure (default: the current one)", default=Path())
    parser.add_argument("--appends", type=int, default=6000, help="per round and batch size; a batch of 1 gets a tenth")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, LMDB {lmdb.version(lib_version=0)}")
    print(f"{'batch':>6} {'':6} {'commits/s':>10} {'appends/s':>12} {'least':>12} {'most':>12} {'cpu µs':>10}")
    root = Path(tempfile.mkdtemp(prefix="stores-apply-", dir=arguments.path))
    try:
        for batch in BATCHES:
            measure(root, batch, arguments.appends // 10 if batch == 1 else arguments.appends, arguments.rounds)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
