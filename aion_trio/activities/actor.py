"""The actor: what is due runs within the limits, what is cancelled stops, each outcome is held until it is recorded."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import logging
import math
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

import trio
import trio_util

from ..definitions import Registry
from ..seams import Clock
from .attempt import Attempts, Slot
from .task import ActivityOutcome, ActivityTask, Heartbeat, TaskKey

log = logging.getLogger("aion_trio")


@dataclass(slots=True, eq=False)
class _Entry:
    """An activity that is in the actor's hands: waiting, running, or ended and not yet recorded."""

    task: ActivityTask
    scope: trio.CancelScope | None = None
    outcome: ActivityOutcome | None = None
    heartbeat: Heartbeat = field(default_factory=Heartbeat)


@dataclass(slots=True, frozen=True)
class Limits:
    """How many attempts run at once, per kind (A6)."""

    tasks: int = 1000
    threads: int = 40


class Activities:
    """Runs the attempts that are owed.

    Invariant: an activity is in `_entries` from its dispatch until `settle`, and at most one attempt of it runs
    that anybody waits for: a thread that was cut off may still be on its way to notice.
    """

    def __init__(
        self, registry: Registry, clock: Clock, attempts: Attempts, tell: Callable[[str, ActivityOutcome], None], limits: Limits
    ) -> None:
        self._registry, self._clock, self._attempts, self._tell = registry, clock, attempts, tell
        self._entries: dict[TaskKey, _Entry] = {}
        self._later: list[tuple[int, int, _Entry]] = []
        self._count = itertools.count()
        self._ready: dict[bool, deque[_Entry]] = {False: deque(), True: deque()}  # by 'runs in a thread'
        self._free = {False: limits.tasks, True: limits.threads}
        self._limits = limits
        self._unserved: dict[TaskKey, ActivityTask] = {}
        self._news = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._context = contextvars.copy_context()

    async def run(self, allowed: trio_util.AsyncBool, *, task_status: trio.TaskStatus[Activities] = trio.TASK_STATUS_IGNORED) -> None:
        """Run attempts until cancelled: then running ones are cancelled and run again after the next open (R10).

        Nothing starts before `allowed` is true, which recovery does (R1). Each attempt sees the context variables of whoever
        made this object, the caller of `open_engine`: not those of who started the workflow, nor of another attempt.
        """
        self._forget_all()
        async with trio.open_nursery() as nursery:
            task_status.started(self)
            await allowed.wait_value(True)
            self._nursery = nursery
            try:
                await self._pump()
            finally:
                self._nursery = None

    async def _pump(self) -> None:
        while True:
            self._news = trio.Event()
            self._release_due()
            self._start_ready()
            if not self._later:
                await self._news.wait()
                continue
            async with trio_util.move_on_when(self._news.wait):
                await self._clock.sleep_until(self._later[0][0])

    # ---- what a run's actor asks for

    def dispatch(self, task: ActivityTask) -> None:
        """Take an attempt that is owed. One that is in hand already is refused; one that has ended reports again."""
        entry = self._entries.get(task.key)
        if entry is not None and entry.task.attempt == task.attempt:
            if entry.outcome is not None:
                self._tell(task.key.workflow_id, entry.outcome)
            return
        heartbeat = entry.heartbeat if entry is not None else Heartbeat()
        if entry is not None and entry.scope is not None:
            entry.scope.cancel()
        entry = self._entries[task.key] = _Entry(task, heartbeat=heartbeat)
        if task.due_us > self._clock.now_us():
            heapq.heappush(self._later, (task.due_us, next(self._count), entry))
            self._news.set()
        else:
            self._make_ready(entry)

    def settle(self, key: TaskKey) -> None:
        """The activity's row is closed: forget it, and cancel the attempt if it still runs (A5, K9)."""
        self._unserved.pop(key, None)
        entry = self._entries.pop(key, None)
        if entry is not None and entry.scope is not None:
            entry.scope.cancel()

    def keep(self, workflow_id: str, owed: Collection[TaskKey]) -> None:
        """These alone are owed by the workflow: every other activity of it that is in hand is settled. Looks at all that is in hand."""
        for key in [key for key in self._entries if key.workflow_id == workflow_id and key not in owed]:
            self.settle(key)

    @property
    def unserved(self) -> list[ActivityTask]:
        """Activities that wait because no function of their type is loaded (A7)."""
        return list(self._unserved.values())

    @property
    def running(self) -> int:
        """How many attempts run now."""
        return self._limits.tasks + self._limits.threads - sum(self._free.values())

    # ---- inside

    def _forget_all(self) -> None:
        """After a restart every attempt is dispatched anew by its run."""
        self._entries, self._later, self._unserved = {}, [], {}
        self._ready = {False: deque(), True: deque()}

    def _make_ready(self, entry: _Entry) -> None:
        definition = self._registry.activity(entry.task.type)
        if definition is None:
            self._unserved[entry.task.key] = entry.task
            return
        self._ready[definition.runs_in != "task"].append(entry)
        self._start_ready()

    def _release_due(self) -> None:
        now_us = self._clock.now_us()
        while self._later and self._later[0][0] <= now_us:
            entry = heapq.heappop(self._later)[2]
            if self._entries.get(entry.task.key) is entry:
                self._make_ready(entry)

    def _start_ready(self) -> None:
        nursery = self._nursery
        if nursery is None:
            return
        for threaded, ready in self._ready.items():
            while ready and self._free[threaded] > 0:
                entry = ready.popleft()
                if self._entries.get(entry.task.key) is entry:
                    self._free[threaded] -= 1
                    entry.scope = trio.CancelScope()
                    slot = Slot(partial(self._give_back, threaded))
                    self._context.run(nursery.start_soon, self._attempt, entry, entry.scope, slot)

    def _give_back(self, threaded: bool) -> None:
        self._free[threaded] += 1
        if self._ready[threaded]:
            self._start_ready()

    async def _attempt(self, entry: _Entry, scope: trio.CancelScope, slot: Slot) -> None:
        key = entry.task.key
        try:
            with scope:
                await trio.lowlevel.checkpoint_if_cancelled()  # a place that the engine's end sets free starts nothing
                entry.outcome = await self._attempts.run(entry.task, entry.heartbeat, slot)
        except BaseExceptionGroup as group:
            _pass_on(group, key)
        finally:
            entry.scope = None
            slot.leave()
        if entry.outcome is not None and self._entries.get(key) is entry:
            self._tell(key.workflow_id, entry.outcome)

    def next_due_us(self) -> float:
        """When the next attempt that waits for its time is due."""
        return self._later[0][0] if self._later else math.inf


def _pass_on(group: BaseExceptionGroup[BaseException], key: TaskKey) -> None:
    """Raise what is the engine's affair. Failures in the clean-up of a cancelled attempt are nobody's outcome any more."""
    own, others = group.split(Exception)
    if own is not None:
        log.debug("activity %d of workflow %r failed while it was cancelled: %s", key.ordinal, key.workflow_id, own)
    if others is not None:
        raise others
