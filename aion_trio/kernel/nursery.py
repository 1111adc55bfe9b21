"""Nurseries with Trio's semantics and strict exception groups.

A nursery is closed once its body, its children and every `start()` that is under way have ended. Its errors are
raised as one `BaseExceptionGroup`, cancellations included; its own cancel scope then takes its own out of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from .context import current_task
from .scopes import CancelScope, raise_in_own_context
from .tasks import AnyCoroutine, Task, park, refuse, yield_turn

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    PosArgs = TypeVarTuple("PosArgs")

_UNSET: Any = object()


class Nursery:
    """As `trio.Nursery`, and its own async context manager. `child_tasks` are in the order of their start."""

    __slots__ = ("__weakref__", "_body_runs", "_children", "_closed", "_errors", "_parent", "_starts", "_waiting", "cancel_scope")

    scope_class: ClassVar[type[CancelScope]] = CancelScope
    message: ClassVar[str] = "Exceptions from Trio nursery"
    bare_cancelled: ClassVar[bool] = False
    """Whether a nursery that ends by cancellation alone raises one Cancelled instead of a group of them, as AnyIO does."""

    def __init__(self) -> None:
        self.cancel_scope = self.scope_class()
        self._parent: Task | None = None
        self._children: dict[Task, None] = {}
        self._errors: list[BaseException] = []
        self._starts = 0
        self._body_runs = self._waiting = self._closed = False

    @property
    def child_tasks(self) -> tuple[Task, ...]:
        """The children that still run, oldest first."""
        return tuple(self._children)

    @property
    def parent_task(self) -> Task:
        """The task that opened the nursery."""
        if self._parent is None:
            raise RuntimeError("this nursery has not been entered")
        return self._parent

    # ---- as a block

    async def __aenter__(self) -> Nursery:
        self.cancel_scope.__enter__()
        self._parent = current_task()
        self._body_runs = True
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> bool:
        rest = self.cancel_scope.close(await self._body_ended(exc))
        if rest is None:
            return True
        if rest is exc:
            return False
        try:
            raise_in_own_context(rest)
        finally:
            del rest, exc, tb

    async def _body_ended(self, exc: BaseException | None) -> BaseException | None:
        if exc is not None:
            self._fail(exc, f"the body of the nursery raised {type(exc).__name__}", self.parent_task)
        self._body_runs = False
        self._check_closed()
        try:
            if self._closed:
                await yield_turn()
            else:
                self._waiting = True
                await park(refuse)
        finally:
            errors, self._errors = self._errors, []  # also if the run is dropped: their tracebacks lead back here
        if not errors:
            return None
        if self.bare_cancelled:
            cancelled = self.parent_task.kernel.errors.cancelled
            if all(isinstance(e, cancelled) for e in errors):
                return exc if isinstance(exc, cancelled) else errors[0]
        return BaseExceptionGroup(self.message, errors)

    def _fail(self, exc: BaseException, why: str, who: Task) -> None:
        self._errors.append(exc)
        self.cancel_scope.cancel_from("nursery", why, repr(who))

    def _check_closed(self) -> None:
        if not (self._body_runs or self._children or self._starts):
            self._closed = True
            if self._waiting:
                self.parent_task.kernel.reschedule(self.parent_task)

    def child_ended(self, task: Task, exc: BaseException | None) -> None:
        """Called by the scheduler, once for each child."""
        del self._children[task]
        if exc is not None:
            self._fail(exc, f"a child task raised {type(exc).__name__}", task)
        self._check_closed()

    # ---- children

    def require_open(self) -> None:
        """RuntimeError if no child can be started any more, or not yet."""
        if self._closed or self._parent is None:
            raise RuntimeError("Nursery is closed to new arrivals")

    def spawn(self, coro: AnyCoroutine, name: str, context: Context | None = None) -> Task:
        """Start a coroutine object as a child; it runs in its own turn."""
        kernel = self.parent_task.kernel
        task = Task(kernel, coro, name, self.cancel_scope, copy_context() if context is None else context)
        task.nursery = self
        self._children[task] = None
        kernel.runq.append(task)
        return task

    def start_soon(self, async_fn: Callable[[Unpack[PosArgs]], Awaitable[object]], *args: *PosArgs, name: object = None) -> None:
        """Start `async_fn(*args)` as a child task; an activity or a workflow may be given as it is."""
        self.require_open()
        self.spawn(coroutine_of(async_fn, args), name_of(async_fn, name))

    async def start(self, async_fn: Callable[..., Awaitable[object]], *args: object, name: object = None) -> Any:
        """Start a child and wait until it calls `task_status.started(value)`; the value is returned.

        Until then the child runs inside of this call: its errors and its cancellation are the call's.
        """
        self.require_open()
        self._starts += 1
        try:
            status = await self._run_until_started(async_fn, args, name_of(async_fn, name))
        finally:
            self._starts -= 1
            self._check_closed()
        if status.value is _UNSET:
            raise RuntimeError("child exited without calling task_status.started()")
        return status.value

    async def _run_until_started(self, async_fn: Callable[..., Awaitable[object]], args: tuple[object, ...], name: str) -> TaskStatus:
        waiting = type(self)()
        status = TaskStatus(waiting, self)
        try:
            async with waiting:
                waiting.spawn(coroutine_of(partial(async_fn, task_status=status), args), name)
                if status.value is not _UNSET:  # a plain function called started() before its coroutine ran
                    status.move()
        except BaseExceptionGroup as group:
            (error,) = group.exceptions  # of the one child, or of the call that was to make it
            try:
                raise_in_own_context(error)
            finally:
                del error, group
        return status


class TaskStatus:
    """What `Nursery.start` gives to the child; `started()` moves the child into its nursery."""

    def __init__(self, old: Nursery, new: Nursery) -> None:
        self._old, self._new = old, new
        self.value: Any = _UNSET

    def started(self, value: Any = None) -> None:
        """Say that the child is ready; it belongs to its nursery from here on."""
        if self.value is not _UNSET:
            raise RuntimeError("called 'started' twice on the same task status")
        self.value = value
        self.move()

    def move(self) -> None:
        """Move the child and all scopes that it opened, in their order.

        If the call to `start` is cancelled, the child is on its way out and stays where its Cancelled is caught.
        """
        old, new = self._old, self._new
        if old.cancel_scope._cancelled:
            return
        for task in old._children:
            task.nursery = new
            new._children[task] = None
        old._children = {}
        here, there = old.cancel_scope._members, new.cancel_scope._members
        assert here is not None and there is not None
        movers = [member for member in here if member is not old._parent]
        for member in movers:
            del here[member]
            there[member] = None
            if isinstance(member, CancelScope):
                member._parent = new.cancel_scope
            else:
                member.scope = new.cancel_scope
        for member in movers:
            if isinstance(member, CancelScope):
                member._push_down()
            else:
                member.deliver_cancel()
        old._check_closed()


class _IgnoredStatus:
    def started(self, value: Any = None) -> None:
        pass

    def __repr__(self) -> str:
        return "TASK_STATUS_IGNORED"


TASK_STATUS_IGNORED = _IgnoredStatus()


def open_nursery() -> Nursery:
    """A nursery, to be entered with `async with`."""
    return Nursery()


def name_of(async_fn: Any, name: object = None) -> str:
    """A task's name: the one that was given, else the function's."""
    if name is not None:
        return str(name)
    while isinstance(async_fn, partial):
        async_fn = async_fn.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return getattr(async_fn, "__qualname__", None) or getattr(async_fn, "name", None) or type(async_fn).__qualname__


def coroutine_of(async_fn: Callable[..., Any], args: tuple[object, ...]) -> AnyCoroutine:
    """Call an async function; TypeError if what comes back cannot run as a task."""
    coro = async_fn(*args)
    if hasattr(coro, "send") and hasattr(coro, "throw"):
        return coro
    raise TypeError(f"expected an async function, got {async_fn!r} which returned {coro!r}")
