"""Workflows for the command line's tests: retries, children, timers, signals, failures, and what goes on for ever."""

from __future__ import annotations

import aion_trio as aion
from aion_trio import durable

approval = aion.Signal("approval", bool)
stage = aion.Query("stage", str)


@aion.activity(retry=aion.RetryPolicy(max_attempts=3, initial=0.01))
async def charge(order_id: str, cents: int) -> str:
    if aion.activity_info().attempt < 2:
        raise ValueError("the card reader is asleep")
    return f"receipt for {order_id}: {cents}"


@aion.workflow
async def ship(parcel: str) -> str:
    await durable.sleep(0.01)
    return parcel


@aion.workflow
async def checkout(order_id: str, cents: int) -> list[str]:
    """An order that is charged, shipped, and approved."""
    at = "charging"
    stage.serve(lambda: at)
    receipt = await charge(order_id, cents)
    at = "shipping"
    parcel = await ship(f"parcel of {order_id}")
    at = "waiting"
    with durable.move_on_after(0.02):
        await durable.sleep(60)
    await approval.receive()
    return [receipt, parcel]


@aion.workflow
async def refuse(why: str) -> None:
    raise ValueError(why)


@aion.workflow
async def wait_for_ever() -> None:
    await durable.sleep_forever()


@aion.workflow
async def count_down(left: int) -> str:
    if left:
        durable.continue_as_new(left - 1)
    return "lift off"
