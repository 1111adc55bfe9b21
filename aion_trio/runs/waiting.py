"""Those who wait for a workflow: for any change of it, or for its end.

Waiting reads nothing and is told nothing twice: who wakes looks at the journal again. Only an end is handed over as it
was recorded, because that is what almost everyone waits for.
"""

from __future__ import annotations

from typing import NamedTuple

import trio

from ..errors import EngineClosedError
from ..events import Raw
from ..stores.contract import RunRow


class Ending(NamedTuple):
    """A run that closed for good, and the event that closed it; both are durable."""

    run: RunRow
    closing: Raw


class _News:
    """What the waiters of one workflow wait for, once."""

    __slots__ = ("ending", "event", "waiters")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.ending: Ending | None = None
        self.waiters = 0


class Waiters:
    """Who waits for which workflow. Invariant: an id is held only while somebody waits for it."""

    def __init__(self) -> None:
        self._changes: dict[str, _News] = {}
        self._ends: dict[str, _News] = {}
        self._left = False

    async def changed(self, workflow_id: str) -> None:
        """Return after the next durable change of a workflow, or of its quarantine; `EngineClosedError` if the engine ends before."""
        await self._news(self._changes, workflow_id)

    async def ended(self, workflow_id: str) -> Ending | None:
        """Return after a run of a workflow closed, began or was quarantined; what closed if it did. Errors as `changed`."""
        return (await self._news(self._ends, workflow_id)).ending

    async def _news(self, waiting: dict[str, _News], workflow_id: str) -> _News:
        news = waiting.get(workflow_id)
        if news is None:
            news = waiting[workflow_id] = _News()
        news.waiters += 1
        try:
            if not self._left:
                await news.event.wait()
        finally:
            news.waiters -= 1
            if not news.waiters and waiting.get(workflow_id) is news:
                del waiting[workflow_id]
        if self._left:
            raise EngineClosedError(f"the engine was left before there was news of workflow {workflow_id!r}; it goes on with the next open")
        return news

    def leave(self) -> None:
        """The engine's block is left, for good: tell who still waits."""
        self._left = True
        for news in (*self._changes.values(), *self._ends.values()):
            news.event.set()

    def note(self, workflow_id: str, *, ended: bool = True, ending: Ending | None = None) -> None:
        """Wake who waits for this workflow; `ended` if a run of it closed (then `ending`), began or was quarantined."""
        news = self._changes.pop(workflow_id, None)
        if news is not None:
            news.event.set()
        news = self._ends.pop(workflow_id, None) if ended else None
        if news is not None:
            news.ending = ending
            news.event.set()
