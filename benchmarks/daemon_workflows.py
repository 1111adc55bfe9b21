"""What the daemon's benchmark serves."""

from __future__ import annotations

import aion_trio as aion

note = aion.Signal("note", int)
stage = aion.Query("stage", str)


@aion.activity
async def add(a: int, b: int) -> int:
    return a + b


@aion.workflow
async def waits() -> int:
    """Takes signals for ever and serves a query."""
    stage.serve(lambda: "waiting")
    total = 0
    async for value in note:
        total += value
    return total


@aion.workflow
async def one_step(n: int) -> int:
    return await add(n, 1)
