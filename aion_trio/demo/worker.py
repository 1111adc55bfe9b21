"""The process that works, and that is killed: `python -m aion_trio.demo.worker DIR ORDERS`.

It opens the engine, takes the orders in, plays the reviewer, and waits for the results. Started again after a kill it
does just the same: a start with an id that is there gives back the workflow that is there.

It tells the conductor what it found, and how the orders ended.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import trio

import aion_trio as aion

from .activities import ACTIVITIES, LEDGER
from .home import Home
from .ledger import Ledger
from .news import Outcomes, recovery_of, tell
from .orders import Order, take
from .workflows import REVIEW_SECONDS, WORKFLOWS, Decision, approval, fulfil

ORDERS_PER_SECOND = 40
"""How fast the orders come in."""

REVIEWER_SECONDS = {"approve": 0.4, "reject": 0.6, "late": REVIEW_SECONDS - 0.05}
"""How long the reviewer takes; `late` races with the time-out, `never` is not in the table."""


async def take_in(engine: aion.Engine, orders: Iterable[Order], known: frozenset[str]) -> list[aion.WorkflowHandle[str]]:
    """Start a workflow for each order; those that an earlier process started are given back as they are."""
    handles: list[aion.WorkflowHandle[str]] = []
    for order in orders:
        handles.append(await engine.start(fulfil, order, id=order.id))
        if order.id not in known:
            await trio.sleep(1 / ORDERS_PER_SECOND)
    return handles


async def answer(engine: aion.Engine, ledger: Ledger, order: Order) -> None:
    """Decide on one order after a while. The request id makes a second answer, after a kill, the same as the first."""
    await trio.sleep(REVIEWER_SECONDS[order.reviewer])
    decision = Decision(granted=order.reviewer != "reject", by="Ada")
    try:
        await engine.handle(order.id).signal(approval, decision, request_id=f"review of {order.id}")
    except aion.WorkflowClosedError:
        pass  # the time-out won, and the order went its way
    await trio.to_thread.run_sync(ledger.note_answer, order.id)


async def answer_reviews(engine: aion.Engine, ledger: Ledger, orders: Iterable[Order]) -> None:
    """Look at the desk again and again, and answer each order on it once; until cancelled."""
    waiting = {order.id: order for order in orders if order.reviewer in REVIEWER_SECONDS}
    async with trio.open_nursery() as nursery:
        while True:
            for order_id in await trio.to_thread.run_sync(ledger.unanswered_reviews):
                if order := waiting.pop(order_id, None):
                    nursery.start_soon(answer, engine, ledger, order)
            await trio.sleep(0.05)


async def work(home: Home, orders: tuple[Order, ...]) -> None:
    """See all orders through and tell their outcomes."""
    ledger = home.ledger
    LEDGER.set(ledger)
    async with aion.open_engine(home.journal, workflows=WORKFLOWS, activities=ACTIVITIES) as engine:
        tell(recovery_of(engine.recovery))
        known = frozenset(entry.order_id for entry in ledger.entries("reserve"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_reviews, engine, ledger, orders)
            handles = await take_in(engine, orders, known)
            outcomes = {handle.id: await handle.result() for handle in handles}
            nursery.cancel_scope.cancel()
        tell(Outcomes(outcomes))


def main() -> None:
    """Work on the first `sys.argv[2]` orders in the directory `sys.argv[1]`."""
    home = Home(Path(sys.argv[1]))
    trio.run(partial(work, home, tuple(take(int(sys.argv[2])))))


if __name__ == "__main__":
    main()
