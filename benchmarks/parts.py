"""Scripts that measure one part more closely than the table does; `python -m benchmarks --part NAME [OPTIONS]` runs one."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence

PARTS = {
    "stores_apply": "the store's `apply` beside bare LMDB, by batch size",
    "kernel_replay": "replay without reading, and the same live",
    "supervision_bench": "mailboxes, actors and supervisors beside bare Trio",
    "daemon_bench": "requests to the daemon, and what HTTP adds",
}
"""Each script of this package, and what it measures."""


def present() -> dict[str, str]:
    """The parts that are there; one of an extra that is not installed is there and says so when it runs."""
    return {name: what for name, what in PARTS.items() if importlib.util.find_spec(f"{__package__}.{name}")}


def run(name: str, options: Sequence[str]) -> None:
    """Run a part as a program of its own."""
    sys.argv = [name, *options]
    importlib.import_module(f".{name}", __package__).main()
