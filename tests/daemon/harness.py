"""Daemons for tests: in this process, on real sockets, and in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import trio

from aion_trio.daemon import Daemon, DaemonConfig, open_daemon
from tests.daemon import services

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def daemon_in(directory: Path, *, listen: str = "127.0.0.1:0", **settings: Any) -> AsyncIterator[Daemon]:
    """A daemon in this process that serves the tests' definitions; nothing of it waits long."""
    settings.setdefault("grace", 2.0)
    async with open_daemon(DaemonConfig(journal=str(directory / "journal"), listen=listen, **settings), [services]) as daemon:
        yield daemon


@asynccontextmanager
async def http_to(daemon: Daemon, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A plain HTTP client."""
    async with httpx2.AsyncClient(base_url=daemon.url, headers=headers, trust_env=False) as client:
        yield client


async def connect(daemon: Daemon) -> trio.SocketStream:
    """A bare connection."""
    where = urlsplit(daemon.url)
    assert where.hostname is not None and where.port is not None
    return await trio.open_tcp_stream(where.hostname, where.port)


async def exchange(daemon: Daemon, data: bytes) -> bytes:
    """Send bytes and read until the daemon closes the connection."""
    async with await connect(daemon) as stream:
        try:
            await stream.send_all(data)
        except trio.BrokenResourceError:
            pass
        return await read_all(stream)


async def read_all(stream: trio.SocketStream) -> bytes:
    """What comes until the other side closes, or breaks off."""
    received = b""
    try:
        async for chunk in stream:
            received += chunk
    except trio.BrokenResourceError:
        pass
    return received


class Process:
    """A daemon in a process of its own."""

    def __init__(self, directory: Path, *arguments: str, listen: str) -> None:
        self.directory, self.listen = directory, listen
        self.log = directory / "log"
        self._sink = self.log.open("ab")
        command = [sys.executable, "-m", "aion_trio.daemon", "tests.daemon.services", "--journal", str(directory / "journal")]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [*command, "--listen", listen, "--grace", "3", *arguments],
            stdout=self._sink, stderr=self._sink, cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._sink.close()

    def await_ready(self, url: str) -> None:
        """Wait until the daemon says that it is ready."""
        for _ in range(400):
            try:
                if httpx2.get(f"{url}/health/ready", trust_env=False, timeout=5).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the daemon did not become ready:\n{self.log.read_text()}")

    def lines(self) -> list[dict[str, Any]]:
        """The log's JSON lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def process_in(directory: Path, *arguments: str, listen: str) -> Iterator[Process]:
    """A daemon process that is gone when the block is left."""
    process = Process(directory, *arguments, listen=listen)
    try:
        yield process
    finally:
        process.close()
