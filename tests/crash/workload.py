"""The program that is recorded: `python -m tests.crash.workload PATH SEED STEPS [--without sync|metasync|names]`.

It opens a journal, takes the steps of its seed and acknowledges each as soon as the store says that it is durable. `--without`
takes one of the store's precautions away, which the judgement must then find out.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import lmdb

from aion_trio.stores import LmdbStore
from aion_trio.stores.lmdb_store import store as opening

from .steps import steps_of

MAP_BYTES = 1 << 25
PRECAUTIONS = ("sync", "metasync", "names")


def acknowledger() -> Callable[[int], object]:
    """The recorder's own function, by which a program tells it that a step is acknowledged. Raises where there is no recorder."""
    acknowledge = ctypes.CDLL(None).acknowledge
    acknowledge.argtypes, acknowledge.restype = [ctypes.c_uint64], None
    return acknowledge


def take_away(precaution: str) -> None:
    """Let this process's stores go without one of their precautions."""
    with_it: Callable[..., lmdb.Environment] = lmdb.open

    def opens_without_it(*args: Any, **options: Any) -> lmdb.Environment:
        return with_it(*args, **(options | {precaution: False}))

    def does_nothing(path: Path) -> None: ...

    if precaution == "names":
        put_in(opening, "sync_names", does_nothing)
    else:
        put_in(lmdb, "open", opens_without_it)


def put_in(module: ModuleType, name: str, function: Callable[..., object]) -> None:
    """Let a module of this process have another function under a name."""
    setattr(module, name, function)


def write(path: Path, seed: int, count: int) -> None:
    """Take the steps; 0 is acknowledged when the store is open, n after the n-th step."""
    acknowledge = acknowledger()
    store = LmdbStore.open(path, map_bytes=MAP_BYTES)
    acknowledge(0)
    for number, step in enumerate(steps_of(seed, count), 1):
        if step.reopens:
            store.close()
            store = LmdbStore.open(path, map_bytes=MAP_BYTES, written_by=f"writer of step {number}")
        step.take(store)
        acknowledge(number)
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("steps", type=int)
    parser.add_argument("--without", choices=PRECAUTIONS)
    arguments = parser.parse_args()
    if arguments.without:
        take_away(arguments.without)
    write(arguments.path, arguments.seed, arguments.steps)


if __name__ == "__main__":
    main()
