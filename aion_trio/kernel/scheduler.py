"""The kernel: runs the tasks of one workflow, first in, first out, until every one of them is parked.

Theory of operation. A kernel has no loop of its own and looks at no clock. Its driver (`replay.Execution`) sets the
time, says what happened by rescheduling a task, cancelling a scope or letting a deadline pass, and calls `run()`,
which steps tasks until none can go on. What a workflow does is therefore a function of what it was told, in that
order; the order of everything is named by `KERNEL_VERSION`:

- tasks run in the order in which they became runnable; children in the order of `start_soon`;
- cancellation reaches the members of a scope in order of arrival, depth first;
- deadlines and timers that are due together fire in the order in which they were set;
- waiters of every synchronisation object are woken in the order in which they came.

A step ends in one of three ways: every task is parked; or a fault (`fail`) makes it void, which no user code can
prevent; or Ctrl-C, which passes through to the program and leaves the kernel unusable. `evict` drops the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context
from types import AsyncGeneratorType
from typing import Any, NoReturn

from ..errors import WorkflowRuleError
from .alarms import Alarms
from .context import Host, local
from .errors import KERNEL_ERRORS, Errors, Evicted, Fault
from .guard import NO_GUARD, Guard
from .scopes import MICROSECONDS, CancelScope, RootScope
from .stack import line_of_coroutine
from .tasks import PARKED, AnyCoroutine, Task

KERNEL_VERSION = 1
"""Names everything about order and random streams; recorded in `WorkflowStarted`, guarded by a committed digest."""


_PATIENCE = 1000
"""How often Evicted is raised in one task or async generator before it is left suspended for good."""


class _Idle(deque[Task]):
    """The run queue of every kernel that no thread steps: a queue of one's own takes 760 bytes, and parked runs are many."""

    def append(self, task: Task, /) -> None:
        raise AssertionError(f"{task!r} became runnable in a kernel that is not stepped: enter() comes first")


_IDLE: deque[Task] = _Idle()


class Kernel:
    """The tasks, scopes and alarms of one run.

    Invariant: between calls of `run()` no task is runnable, unless the kernel has a fault or was evicted.
    """

    __slots__ = (
        "__weakref__", "_asyncgens", "_patience", "alarms", "closing", "current", "errors", "event_count", "fault", "fuel", "full_tank",
        "guard", "host", "idlers", "root", "runq", "task_count",
        "time_us",
    )  # fmt: skip

    def __init__(self, host: Host | None = None, *, errors: Errors = KERNEL_ERRORS, fuel: int = 1_000_000, guard: Guard = NO_GUARD) -> None:
        self.host = host
        self.errors = errors
        self.guard = guard
        self.time_us = 0
        self.fuel = self.full_tank = fuel
        self.runq: deque[Task] = _IDLE
        self.current: Task | None = None
        self.alarms = Alarms()
        self.idlers: dict[Task, None] = {}
        self.task_count = self.event_count = 0
        self.closing = False
        self._patience = _PATIENCE
        self.fault: Exception | None = None
        self._asyncgens: list[AsyncGeneratorType[Any, Any]] = []
        self.root = RootScope(self)

    @property
    def now(self) -> float:
        """The workflow's time in seconds."""
        return self.time_us / MICROSECONDS

    # ---- driving

    def enter(self) -> Any:
        """Begin a stretch of workflow code on this thread; give what is returned to `leave`."""
        token = local.kernel, local.host, local.guarded
        local.guarded = self.guard.enter()
        local.kernel, local.host = self, self.host
        if self.runq is _IDLE:
            self.runq = deque()
        return token

    def leave(self, token: Any) -> None:
        """End the stretch."""
        guarded = local.guarded
        local.kernel, local.host, local.guarded = token  # first: a collection in between would enclose again what is given back
        self.guard.leave(guarded)
        if not self.runq:
            self.runq = _IDLE

    def spawn(self, coro: AnyCoroutine, name: str, on_exit: Callable[[Any, BaseException | None], None]) -> Task:
        """Start a task that is in no nursery; `on_exit(value, exception)` is called when it ends.

        Its context is empty, so that context variables of the program are no hidden input of the workflow.
        """
        task = Task(self, coro, name, self.root, Context())
        task.on_exit = on_exit
        self.runq.append(task)
        return task

    def reschedule(self, task: Task, value: Any = None) -> None:
        """Make a parked task runnable; its `park` returns `value`, or raises it if it is a `Raise`."""
        task.abort = None
        task.value = value
        self.runq.append(task)

    def deadline_passed(self, due_us: int) -> bool:
        """Cancel every scope with exactly this deadline, in the order of setting; whether there was one."""
        scopes = self.alarms.take_deadlines(due_us)
        for scope in scopes:
            scope.cancel_from("deadline")
        return bool(scopes)

    def run(self) -> None:
        """Step tasks until every one is parked; raises the fault if the step is void."""
        runq = self.runq
        while runq:
            task = self.current = runq.popleft()
            self.fuel -= 1
            if self.fuel < 0:
                self._stop(task)
            value = task.value
            task.value = None
            try:
                message = task.context.run(task.coro.send, value)
            except StopIteration as stop:
                self._task_ended(task, stop.value, None)
            except BaseException as exc:
                self._task_raised(task, exc)
            else:
                value = None
                if message is not PARKED:
                    self._refuse(task, message)
                if task.scope._cancelled:
                    task.deliver_cancel()
            if not runq and self.idlers:
                self._wake_idlers()
        self.current = None
        if self.fault is not None:
            raise self.fault

    def charge(self) -> None:
        """One unit of fuel for a durable call that does not park."""
        self.fuel -= 1
        if self.fuel < 0:
            self.fail(self._out_of_fuel())

    # ---- the ends of tasks

    def _task_raised(self, task: Task, exc: BaseException) -> None:
        if exc.__class__ is KeyboardInterrupt and self.fault is None:
            self.closing = True
            self.runq.clear()
            raise exc
        tb = exc.__traceback__
        self._task_ended(task, None, exc.with_traceback(tb.tb_next if tb is not None else None))

    def _task_ended(self, task: Task, value: Any, exc: BaseException | None) -> None:
        nursery = task.nursery
        if task.scope is not (self.root if nursery is None else nursery.cancel_scope):
            error = RuntimeError(f"Cancel scope stack corrupted: {task!r} ended inside a cancel scope or nursery that it had entered")
            error.__context__ = exc
            exc = error
        members = task.scope._members
        assert members is not None
        members.pop(task, None)
        task.coro = None
        if task.held:
            for lock in task.held:
                lock.break_off()
        if nursery is not None:
            nursery.child_ended(task, exc)
        else:
            assert task.on_exit is not None  # `spawn` gave it
            try:
                task.on_exit(value, exc)
            except Fault:
                return  # noted; the loop sees it

    def _wake_idlers(self) -> None:
        for task in self.idlers:
            self.reschedule(task)
        self.idlers.clear()

    # ---- faults

    def fail(self, error: Exception) -> NoReturn:
        """Make the step void. Call it from workflow code's own turn; the driver gets `error` from `run()`."""
        self.poison(error)
        raise Fault(error)

    def poison(self, error: Exception) -> None:
        """Make this and every later step void, from outside of the workflow's own turn."""
        if self.fault is None:
            self.fault = error
        self.closing = True
        self.fuel = -1

    def _stop(self, task: Task) -> NoReturn:
        if self.fault is None:
            error = self._out_of_fuel()
            error.add_note(f"task {task.name!r} at {line_of_coroutine(task.coro)}")
            self.poison(error)
        self.runq.clear()
        assert self.fault is not None
        raise self.fault

    def _out_of_fuel(self) -> WorkflowRuleError:
        return WorkflowRuleError(
            f"workflow code used {self.full_tank} resumptions and durable calls in one step without waiting for anything; "
            "look for a loop that never awaits an activity, a sleep or a signal, or raise EngineConfig.fuel"
        )

    def _refuse(self, task: Task, message: Any) -> None:
        """A task awaited something foreign: take it off there and throw at that very line."""
        error = self.guard.foreign_await(message, line_of_coroutine(task.coro))
        abort = getattr(message, "abort_func", None)
        if abort is not None:
            abort(lambda: None)
        self.poison(error)
        try:
            task.context.run(task.coro.throw, Fault(error))
        except BaseException:
            return  # the fault is noted; what the code makes of it does not matter

    # ---- the end

    def has_patience(self) -> bool:
        """Whether a closing kernel still raises Evicted at an await; code that swallows it again and again is left suspended."""
        self._patience -= 1
        return self._patience >= 0

    def keep_asyncgen(self, agen: AsyncGeneratorType[Any, Any]) -> None:
        """Let an async generator live as long as the run, so that no garbage collection decides when its cleanup runs."""
        kept = self._asyncgens
        if len(kept) % 64 == 63:
            kept[:] = [a for a in kept if a.ag_frame is not None]
        kept.append(agen)

    def evict(self) -> None:
        """Drop the run from memory. Its cleanup code runs, but can neither wait nor ask for anything."""
        self.closing = True
        self.fuel = 1 << 62  # cleanup must not trip over an empty tank
        token = self.enter()
        tasks = [*tasks_in(self.root)]
        try:
            for task in tasks:
                self._patience = _PATIENCE
                coro, task.coro, self.current = task.coro, None, task
                _finish(coro.throw, Evicted())
                if getattr(coro, "cr_frame", None) is not None:
                    _keep_for_ever(coro)
            self.current = None
            for agen in self._asyncgens:
                self._patience = _PATIENCE
                _finish(agen.aclose().send, None)
                if agen.ag_frame is not None:
                    _keep_for_ever(agen)
        finally:
            self.leave(token)
        self._asyncgens.clear()
        self.runq.clear()
        self.alarms.clear()
        self.idlers.clear()
        self.host = None  # what points back here goes, so that a run is freed when it is let go, not by the collector
        for task in tasks:
            task.abort = task.nursery = task.on_exit = task.value = None
            task.scope = self.root
        self.root._kernel, self.root._members = None, {}


def _keep_for_ever(code: AnyCoroutine) -> None:
    """Let a coroutine or an async generator never be closed: one that goes on whatever is raised would hang the program then."""
    import ctypes  # for this alone

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(code))


def _finish(resume: Callable[[Any], object], value: object) -> None:
    try:
        resume(value)
    except BaseException:
        return  # an evicted run has nobody to tell
    finally:
        del value  # the traceback of what was raised leads to this frame


def tasks_in(scope: CancelScope) -> Iterator[Task]:
    """The tasks in a scope, the last to come first."""
    for member in reversed(list(scope._members or ())):
        if isinstance(member, CancelScope):
            yield from tasks_in(member)
        elif member.coro is not None:
            yield member
