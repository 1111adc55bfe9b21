"""Durable steps, live: of one workflow, of a fan-out, from start to result, and over a long run.

One step of one workflow is one commit, so its floor is one: bare LMDB committing as many bytes, and fdatasync for the
same. `step.rows` is a bare commit of all rows that the journal writes for a step, made beforehand.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import trio

from aion_trio.stores import LmdbStore, WorkflowKey, each_frame

from . import workloads as w
from .clock import Stopwatch, Taken, alternate, timed
from .floors import commits, fdatasyncs, trio_tasks
from .recorded import record
from .row import About, Row, Target, sized_row, timed_row
from .settings import Scale, Settings
from .stores_apply import Bare


def live(journal: Path, workflow: Any, *args: Any) -> Taken:
    """What a run takes on a new journal, opening not included."""

    async def main() -> Taken:
        async with w.open_engine(journal) as engine:
            await engine.execute(w.one_step, 1, id="warm")
            with Stopwatch() as watch:
                await engine.execute(workflow, *args, id="measured")
            return watch.taken

    return trio.run(main)


def bare_rows(path: Path, steps: int) -> Taken:
    """Commits of the rows that the journal writes for a step."""
    bare = Bare(path, 1)
    bare.prepare(steps)
    taken = timed(bare.run, steps)
    bare.env.close()
    return taken


def step_rows(settings: Settings) -> Iterator[Row]:
    """One durable step of one workflow, beside what the disk and LMDB take for it."""
    steps = settings.pick(40, 1000)
    frames = record(w.sequential, 50).frames
    size = sum(len(frame.data) for frame in frames) // len(frames)
    numbers = iter(range(1_000_000))
    with settings.directory() as directory:
        found = alternate(
            settings.rounds,
            {
                "sync": lambda: fdatasyncs(directory / f"f{next(numbers)}", steps, size),
                "commit": lambda: commits(directory / f"c{next(numbers)}", steps, size),
                "rows": lambda: bare_rows(directory / f"r{next(numbers)}", steps),
                "step": lambda: live(directory / f"j{next(numbers)}", w.sequential, steps) / steps,
            },
        )
    yield timed_row(About("step.fdatasync", f"append {size} B to a file and fdatasync", "step", role="floor"), found["sync"])
    yield timed_row(About("step.commit", f"LMDB: commit {size} B synchronously", "step", role="floor"), found["commit"])
    yield timed_row(About("step.rows", "LMDB: commit all rows of a step, made beforehand", "step", role="floor"), found["rows"])
    target = Target("≤ 1.5 × commit, or + 150 µs", 1.5, "step.commit", 150e-6, 300e-6)
    about = About("step.durable", "one durable step of one workflow", "step", floor="step.commit", targets=(target,))
    yield timed_row(about, found["step"])


def latency_rows(settings: Settings) -> Iterator[Row]:
    """From `start` to the result of a one-step workflow, alone on the engine: two commits."""
    count = settings.pick(20, 500)
    with settings.directory() as directory:
        rounds = [_latencies(directory / f"j{number}", count) for number in range(settings.rounds)]
        floor = [commits(directory / f"c{number}", count, 200) for number in range(settings.rounds)]
    yield timed_row(About("latency.commit", "LMDB: commit 200 B synchronously", "commit", role="floor"), floor)
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        values = tuple(sorted(times)[int(part * (count - 1))] for times in rounds)
        about = f"a one-step workflow from start to result, {name}"
        yield Row(f"latency.{name}", about, "workflow", values, floor="latency.commit", note="two commits")


def _latencies(journal: Path, count: int) -> list[float]:
    async def main() -> list[float]:
        async with w.open_engine(journal) as engine:
            times: list[float] = []
            for number in range(count + 5):
                began = perf_counter()
                await engine.execute(w.one_step, number, id=f"w{number}")
                times.append(perf_counter() - began)
            return times[5:]

    return trio.run(main)


def fan_out_rows(settings: Settings) -> Iterator[Row]:
    """One workflow with many activities at once."""
    width = settings.pick(500, 10_000)
    with settings.directory() as directory:
        found = alternate(
            settings.few,
            {
                "floor": lambda: trio_tasks(width),
                "live": lambda: live(_fresh(directory), w.fan_out, width, width) / width,
            },
        )
    yield timed_row(About("fan_out.floor", "Trio: start a task that ends at once", "activity", role="floor", by_cpu=True), found["floor"])
    about = About("fan_out.live", f"{width} activities of one workflow at once", "activity", floor="fan_out.floor")
    yield timed_row(about, found["live"])


def _fresh(directory: Path) -> Path:
    return directory / f"j{len(os.listdir(directory))}"


def long_run_rows(settings: Settings) -> Iterator[Row]:
    """Processor time of a step at the beginning and at the end of a long run, and the bytes that it leaves."""
    steps, window = settings.pick(300, 10_000, 100_000), settings.pick(90, 1000)
    first: list[Taken] = []
    last: list[Taken] = []
    sizes: list[float] = []
    frames = 0
    for _ in range(settings.few if settings.scale is Scale.NORMAL else 1):
        with settings.directory() as directory:
            ticks = _ticks(directory / "journal", steps)
            sizes.append((directory / "journal" / "data.mdb").stat().st_size / steps)
            frames = _frame_bytes(directory / "journal") // steps
        for found, part in ((first, ticks[100 : 101 + window]), (last, ticks[-window - 1 :])):
            gaps = [after - before for before, after in pairwise(part)]
            middle = statistics.median(gaps)
            found.append(Taken(middle, middle))
    yield timed_row(About("long_run.first", f"processor time of a step, steps 100 to {100 + window}", "step", by_cpu=True), first)
    flat = Target("≤ 1.25 × the first", 1.25, "long_run.first")
    about = About("long_run.last", f"processor time of a step, the last {window} of {steps}", "step", targets=(flat,), by_cpu=True)
    yield timed_row(about, last)
    yield sized_row(About("journal.frames", "events of a step, encoded", "step", role="floor"), [float(frames)])
    yield sized_row(About("journal.step", "the journal's file, all rows and free pages", "step", floor="journal.frames"), sizes)


def _ticks(journal: Path, steps: int) -> list[float]:
    ticks: list[float] = []
    token = w.cpu_ticks.set(ticks)
    try:
        live(journal, w.long_run, steps)
    finally:
        w.cpu_ticks.reset(token)
    return ticks


def _frame_bytes(journal: Path) -> int:
    store = LmdbStore.open(journal, read_only=True)
    try:
        return sum(len(frame.data) for frame in each_frame(store, WorkflowKey("default", "measured")))
    finally:
        store.close()
