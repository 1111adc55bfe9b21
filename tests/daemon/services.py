"""Definitions that the daemon's tests serve: typed data, failures, queries that fail, and what never ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import trio

import aion_trio as aion
from aion_trio import durable


@dataclass
class Parcel:
    weight: Decimal
    fragile: bool = False


@dataclass
class Order:
    id: UUID
    placed_at: datetime
    parcels: list[Parcel]
    tags: frozenset[str] = frozenset()


@dataclass
class Receipt:
    order: UUID
    total: Decimal
    labels: dict[int, bytes]


go = aion.Signal("go", int)
address = aion.Signal("address", Parcel)
stage = aion.Query("stage", str)
counted = aion.Query("counted", int)
heaviest = aion.Query("heaviest", Parcel)
broken = aion.Query("broken", str)


class Declined(Exception):
    pass


@aion.activity
async def weigh(parcel: Parcel) -> Decimal:
    return parcel.weight


@aion.activity
async def decline(reason: str) -> None:
    raise Declined(reason) from ValueError("no funds")


@aion.activity
async def hang() -> None:
    await trio.sleep_forever()


@aion.activity
async def add(a: int, b: int) -> int:
    return a + b


@aion.workflow
async def ship(order: Order) -> Receipt:
    """Weighs every parcel of an order."""
    total = Decimal(0)
    for parcel in order.parcels:
        total += await weigh(parcel)
    return Receipt(order.id, total, dict.fromkeys(range(len(order.parcels)), b"\x00label"))


@aion.workflow
async def double(n: int) -> int:
    return await add(n, n)


@aion.workflow
async def counts(upto: int) -> None:
    """Tells how many signals it has received; continues as new behind the second."""
    received = 0
    counted.serve(lambda: received)
    while received < upto:
        await go.receive()
        received += 1
        if received == 2:
            durable.continue_as_new(1)


@aion.workflow
async def waits(n: int) -> int:
    """Serves queries and waits for a signal."""

    def fail() -> str:
        raise KeyError("nothing here")

    stage.serve(lambda: "waiting")
    heaviest.serve(lambda: Parcel(Decimal("1.50"), True))
    broken.serve(fail)
    return n + await go.receive()


@aion.workflow
async def sums(n: int) -> int:
    """Adds up signals until one is negative."""
    total = n
    async for value in go:
        if value < 0:
            return total
        total += value
    return total


@aion.workflow
async def fails(reason: str) -> None:
    await decline(reason)


@aion.workflow
async def raises_value_error() -> None:
    raise ValueError("seven", 7)


@aion.workflow
async def hangs() -> None:
    await hang()


@aion.workflow
async def sleeps(seconds: float) -> str:
    await durable.sleep(seconds)
    return "rested"


@aion.workflow
async def counts_down(n: int) -> str:
    if n > 0:
        durable.continue_as_new(n - 1)
    return "zero"
