"""PostgreSQL for the peers that need one: a new cluster on the disk that is measured, on loopback, gone afterwards.

Debian's packages are looked for, then the path. Its settings are the defaults, so every commit is synced (fsync=on,
synchronous_commit=on). As root it runs as the user `postgres`, because it refuses to run as root.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_USER = "postgres"


def programs() -> Path | None:
    """The directory of PostgreSQL's programs, or None where it is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


@contextmanager
def cluster(directory: Path) -> Iterator[str]:
    """A running server; the URL of its databases, without a database's name. Raises `OSError` if it cannot be started."""
    bin_dir = programs()
    if bin_dir is None:
        raise OSError("PostgreSQL is not installed (Debian: apt install postgresql)")
    home, port = directory / "postgres", _free_port()
    home.mkdir()
    if os.geteuid() == 0:
        shutil.chown(home, _USER)
        directory.chmod(0o755)
    data = str(home / "data")
    _run(str(bin_dir / "initdb"), "-D", data, "-U", _USER, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c max_connections=300"
    _run(str(bin_dir / "pg_ctl"), "-D", data, "-l", str(home / "log"), "-w", "-o", options, "start")
    try:
        yield f"postgresql://{_USER}@127.0.0.1:{port}"
    finally:
        _run(str(bin_dir / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")


def create_database(url: str, name: str) -> str:
    """A new database; its URL."""
    bin_dir = programs()
    assert bin_dir is not None
    _run(str(bin_dir / "psql"), "-q", f"{url}/postgres", "-c", f'create database "{name}"')
    return f"{url}/{name}"


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _run(*command: str) -> None:
    """Run a program of PostgreSQL, as its user where this one is root."""
    user, groups = (_USER, list[str | int]()) if os.geteuid() == 0 else (None, None)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", user=user, group=user, extra_groups=groups)
    if done.returncode:
        raise OSError(f"{command[0]} failed:\n{done.stderr[-2000:]}{done.stdout[-2000:]}")
