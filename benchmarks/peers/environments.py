"""A virtual environment for each peer, kept in the user's cache; and running a script in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine: its name, what pip is told to install, and the script that measures it."""

    name: str
    requirements: tuple[str, ...]
    script: str


def home() -> Path:
    """Where the environments are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "aion-trio" / "peers"


def python_of(peer: Peer) -> Path:
    """The Python of a peer's environment, made and filled if it is not there. Raises `OSError` if that fails."""
    place = home() / f"{peer.name}-{sys.version_info.major}.{sys.version_info.minor}"
    python, stamp = place / "bin" / "python", place / "holds"
    wanted = "\n".join(peer.requirements)
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"    installing {', '.join(peer.requirements)} into {place} (once)", flush=True)
        run(sys.executable, "-m", "venv", "--clear", str(place))
        run(str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", *peer.requirements)
        stamp.write_text(wanted)
    return python


def ask(peer: Peer, what: str, directory: Path, counts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run one measurement of a peer's script in `directory`; the objects that it prints. Raises `OSError` if it fails."""
    command = [str(python_of(peer)), str(HERE / peer.script), what, json.dumps(dict(counts))]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=600, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not found:
        raise OSError(f"{peer.name} {what}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return found


def run(*command: str) -> None:
    """Run a program to its end. Raises `OSError` with what it said if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command[:4])} failed:\n{done.stderr[-2000:]}")
