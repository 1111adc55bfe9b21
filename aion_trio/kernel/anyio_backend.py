"""The kernel as an AnyIO backend, so that plain AnyIO code is deterministic and durable inside a workflow.

`anyio.sleep` is a durable timer, `move_on_after` a durable time-out; task groups, events, locks, semaphores, limiters and
memory object streams run on the kernel. Whatever else a backend has to offer (threads, processes, sockets, files,
signals) belongs in activities and is refused with that advice. AnyIO finds the backend under the library name that the
guard sets while workflow code runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from functools import partial
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import anyio
import anyio.abc
from anyio.abc import AsyncBackend

from . import nursery, scopes
from .anyio_primitives import CapacityLimiter, Event, Lock, Semaphore, TaskInfo
from .context import current, current_kernel, current_task
from .guard import refuse
from .scheduler import tasks_in
from .scopes import us_of
from .tasks import checkpoint, checkpoint_if_cancelled, park, sleep_forever, yield_turn
from .timeouts import current_effective_deadline, current_time

TaskHandle: Any = getattr(anyio, "TaskHandle", None)
"""What AnyIO 4.14 and later return for a started task."""

if TYPE_CHECKING:  # at run time AnyIO's classes are bases, so that `isinstance` holds; their declarations contradict the kernel's

    class _AnyIOScope: ...

    class _AnyIOGroup: ...

else:
    _AnyIOScope, _AnyIOGroup = anyio.CancelScope, anyio.abc.TaskGroup


class CancelScope(scopes.CancelScope, _AnyIOScope):
    """An AnyIO cancel scope on the kernel."""

    __slots__ = ()

    def __new__(cls, *, deadline: float = inf, shield: bool = False) -> CancelScope:
        return object.__new__(cls)

    def __init__(self, *, deadline: float = inf, shield: bool = False) -> None:
        scopes.CancelScope.__init__(self, deadline=deadline, shield=shield)


class _Nursery(nursery.Nursery):
    __slots__ = ()
    scope_class = CancelScope
    message: ClassVar[str] = "unhandled errors in a TaskGroup"
    bare_cancelled: ClassVar[bool] = True


class TaskGroup(_AnyIOGroup):
    """An AnyIO task group: a nursery that ends with one Cancelled, not a group of them, if it was cancelled."""

    def __init__(self) -> None:
        self._nursery = _Nursery()
        self.cancel_scope: Any = self._nursery.cancel_scope
        self._active = self._entered = False

    async def __aenter__(self) -> TaskGroup:
        if self._entered:
            raise RuntimeError("TaskGroup cannot be entered more than once")
        await self._nursery.__aenter__()
        self._active = self._entered = True
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> bool:
        try:
            return await self._nursery.__aexit__(exc_type, exc, tb)
        finally:
            self._active = False

    def _require_active(self) -> None:
        if not self._active:
            raise RuntimeError("This task group is not active; no new tasks can be started.")

    if TaskHandle is not None:  # AnyIO's own `start_soon` calls it

        def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> Any:
            """Start a coroutine object as a child."""
            if not isinstance(coro, Coroutine):
                raise TypeError(f"expected a coroutine, got {type(coro).__qualname__}")
            if not self._active:
                coro.close()
            self._require_active()
            handle = TaskHandle(coro, _name(coro, name))
            self._nursery.spawn(handle._run_coro(), handle.name, context)
            return handle

    else:

        def start_soon(self, func: Callable[..., Awaitable[Any]], *args: Any, name: object = None) -> None:
            """Start `func(*args)` as a child."""
            self._require_active()
            self._nursery.spawn(_call(func, args), _name(func, name))

    async def start(self, func: Callable[..., Awaitable[Any]], *args: Any, name: object = None, return_handle: bool = False) -> Any:
        """Start a child and wait until it calls `task_status.started(value)`."""
        self._require_active()
        handles: list[Any] = []

        def run(*, task_status: Any) -> Any:
            coro = _call(partial(func, task_status=task_status), args)
            if TaskHandle is None:
                return coro
            handles.append(TaskHandle(coro, _name(func, name)))
            return handles[0]._run_coro()

        try:
            value = await self._nursery.start(run, name=_name(func, name))
            if return_handle:
                handles[0]._start_value = value
                return handles[0]
            return value
        finally:
            handles.clear()  # a child's handle holds what the child raised, whose traceback leads here


def _call(func: Callable[..., Any], args: Sequence[Any]) -> Any:
    coro = func(*args)
    if not isinstance(coro, Coroutine):
        target: Any = func.func if isinstance(func, partial) else func
        module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", target)
        name = f"{module}.{name}" if module else name
        raise TypeError(f"Expected {name}() to return a coroutine, but the return value ({coro!r}) is not a coroutine object")
    return coro  # pyright: ignore[reportUnknownVariableType]


def _name(func: Any, name: object) -> str:
    if name is not None:
        return str(name)
    frame = getattr(func, "cr_frame", None)  # of a coroutine
    module = getattr(func, "__module__", None) if frame is None else frame.f_globals.get("__name__")
    return ".".join(part for part in (module, getattr(func, "__qualname__", None)) if part)


async def _sleep(delay: float) -> None:
    host, kernel = current(), current_kernel()
    if us_of(delay) is None:
        await sleep_forever()
    elif host is not None:
        await host.sleep_until_us(kernel.time_us + round(delay * scopes.MICROSECONDS))
    else:  # a kernel without a run: a sleep is a deadline
        with scopes.CancelScope(deadline=kernel.now + delay):
            await sleep_forever()


class Backend(AsyncBackend):
    """What AnyIO asks of a backend."""

    @classmethod
    def current_token(cls) -> object:
        return current_kernel()

    @classmethod
    def current_time(cls) -> float:
        return current_time()

    @classmethod
    def cancelled_exception_class(cls) -> type[BaseException]:
        return current_kernel().errors.cancelled

    @classmethod
    async def checkpoint(cls) -> None:
        await checkpoint()

    @classmethod
    async def checkpoint_if_cancelled(cls) -> None:
        await checkpoint_if_cancelled()

    @classmethod
    async def cancel_shielded_checkpoint(cls) -> None:
        await yield_turn()

    @classmethod
    async def sleep(cls, delay: float) -> None:
        await _sleep(delay)

    @classmethod
    def create_cancel_scope(cls, *, deadline: float = inf, shield: bool = False) -> Any:
        return CancelScope(deadline=deadline, shield=shield)

    @classmethod
    def current_effective_deadline(cls) -> float:
        return current_effective_deadline()

    @classmethod
    def create_task_group(cls) -> Any:
        current_task()
        return TaskGroup()

    @classmethod
    def create_event(cls) -> Event:
        return Event()

    @classmethod
    def create_lock(cls, *, fast_acquire: bool = False) -> Any:
        return Lock(fast_acquire=fast_acquire)

    @classmethod
    def create_semaphore(cls, initial_value: int, *, max_value: int | None = None, fast_acquire: bool = False) -> Any:
        return Semaphore(initial_value, max_value=max_value, fast_acquire=fast_acquire)

    @classmethod
    def create_capacity_limiter(cls, total_tokens: float) -> CapacityLimiter:
        return CapacityLimiter(total_tokens)

    @classmethod
    def get_current_task(cls) -> TaskInfo:
        return TaskInfo(current_task())

    @classmethod
    def get_running_tasks(cls) -> Sequence[TaskInfo]:
        kernel = current_kernel()
        return [TaskInfo(task) for task in sorted(tasks_in(kernel.root), key=lambda task: task.number)]

    @classmethod
    async def wait_all_tasks_blocked(cls) -> None:
        kernel, task = current_kernel(), current_task()
        kernel.idlers[task] = None

        def leave() -> bool:
            del kernel.idlers[task]
            return True

        await park(leave)


def _refused(name: str) -> Any:
    def use_an_activity(cls: type, /, *args: object, **kwargs: object) -> NoReturn:
        refuse(f"anyio's {name.replace('_', ' ')} was used in workflow code", "do it in an activity")

    method: Any = classmethod(use_an_activity)  # pyright: ignore[reportUnknownVariableType]
    return method


def _refuse_the_rest() -> None:
    for name in sorted(AsyncBackend.__abstractmethods__ - Backend.__dict__.keys()):
        setattr(Backend, name, _refused(name))


_refuse_the_rest()
