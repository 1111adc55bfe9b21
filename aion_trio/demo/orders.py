"""The orders of the example: what one is, and the file they come from."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources

REFUSED_CARDS = frozenset({"tok_insufficient_funds", "tok_expired_card"})
UNSERVED_COUNTRIES = frozenset({"AQ"})
REVIEW_FROM_CENTS = 50_000


@dataclass(frozen=True, slots=True)
class Parcel:
    """One box of an order."""

    number: int
    kg: float
    country: str


@dataclass(frozen=True, slots=True)
class Order:
    """One order, as it is handed to its workflow.

    `reviewer` says how the person who reviews large orders will behave: approve, late, reject, never; empty
    for an order that needs no review.
    """

    id: str
    customer: str
    item: str
    quantity: int
    cents: int
    card: str
    parcels: tuple[Parcel, ...]
    reviewer: str

    @property
    def needs_review(self) -> bool:
        return self.cents >= REVIEW_FROM_CENTS

    @property
    def card_is_refused(self) -> bool:
        return self.card in REFUSED_CARDS

    @property
    def is_undeliverable(self) -> bool:
        return any(parcel.country in UNSERVED_COUNTRIES for parcel in self.parcels)


def order_of(row: dict[str, str]) -> Order:
    """The order of one line of the file; a line that is not one raises KeyError or ValueError."""
    weights = row["parcels_kg"].split("+")
    return Order(
        id=row["order_id"],
        customer=row["customer"],
        item=row["item"],
        quantity=int(row["quantity"]),
        cents=int(row["cents"]),
        card=row["card"],
        parcels=tuple(Parcel(number, float(kg), row["country"]) for number, kg in enumerate(weights, 1)),
        reviewer=row["reviewer"],
    )


def shipped_orders() -> list[Order]:
    """The orders of `orders.csv`."""
    lines = resources.files("aion_trio.demo").joinpath("orders.csv").read_text(encoding="utf-8").splitlines()
    return [order_of(row) for row in csv.DictReader(lines)]


def take(count: int) -> Iterator[Order]:
    """The first `count` orders; past the end of the file they come again under ids of their own."""
    orders = shipped_orders()
    for number in range(count):
        again, index = divmod(number, len(orders))
        yield replace(orders[index], id=f"{orders[index].id}-{again + 1}") if again else orders[index]
