"""The recovery actor: sweep, report, and only then let callers in (R1)."""

from __future__ import annotations

import logging

import trio
import trio_util

from ..collector import collector_at_rest
from ..errors import JournalFullError
from .courier import Courier
from .report import Quarantined, RecoveryReport
from .sweeps import Sweeps

log = logging.getLogger("aion_trio")


class Recovery:
    """Sweeps every crash window at boot, and serves the courier afterwards.

    `started()` is called with the report when the sweeps are done: whatever is started after this actor never meets an
    engine that has not swept. Until then timers and activities deliver nothing.
    """

    report: RecoveryReport
    """Of the newest sweep."""

    def __init__(self, sweeps: Sweeps, courier: Courier, allowed: trio_util.AsyncBool, quarantined: dict[str, str]) -> None:
        self._sweeps, self._courier, self._allowed, self._quarantined = sweeps, courier, allowed, quarantined

    async def run(self, *, task_status: trio.TaskStatus[RecoveryReport] = trio.TASK_STATUS_IGNORED) -> None:
        """Sweep, report, serve until cancelled. Only a fault of the journal itself is fatal (R8), or that it is full."""
        try:
            self.report = await self._sweep_while_there_is_room()
            log.info("recovery: %s", self.report)
            self._allowed.value = True
            task_status.started(self.report)
            await self._courier.serve()
        finally:
            self._allowed.value = False

    async def _sweep_while_there_is_room(self) -> RecoveryReport:
        """A workflow's actor waits for room with what it owes; whoever opens a full journal is told instead (J6, R1)."""
        outcome: RecoveryReport | Exception = JournalFullError(
            "the journal has no room for what its recovery has to record; make room and open it again, nothing is lost"
        )

        async def watch() -> None:
            await self._sweeps.no_room()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            try:
                with collector_at_rest():
                    outcome = await self._sweep()
            except Exception as error:  # carried out of the nursery, which would put a group around it
                outcome = error
            nursery.cancel_scope.cancel()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _sweep(self) -> RecoveryReport:
        """Find what is owed, then do it: starts first, then what needs the started, then what is due."""
        begun = trio.current_time()
        sweeps = self._sweeps
        sweeps.look()
        successors = await sweeps.sweep_successors()
        children = await sweeps.sweep_children()
        await sweeps.sweep_steps()
        signals = await sweeps.sweep_signals()
        results = await sweeps.sweep_results()
        await sweeps.sweep_cancellations()
        wakeups = await sweeps.sweep_wakeups()
        resumed = await sweeps.sweep_activities()
        return RecoveryReport(
            children_started=children,
            successors_started=successors,
            results_delivered=results,
            signals_delivered=signals,
            wakeups_due=wakeups,
            activities_resumed=resumed,
            quarantined=tuple(Quarantined(*item) for item in sorted(self._quarantined.items())),
            seconds=trio.current_time() - begun,
        )
