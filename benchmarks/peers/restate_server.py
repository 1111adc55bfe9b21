"""Restate's server for its peer: from npm into the user's cache, on loopback, its data on the disk that is measured, gone afterwards.

Only addresses and the directory are set. By its defaults (RocksDB, one node) the server syncs its log before it acknowledges;
appends that wait at the same time share a sync.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .environments import home, run

SERVER = "@restatedev/restate-server@1.7.12"
_STARTS_WITHIN_S = 60.0
_STOPS_WITHIN_S = 10.0


def program() -> Path:
    """The server's program, installed if it is not there. Raises `OSError` if that fails."""
    place = home() / "restate-server"
    stamp = place / "holds"
    if not stamp.is_file() or stamp.read_text() != SERVER:
        npm = shutil.which("npm")
        if npm is None:
            raise OSError("npm, which Restate's server is installed with, is not there (Debian: apt install npm)")
        print(f"    installing {SERVER} into {place} (once)", flush=True)
        run(npm, "install", "--prefix", str(place), "--ignore-scripts", "--no-audit", "--no-fund", SERVER)
        stamp.write_text(SERVER)
    found = sorted(place.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    if not found:
        raise OSError(f"{SERVER} holds no program for this machine")
    return found[0]


@contextmanager
def server(directory: Path) -> Iterator[dict[str, str]]:
    """A running server; the URLs of its ingress and its administration. Raises `OSError` if it cannot be started.

    It is stopped when the block is left, however that happens.
    """
    ingress, admin, node = free_ports(3)
    log = directory / "restate-server.log"
    command = [str(program()), "--base-dir", str(directory / "restate"), "--node-name", "bench"]
    with log.open("wb") as output:
        running = subprocess.Popen(command, cwd=directory, env=_environment(ingress, admin, node), stdout=output, stderr=output)
    try:
        _wait_until_open(running, (admin, ingress), log)
        yield {"ingress": f"http://127.0.0.1:{ingress}", "admin": f"http://127.0.0.1:{admin}"}
    finally:
        stop(running)


def free_ports(count: int) -> list[int]:
    """Ports of loopback on which nothing listens now, each another."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def stop(running: subprocess.Popen[bytes]) -> None:
    """End a process: asked first, then killed. It is gone when this returns."""
    running.terminate()
    try:
        running.wait(_STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def _environment(ingress: int, admin: int, node: int) -> dict[str, str]:
    """Every address on loopback, and nothing reported to anybody."""
    return os.environ | {
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
        "RESTATE_LOG_FILTER": "warn",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }


def _wait_until_open(running: subprocess.Popen[bytes], ports: tuple[int, ...], log: Path) -> None:
    """Wait until every port takes connections. Raises `OSError` with the end of the log if the server ends or takes too long."""
    ends = time.monotonic() + _STARTS_WITHIN_S
    for port in ports:
        while not _is_open(port):
            if running.poll() is not None or time.monotonic() > ends:
                said = log.read_text(errors="replace")[-2000:]
                raise OSError(f"restate-server did not start, exit status {running.poll()}\n{said}")
            time.sleep(0.05)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
