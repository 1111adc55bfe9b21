"""The workflows that are measured. Their activities do nothing, so what is left is the engine's."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any
from uuid import UUID

import aion_trio as aion
from aion_trio import durable
from aion_trio.definitions import ActivityDefinition, WorkflowDefinition
from aion_trio.stores import Store

go = aion.Signal("go", int)

cpu_ticks: ContextVar[list[float]] = ContextVar("cpu_ticks")
"""Where `tick` writes the processor time at each step of a long run; set it before the engine is opened."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order."""

    article: str
    count: int
    cents: int
    tags: list[str]


@dataclass(frozen=True, slots=True)
class Order:
    """A payload of about 8 KB: what people really pass."""

    id: UUID
    placed: datetime
    lines: list[Line]


def order_of(number: int) -> Order:
    """An order with a hundred lines."""
    lines = [Line(f"article-{number}-{at}", at % 7 + 1, 100 + at, ["fragile", "blue", "gift"]) for at in range(100)]
    return Order(UUID(int=number), datetime(2026, 1, 1, tzinfo=UTC), lines)


@aion.activity
async def charge(number: int) -> int:
    """A step that costs nothing itself."""
    return number


@aion.activity
async def price(order: Order) -> Order:
    """A step with a large payload in and out."""
    return order


@aion.activity
async def tick(number: int) -> int:
    """A step that notes the processor time."""
    cpu_ticks.get().append(process_time())
    return number


@aion.workflow
async def one_step(number: int) -> int:
    """As short as a workflow is."""
    return await charge(number)


@aion.workflow
async def sequential(steps: int) -> int:
    """One step after the other."""
    for number in range(steps):
        await charge(number)
    return steps


@aion.workflow
async def fan_out(steps: int, width: int) -> int:
    """Many steps at a time."""
    for _ in range(steps // width):
        async with durable.open_nursery() as nursery:
            for number in range(width):
                nursery.start_soon(charge, number)
    return steps


@aion.workflow
async def timers(steps: int) -> int:
    """Durable sleeps, as short as they can be."""
    for _ in range(steps):
        await durable.sleep(1e-6)
    return steps


@aion.workflow
async def scopes(steps: int) -> int:
    """Each step inside of a time-out."""
    for number in range(steps):
        with durable.move_on_after(3600):
            await charge(number)
    return steps


@aion.workflow
async def signals(steps: int) -> int:
    """Waits for one signal after the other."""
    for _ in range(steps):
        await go.receive()
    return steps


@aion.workflow
async def children(steps: int) -> int:
    """Awaits one child after the other."""
    for number in range(steps):
        await one_step(number)
    return steps


@aion.workflow
async def payloads(steps: int) -> int:
    """Steps with large payloads."""
    for number in range(steps):
        await price(order_of(number))
    return steps


@aion.workflow
async def long_run(steps: int) -> int:
    """Many steps whose processor time is noted."""
    for number in range(steps):
        await tick(number)
    return steps


@aion.workflow
async def parked(number: int) -> int:
    """Sleeps for a month."""
    await durable.sleep(30 * 86400)
    return number


@aion.workflow
async def waits(number: int) -> int:
    """Waits in memory for a signal that does not come."""
    return number + await go.receive()


@aion.workflow
async def has_child(number: int) -> int:
    """Starts a child with an id of its own and awaits it."""
    child = await durable.start_child(one_step, number, id=f"{durable.info().workflow_id}.child")
    return await child.result()


WORKFLOWS: list[WorkflowDefinition[..., Any]] = [
    one_step, sequential, fan_out, timers, scopes, signals, children, payloads, long_run, parked, waits, has_child,
]  # fmt: skip
ACTIVITIES: list[ActivityDefinition[..., Any]] = [charge, price, tick]


def open_engine(journal: Path | Store, config: aion.EngineConfig | None = None) -> AbstractAsyncContextManager[aion.Engine]:
    """An engine that knows all of these."""
    return aion.open_engine(journal, workflows=WORKFLOWS, activities=ACTIVITIES, config=config or aion.EngineConfig())
