"""Recovery: what a crash left owed is found and done, beside few and beside many workflows that are parked.

Journals are made of the appends that the engine makes, without running it for each. `sweep` is what the engine reports:
the time until every run is back in memory and its activities are dispatched, before any caller is let in. `finish` goes on
until the last of these workflows has completed, which is what peers were measured by.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import trio

import aion_trio as aion
from aion_trio.definitions import Registry
from aion_trio.journal import Journal
from aion_trio.replay import Execution, RunIdentity, World
from aion_trio.stores import LmdbStore, WorkflowKey

from . import workloads as w
from .clock import Stopwatch, Taken, timed
from .recorded import Template, record, write_many
from .row import About, Row, Target, timed_row
from .settings import Settings

PARKED_FROM = 5_000_000
"""Numbers of parked workflows begin here, those that are owed something at 0."""


def journal_of(path: Path, owed: Template, count: int, parked: int = 0) -> None:
    """A journal with `count` workflows that are owed something and `parked` that are not."""
    write_many(path, Template.of(record(w.parked, 1, finish=False), 1), range(PARKED_FROM, PARKED_FROM + parked))
    write_many(path, owed, range(count))


def recovered(journal: Path, running: int) -> tuple[Taken, Taken]:
    """Open the engine on a copy: what the sweep took, and what it took until no more than `running` workflows run."""
    copy = journal.with_name("copy")
    shutil.copytree(journal, copy)

    async def main() -> tuple[Taken, Taken]:
        with Stopwatch() as watch:
            async with w.open_engine(copy) as engine:
                swept = Taken(engine.recovery.seconds, watch.taken.cpu_s)
                assert not engine.recovery.quarantined, engine.recovery.quarantined[0]
                while await engine.count_workflows(status=aion.WorkflowStatus.RUNNING) > running:  # noqa: ASYNC110
                    await trio.sleep(0.002)  # as a caller from outside would look
                return swept, watch.taken

    try:
        return trio.run(main)
    finally:
        shutil.rmtree(copy)


def replay_all(path: Path, count: int) -> None:
    """What no recovery can do without: each run's events are read and its code is replayed."""
    world = World(Registry(w.WORKFLOWS, w.ACTIVITIES))
    with closing(LmdbStore.open(path, read_only=True)) as store:
        journal = Journal(store)
        for number in range(count):
            key = WorkflowKey("default", f"w{number:07}")
            execution = Execution(w.one_step, RunIdentity(key.workflow_id, number.to_bytes(16, "big")), world)
            execution.replay(raw for _, raws, _ in journal.pages(key) for raw in raws)
            execution.evict()


def in_flight_rows(settings: Settings, count: int) -> Iterator[Row]:
    """Workflows whose activity was in flight at the crash."""
    owed = Template.of(record(w.one_step, 1), 1)
    with settings.directory() as directory:
        journal_of(directory / "journal", owed, count)
        replayed = [timed(partial(replay_all, directory / "journal", count), count) for _ in range(settings.few)]
        rounds = [recovered(directory / "journal", 0) for _ in range(settings.few)]
    floor = About(f"recovery.in_flight.{count}.floor", "read and replay the same runs, without an engine", "run", role="floor")
    yield timed_row(floor, replayed)
    target = Target("≥ 5000 a second", 1 / 5000)
    for name, what, at in (("sweep", "until all are back and dispatched", 0), ("finish", "until all have completed", 1)):
        about = About(
            f"recovery.in_flight.{count}.{name}", f"{count} runs in flight at a crash, {what}", "run", floor=floor.name, targets=(target,)
        )
        yield timed_row(about, [pair[at] / count for pair in rounds])


def parked_rows(settings: Settings) -> Iterator[Row]:
    """The same recovery beside 1000 parked workflows, and beside very many."""
    owed, few, many = settings.pick(50, 1000), settings.pick(100, 1000), settings.pick(2000, 100_000, 1_000_000)
    template = Template.of(record(w.one_step, 1), 1)
    found: dict[int, list[Taken]] = {}
    for parked in (few, many):
        with settings.directory() as directory:
            journal_of(directory / "journal", template, owed, parked)
            found[parked] = [recovered(directory / "journal", parked)[0] for _ in range(settings.few)]
    less = "recovery.parked.few"
    yield timed_row(About(less, f"sweep: {owed} runs in flight beside {few} parked", "sweep"), found[few])
    target = Target(f"as beside {few} (≤ 1.25 ×)", 1.25, less)
    about = About("recovery.parked.many", f"sweep: {owed} runs in flight beside {many} parked", "sweep", targets=(target,))
    yield timed_row(about, found[many])


def broken_rows(settings: Settings) -> Iterator[Row]:
    """Children that their parents recorded and a crash kept from starting."""
    count = settings.pick(100, 2000)
    owed = Template.of(record(w.has_child, 1), 1)
    with settings.directory() as directory:
        journal_of(directory / "journal", owed, count)
        rounds = [recovered(directory / "journal", 0) for _ in range(settings.few)]
    for name, what, at in (("sweep", "until all are started", 0), ("finish", "until child and parent have completed", 1)):
        about = About(f"recovery.children.{name}", f"{count} lost children, {what}", "child")
        yield timed_row(about, [pair[at] / count for pair in rounds])
