"""The daemon: what a request costs, and how long it takes: `python -m benchmarks.daemon_bench [REQUESTS]`.

A daemon in a process of its own, on a Unix socket, on this machine's disk. Each call is measured one at a time (p50, p99) and
32 at once (requests a second, and the daemon's processor time for each). Two floors stand beside them in the same run: a request that does
not reach the engine (`/health/live`), and the same call on an engine in this process, without HTTP.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import trio
import uvicorn

import aion_trio as aion
from aion_trio.client import open_client
from benchmarks import daemon_workflows as flows

AT_ONCE = 32
Act = Callable[[int], Awaitable[object]]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, so far."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


async def one_at_a_time(act: Act, count: int) -> tuple[float, float]:
    """The median and the 99th percentile, in milliseconds."""
    took: list[float] = []
    for number in range(count):
        begun = time.perf_counter()
        await act(number)
        took.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


async def many_at_once(act: Act, count: int) -> float:
    """Requests a second with `AT_ONCE` under way."""
    numbers = iter(range(count, 2 * count))

    async def worker() -> None:
        for number in numbers:
            await act(number)

    begun = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(worker)
    return count / (time.perf_counter() - begun)


async def measure(name: str, act: Act, count: int, pid: int | None) -> None:
    """One line of the table."""
    await one_at_a_time(act, 20)
    p50, p99 = await one_at_a_time(lambda number: act(number + 1_000_000), count)
    cpu = cpu_seconds(pid) if pid is not None else 0.0
    rate = await many_at_once(lambda number: act(number + 2_000_000), count)
    each = f"{(cpu_seconds(pid) - cpu) / count * 1e6:8.0f}" if pid is not None else "       –"
    print(f"{name:<34} {p50:8.2f} {p99:8.2f} {rate:10.0f} {each}", flush=True)


async def embedded(directory: Path, count: int) -> None:
    """The same calls on an engine in this process."""
    async with aion.open_engine(directory / "embedded", modules=[flows]) as engine:
        await engine.start(flows.waits, id="w")
        handle = engine.handle("w")
        await measure("embedded: start", lambda number: engine.start(flows.waits, id=f"e{number}"), count, None)
        await measure("embedded: signal", lambda number: handle.signal(flows.note, number), count, None)
        await measure("embedded: query", lambda _: handle.query(flows.stage), count, None)


async def served(url: str, pid: int, count: int) -> None:
    """The calls over HTTP, and the floor under them."""
    transport = httpx2.AsyncHTTPTransport(uds=url.removeprefix("unix:"))
    async with httpx2.AsyncClient(base_url="http://localhost", transport=transport, trust_env=False) as http:
        await measure("floor: /health/live", lambda _: http.get("/health/live"), count, pid)
    async with open_client(url) as client:
        handle = await client.start(flows.waits, id="w")
        await measure("daemon: start", lambda number: client.start(flows.waits, id=f"h{number}"), count, pid)
        await measure("daemon: signal", lambda number: handle.signal(flows.note, number), count, pid)
        await measure("daemon: query", lambda _: handle.query(flows.stage), count, pid)
        await measure("daemon: start and result", lambda number: client.execute(flows.one_step, number, id=f"x{number}"), count, pid)


async def run(directory: Path, url: str, pid: int, count: int) -> None:
    """Print the table."""
    print(f"{platform.platform()}, Python {platform.python_version()}, uvicorn {uvicorn.__version__}")
    print(f"{os.cpu_count()} cores, {count} requests each")
    print(f"{'':<34} {'p50 ms':>8} {'p99 ms':>8} {f'/s at {AT_ONCE}':>10} {'CPU µs':>8}")
    await embedded(directory, count)
    async with open_client(url) as client:
        await client.recovery()
    await served(url, pid, count)


def main() -> None:
    """Start a daemon, and measure."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        directory = Path(name).resolve()
        url = f"unix:{directory}/socket"
        command = [sys.executable, "-m", "aion_trio.daemon", "benchmarks.daemon_workflows"]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen([*command, "--journal", f"{directory}/journal", "--listen", url], stderr=log)
            try:
                trio.run(run, directory, url, process.pid, int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
            finally:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
