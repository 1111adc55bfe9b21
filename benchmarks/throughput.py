"""Short workflows side by side: how many a second, from 1 to 10 000 in flight.

The floor hands the very appends that such a workflow makes to the journal, from as many tasks: what the journal itself can
take, with no workflow code, no activity and no actor. Commits are shared by whoever waits for one, so both grow with
the number in flight.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import trio

from aion_trio.journal import Journal
from aion_trio.stores import LmdbStore

from . import workloads as w
from .clock import Stopwatch, Taken, alternate
from .recorded import Template, record
from .row import About, Row, Target, timed_row
from .settings import Settings

IN_FLIGHT = (1, 10, 100, 1000, 10_000)
FASTEST_PEERS = ("restate", "dbos_postgres", "absurd")


async def side_by_side(in_flight: int, total: int, one: Callable[[int], Awaitable[object]]) -> Taken:
    """Run `one` for each number, so many at a time; what each takes."""
    numbers = iter(range(total))

    async def worker() -> None:
        for number in numbers:
            await one(number)

    with Stopwatch() as watch:
        async with trio.open_nursery() as nursery:
            for _ in range(min(in_flight, total)):
                nursery.start_soon(worker)
    return watch.taken / total


def workflows(journal: Path, in_flight: int, total: int) -> Taken:
    """One-step workflows from start to result."""

    async def main() -> Taken:
        async with w.open_engine(journal) as engine:
            await engine.execute(w.one_step, 1, id="warm")
            return await side_by_side(in_flight, total, lambda number: engine.execute(w.one_step, number, id=f"w{number:07}"))

    return trio.run(main)


def appends(journal: Path, template: Template, in_flight: int, total: int) -> Taken:
    """The appends of as many workflows, each after the other of its workflow, straight to the journal."""
    prepared = [template.of_number(number) for number in range(total)]

    async def main(store: LmdbStore) -> Taken:
        actor = Journal(store)

        async def one(number: int) -> None:
            for append in prepared[number]:
                await actor.append(append)

        async with trio.open_nursery() as nursery:
            await nursery.start(actor.run)
            taken = await side_by_side(in_flight, total, one)
            nursery.cancel_scope.cancel()
        return taken

    with closing(LmdbStore.open(journal)) as store:
        return trio.run(main, store)


def rows(settings: Settings, in_flight: int) -> Iterator[Row]:
    """One number in flight."""
    total = settings.pick(min(20 * in_flight, 1000), min(500 * in_flight, max(4000, 2 * in_flight)))
    template = Template.of(record(w.one_step, 1))
    numbers = count()
    with settings.directory() as directory:
        found = alternate(
            settings.few,
            {
                "floor": lambda: appends(directory / f"a{next(numbers)}", template, in_flight, total),
                "live": lambda: workflows(directory / f"j{next(numbers)}", in_flight, total),
            },
        )
    name = f"throughput.{in_flight}"
    what = f"the journal takes the same {len(template.appends)} appends, {in_flight} in flight"
    floor = About(f"{name}.floor", what, "workflow", role="floor")
    yield timed_row(floor, found["floor"])
    targets: tuple[Target, ...] = ()
    if in_flight == 1000:
        peers = [Target(f"≥ 10 × {peer}", 1 / 10, f"peer.{peer}.workflows_1000") for peer in FASTEST_PEERS]
        targets = (Target("≥ 25 % of the journal's appends", 4.0, floor.name), *peers)
    what = f"one-step workflows, {in_flight} in flight"
    about = About(name, what, "workflow", floor=floor.name, targets=targets, note=f"{total} workflows")
    yield timed_row(about, found["live"])
