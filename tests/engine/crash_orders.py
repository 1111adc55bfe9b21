"""The example's orders as a scenario for the exploration of crashes: threads, children side by side, retries, a time-out, compensation."""

from __future__ import annotations

from pathlib import Path

import aion_trio as aion
from aion_trio.demo.activities import ACTIVITIES, LEDGER
from aion_trio.demo.ledger import Entry, Ledger
from aion_trio.demo.orders import shipped_orders
from aion_trio.demo.workflows import WORKFLOWS, fulfil

__all__ = ["ACTIVITIES", "WORKFLOWS", "orders"]

ENDINGS = {"A0002": "declined", "A0003": "expired", "A0006": "completed", "A0078": "undeliverable"}
"""One order for each ending that needs no reviewer."""


class NoBooks(Ledger):
    """Books that keep nothing: what was done how often is counted by the exploration itself."""

    def note_attempt(self, key: str, kind: str) -> None: ...

    def post(self, entry: Entry) -> None: ...


LEDGER.set(NoBooks(Path()))


async def orders(engine: aion.Engine) -> object:
    """See some orders through to their different ends."""
    chosen = [order for order in shipped_orders() if order.id in ENDINGS]
    handles = [await engine.start(fulfil, order, id=order.id) for order in chosen]
    outcomes = {handle.id: await handle.result() for handle in handles}
    assert outcomes == ENDINGS
    return outcomes
