"""Tasks, and the two ways in which one stops running: parking and yielding its turn.

Everything that a task awaits comes down to one bare `yield` of `PARKED` in here; anything else that reaches the
scheduler is foreign. What the scheduler sends back is the value of the await, or a `Raise` that carries an exception.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, NoReturn

from .context import current_kernel, current_task, local
from .errors import Evicted

if TYPE_CHECKING:
    from .nursery import Nursery
    from .scheduler import Kernel
    from .scopes import CancelScope
    from .sync import Lock

AnyCoroutine = Any
"""A coroutine object: anything with `send` and `throw`."""


class _Parked:
    __slots__ = ()

    def __repr__(self) -> str:
        return "PARKED"


PARKED: Any = _Parked()
"""The one thing that tasks yield."""


class Raise:
    """Sent into a task to make its `park` raise."""

    __slots__ = ("exc",)

    def __init__(self, exc: BaseException) -> None:
        self.exc = exc


class Task:
    """One coroutine of a run.

    `abort` is set while the task is parked and can be cancelled: it takes the task off what it waits for and
    returns true, or refuses with false. `held` are the locks that the task owns.
    """

    __slots__ = (
        "__weakref__", "abort", "context", "coro", "held", "kernel", "name", "number", "nursery",
        "on_exit", "scope", "value",
    )  # fmt: skip

    def __init__(self, kernel: Kernel, coro: AnyCoroutine, name: str, scope: CancelScope, context: Context) -> None:
        self.kernel = kernel
        self.coro = coro
        self.name = name
        self.context = context
        self.nursery: Nursery | None = None
        self.on_exit: Callable[[Any, BaseException | None], None] | None = None
        self.abort: Callable[[], object] | None = None
        self.held: dict[Lock, None] | None = None
        self.value: Any = None
        self.scope = scope
        assert scope._members is not None
        scope._members[self] = None
        kernel.task_count = self.number = kernel.task_count + 1

    def __repr__(self) -> str:
        return f"<Task {self.number} {self.name!r}>"

    def move_to(self, scope: CancelScope) -> None:
        """Leave the scope that the task is directly in and be directly in this one."""
        here, there = self.scope._members, scope._members
        assert here is not None and there is not None
        here.pop(self, None)
        self.scope = scope
        there[self] = None

    def deliver_cancel(self) -> None:
        """If the task is parked in a cancelled scope, take it off what it waits for and let it raise Cancelled."""
        abort = self.abort
        if abort is not None and self.scope._cancelled:
            self.abort = None
            if abort():
                self.kernel.reschedule(self, Raise(self.scope.make_cancelled()))


@types.coroutine
def park(abort: Callable[[], object]) -> Generator[Any, Any, Any]:
    """Wait until `kernel.reschedule(task, value)`; the value is returned, or raised if it is a `Raise`.

    `abort()` is called if the task is cancelled meanwhile. It returns true if it took the task off what it waits for,
    so that nobody else will wake it, or false to let it wait on. (Compare `trio.lowlevel.wait_task_rescheduled`.)
    """
    kernel = current_kernel()
    if kernel.closing:
        yield from _end(kernel)
    current_task().abort = abort
    value = yield PARKED
    if value.__class__ is Raise:
        try:
            raise value.exc
        finally:
            del value  # the traceback of the error leads to this frame
    return value


@types.coroutine
def yield_turn() -> Generator[Any, Any, None]:
    """A schedule point that cannot be cancelled: every task that can run runs first."""
    kernel = current_kernel()
    if kernel.closing:
        yield from _end(kernel)
    kernel.runq.append(current_task())
    yield PARKED


def _end(kernel: Kernel) -> Generator[Any, Any, NoReturn]:
    """Raise Evicted; where that was in vain too often, stay suspended for good."""
    if kernel.has_patience():
        raise Evicted
    while True:
        yield PARKED


def allow() -> bool:
    """An `abort` for tasks that nobody else would wake."""
    return True


def refuse() -> bool:
    """An `abort` for what cannot be cancelled."""
    return False


async def checkpoint() -> None:
    """Let other tasks run; raise Cancelled if the scope is cancelled."""
    await yield_turn()
    if current_task().scope._cancelled:
        await park(allow)


async def checkpoint_if_cancelled() -> None:
    """Raise Cancelled if the scope is cancelled, and Evicted if the kernel must not go on; return at once if not."""
    kernel = local.kernel
    task = kernel.current if kernel is not None else None
    if task is None or task.scope._cancelled or task.kernel.closing:
        await checkpoint()


async def sleep_forever() -> None:
    """Wait until cancelled."""
    await park(allow)
