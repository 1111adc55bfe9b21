"""Absurd on PostgreSQL: steps of one task, replay of recorded steps, short tasks side by side.

Client and workers live in one process. Replay is a second attempt: the first records every step and then fails; the time
is from the query that fetches the recorded steps to the last of them. For short tasks the body tells the client that it has
ended, because the engine itself offers only polling; so its last commit is not waited for.

Runs in an environment of its own: `python absurd_script.py steps '{"steps": 100, "rounds": 3, "url": "postgresql://…"}'`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import absurd_sdk
import psycopg
from absurd_sdk import AsyncAbsurd

Row = dict[str, Any]
Taken = tuple[float, float]
_WORKERS = 8


class Bench:
    """The tasks, and what they tell the client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.began: list[Taken] = []
        self.ended: list[Taken] = []
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.fails_first = False

    def app(self) -> AsyncAbsurd:
        """A connection that knows the tasks."""
        app = AsyncAbsurd(self.url, queue_name="q")
        app.register_task("sequential")(self.sequential)
        app.register_task("one_step")(self.one_step)
        return app

    async def sequential(self, params: Any, ctx: Any) -> int:
        """One step after the other."""
        steps: int = params["steps"]
        self.began.append(now())
        for number in range(steps):
            await ctx.step(f"s{number}", charge(number))
        self.ended.append(now())
        if self.fails_first and len(self.ended) == 1:
            raise RuntimeError("the first attempt ends here")
        return steps

    async def one_step(self, params: Any, ctx: Any) -> int:
        """As short as a task is."""
        result: int = await ctx.step("charge", charge(params["number"]))
        self.waiting.pop(params["number"]).set_result(None)
        return result

    @asynccontextmanager
    async def workers(self, count: int) -> AsyncIterator[None]:
        """Workers that run tasks until the block is left."""
        apps = [self.app() for _ in range(count)]
        tasks = [asyncio.create_task(app.start_worker(worker_id=f"w{n}", poll_interval=0.01)) for n, app in enumerate(apps)]
        try:
            yield
        finally:
            for app in apps:
                app.stop_worker()
            await asyncio.gather(*tasks, return_exceptions=True)
            for app in apps:
                await app.close()


def now() -> Taken:
    """Wall-clock and processor time."""
    return time.perf_counter(), time.process_time()


def charge(number: int) -> Callable[[], Any]:
    """A step that costs nothing itself."""

    async def step() -> int:
        return number

    return step


def prepare(url: str) -> None:
    """Absurd's schema and a queue."""
    control = str(Path(sys.executable).with_name("absurdctl"))
    subprocess.run([control, "init", "--database", url], check=True, capture_output=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select absurd.create_queue('q')")


async def steps(bench: Bench, steps: int, rounds: int) -> list[Row]:
    """One durable step of one task."""
    client = bench.app()
    async with bench.workers(1):
        for _ in range(rounds):
            task = await client.spawn("sequential", {"steps": steps})
            await client.await_task_result(task["task_id"], timeout=120)
    await client.close()
    return [row_of("step", between(bench.began, bench.ended), steps, f"{steps} steps")]


async def replay(bench: Bench, steps: int, rounds: int) -> list[Row]:
    """Recorded steps, answered again by a second attempt."""
    found: list[Taken] = []
    loads: list[Taken] = []
    sdk: Any = absurd_sdk
    load = sdk._create_async_task_context

    async def timed(*args: Any) -> Any:
        loads.append(now())
        return await load(*args)

    sdk._create_async_task_context = timed
    bench.fails_first = True
    client = bench.app()
    async with bench.workers(1):
        for _ in range(rounds):
            loads.clear()
            bench.ended.clear()
            task = await client.spawn("sequential", {"steps": steps}, max_attempts=2, retry_strategy={"kind": "none"})
            await client.await_task_result(task["task_id"], timeout=120)
            found += between(loads[1:], bench.ended[1:])
    await client.close()
    return [row_of("replay", found, steps, f"{steps} steps")]


async def workflows(bench: Bench, in_flight: int, total: int, rounds: int) -> list[Row]:
    """One-step tasks from start to end, so many at a time."""
    clients = [bench.app() for _ in range(min(in_flight, _WORKERS))]
    found: list[Taken] = []
    async with bench.workers(min(in_flight, _WORKERS)):
        for turn in range(rounds):
            numbers = iter(range(turn * total, (turn + 1) * total))
            locks = [asyncio.Lock() for _ in clients]

            async def worker(place: int, numbers: Any = numbers, locks: Any = locks) -> None:
                for number in numbers:
                    bench.waiting[number] = asyncio.get_running_loop().create_future()
                    ended = bench.waiting[number]
                    async with locks[place]:
                        await clients[place].spawn("one_step", {"number": number})
                    await ended

            began = now()
            await asyncio.gather(*(worker(number % len(clients)) for number in range(in_flight)))
            found += between([began], [now()])
    for client in clients:
        await client.close()
    return [row_of(f"workflows_{in_flight}", found, total, f"{total} tasks, {len(clients)} workers")]


def between(began: list[Taken], ended: list[Taken]) -> list[Taken]:
    """What each took."""
    return [(end[0] - begin[0], end[1] - begin[1]) for begin, end in zip(began, ended, strict=True)]


def row_of(name: str, taken: list[Taken], pieces: int, note: str) -> Row:
    """What a piece took in each round."""
    return {"name": name, "values": [wall / pieces for wall, _ in taken], "cpu": [cpu / pieces for _, cpu in taken], "note": note}


MEASURES: dict[str, Callable[..., Any]] = {"steps": steps, "replay": replay, "workflows": workflows}


def main(what: str, url: str, **counts: int) -> None:
    """Measure and print."""
    prepare(url)
    for row in asyncio.run(MEASURES[what](Bench(url), **counts)):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], **json.loads(sys.argv[2]))
