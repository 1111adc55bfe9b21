"""Was anything lost, or done twice? The books against the orders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from .ledger import Entry, Ledger
from .orders import Order

KINDS = ("reserve", "review", "charge", "decline", "parcel", "refund", "release", "outcome")


def possible_outcomes(order: Order) -> frozenset[str]:
    """How the order may end. A reviewer who races with the time-out may win or lose."""
    if order.needs_review and order.reviewer == "never":
        return frozenset({"expired"})
    if order.needs_review and order.reviewer == "reject":
        end = "rejected"
    elif order.card_is_refused:
        end = "declined"
    else:
        end = "undeliverable" if order.is_undeliverable else "completed"
    # A process that is dead delivers no answer, and the time-out runs on: any review may expire.
    return frozenset({end, "expired"} if order.needs_review else {end})


def due_entries(order: Order, outcome: str) -> Counter[str]:
    """How many entries of each kind an order has in the end, given its outcome."""
    charged = outcome in ("completed", "undeliverable")
    return +Counter(
        reserve=1,
        review=int(order.needs_review),
        charge=int(charged),
        decline=int(outcome == "declined"),
        parcel=len(order.parcels) if outcome == "completed" else 0,
        refund=int(outcome == "undeliverable"),
        release=int(outcome != "completed"),
        outcome=1,
    )


def least_entries(orders: Iterable[Order]) -> int:
    """How many entries there will be at least."""
    return sum(min(due_entries(order, end).total() for end in possible_outcomes(order)) for order in orders)


def faults_of(order: Order, outcome: str | None, entries: Sequence[Entry]) -> list[str]:
    """What is wrong with one order: lost, ended in a way it cannot, booked too often or not often enough."""
    if outcome is None:
        return [f"{order.id}: lost, its workflow has no result"]
    faults: list[str] = []
    if outcome not in possible_outcomes(order):
        faults.append(f"{order.id}: ended as {outcome}, expected {' or '.join(sorted(possible_outcomes(order)))}")
    booked = [entry.note for entry in entries if entry.kind == "outcome"]
    if booked != [outcome]:
        faults.append(f"{order.id}: the workflow says {outcome}, the ledger {booked}")
    due, found = due_entries(order, outcome), Counter(entry.kind for entry in entries)
    faults += [f"{order.id}: {found[kind]} entries of {kind} instead of {due[kind]}" for kind in KINDS if found[kind] != due[kind]]
    wrong = [entry for entry in entries if entry.kind in ("charge", "refund") and entry.cents != order.cents]
    faults += [f"{order.id}: a {entry.kind} of {entry.cents} cents instead of {order.cents}" for entry in wrong]
    return faults


def audit(orders: Sequence[Order], outcomes: Mapping[str, str], ledger: Ledger) -> list[str]:
    """Everything that is wrong, in sentences; empty when each order ended and each effect is there exactly once."""
    by_order: defaultdict[str, list[Entry]] = defaultdict(list)
    for kind in KINDS:
        for entry in ledger.entries(kind):
            by_order[entry.order_id].append(entry)
    faults = [fault for order in orders for fault in faults_of(order, outcomes.get(order.id), by_order.pop(order.id, []))]
    return faults + [f"{order_id}: in the ledger, and nobody ordered it" for order_id in sorted(by_order)]
