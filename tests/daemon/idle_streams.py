"""Many clients that follow one history and mostly wait: `python -m tests.daemon.idle_streams COUNT`.

It starts a daemon in a process of its own, holds COUNT event streams open, and says what the daemon takes in memory and CPU
while they are idle, and how long one event needs to reach all of them. Exit status 1 if one of them did not get it.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trio

from aion_trio.client import open_client
from tests.daemon import services
from tests.daemon.harness import free_port, process_in

_REQUEST = "GET /api/v1/workflows/{id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Streams:
    """Open streams; each counts the events that it was sent."""

    def __init__(self, streams: list[trio.SocketStream]) -> None:
        self._streams = streams

    async def events(self) -> int:
        """Read until each stream has its second event; how many there were on all."""
        counts: list[int] = []

        async def read(stream: trio.SocketStream) -> None:
            received = b""
            while received.count(b"\nid: ") + received.count(b"id: 1\n") < 2:
                received += await stream.receive_some(65536)
            counts.append(2)

        async with trio.open_nursery() as nursery:
            for stream in self._streams:
                nursery.start_soon(read, stream)
        return sum(counts)


@asynccontextmanager
async def hold(url: str, workflow_id: str, count: int) -> AsyncIterator[Streams]:
    """`count` open event streams of a workflow."""
    where = urlsplit(url)
    assert where.hostname is not None and where.port is not None
    streams: list[trio.SocketStream] = []
    try:
        for _ in range(count):
            stream = await trio.open_tcp_stream(where.hostname, where.port)
            await stream.send_all(_REQUEST.format(id=workflow_id).encode())
            streams.append(stream)
        yield Streams(streams)
    finally:
        for stream in streams:
            await trio.aclose_forcefully(stream)


def _memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _cpu_seconds(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


async def campaign(directory: Path, count: int) -> None:
    """Hold, wait, send one event to all, and print what it took."""
    url = f"http://127.0.0.1:{free_port()}"
    with process_in(directory, "--header-timeout", "60", "--request-limit", "100000", listen=url.removeprefix("http://")) as process:
        await trio.to_thread.run_sync(process.await_ready, url)
        pid = process.process.pid
        async with open_client(url) as client:
            handle = await client.start(services.sums, 0, id="s")
            before = _memory_mb(pid)
            begun = time.monotonic()
            async with hold(url, "s", count) as streams:
                print(f"{count} streams opened in {time.monotonic() - begun:.1f} s")
                await trio.sleep(10)  # until all have had their first event
                cpu = _cpu_seconds(pid)
                await trio.sleep(10)
                idle = (_cpu_seconds(pid) - cpu) / 10
                memory = _memory_mb(pid) - before
                begun = time.monotonic()
                await handle.signal(services.go, 1)
                answered = time.monotonic() - begun
                got = await streams.events()
                print(f"memory {memory:.0f} MB ({memory * 1000 / count:.0f} KB each), idle CPU {idle:.1%} of a core")
                print(f"one event: acknowledged after {answered * 1000:.0f} ms, with all {count} after {time.monotonic() - begun:.2f} s")
            sys.exit(0 if got == 2 * count else 1)


def main() -> None:
    """Run a campaign."""
    count = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count * 2 + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    with tempfile.TemporaryDirectory() as directory:
        trio.run(campaign, Path(directory), count)


if __name__ == "__main__":
    main()
