"""The courier carries out what one workflow owes to another: record, then do (C1, C2, C3, S2, N1).

The same function serves the boot's sweep and the live path, so there is nothing that only a crash tries. Each delivery
reads its row's cause, tells the workflow that it is owed to, and sees to it that the row is closed in the append that
records the effect. A delivery that was made and not recorded is made again, and has no second effect.

Deliveries from one workflow to one other keep their order; all others go side by side.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from .. import events as ev
from ..errors import AionError
from ..events import Failure, Raw
from ..journal import Journal
from ..journal.rows import fields_of, run_and_ordinal
from ..runs import Effect, Runs
from ..runs.messages import ChildClosed, DeliverFrom, ParentRequest, Settle, SignalOutcome, StartChild, StartSuccessor
from ..stores.contract import Close, Obligation, ObligationKind
from ..supervision import SupervisionError

log = logging.getLogger("aion_trio")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0

_CLOSINGS = ev.CLOSING - {ev.WORKFLOW_CONTINUED_AS_NEW}
_CAUSES = {
    ObligationKind.CHILD_START: frozenset({ev.CHILD_WORKFLOW_STARTED}),
    ObligationKind.RUN_START: frozenset({ev.WORKFLOW_CONTINUED_AS_NEW}),
    ObligationKind.SIGNAL: frozenset({ev.SIGNAL_SENT}),
    ObligationKind.CHILD_CLOSED: _CLOSINGS,
    ObligationKind.CANCEL_REQUEST: _CLOSINGS | {ev.CHILD_CANCEL_REQUESTED},
}
"""Which events owe what: a row that names another one has no cause, and is not acted on."""

Lane = tuple[str, str]
"""Owner and target: the deliveries in one lane keep their order."""


def lane_of(row: Obligation) -> Lane:
    """The lane that a row belongs to."""
    return row.key.workflow_id, fields_of(row.payload)[1]


class Courier:
    """Carries out obligations between workflows."""

    def __init__(self, journal: Journal, runs: Runs) -> None:
        self._journal, self._runs = journal, runs
        self._lanes: dict[Lane, deque[Obligation]] = {}
        self._nursery: trio.Nursery | None = None
        self._deliver: dict[ObligationKind, Callable[[Obligation, Raw], Awaitable[Effect]]] = {
            ObligationKind.CHILD_START: self._child_start,
            ObligationKind.RUN_START: self._run_start,
            ObligationKind.SIGNAL: self._signal,
            ObligationKind.CHILD_CLOSED: self._child_closed,
            ObligationKind.CANCEL_REQUEST: self._cancel_request,
        }

    async def serve(self) -> None:
        """Carry out what is handed to `owe`, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for lane in self._lanes:
                    nursery.start_soon(self._work, lane)
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._lanes = {}

    def owe(self, obligation: Obligation) -> None:
        """Take an obligation that is durable; it is carried out in the background, again and again until its row is closed.

        A delivery that fails is repeated after half a second, then at twice the distance each time, up to a minute.
        """
        lane = lane_of(obligation)
        queue = self._lanes.get(lane)
        if queue is not None:
            queue.append(obligation)
            return
        self._lanes[lane] = deque([obligation])
        if self._nursery is not None:
            self._nursery.start_soon(self._work, lane)

    async def _work(self, lane: Lane) -> None:
        queue = self._lanes[lane]
        pause = _FIRST_PAUSE
        while queue:
            try:
                effect = await self.deliver(queue[0])
            except (AionError, SupervisionError) as error:
                log.debug("a delivery from %r to %r has to be repeated: %s", *lane, error)
                effect = Effect.LATER
            if effect is Effect.LATER:
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                queue.popleft()
                pause = _FIRST_PAUSE
        del self._lanes[lane]

    async def deliver(self, row: Obligation) -> Effect:
        """Carry out one obligation. A row that is closed already, or whose cause is not there, has no effect (R6)."""
        if self._journal.obligation(row.key, row.kind, row.row) is None:
            return Effect.SETTLED
        cause = self._journal.event(row.key, fields_of(row.payload)[0])
        if cause is None or cause[0] not in _CAUSES[row.kind]:
            log.error("workflow %r: an owed %s has no cause; run `aion-trio journal verify`", row.key.workflow_id, row.kind.name)
            return Effect.SETTLED
        return await self._deliver[row.kind](row, cause)

    # ---- one function for each kind of obligation

    async def _child_start(self, row: Obligation, cause: Raw) -> Effect:
        """Start a recorded child. An id that is taken by another workflow is the one failure that its parent sees (C1)."""
        _, child_id, run_id = fields_of(row.payload)[:3]
        effect = await self._runs.ask(child_id, StartChild(cause, row.key, run_id, _closing(row)))
        if effect is not Effect.MOOT:
            return effect
        failure = _failure("already_started", f"the id {child_id[:400]!r} is taken by another workflow, or cannot be an id")
        told = await self._runs.ask(row.key.workflow_id, ChildClosed(run_id, cause[2], None, failure, _closing(row)))
        return Effect.SETTLED if told is Effect.DONE else told

    async def _run_start(self, row: Obligation, cause: Raw) -> Effect:
        """Start the successor of a continue-as-new (R4)."""
        return await self._runs.ask(row.key.workflow_id, StartSuccessor(_closing(row)))

    async def _signal(self, row: Obligation, cause: Raw) -> Effect:
        """Deliver a signal, then tell its sender (S2)."""
        _, target, run_id = fields_of(row.payload)[:3]
        run_no, ordinal = run_and_ordinal(row.row)
        sender: list[Any] = [row.key.workflow_id, run_id, ordinal]
        reason = await self._runs.ask(target, DeliverFrom(cause[4], cause[5], sender))
        if reason is None:
            return Effect.LATER
        return await self._runs.ask(row.key.workflow_id, SignalOutcome(run_no, ordinal, reason))

    async def _child_closed(self, row: Obligation, cause: Raw) -> Effect:
        """Tell a parent how its child ended (C2)."""
        _, parent_id, _, parent_run_id, ordinal = fields_of(row.payload)
        result = cause[2] if cause[0] == ev.WORKFLOW_COMPLETED else None
        failure = None if cause[0] == ev.WORKFLOW_COMPLETED else _closing_failure(cause)
        effect = await self._runs.ask(parent_id, ChildClosed(parent_run_id, ordinal, result, failure, _closing(row)))
        if effect is Effect.MOOT:
            effect = await self._runs.ask(row.key.workflow_id, Settle(_closing(row), absent=parent_id))
        return effect

    async def _cancel_request(self, row: Obligation, cause: Raw) -> Effect:
        """Cancel or terminate a child as its parent asked, or as its parent-close policy says (C3, K9)."""
        _, child_id, run_id, terminate, reason = fields_of(row.payload)
        ordinal = run_and_ordinal(row.row)[1]
        parent: list[Any] = [row.key.workflow_id, run_id, ordinal]
        effect = await self._runs.ask(child_id, ParentRequest(parent, terminate, reason, _closing(row)))
        if effect is Effect.MOOT:
            effect = await self._runs.ask(row.key.workflow_id, Settle(_closing(row)))
        return effect


def _closing(row: Obligation) -> Close:
    return Close(row.kind, row.row, row.key)


def _failure(kind: str, message: str, cause: Failure | None = None) -> Failure:
    return [kind, "ChildWorkflowFailedError", message, None, cause, False]


def _closing_failure(closing: Raw) -> Failure:
    """How a child that did not complete ended, as its parent records it."""
    match closing[0]:
        case ev.WORKFLOW_FAILED:
            return _failure("failed", f"{closing[2][1]}: {closing[2][2]}", closing[2])
        case ev.WORKFLOW_CANCELLED:
            return _failure("cancelled", closing[2])
        case ev.WORKFLOW_TERMINATED:
            return _failure("terminated", closing[2])
        case _:
            return _failure("timed_out", closing[2])
