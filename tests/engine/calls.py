"""Workflows that call one activity, and activities that always fail."""

from __future__ import annotations

from typing import Any

import trio

import aion_trio as aion
from aion_trio.stores import MemoryStore

from .harness import engine_on


def a_call_of(definition: Any, *args: Any) -> Any:
    """A workflow that calls one activity."""

    @aion.workflow(name="calls")
    async def calls() -> Any:
        return await definition(*args)

    return calls


async def run_one(definition: Any, *args: Any, store: Any = None, **settings: Any) -> Any:
    """The result of a workflow that calls the activity."""
    workflow = a_call_of(definition, *args)
    async with engine_on(store or MemoryStore(), workflows=[workflow], activities=[definition], **settings) as engine:
        return await engine.execute(workflow, id="c")


def failing(policy: aion.RetryPolicy | None, error: Any = ValueError) -> tuple[Any, list[float]]:
    """An activity that always fails, and the times of its attempts."""
    times: list[float] = []

    @aion.activity(retry=policy)
    async def fails() -> None:
        times.append(round(trio.current_time(), 3))
        raise error("again")

    return fails, times
