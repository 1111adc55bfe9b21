"""The sweeps: every crash window is a row, and one pass over the rows closes every window (R2-R5).

| what a crash cut off                                   | row            | sweep                |
|--------------------------------------------------------|----------------|----------------------|
| a continue-as-new without its successor                | `RUN_START`    | `sweep_successors`   |
| a recorded child without a history                     | `CHILD_START`  | `sweep_children`     |
| a stimulus without the commands that it causes         | `STEP`         | `sweep_steps`        |
| a sent signal without its delivery                     | `SIGNAL`       | `sweep_signals`      |
| a child's closing that its parent has not recorded     | `CHILD_CLOSED` | `sweep_results`      |
| a cancellation or termination owed to a child          | `CANCEL_REQUEST` | `sweep_cancellations` |
| a timer, deadline or run time-out that has come due    | `WAKE_UP`      | `sweep_wakeups`      |
| an activity in flight or in back-off                   | `ACTIVITY`     | `sweep_activities`   |

Their cost follows what is owed, not how many workflows exist. Each is idempotent: it closes the rows that it carries
out, in the append that records their effect (R7). A workflow that cannot be recovered is quarantined and stops nobody
else (R8).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from ..errors import AionError, AppendOutcomeUnknown
from ..journal import Journal
from ..runs import Effect, Runs
from ..runs.messages import Resume
from ..seams import Clock
from ..stores.contract import Obligation, ObligationKind
from ..supervision import SupervisionError
from .courier import Courier, Lane, lane_of

log = logging.getLogger("aion_trio")

AT_ONCE = 512
"""How many workflows are recovered side by side: enough for their appends to share commits."""
SWEPT = (
    ObligationKind.RUN_START, ObligationKind.CHILD_START, ObligationKind.STEP, ObligationKind.SIGNAL, ObligationKind.CHILD_CLOSED,
    ObligationKind.CANCEL_REQUEST, ObligationKind.WAKE_UP, ObligationKind.ACTIVITY,
)  # fmt: skip
"""What is swept, in this order."""

ItemT = TypeVar("ItemT")


class Sweeps:
    """One boot's pass over what is owed; `look` comes first."""

    _owed: dict[ObligationKind, list[Obligation]]

    def __init__(self, journal: Journal, runs: Runs, courier: Courier, clock: Clock, namespace: str, quarantined: dict[str, str]) -> None:
        self._journal, self._runs, self._courier, self._clock = journal, runs, courier, clock
        self._namespace, self._quarantined = namespace, quarantined

    def look(self) -> None:
        """Find everything that is owed now; what the sweeps themselves bring about is the courier's, as at any other time."""
        now_us = self._clock.now_us()
        self._owed = {kind: self._rows(kind, now_us if kind is ObligationKind.WAKE_UP else None) for kind in SWEPT}

    async def no_room(self) -> None:
        """Return when the journal has found no room for what is recovered."""
        await self._journal.full()

    async def sweep_successors(self) -> int:
        """Start every successor that a continue-as-new recorded and a crash kept from starting (R4)."""
        return await self._deliver_all(ObligationKind.RUN_START)

    async def sweep_children(self) -> int:
        """Start every child that a parent recorded and a crash kept from starting (R3)."""
        return await self._deliver_all(ObligationKind.CHILD_START)

    async def sweep_signals(self) -> int:
        """Deliver every signal that a workflow sent and that its target, or its sender, has not recorded (S2)."""
        return await self._deliver_all(ObligationKind.SIGNAL)

    async def sweep_results(self) -> int:
        """Tell every parent how its child ended, where it does not know (C2)."""
        return await self._deliver_all(ObligationKind.CHILD_CLOSED)

    async def sweep_cancellations(self) -> int:
        """Pass on every cancellation and termination that a parent owes to a child (C3)."""
        return await self._deliver_all(ObligationKind.CANCEL_REQUEST)

    async def sweep_steps(self) -> int:
        """Take every step that is owed: a stimulus was recorded without its commands."""
        return await self._resume_all(ObligationKind.STEP)

    async def sweep_wakeups(self) -> int:
        """Wake every run whose time has come meanwhile (T1)."""
        return await self._resume_all(ObligationKind.WAKE_UP)

    async def sweep_activities(self) -> int:
        """Bring every run with activities in flight or in back-off back, and dispatch them; how many of those owed go on."""
        await self._resume_all(ObligationKind.ACTIVITY)
        return sum(row.key.workflow_id not in self._quarantined for row in self._owed[ObligationKind.ACTIVITY])

    # ---- inside

    def _rows(self, kind: ObligationKind, until_us: int | None = None) -> list[Obligation]:
        """Every row of this namespace, ordered by due time."""
        rows: list[Obligation] = []
        after: Obligation | None = None
        while page := self._journal.obligations(kind, until_us=until_us, after=after):
            rows += [row for row in page if row.key.namespace == self._namespace]
            after = page[-1]
        return rows

    async def _deliver_all(self, kind: ObligationKind) -> int:
        lanes: dict[Lane, list[Obligation]] = {}
        for row in self._owed[kind]:
            lanes.setdefault(lane_of(row), []).append(row)
        done = 0

        async def work(lane: Sequence[Obligation]) -> None:
            nonlocal done
            for position, row in enumerate(lane):
                try:
                    effect = await self._courier.deliver(row)
                except AppendOutcomeUnknown:  # the journal or the engine failed for once
                    effect = Effect.LATER
                if effect is Effect.LATER:  # what stands behind it may not overtake it
                    for owed in lane[position:]:
                        self._courier.owe(owed)
                    return
                done += effect is Effect.DONE

        await self._side_by_side(list(lanes.values()), lambda lane: lane[0].key.workflow_id, work)
        return done

    async def _resume_all(self, kind: ObligationKind) -> int:
        workflow_ids = list(dict.fromkeys(row.key.workflow_id for row in self._owed[kind]))
        done = 0

        async def resume(workflow_id: str) -> None:
            nonlocal done
            try:
                await self._runs.ask(workflow_id, Resume())
            except AppendOutcomeUnknown:  # its actor failed for once, and is woken when it starts again
                return
            done += workflow_id not in self._quarantined

        await self._side_by_side(workflow_ids, lambda workflow_id: workflow_id, resume)
        return done

    async def _side_by_side(self, items: Sequence[ItemT], owner: Callable[[ItemT], str], work: Callable[[ItemT], Awaitable[None]]) -> None:
        """Do the work for all items, some hundreds at once; one that fails is quarantined and stops nobody (R8)."""
        todo = iter(items)

        async def worker() -> None:
            for item in todo:
                try:
                    await work(item)
                except (AionError, SupervisionError) as error:
                    self._quarantined.setdefault(owner(item), f"{type(error).__name__}: {error}")
                    log.error("workflow %r could not be recovered: %s", owner(item), error)

        async with trio.open_nursery() as nursery:
            for _ in range(min(AT_ONCE, len(items))):
                nursery.start_soon(worker)
