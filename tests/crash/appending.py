"""Concurrent appends in numbers: `python -m tests.crash.appending --appends 10000000 --seed 1`.

Each seed is a crowd on a journal in memory, every twentieth also one on LMDB; crowds differ in how many they are and over how few
keys they compete. What is counted is appends that took effect and were acknowledged; appends that were refused because the head
had moved, and reads of the head, are checked with them. A campaign goes on where one ended: with the seed behind its last.
"""

from __future__ import annotations

import argparse
import platform
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import lmdb
import trio

import aion_trio
from aion_trio.stores import LmdbStore, MemoryStore
from aion_trio.testing import run_virtual

from .concurrency import MAP_BYTES, appends
from .crowds import Crowd, Record

ON_DISK_EACH = 20


def crowd_of(seed: int, *, virtual: bool) -> Crowd:
    """The crowd of a seed: from a few tasks that seldom meet to a throng around one key."""
    chance = random.Random(seed)
    tasks, ids = chance.choice((20, 60, 200)), chance.choice((1, 8, 32))
    return Crowd(seed, tasks, 6000 // tasks, ids, virtual=virtual)


async def on_disk(directory: Path, crowd: Crowd) -> Record:
    """Appends to LMDB, in real time, with the writer's thread and readers in threads."""
    store = LmdbStore.open(directory, map_bytes=MAP_BYTES)
    try:
        return await appends(store, crowd)
    finally:
        store.close()


def records_of(seed: int) -> Iterator[Record]:
    """What a seed's crowds did."""
    yield run_virtual(appends, MemoryStore(), crowd_of(seed, virtual=True), seed=seed)
    if seed % ON_DISK_EACH == 0:
        with tempfile.TemporaryDirectory(prefix="aion-appends-") as directory:
            yield trio.run(on_disk, Path(directory) / "journal", crowd_of(seed, virtual=False))


def told(seeds: str, record: Record, seconds: float) -> str:
    return (
        f"{seeds}: {record.appends} appends acknowledged, {record.calls} calls in all, {record.overlapping} of them overlapping, "
        f"{record.given_up} given up, {len(record.faults)} faults, {seconds:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--appends", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--progress", type=int, default=200, help="a line after so many seeds")
    options = parser.parse_args()
    print(
        f"aion-trio {aion_trio.__version__}, Python {platform.python_version()}, lmdb {lmdb.__version__}, {platform.platform()}", flush=True
    )
    began, total = time.perf_counter(), Record()
    for seed in count(options.seed):
        for record in records_of(seed):
            total.add(record)
        seeds = f"seeds {options.seed}..{seed}"
        if total.faults:
            print(f"seed {seed}:", *total.faults, sep="\n  ")
            return 1
        if total.appends >= options.appends:
            break
        if (seed - options.seed + 1) % options.progress == 0:
            print(told(seeds, total, time.perf_counter() - began), flush=True)
    print(told(seeds, total, time.perf_counter() - began))
    return 0


if __name__ == "__main__":
    sys.exit(main())
