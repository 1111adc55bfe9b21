"""Parked workflows: what each takes on the disk, and what an engine takes that is opened on very many of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import trio

from . import workloads as w
from .children import call, memory_bytes
from .recorded import Template, record
from .recovery import journal_of
from .row import About, Row, Target, sized_row
from .settings import Settings


def opened(journal: str) -> dict[str, float]:
    """Open an engine in this process: seconds until it takes callers, and the memory that it has for itself then."""

    async def main() -> dict[str, float]:
        began = perf_counter()
        async with w.open_engine(Path(journal)):
            return {"seconds": perf_counter() - began, "bytes": float(memory_bytes())}

    return trio.run(main)


def rows(settings: Settings) -> Iterator[Row]:
    """Few and many."""
    few, many = settings.pick(100, 1000), settings.pick(3000, 100_000, 1_000_000)
    owed = Template.of(record(w.one_step, 1), 1)
    found: dict[int, list[dict[str, float]]] = {}
    sizes: list[float] = []
    for parked in (few, many):
        with settings.directory() as directory:
            journal_of(directory / "journal", owed, 0, parked)
            sizes.append((directory / "journal" / "data.mdb").stat().st_size / parked)
            found[parked] = [call("parking.opened", str(directory / "journal")) for _ in range(settings.few)]
    yield sized_row(About("parking.disk", f"the journal's file, {many} parked", "workflow"), [sizes[-1]])
    seconds = tuple(one["seconds"] for one in found[many])
    about = f"open and sweep with {many} parked"
    yield Row("parking.open", about, "opening", seconds, targets=(Target("≤ 1 s", 1.0),))
    less = About("parking.memory.few", f"an engine opened on {few} parked, memory of its own", "process")
    yield sized_row(less, [one["bytes"] for one in found[few]])
    flat = Target("flat (≤ 1.1 ×)", 1.1, less.name)
    more = About("parking.memory.many", f"an engine opened on {many} parked", "process", targets=(flat,))
    yield sized_row(more, [one["bytes"] for one in found[many]])
