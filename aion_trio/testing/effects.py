"""Were activities performed when they were owed, and no more often than a crash explains (A1)?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from .. import events as ev
from ..activities import ActivityInfo, activity_info
from ..journal.rows import fields_of, row_of
from ..seams import Clock
from ..stores.contract import ObligationKind, Store, WorkflowKey
from .comparison import histories
from .doubles import Attempts

_OUTCOMES = (ev.ACTIVITY_COMPLETED, ev.ACTIVITY_FAILED)


class WatchedEffects:
    """Performs activities, and checks at the beginning of each attempt that the journal owes it.

    Between the commit that retires an activity and the moment at which the engine hears of it an attempt may still
    begin: no virtual time passes between the two, so that is how such an attempt is known.
    """

    def __init__(self, store: Store, namespace: str, clock: Clock) -> None:
        self._store, self._namespace, self._clock = store, namespace, clock
        self._attempts = Attempts()
        self.unowed: list[str] = []
        """Attempts that began though the journal did not owe them."""

    async def perform(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run an activity's function."""
        info = activity_info()
        if not self._is_owed(info):
            self.unowed.append(f"attempt {info.attempt} of {info.type} ({info.idempotency_key}) began and the journal does not owe it")
        return await self._attempts.perform(fn, args)

    def _is_owed(self, info: ActivityInfo) -> bool:
        key = WorkflowKey(self._namespace, info.workflow_id)
        run = next((run for run in self._store.runs(key) if run.run_id.hex() == info.run_id), None)
        if run is None:
            return False
        owed = self._store.obligation(key, ObligationKind.ACTIVITY, row_of(run.run_no, info.ordinal))
        if owed is not None:
            return bool(fields_of(owed.payload)[1] == info.attempt)
        raws = histories(self._store, self._namespace)[info.workflow_id][run.first_seq - 1 : run.last_seq or None]
        if any(raw[0] in _OUTCOMES and raw[2] == info.ordinal for raw in raws):
            return False
        return bool(raws[-1][1] >= self._clock.now_us())

    def faults(self, lives: int) -> list[str]:
        """What is wrong with what was performed, once all `lives` are over."""
        return [*self.unowed, *self.repeated(lives), *self.missing()]

    def repeated(self, lives: int) -> Iterator[str]:
        """An attempt is repeated only because a life ended."""
        begun = Counter((attempt.info.idempotency_key, attempt.info.attempt) for attempt in self._attempts.all)
        for (key, attempt), count in begun.items():
            if count > lives:
                yield f"attempt {attempt} of {key} began {count} times in {lives} lives"

    def missing(self) -> Iterator[str]:
        """What the journal says was done was done."""
        done = {attempt.info.idempotency_key for attempt in self._attempts.all if attempt.returned}
        for workflow_id, raws in histories(self._store, self._namespace).items():
            run_id = ""
            for raw in raws:
                if raw[0] == ev.WORKFLOW_STARTED:
                    run_id = raw[4].hex()
                elif raw[0] == ev.ACTIVITY_COMPLETED and f"{workflow_id}/{run_id}/{raw[2]}" not in done:
                    yield f"workflow {workflow_id!r} records the result of activity {raw[2]}, which was never performed"
