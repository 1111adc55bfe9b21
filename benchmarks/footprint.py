"""What a program pays before it does anything: imports, a first workflow, memory for each workflow that waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import trio
import trio.testing

import aion_trio as aion
from aion_trio.definitions import Registry
from aion_trio.replay import Execution, RunIdentity, World

from . import workloads as w
from .children import call, memory_bytes, output_of, program
from .clock import Taken, alternate
from .recorded import record
from .row import About, Row, Target, sized_row, timed_row
from .settings import Settings

_IMPORT = "from time import *\nwall, cpu = perf_counter(), process_time()\n{}\nprint(perf_counter() - wall, process_time() - cpu)"
_NAMES = "from aion_trio import RetryPolicy, Signal, activity, durable, open_engine, workflow"
_HELLO = """
import sys, trio, aion_trio as aion
@aion.activity
async def greet(name: str) -> str:
    return "hello " + name
@aion.workflow
async def hello(name: str) -> str:
    return await greet(name)
async def main():
    async with aion.open_engine(sys.argv[1], workflows=[hello], activities=[greet]) as engine:
        print(await engine.execute(hello, "world", id="hello"))
trio.run(main)
"""


def import_time(statement: str) -> Taken:
    """What a statement takes in a new process, starting Python not included."""
    text = output_of(_IMPORT.format(statement))
    wall, cpu = text.split()
    return Taken(float(wall), float(cpu))


def import_rows(settings: Settings) -> Iterator[Row]:
    """Imports beside Trio's."""
    rounds = settings.pick(settings.rounds, 15)
    found = alternate(
        rounds,
        {
            "trio": lambda: import_time("import trio"),
            "aion": lambda: import_time("import aion_trio"),
            "names": lambda: import_time(_NAMES),
        },
    )
    floor = About("import.trio", "import trio", "import", role="floor", by_cpu=True)
    yield timed_row(floor, found["trio"])
    targets = (Target("≤ 1.3 × import trio", 1.3, floor.name),)
    about = About("import.aion_trio", "import aion_trio", "import", floor=floor.name, targets=targets, by_cpu=True)
    yield timed_row(about, found["aion"])
    what = "import what a program with workflows uses"
    yield timed_row(About("import.names", what, "import", floor=floor.name, by_cpu=True), found["names"])


def hello_rows(settings: Settings) -> Iterator[Row]:
    """A whole program beside one that only runs Trio."""
    rounds = settings.pick(settings.rounds, 15)
    with settings.directory() as directory:
        numbers = iter(range(rounds))
        found = alternate(
            rounds,
            {
                "trio": lambda: program("import trio\ntrio.run(trio.sleep, 0)"),
                "hello": lambda: program(_HELLO, str(directory / f"j{next(numbers)}")),
            },
        )
    floor = About("hello.trio", "a process that runs Trio and ends", "process", role="floor")
    yield timed_row(floor, found["trio"])
    about = About("hello.world", "a process with one durable workflow on a new journal", "process", floor=floor.name)
    yield timed_row(about, found["hello"])


def resident(journal: str, count: int) -> dict[str, float]:
    """Memory for each workflow that waits for a signal in this process, actor, kernel and code."""
    config = aion.EngineConfig(resident_limit=count + 100, idle_after=3600)

    async def main() -> float:
        async with w.open_engine(Path(journal), config) as engine:
            for number in range(200):
                await engine.start(w.waits, number, id=f"warm{number}")
            before = memory_bytes()
            async with trio.open_nursery() as nursery:
                for first in range(0, count, count // 10):
                    nursery.start_soon(_start_some, engine, first, count // 10)
            return (memory_bytes() - before) / count

    return {"bytes": trio.run(main)}


async def _start_some(engine: aion.Engine, first: int, count: int) -> None:
    for number in range(first, first + count):
        await engine.start(w.waits, number, id=f"w{number}")


def bare_runs(count: int) -> dict[str, float]:
    """Memory for each run in a kernel alone: the code and its state, no actor."""
    started = record(w.waits, 1, finish=False).events[0]
    world, identity = World(Registry(w.WORKFLOWS, w.ACTIVITIES)), RunIdentity("w", started[4])
    kept: list[Execution] = []

    def start_one() -> None:
        execution = Execution(w.waits, identity, world)
        execution.feed(list(started))
        kept.append(execution)

    for _ in range(200):
        start_one()
    before = memory_bytes()
    for _ in range(count):
        start_one()
    return {"bytes": (memory_bytes() - before) / count}


def waiting_tasks(count: int) -> dict[str, float]:
    """Memory for each Trio task that waits."""

    async def main() -> float:
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(trio.sleep_forever)
            await trio.testing.wait_all_tasks_blocked()
            before = memory_bytes()
            for _ in range(count):
                nursery.start_soon(trio.sleep_forever)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            return (memory_bytes() - before) / count

    return {"bytes": trio.run(main)}


def memory_rows(settings: Settings) -> Iterator[Row]:
    """A workflow that waits in memory; parked ones take none, see `parking`."""
    count = settings.pick(1000, 10_000)
    tasks = [call("footprint.waiting_tasks", 2 * count)["bytes"] for _ in range(settings.few)]
    yield sized_row(About("memory.task", "a Trio task that waits", "task", role="floor"), tasks)
    runs = [call("footprint.bare_runs", count)["bytes"] for _ in range(settings.few)]
    yield sized_row(About("memory.run", "the code of a workflow that waits, without an actor", "run", floor="memory.task"), runs)
    sizes: list[float] = []
    for _ in range(settings.few):
        with settings.directory() as directory:
            sizes.append(call("footprint.resident", str(directory / "journal"), count)["bytes"])
    what, targets = f"a workflow that waits in memory, {count} of them", (Target("≤ 12 KB", 12_000.0),)
    yield sized_row(About("memory.resident", what, "workflow", floor="memory.task", targets=targets), sizes)
