"""What the machine itself takes: the disk, LMDB, CBOR, a coroutine, Trio. Rows of their own, and floors for others."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import cbor2
import lmdb
import trio

from .clock import Stopwatch, Taken, timed
from .row import About, Row, timed_row
from .settings import Settings

FRAME_BYTES = 160
"""About what the events of one step take."""


def open_bare(path: Path, *, sync: bool = True) -> lmdb.Environment:
    """An LMDB environment with the settings that the journal uses."""
    path.mkdir()
    return lmdb.open(str(path), map_size=1 << 34, sync=sync, metasync=sync, writemap=False, readahead=False, meminit=False)


def commits(path: Path, count: int, size: int) -> Taken:
    """Synchronous commits of bare LMDB, each of one record."""
    environment = open_bare(path)
    value = bytes(size)
    with Stopwatch() as watch:
        for number in range(count):
            with environment.begin(write=True) as transaction:
                transaction.put(number.to_bytes(8, "big"), value, append=True)
    environment.close()
    return watch.taken / count


def fdatasyncs(path: Path, count: int, size: int) -> Taken:
    """Appends to a plain file, each of them synced."""
    sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    value = bytes(size)
    with Stopwatch() as watch:
        for _ in range(count):
            os.write(handle, value)
            sync(handle)
    os.close(handle)
    return watch.taken / count


class BareHistory:
    """The same frames in bare LMDB: no checksum, no contiguity, no index rows."""

    def __init__(self, path: Path, frames: Sequence[tuple[bytes, int]]) -> None:
        self._environment = open_bare(path, sync=False)
        self._count = sum(count for _, count in frames)
        with self._environment.begin(write=True) as transaction:
            for number, (data, _) in enumerate(frames):
                transaction.put(number.to_bytes(8, "big"), data, append=True)

    def scan(self) -> bytes:
        """Every record, joined."""
        with self._environment.begin(buffers=True) as transaction, transaction.cursor() as cursor:
            return b"".join(cursor.iternext(keys=False, values=True))

    def decode(self) -> list[Any]:
        """Every record, joined and decoded by one call."""
        events: list[Any] = cbor2.loads(b"\x9a" + self._count.to_bytes(4, "big") + self.scan())
        return events

    def close(self) -> None:
        """Release the files."""
        self._environment.close()


def coroutine_sends(count: int) -> Taken:
    """A coroutine that is sent to, and yields."""

    @types.coroutine
    def trap() -> Generator[None, int, int]:
        return (yield)

    async def main() -> None:
        for _ in range(count):
            await trap()

    def run() -> None:
        coro = main()
        coro.send(None)
        try:
            while True:
                coro.send(1)
        except StopIteration:
            return

    return timed(run, count)


def checkpoints(count: int) -> Taken:
    """A Trio task that lets others run."""

    async def main() -> None:
        for _ in range(count):
            await trio.lowlevel.checkpoint()

    return timed(lambda: trio.run(main), count)


def trio_tasks(count: int) -> Taken:
    """Trio tasks that are started together and end at their first checkpoint."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(trio.lowlevel.checkpoint)

    return timed(lambda: trio.run(main), count)


def rows(settings: Settings) -> Iterator[Row]:
    """All of them."""
    synced, spun, size = settings.pick(30, 1000), settings.pick(20_000, 200_000), FRAME_BYTES
    with settings.directory() as directory:
        runs: dict[str, tuple[str, str, Callable[[int], Taken]]] = {
            "fdatasync": (f"append {size} B to a file and fdatasync", "sync", lambda n: fdatasyncs(directory / f"f{n}", synced, size)),
            "commit": (f"LMDB: commit {size} B synchronously", "commit", lambda n: commits(directory / f"c{n}", synced, size)),
            "coroutine": ("send to a coroutine that yields", "send", lambda _: coroutine_sends(spun)),
            "checkpoint": ("Trio: a checkpoint", "checkpoint", lambda _: checkpoints(spun // 10)),
            "task": ("Trio: start a task that ends at once", "task", lambda _: trio_tasks(spun // 10)),
        }
        for name, (what, each, run) in runs.items():
            about = About(f"floor.{name}", what, each, role="floor", by_cpu=each not in ("sync", "commit"))
            yield timed_row(about, [run(number) for number in range(settings.rounds)])
