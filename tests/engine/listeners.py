"""Workflows that listen, answer, and take or decline a cancellation."""

from __future__ import annotations

from typing import Any

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore

from . import shop
from .harness import engine_on

note = aion.Signal("note", str)
counted = aion.Query("counted", int)
broken = aion.Query("broken", int)


@aion.workflow
async def collects(n: int) -> list[str]:
    """The first `n` notes."""
    found: list[str] = []
    counted.serve(lambda: len(found))
    broken.serve(lambda: 1 // 0)
    while len(found) < n:
        found.append(await note.receive())
    return found


@aion.workflow
async def starts_late(n: int) -> list[str]:
    """Looks for its notes only after a while."""
    await durable.sleep(100)
    found = []
    async for text in note:
        found.append(text)
        if len(found) == n:
            return found
    return []


@aion.workflow
async def declines() -> str:
    """Goes on in spite of a cancellation."""
    try:
        await durable.sleep_forever()
    except durable.Cancelled:
        pass
    return "went on"


@aion.workflow
async def tidies(how: str) -> str:
    """Cleans up under a shield, then lets the cancellation through, or fails, or returns."""
    try:
        await durable.sleep_forever()
    except durable.Cancelled:
        with durable.CancelScope(shield=True):
            await durable.sleep(10)
            await shop.add(1, 1)
        if how == "raise":
            raise
        if how == "fail":
            raise ValueError("in clean-up") from None
    return "tidied"


WORKFLOWS = [*shop.WORKFLOWS, collects, starts_late, declines, tidies]


def opened(store: Any = None, **settings: Any) -> Any:
    return engine_on(store if store is not None else MemoryStore(), workflows=WORKFLOWS, **settings)
