"""The demo's audit sees what it is there to see: losses, double effects, wrong ends."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from aion_trio.demo.audit import audit, due_entries, least_entries, possible_outcomes
from aion_trio.demo.ledger import Entry, Ledger
from aion_trio.demo.orders import Order, shipped_orders, take

ORDERS = {order.id: order for order in shipped_orders()}
PLAIN = next(order for order in ORDERS.values() if possible_outcomes(order) == {"completed"})
REFUSED = next(order for order in ORDERS.values() if possible_outcomes(order) == {"declined"})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.sqlite")
    made.create()
    return made


def sound_entries(order: Order, outcome: str) -> list[Entry]:
    due = due_entries(order, outcome)
    return [
        Entry(f"{order.id} {kind} {number}", kind, order.id, order.cents, outcome if kind == "outcome" else "")
        for kind in due
        for number in range(due[kind])
    ]


def book(ledger: Ledger, entries: Iterable[Entry]) -> None:
    for entry in entries:
        ledger.post(entry)


@pytest.mark.parametrize("order", [PLAIN, REFUSED], ids=["completed", "declined"])
def test_sound_books_are_found_sound(ledger: Ledger, order: Order) -> None:
    (outcome,) = possible_outcomes(order)
    book(ledger, sound_entries(order, outcome))
    assert audit([order], {order.id: outcome}, ledger) == []


def test_a_second_charge_is_a_fault(ledger: Ledger) -> None:
    book(ledger, [*sound_entries(PLAIN, "completed"), Entry("another key", "charge", PLAIN.id, PLAIN.cents)])
    assert audit([PLAIN], {PLAIN.id: "completed"}, ledger) == [f"{PLAIN.id}: 2 entries of charge instead of 1"]


def test_a_lost_parcel_is_a_fault(ledger: Ledger) -> None:
    book(ledger, [entry for entry in sound_entries(PLAIN, "completed") if entry.key != f"{PLAIN.id} parcel 0"])
    count = len(PLAIN.parcels)
    assert audit([PLAIN], {PLAIN.id: "completed"}, ledger) == [f"{PLAIN.id}: {count - 1} entries of parcel instead of {count}"]


def test_a_lost_order_is_a_fault(ledger: Ledger) -> None:
    assert audit([PLAIN], {}, ledger) == [f"{PLAIN.id}: lost, its workflow has no result"]


def test_a_charge_of_a_wrong_amount_is_a_fault(ledger: Ledger) -> None:
    wrong = [Entry(e.key, e.kind, e.order_id, e.cents + (e.kind == "charge"), e.note) for e in sound_entries(PLAIN, "completed")]
    book(ledger, wrong)
    assert audit([PLAIN], {PLAIN.id: "completed"}, ledger) == [f"{PLAIN.id}: a charge of {PLAIN.cents + 1} cents instead of {PLAIN.cents}"]


def test_an_order_that_ended_as_it_cannot_is_a_fault(ledger: Ledger) -> None:
    book(ledger, sound_entries(REFUSED, "completed"))
    assert audit([REFUSED], {REFUSED.id: "completed"}, ledger) == [f"{REFUSED.id}: ended as completed, expected declined"]


def test_entries_that_nobody_ordered_are_a_fault(ledger: Ledger) -> None:
    book(ledger, [Entry("key", "charge", "B0001", 100)])
    assert audit([], {}, ledger) == ["B0001: in the ledger, and nobody ordered it"]


def test_an_entry_is_written_once_for_each_key(ledger: Ledger) -> None:
    """The second attempt at an effect changes nothing (A1)."""
    for note in ("first", "second"):
        ledger.note_attempt("key", "charge")
        ledger.post(Entry("key", "charge", "A1", 100, note))
    assert [entry.note for entry in ledger.entries("charge")] == ["first"]
    assert ledger.attempts() == 2


def test_the_file_holds_varied_orders_and_gives_more_under_new_ids() -> None:
    assert len(ORDERS) >= 200
    assert {end for order in ORDERS.values() for end in possible_outcomes(order)} == {
        "completed", "declined", "expired", "rejected", "undeliverable",
    }  # fmt: skip
    assert len({order.id for order in take(500)}) == 500
    assert least_entries(take(240)) > 240 * 3
