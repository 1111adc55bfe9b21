"""Engines for tests: on memory in virtual time, or on LMDB in real time; and histories to break."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

import aion_trio as aion
from aion_trio.events import name_of
from aion_trio.seams import TrioClock
from aion_trio.stores import MemoryStore, Store

from . import shop


@asynccontextmanager
async def engine_on(
    store: Store | Path, *, workflows: Sequence[Any] = shop.WORKFLOWS, activities: Sequence[Any] = shop.ACTIVITIES, **settings: Any
) -> AsyncIterator[aion.Engine]:
    """An engine with the shop's definitions; on a memory store its time is Trio's."""
    if isinstance(store, MemoryStore):
        settings.setdefault("clock", TrioClock())
    async with aion.open_engine(store, workflows=workflows, activities=activities, config=aion.EngineConfig(**settings)) as engine:
        yield engine


async def history_of(engine: aion.Engine, workflow_id: str) -> list[aion.events.Event]:
    """All events of an id."""
    return [event async for event in engine.handle(workflow_id).history()]


async def names_of(engine: aion.Engine, workflow_id: str) -> list[str]:
    """The names of all events of an id."""
    return [type(event).__name__ for event in await history_of(engine, workflow_id)]


async def until(engine: aion.Engine, workflow_id: str, name: str, count: int = 1) -> None:
    """Wait until the history holds `count` events of a name."""
    key = engine.key(workflow_id)
    while True:
        raws = [raw for _, page, _ in engine.journal.pages(key) for raw in page]
        if sum(name_of(raw[0]) == name for raw in raws) >= count:
            return
        await engine.runs.waiters.changed(workflow_id)


def cut_after(lines: Sequence[str], name: str, count: int = 1) -> list[str]:
    """The prefix of an exported history that ends with the `count`-th event of a name."""
    for index, line in enumerate(lines):
        if json.loads(line)["type"] == name:
            count -= 1
            if count == 0:
                return list(lines[: index + 1])
    raise AssertionError(f"no {name} in the history")


async def recovered(store: Store, *histories: Sequence[str], **settings: Any) -> None:
    """Import histories into a store, as a crash would have left them."""
    async with engine_on(store, **settings) as engine:
        for lines in histories:
            await engine.import_history(lines)


VOLATILE = frozenset(
    {"recorded_at", "run_id", "parent_run_id", "continued_run_id", "parent", "sender", "attempt", "next_due_us", "fire_at_us", "due_us"}
)


def normalised(history: Sequence[aion.events.Event]) -> list[tuple[str, dict[str, Any]]]:
    """A history without what may differ after a crash: times, run ids and attempts (R11)."""
    kept = []
    for event in history:
        name = type(event).__name__
        if name == "ActivityAttemptFailed":
            continue
        fields = {field: getattr(event, field) for field in event.__dataclass_fields__ if field not in VOLATILE | {"seq"}}
        kept.append((name, fields))
    return kept


__all__ = ["MemoryStore", "cut_after", "engine_on", "history_of", "names_of", "normalised", "recovered", "trio", "until"]
