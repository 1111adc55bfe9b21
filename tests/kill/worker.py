"""The program that is killed: `python -m tests.kill.worker DIR FIRST COUNT`.

Starts COUNT executions from number FIRST on, all at once, and notes each start in `acknowledged` once the engine has
acknowledged it, and each workflow in `answered` once its result was given. What an earlier process had acknowledged must be there.
Ends when all executions have their results.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

import aion_trio as aion
from aion_trio.demo.news import recovery_of, tell
from tests.kill.shapes import ACTIVITIES, EFFECTS, SHAPES, WORKFLOWS, Due, Shape


def executions(first: int, count: int) -> Iterator[tuple[Shape, str]]:
    """Each execution's shape and base id; the shapes take turns."""
    for number in range(first, first + count):
        yield SHAPES[number % len(SHAPES)], f"w{number}"


def open_for_appending(path: Path) -> int:
    """A descriptor whose short writes outlive the process, each whole."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def start(engine: aion.Engine, shape: Shape, me: str, acknowledged: int) -> None:
    """Start one execution and note that this was acknowledged."""
    await shape.start(engine, me)
    os.write(acknowledged, f"{me}\n".encode())


async def check_result(engine: aion.Engine, due: Due, answered: int) -> None:
    """Wait for an execution's result, which must be the undisturbed one, and note that it was given."""
    while not await exists(engine, due.id):
        await trio.sleep(0.05)  # a detached child is started by its parent, in its own time
    result = await engine.handle(due.id).result()
    if result != due.result:
        raise AssertionError(f"{due.id}: result {result!r}, expected {due.result!r}")
    os.write(answered, f"{due.id}\n".encode())


async def exists(engine: aion.Engine, workflow_id: str) -> bool:
    """Whether the engine knows the id."""
    try:
        await engine.handle(workflow_id).describe()
    except aion.WorkflowNotFoundError:
        return False
    return True


async def work(directory: Path, first: int, count: int) -> None:
    """Check what must be there, start what is to be started, check every result."""
    EFFECTS.set(open_for_appending(directory / "effects"))
    acknowledged = open_for_appending(directory / "acknowledged")
    answered = open_for_appending(directory / "answered")
    before = set((directory / "acknowledged").read_text().split())
    async with aion.open_engine(directory / "journal", workflows=WORKFLOWS, activities=ACTIVITIES) as engine:
        tell(recovery_of(engine.recovery))
        for me in before:
            if not await exists(engine, me):
                raise AssertionError(f"{me}: its start was acknowledged, and it is not there")
        async with trio.open_nursery() as nursery:
            for shape, me in executions(first, count):
                nursery.start_soon(start, engine, shape, me, acknowledged)
        async with trio.open_nursery() as nursery:
            for shape, me in executions(first, count):
                for due in shape.due(me):
                    nursery.start_soon(check_result, engine, due, answered)


def main() -> None:
    """Work as the arguments say."""
    trio.run(partial(work, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))


if __name__ == "__main__":
    main()
