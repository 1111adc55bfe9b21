"""The machine and the versions that figures belong to."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path

import lmdb

import aion_trio

_PACKAGES = ("trio", "anyio", "lmdb", "cbor2", "cattrs")


def machine(path: Path) -> dict[str, str]:
    """What a reader needs to know of the machine, the disk that holds `path`, and the versions."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": _memory(),
        "system": platform.platform(),
        "disk": _file_system(path),
        "load": load(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "aion-trio": aion_trio.__version__,
        **versions,
        "LMDB engine": ".".join(str(part) for part in lmdb.version(lib_version=0)),
    }


def load() -> str:
    """The load average now; more than a fraction of the cores means that the figures are disturbed."""
    return f"{os.getloadavg()[0]:.2f}"


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return "unknown"


def _file_system(path: Path) -> str:
    """The device and file system of the mount that holds `path`."""
    resolved, best = str(path.resolve()), ("", "unknown")
    for line in _lines("/proc/mounts"):
        device, mount, kind, *_ = line.split()
        below = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if below and len(mount) >= len(best[0]):
            best = mount, f"{kind} on {device}"
    return best[1]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
