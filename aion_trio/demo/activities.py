"""What the order workflow does to the world. Each activity posts one entry under its idempotency key."""

from __future__ import annotations

import zlib
from contextvars import ContextVar

import trio

import aion_trio as aion

from .ledger import Entry, Ledger
from .orders import REFUSED_CARDS, UNSERVED_COUNTRIES, Parcel

LEDGER: ContextVar[Ledger] = ContextVar("LEDGER")
"""Set by whoever opens the engine: activities run in the context of that caller."""

BRIEFLY = aion.RetryPolicy(max_attempts=12, initial=0.05, factor=2, maximum=1)


class PaymentDeclinedError(aion.NonRetryableError):
    """The card was refused, and would be refused again."""


class UndeliverableError(aion.NonRetryableError):
    """No carrier goes there."""


class GatewayError(Exception):
    """The payment gateway failed to answer; nobody knows whether it did its work."""


def post(kind: str, order_id: str, cents: int = 0, note: str = "") -> None:
    """Post an entry in the name of the activity that is running."""
    key = aion.activity_info().idempotency_key
    LEDGER.get().note_attempt(key, kind)
    LEDGER.get().post(Entry(key, kind, order_id, cents, note))


def gateway_fault() -> str:
    """How the gateway fails in this attempt: before its work, after it, or (mostly) not at all."""
    info = aion.activity_info()
    lot = zlib.crc32(f"{info.idempotency_key} {info.attempt}".encode()) % 12
    return {0: "before", 1: "after"}.get(lot, "")


@aion.activity(retry=BRIEFLY, timeout=30)
def reserve(order_id: str, item: str, quantity: int) -> None:
    """Take the goods out of the free stock."""
    post("reserve", order_id, note=f"{quantity} × {item}")


@aion.activity(retry=BRIEFLY, timeout=30)
def release(order_id: str) -> None:
    """Put the goods back."""
    post("release", order_id)


@aion.activity(retry=BRIEFLY, timeout=30)
def ask_for_review(order_id: str, cents: int) -> None:
    """Lay the order on the reviewer's desk."""
    post("review", order_id, cents)


@aion.activity(retry=BRIEFLY, timeout=30, raises=(PaymentDeclinedError,))
def charge(order_id: str, cents: int, card: str) -> None:
    """Charge the card; now and then the gateway fails, also after it has done its work."""
    if card in REFUSED_CARDS:
        post("decline", order_id, cents, card)
        raise PaymentDeclinedError(f"{card} was refused")
    fault = gateway_fault()
    if fault == "before":
        raise GatewayError("connection refused")
    post("charge", order_id, cents, card)
    if fault == "after":
        raise GatewayError("the connection broke before the answer came")


@aion.activity(retry=BRIEFLY, timeout=30)
def refund(order_id: str, cents: int) -> None:
    """Give the money back."""
    post("refund", order_id, cents)


@aion.activity(retry=BRIEFLY, timeout=30)
async def book_carrier(order_id: str, parcel: Parcel) -> str:
    """Find a carrier for the parcel; it takes a while, as it would."""
    await trio.sleep(0.05 + 0.02 * parcel.kg)
    if parcel.country in UNSERVED_COUNTRIES:
        raise UndeliverableError(f"no carrier goes to {parcel.country}")
    return f"{parcel.country}-{order_id}-{parcel.number}"


@aion.activity(retry=BRIEFLY, timeout=30)
def hand_over(order_id: str, tracking_id: str) -> None:
    """Give the parcel to the carrier."""
    post("parcel", order_id, note=tracking_id)


@aion.activity(retry=BRIEFLY, timeout=30)
def settle(order_id: str, outcome: str) -> None:
    """Close the books on the order."""
    post("outcome", order_id, note=outcome)


ACTIVITIES = (reserve, release, ask_for_review, charge, refund, book_carrier, hand_over, settle)
