"""Restate: steps of one invocation, replay of recorded steps, one-step invocations side by side.

Client and service are a process each, the server is a third. Replay is a second attempt: the first records every step and
then fails, and the server tries again; the time is from the handler's entry to the last recorded step, so the sending of
the journal, which comes before the entry, is not in it.

Runs in an environment of its own, against a server that is there: `python restate_script.py steps
'{"steps": 100, "rounds": 3, "ingress": "http://127.0.0.1:8080", "admin": "http://127.0.0.1:9070"}'`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import hypercorn.asyncio
import restate
from hypercorn.config import Config

Row = dict[str, Any]
Taken = tuple[float, float]
bench = restate.Service("bench")


@bench.handler()
async def sequential(ctx: restate.Context, steps: int) -> list[float]:
    """One step after the other; what they took, as the handler sees it."""
    began = now()
    for number in range(steps):
        await ctx.run_typed(f"s{number}", charge, number=number)
    return list(since(began))


@bench.handler()
async def replayed(ctx: restate.Context, steps: int) -> list[float]:
    """The same, but the attempt that records the steps fails; what the recorded steps took."""
    ran: list[int] = []

    async def noted(number: int) -> int:
        ran.append(number)
        return number

    began = now()
    for number in range(steps):
        await ctx.run_typed(f"s{number}", noted, number=number)
    taken = since(began)
    if ran:
        raise RuntimeError("the attempt that records ends here")
    return list(taken)


@bench.handler()
async def one_step(ctx: restate.Context, number: int) -> int:
    """As short as an invocation is."""
    return await ctx.run_typed("charge", charge, number=number)


@bench.handler()
async def spent(ctx: restate.Context, _: int) -> float:
    """Processor time of the service so far."""
    return time.process_time()


async def charge(number: int) -> int:
    """A step that costs nothing itself."""
    return number


def now() -> Taken:
    """Wall-clock and processor time."""
    return time.perf_counter(), time.process_time()


def since(began: Taken) -> Taken:
    """What has passed of each."""
    ended = now()
    return ended[0] - began[0], ended[1] - began[1]


def serve() -> None:
    """Be the service, on a free port of loopback that is printed, until standard input ends: so it never outlives its client."""
    logging.disable(logging.CRITICAL)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    threading.Thread(target=end_with_client, daemon=True).start()
    application: Any = restate.app(services=[bench])
    asyncio.run(hypercorn.asyncio.serve(application, config))


def end_with_client() -> None:
    """End this process when its standard input does, whatever it is doing."""
    sys.stdin.read()
    os._exit(0)


@contextmanager
def service() -> Iterator[str]:
    """A service in a process of its own; its URL. It is gone when the block is left."""
    command = [sys.executable, __file__, "serve", "{}"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert running.stdout is not None
        yield f"http://127.0.0.1:{int(running.stdout.readline())}"
    finally:
        running.kill()
        running.wait()


class Client:
    """Calls handlers through the server's ingress."""

    def __init__(self, session: aiohttp.ClientSession, ingress: str) -> None:
        self.session, self.ingress = session, ingress

    async def call(self, handler: str, argument: int) -> Any:
        """Invoke a handler and wait for its result."""
        async with self.session.post(f"{self.ingress}/bench/{handler}", json=argument) as answer:
            answer.raise_for_status()
            return await answer.json()


async def steps(client: Client, steps: int, rounds: int) -> Row:
    """One durable step of one invocation."""
    await client.call("sequential", 3)
    return row_of("step", [await client.call("sequential", steps) for _ in range(rounds)], steps, f"{steps} steps")


async def replay(client: Client, steps: int, rounds: int) -> Row:
    """Recorded steps, answered again by another attempt."""
    return row_of("replay", [await client.call("replayed", steps) for _ in range(rounds)], steps, f"{steps} steps")


async def workflows(client: Client, in_flight: int, total: int, rounds: int) -> Row:
    """One-step invocations from request to result, so many at a time; processor time of client and service."""
    found: list[Taken] = []
    for number in range(20):
        await client.call("one_step", number)
    for _ in range(rounds):
        numbers = iter(range(total))

        async def worker(numbers: Any = numbers) -> None:
            for number in numbers:
                await client.call("one_step", number)

        before, began = await client.call("spent", 0), now()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        wall, cpu = since(began)
        found.append((wall, cpu + await client.call("spent", 0) - before))
    return row_of(f"workflows_{in_flight}", found, total, f"{total} invocations")


def row_of(name: str, taken: list[Taken], pieces: int, note: str) -> Row:
    """What a piece took in each round."""
    return {"name": name, "values": [wall / pieces for wall, _ in taken], "cpu": [cpu / pieces for _, cpu in taken], "note": note}


MEASURES: dict[str, Callable[..., Any]] = {"steps": steps, "replay": replay, "workflows": workflows}


async def measure(what: str, url: str, ingress: str, admin: str, counts: dict[str, int]) -> Row:
    """Make the service known to the server, then measure through the server."""
    limits = {"connector": aiohttp.TCPConnector(limit=0), "timeout": aiohttp.ClientTimeout(total=300)}
    async with aiohttp.ClientSession(**limits) as session:
        async with session.post(f"{admin}/deployments", json={"uri": url}) as answer:
            answer.raise_for_status()
        found: Row = await MEASURES[what](Client(session, ingress), **counts)
    return found


def main(what: str, ingress: str = "", admin: str = "", **counts: int) -> None:
    """Be the service, or measure and print."""
    if what == "serve":
        serve()
        return
    with service() as url:
        print(json.dumps(asyncio.run(measure(what, url, ingress, admin, counts))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], **json.loads(sys.argv[2]))
