"""Order holes, put back into the kernel one at a time: the check must notice each.

The first four are what the schedulers of Trio and AnyIO do; the others are faults that were made while kernels of this
kind were written. Each is a context manager that patches the kernel for the time of its block.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from aion_trio import events as ev
from aion_trio.kernel import alarms, anyio_primitives, scheduler, scopes, sync
from aion_trio.kernel.context import local
from aion_trio.replay import execution, steps


@contextmanager
def _patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


def members_by_address() -> AbstractContextManager[None]:
    """Members of a scope in a set, as Trio has them."""
    old = scopes.CancelScope._push_down

    def push_down(self: Any) -> None:
        if self._members:
            self._members = dict.fromkeys(sorted(self._members, key=id))
        old(self)

    return _patched(scopes.CancelScope, "_push_down", push_down)


def ties_by_address() -> AbstractContextManager[None]:
    """Scopes with the same deadline in the order of their addresses, as in Trio's heap."""
    old = alarms.Alarms.take_deadlines

    def take_deadlines(self: Any, due_us: int) -> list[Any]:
        return sorted(old(self, due_us), key=id)

    return _patched(alarms.Alarms, "take_deadlines", take_deadlines)


def reversed_batches() -> AbstractContextManager[None]:
    """Half of the time the last runnable task goes first."""
    chance = random.Random()

    class Queue(deque[Any]):
        def popleft(self) -> Any:
            return super().pop() if chance.random() < 0.5 else super().popleft()

    return _patched(scheduler, "deque", Queue)


@contextmanager
def events_by_address() -> Iterator[None]:
    """Events hash by address; AnyIO's memory streams keep them in sets."""
    with _patched(sync.Event, "__hash__", object.__hash__), _patched(anyio_primitives.Event, "__hash__", object.__hash__):
        yield


def waiters_last_first() -> AbstractContextManager[None]:
    """The waiter that came last is woken first, while replaying alone."""

    def first(self: Any) -> Any:
        task = next(reversed(self._tasks) if not _is_live() else iter(self._tasks))
        return task, self._tasks.pop(task)

    return _patched(sync.WaitQueue, "first", first)


def _is_live() -> bool:
    """Whether the run that is stepped is live."""
    host: Any = local.host
    return bool(host is None or host._run.ledger.live)


def fast_path_runs_ahead() -> AbstractContextManager[None]:
    """A result is taken from history though another task could run first."""

    old = steps.Steps.call_activity

    async def call_activity(self: Any, definition: Any, args: Any) -> Any:
        kernel, book = self._kernel, self._ledger
        raw, result = book.page[book.at], book.page[book.at + 1]
        hit = raw[0] == ev.ACTIVITY_SCHEDULED and result[0] == ev.ACTIVITY_COMPLETED and result[2] == raw[2] == book.ordinal + 1
        if hit and kernel.runq and not book.outputs and not kernel.current.scope._cancelled:
            waiting = list(kernel.runq)
            kernel.runq.clear()
            try:
                return await old(self, definition, args)
            finally:
                kernel.runq.extendleft(reversed(waiting))
        return await old(self, definition, args)

    return _patched(steps.Steps, "call_activity", call_activity)


def fast_path_ignores_cancellation() -> AbstractContextManager[None]:
    """A result is taken from history though the task is cancelled."""
    old = steps.Steps.call_activity

    async def call_activity(self: Any, definition: Any, args: Any) -> Any:
        scope = self._kernel.current.scope
        if scope._cancelled and not self._ledger.live:
            scope._cancelled = False
            try:
                return await old(self, definition, args)
            finally:
                scope._cancelled = True
        return await old(self, definition, args)

    return _patched(steps.Steps, "call_activity", call_activity)


def deadlines_by_the_clock() -> AbstractContextManager[None]:
    """On replay a deadline fires as soon as the time has reached it, told or not."""
    old = execution.Execution._apply

    def apply(self: Any, raw: Any) -> None:
        if not self._ledger.live:
            first = self._kernel.alarms.first()
            if first is not None and first[0] <= raw[1] and not isinstance(first[1], int) and raw[0] != ev.DEADLINE_PASSED:
                self._kernel.time_us = raw[1]
                self._kernel.deadline_passed(first[0])
                self._kernel.run()
        old(self, raw)

    return _patched(execution.Execution, "_apply", apply)


MUTANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    mutant.__name__: mutant
    for mutant in (
        members_by_address,
        ties_by_address,
        reversed_batches,
        events_by_address,
        waiters_last_first,
        fast_path_runs_ahead,
        fast_path_ignores_cancellation,
        deadlines_by_the_clock,
    )
}
