"""An engine under mixed load for as long as you like: `python -m tests.engine.soak --minutes 30`.

One process opens an engine on LMDB again and again, each time for a window of some seconds, in which executions of every shape
are started at a steady rate and ended. In each window, and after it, what must not grow is measured: resident memory, descriptors, threads,
reader slots; when the engine is closed, closed workflows are purged and the data file and what is left in it are measured. The
first windows are compared with the last; growth beyond the bounds below ends the program with status 1.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from itertools import count
from pathlib import Path

import lmdb
import trio

import aion_trio as aion
from aion_trio.engine import EngineConfig
from aion_trio.history import WorkflowStatus
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore, WorkflowKey
from aion_trio.stores.lmdb_store.directory import DATA
from tests.kill.shapes import ACTIVITIES, EFFECTS, SHAPES, WORKFLOWS, Shape, reader
from tests.kill.worker import exists, open_for_appending

SLEEPERS = 50
"""Workflows that live through the whole soak: they wait for signals, leave memory, and come back."""
BOUNDS = {"memory_kib": (1.10, 4096), "descriptors": (1.0, 2), "threads": (1.0, 4), "readers": (1.0, 2), "file_kib": (1.25, 1024)}
"""For each measure: the last windows may have this many times what the first had, and so much more."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What must be steady. `readers` are held snapshots; `left` is how many workflows the purge left."""

    memory_kib: int
    descriptors: int
    threads: int
    readers: int
    file_kib: int = 0
    left: int = 0


def measured(readers: int) -> Measures:
    """Of this process, now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    kib = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return Measures(kib, len(os.listdir("/proc/self/fd")), threading.active_count(), readers)


async def window(store: LmdbStore, seconds: float, rate: float, numbers: count[int]) -> Measures:
    """One life of an engine under load; what was measured at its end, when the load was done and the engine still open."""
    config = EngineConfig(idle_after=2.0)
    async with aion.open_engine(store, workflows=WORKFLOWS, activities=ACTIVITIES, config=config) as engine:
        for number in range(SLEEPERS):
            await engine.start(reader, f"sleeper-{number}", id=f"sleeper-{number}")
        async with trio.open_nursery() as nursery:
            end = trio.current_time() + seconds
            while trio.current_time() < end:
                number = next(numbers)
                nursery.start_soon(one, engine, SHAPES[number % len(SHAPES)], f"w{number}", number)
                await trio.sleep(1 / rate)
        return measured(store.stats().readers)


async def one(engine: aion.Engine, shape: Shape, me: str, number: int) -> None:
    """An execution, its results, and some looking."""
    await shape.start(engine, me)
    for due in shape.due(me):
        while not await exists(engine, due.id):
            await trio.sleep(0.05)
        result = await engine.handle(due.id).result()
        assert result == due.result, f"{due.id}: {result!r}"
    if number % 20 == 0:
        await engine.count_workflows()
        assert [event async for event in engine.handle(me).history()]
    if number % 50 == 0:
        await engine.handle(f"sleeper-{number // 50 % SLEEPERS}").describe()


def compacted(store: LmdbStore) -> tuple[int, int]:
    """Purge what is closed; the size of the file in KiB, and how many workflows are left. The journal must verify."""
    findings = verify_journal(store)
    assert not findings, findings[:5]
    store.purge([key for key in keys_of(store) if is_done(store, key)])
    return (store.path / DATA).stat().st_size // 1024, sum(1 for _ in keys_of(store))


def keys_of(store: LmdbStore) -> Iterator[WorkflowKey]:
    after: bytes | None = None
    while True:
        page = store.keys(after)
        yield from page.keys
        if page.after is None:
            return
        after = page.after


def is_done(store: LmdbStore, key: WorkflowKey) -> bool:
    """Whether a workflow is closed and owes nothing."""
    summary = store.summary(key)
    return summary is not None and not WorkflowStatus.of_number(summary.status).open and not store.obligations_of(key)


def growths(windows: list[Measures]) -> list[str]:
    """Which measures grew beyond their bounds, from the first third of the windows to the last; the very first warms up."""
    third = max(len(windows) // 3, 1)
    first, last = windows[1 : 1 + third], windows[-third:]
    found: list[str] = []
    for name, (times, more) in BOUNDS.items():
        before, after = max(getattr(each, name) for each in first), min(getattr(each, name) for each in last)
        if after > before * times + more:
            found.append(f"{name} grew from {before} to {after}")
    return found


def soak(directory: Path, minutes: float, seconds: float, rate: float) -> list[Measures]:
    """Window after window."""
    EFFECTS.set(open_for_appending(Path(os.devnull)))
    numbers = count()
    windows: list[Measures] = []
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end or len(windows) < 3:
        with closing(LmdbStore.open(directory / "journal")) as store:
            found = trio.run(window, store, seconds, rate, numbers)
            windows.append(Measures(*astuple(found)[:4], *compacted(store)))
        told = ", ".join(f"{field.name} {getattr(windows[-1], field.name)}" for field in fields(Measures))
        print(f"window {len(windows)}, up to execution {next(numbers)}: {told}", flush=True)
    return windows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--window", type=float, default=60, help="seconds for which an engine is open")
    parser.add_argument("--rate", type=float, default=8, help="executions begun each second")
    options = parser.parse_args()
    print(f"aion-trio {aion.__version__}, Python {platform.python_version()}, lmdb {lmdb.__version__}, {platform.platform()}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="aion-trio-soak-"))
    began, cpu = time.monotonic(), time.process_time()
    windows = soak(directory, options.minutes, options.window, options.rate)
    faults = growths(windows)
    shutil.rmtree(directory)
    seconds = time.monotonic() - began
    print(f"{seconds / 60:.0f} minutes, {len(windows)} windows, {100 * (time.process_time() - cpu) / seconds:.0f} % of a core")
    print(*faults or ["nothing grew"], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
