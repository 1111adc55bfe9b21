"""The timers actor: wakes runs whose wake-up is due, and does nothing else.

A run's earliest wake-up is an obligation row that is rewritten in the append that changed it, so a parked run needs no
memory and a restart re-arms nothing. The actor looks at the due end of that index, wakes the runs that it finds there
and sleeps until the next row. It is level-triggered: a row that is still due after a while is woken again, with growing
patience, because the run that owns it may have failed in between (T1). A look that fails is taken again a second later.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import trio
import trio_util

from .errors import AppendOutcomeUnknown
from .journal import Journal
from .seams import Clock
from .stores.contract import Obligation, ObligationKind, WorkflowKey

log = logging.getLogger("aion_trio")

_PAGE = 1000
_FIRST_PATIENCE_US = 1_000_000
_LONGEST_PATIENCE_US = 60_000_000


class Timers:
    """Wakes what is due. `note` is told of every wake-up that becomes durable."""

    def __init__(self, journal: Journal, clock: Clock, namespace: str, wake: Callable[[str], None]) -> None:
        self._journal, self._clock, self._namespace, self._wake = journal, clock, namespace, wake
        self._next_us: float = math.inf
        self._news = trio.Event()
        self._woken: dict[WorkflowKey, tuple[int, int, int]] = {}  # key -> due, patience, again at

    async def run(self, allowed: trio_util.AsyncBool, *, task_status: trio.TaskStatus[Timers] = trio.TASK_STATUS_IGNORED) -> None:
        """Wake due runs until cancelled; nothing before `allowed` is true, which recovery does (R1)."""
        task_status.started(self)
        await allowed.wait_value(True)
        while True:
            self._news = trio.Event()
            try:
                self._next_us = self._wake_due()
            except AppendOutcomeUnknown as error:  # the look failed for once; what is due stays on record
                log.warning("what is due could not be read, and is looked for again: %s", error)
                self._next_us = self._clock.now_us() + _FIRST_PATIENCE_US
            await self._sleep_or_news()

    def note(self, due_us: int) -> None:
        """A wake-up at `due_us` is in the journal now."""
        if due_us < self._next_us:
            self._news.set()

    async def _sleep_or_news(self) -> None:
        if self._next_us == math.inf:
            await self._news.wait()
            return
        async with trio_util.move_on_when(self._news.wait):
            await self._clock.sleep_until(int(self._next_us))

    def _wake_due(self) -> float:
        """Wake what is due now; the time of the next look."""
        now_us = self._clock.now_us()
        next_us: float = math.inf
        after: Obligation | None = None
        still_due: dict[WorkflowKey, tuple[int, int, int]] = {}
        while page := self._journal.obligations(ObligationKind.WAKE_UP, until_us=now_us, after=after, limit=_PAGE):
            for row in page:
                if row.key.namespace == self._namespace:
                    still_due[row.key] = self._wake_once(row, now_us)
                    next_us = min(next_us, still_due[row.key][2])
            after = page[-1]
        self._woken = still_due
        to_come = self._journal.obligations(ObligationKind.WAKE_UP, after=after, limit=1)
        return min(next_us, to_come[0].due_us) if to_come else next_us

    def _wake_once(self, row: Obligation, now_us: int) -> tuple[int, int, int]:
        due_us, patience_us, again_us = self._woken.get(row.key, (-1, 0, 0))
        if due_us == row.due_us and again_us > now_us:
            return due_us, patience_us, again_us
        patience_us = _FIRST_PATIENCE_US if due_us != row.due_us else min(2 * patience_us, _LONGEST_PATIENCE_US)
        self._wake(row.key.workflow_id)
        return row.due_us, patience_us, now_us + patience_us
