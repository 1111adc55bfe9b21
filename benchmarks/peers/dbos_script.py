"""DBOS: steps of one workflow, replay of recorded steps, short workflows side by side, recovery after kill -9.

Its default settings; on SQLite every commit is synced (journal_mode=DELETE, synchronous=FULL), on PostgreSQL fsync and
synchronous_commit are on. Replay is what DBOS does when it forks a workflow at its last step: every step before that is
answered from the database.

Runs in an environment of its own: `python dbos_script.py steps '{"steps": 100, "rounds": 3, "url": "sqlite:///x.sqlite"}'`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from dbos import DBOS

Row = dict[str, Any]
spent: list[tuple[float, float]] = []
"""Wall-clock and processor time of the recorded steps, as the workflow itself sees them."""


@DBOS.step()
async def charge(number: int) -> int:
    """A step that costs nothing itself."""
    return number


@DBOS.workflow()
async def sequential(steps: int) -> int:
    """One step after the other; the last is not timed."""
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(steps - 1):
        await charge(number)
    spent.append((time.perf_counter() - began, time.process_time() - cpu))
    await charge(steps - 1)
    return steps


@DBOS.workflow()
async def one_step(number: int) -> int:
    """As short as a workflow is."""
    return await charge(number)


def launch(url: str) -> None:
    """Connect, and make what DBOS keeps in the database."""
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR", "application_version": "v1"})
    DBOS.launch()


async def steps(steps: int, rounds: int) -> list[Row]:
    """One durable step of one workflow."""
    await sequential(3)
    spent.clear()
    for _ in range(rounds):
        await sequential(steps)
    return [row_of("step", spent, steps - 1, f"{steps} steps")]


async def replay(steps: int, rounds: int) -> list[Row]:
    """Recorded steps, answered again."""
    handle = await DBOS.start_workflow_async(sequential, steps)
    await handle.get_result()
    spent.clear()
    for _ in range(rounds):
        fork = await DBOS.fork_workflow_async(handle.get_workflow_id(), steps)
        assert await fork.get_result() == steps
    return [row_of("replay", spent, steps - 1, f"{steps} steps")]


async def workflows(in_flight: int, total: int, rounds: int) -> list[Row]:
    """One-step workflows from start to result, so many at a time."""
    found: list[tuple[float, float]] = []
    await one_step(0)
    for _ in range(rounds):
        numbers = iter(range(total))

        async def worker(numbers: Any = numbers) -> None:
            for number in numbers:
                await one_step(number)

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        found.append((time.perf_counter() - began, time.process_time() - cpu))
    return [row_of(f"workflows_{in_flight}", found, total, f"{total} workflows")]


def row_of(name: str, taken: list[tuple[float, float]], pieces: int, note: str) -> Row:
    """What a piece took in each round."""
    return {"name": name, "values": [wall / pieces for wall, _ in taken], "cpu": [cpu / pieces for _, cpu in taken], "note": note}


MEASURES: dict[str, Callable[..., Any]] = {"steps": steps, "replay": replay, "workflows": workflows}


def main(what: str, url: str, **counts: int) -> None:
    """Measure and print; DBOS's threads need not be waited for."""
    launch(url)
    for row in asyncio.run(MEASURES[what](**counts)):
        print(json.dumps(row), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], **json.loads(sys.argv[2]))
