"""The order workflow: plain Trio-shaped code, durable at each await.

Nothing here knows of crashes. Whatever happens to the process, each order goes on at the line where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import aion_trio as aion
from aion_trio import durable

from .activities import PaymentDeclinedError, ask_for_review, book_carrier, charge, hand_over, refund, release, reserve, settle
from .orders import Order, Parcel

REVIEW_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the reviewer says of a large order."""

    granted: bool
    by: str


approval = aion.Signal("approval", Decision)
stage = aion.Query("stage", str)


@aion.workflow
async def ship(order_id: str, parcel: Parcel) -> str:
    """Bring one parcel on its way; fails where no carrier goes."""
    tracking_id = await book_carrier(order_id, parcel)
    await durable.sleep(0.2 + 0.3 * parcel.kg)  # until the van comes
    await hand_over(order_id, tracking_id)
    return tracking_id


async def review(order: Order) -> str:
    """`approved`, `rejected`, or `expired` if the reviewer takes too long."""
    if not order.needs_review:
        return "approved"
    await ask_for_review(order.id, order.cents)
    with durable.move_on_after(REVIEW_SECONDS):
        decision = await approval.receive()
        return "approved" if decision.granted else "rejected"
    return "expired"


async def ship_all(order: Order) -> bool:
    """Ship the parcels side by side, each as a workflow of its own; whether all of them could be shipped."""
    shipped = True
    try:
        async with durable.open_nursery() as nursery:
            for parcel in order.parcels:
                nursery.start_soon(ship, order.id, parcel)
    except* aion.ChildWorkflowFailedError:
        shipped = False
    return shipped


async def pay_and_ship(order: Order) -> str:
    """Charge the order and ship it; what could not be shipped is refunded."""
    try:
        await charge(order.id, order.cents, order.card)
    except PaymentDeclinedError:
        return "declined"
    if await ship_all(order):
        return "completed"
    await refund(order.id, order.cents)
    return "undeliverable"


@aion.workflow
async def fulfil(order: Order) -> str:
    """See one order through; gives `completed`, or why what had been done was undone."""
    at = "reserving"
    stage.serve(lambda: at)
    await reserve(order.id, order.item, order.quantity)
    at = "in review"
    outcome = await review(order)
    if outcome == "approved":
        at = "paying and shipping"
        outcome = await pay_and_ship(order)
    if outcome != "completed":
        at = "undoing"
        await release(order.id)
    at = "settling"
    await settle(order.id, outcome)
    return outcome


WORKFLOWS = (fulfil, ship)
