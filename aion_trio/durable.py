"""What workflow code uses to wait, to structure concurrency and to ask its run for things.

Names that Trio has mean what they mean in Trio: inside a workflow they are durable and run on the workflow's kernel;
outside they are Trio's own, so that a workflow function can be called and tested as the plain function it is. Names
that have a meaning inside a workflow alone raise `NotInWorkflowError` elsewhere.

A sleep is recorded and survives a crash; `sleep(0)`, `sleep_forever` and everything that only passes values between the
tasks of one workflow records nothing. Time is the time of the event that was applied last (K2). `Cancelled` and the
errors are Trio's own classes on both sides.
"""

from __future__ import annotations

import logging
import random as _random
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf, isnan
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar
from uuid import UUID

import trio

from . import events as ev
from .errors import InvalidInputError, NotInWorkflowError
from .kernel import Errors, channels, limits, nursery, scopes, sync, tasks, timeouts
from .kernel.context import current, current_kernel, local, set_aside
from .kernel.nursery import Nursery

if TYPE_CHECKING:
    from .definitions import Signal, WorkflowDefinition
    from .kernel.context import Host

R = TypeVar("R")
T = TypeVar("T")

Cancelled = trio.Cancelled
TASK_STATUS_IGNORED = trio.TASK_STATUS_IGNORED
OnParentClose = Literal["terminate", "cancel", "abandon"]


def _make_cancelled(source: str, reason: str | None, source_task: str | None) -> BaseException:
    """Trio's Cancelled cannot be constructed by calling it, and shall not be: this is the one place that makes one."""
    error: Any = BaseException.__new__(trio.Cancelled)
    error.source, error.reason, error.source_task = source, reason, source_task
    return error  # type: ignore[no-any-return]


TRIO_ERRORS = Errors(
    cancelled=trio.Cancelled,
    make_cancelled=_make_cancelled,
    too_slow=trio.TooSlowError,
    would_block=trio.WouldBlock,
    closed_resource=trio.ClosedResourceError,
    broken_resource=trio.BrokenResourceError,
    end_of_channel=trio.EndOfChannel,
    busy_resource=trio.BusyResourceError,
)
uninterrupted = trio.lowlevel.enable_ki_protection
"""Ctrl-C reaches the program, never the workflow or its bookkeeping."""


def _host(name: str) -> Host:
    host = current()
    if host is None:
        raise NotInWorkflowError(
            f"durable.{name} was called outside of workflow code, where it has no meaning; call it from an @aion.workflow function "
            "that the engine (or aion_trio.testing.run_workflow) runs"
        )
    return host


async def run_plain(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Run a plain function outside of a workflow: in one of Trio's worker threads."""
    return await trio.to_thread.run_sync(fn, *args)


# ---- waiting and time


async def checkpoint() -> None:
    """Let other tasks run; raise Cancelled if this scope is cancelled."""
    if local.kernel is None:
        await trio.lowlevel.checkpoint()
    else:
        await tasks.checkpoint()


async def sleep(seconds: float) -> None:
    """Sleep durably: recorded as a timer, over when it fires. `sleep(0)` is a checkpoint and records nothing."""
    host = current()
    if host is None:
        await trio.sleep(seconds)
        return
    timeouts.require_seconds(seconds)
    if seconds == inf:
        await tasks.sleep_forever()
    await host.sleep_until_us(current_kernel().time_us + round(seconds * scopes.MICROSECONDS))


async def sleep_until(deadline: float) -> None:
    """Sleep durably until `deadline`, in epoch seconds; a time that has come is a checkpoint and records nothing."""
    host = current()
    if host is None:
        await trio.sleep_until(deadline)
        return
    if isnan(deadline):
        raise ValueError("deadline must not be NaN")
    due_us = scopes.us_of(deadline)
    if due_us is None:
        await tasks.sleep_forever()
    else:
        await host.sleep_until_us(due_us)


async def sleep_forever() -> None:
    """Wait until cancelled; records nothing."""
    if local.kernel is None:
        await trio.sleep_forever()
    else:
        await tasks.sleep_forever()


def current_time() -> float:
    """The workflow's time in epoch seconds, as `sleep_until` and `move_on_at` take it; outside, Trio's clock."""
    return trio.current_time() if local.kernel is None else timeouts.current_time()


def current_effective_deadline() -> float:
    """The earliest deadline of the scopes around this task; -inf if it is cancelled."""
    return trio.current_effective_deadline() if local.kernel is None else timeouts.current_effective_deadline()


# ---- scopes and nurseries


class CancelScope(scopes.CancelScope):
    """A block that can be cancelled, by `cancel()` or when its deadline passes: durable, recorded only if it fires."""

    __slots__ = ()

    def __new__(cls, *, deadline: float = inf, relative_deadline: float = inf, shield: bool = False) -> Self:
        if local.kernel is not None:
            return super().__new__(cls)
        if relative_deadline != inf:
            outside: Any = trio.CancelScope(relative_deadline=relative_deadline, shield=shield)
        else:
            outside = trio.CancelScope(deadline=deadline, shield=shield)
        return outside  # type: ignore[no-any-return]


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """A scope that is cancelled at `deadline`, in epoch seconds."""
    return CancelScope(deadline=deadline, shield=shield)


def move_on_after(seconds: float, *, shield: bool = False) -> CancelScope:
    """A scope that is cancelled `seconds` after it was entered: a durable time-out."""
    timeouts.require_seconds(seconds)
    return CancelScope(relative_deadline=seconds, shield=shield)


def fail_at(deadline: float, *, shield: bool = False) -> AbstractContextManager[scopes.CancelScope]:
    """As `move_on_at`; raises `trio.TooSlowError` if the deadline cut the block off."""
    outside: Any = trio.fail_at
    return outside(deadline, shield=shield) if local.kernel is None else timeouts.fail_at(deadline, shield=shield)


def fail_after(seconds: float, *, shield: bool = False) -> AbstractContextManager[scopes.CancelScope]:
    """As `move_on_after`; raises `trio.TooSlowError` if the deadline cut the block off."""
    outside: Any = trio.fail_after
    return outside(seconds, shield=shield) if local.kernel is None else timeouts.fail_after(seconds, shield=shield)


def open_nursery() -> AbstractAsyncContextManager[Nursery, bool | None]:
    """A nursery; `start_soon` takes activities and workflows (as children) as well as plain async functions."""
    outside: Any = trio.open_nursery
    return outside() if local.kernel is None else nursery.open_nursery()


async def wait_all(*async_fns: Callable[[], Awaitable[Any]]) -> tuple[Any, ...]:
    """Run all concurrently; their results, in the order of the arguments. If one fails the others are cancelled."""
    results: list[Any] = [None] * len(async_fns)

    async def run(index: int, async_fn: Callable[[], Awaitable[Any]]) -> None:
        results[index] = await async_fn()

    async with open_nursery() as group:
        for index, async_fn in enumerate(async_fns):
            group.start_soon(run, index, async_fn)
    return tuple(results)


async def wait_any(*async_fns: Callable[[], Awaitable[Any]]) -> Any:
    """Run all concurrently until the first returns; its result. The others are cancelled."""
    if not async_fns:
        raise ValueError("wait_any needs at least one async function")
    winners: list[Any] = []

    async def run(async_fn: Callable[[], Awaitable[Any]]) -> None:
        winners.append(await async_fn())
        group.cancel_scope.cancel()

    async with open_nursery() as group:
        for async_fn in async_fns:
            group.start_soon(run, async_fn)
    return winners[0]


# ---- between tasks


class Event(sync.Event):
    """As `trio.Event`."""

    def __new__(cls) -> Self:
        outside: Any = super().__new__(cls) if local.kernel is not None else trio.Event()
        return outside  # type: ignore[no-any-return]


class Lock(sync.Lock):
    """As `trio.Lock`."""

    def __new__(cls) -> Self:
        outside: Any = super().__new__(cls) if local.kernel is not None else trio.Lock()
        return outside  # type: ignore[no-any-return]


class Semaphore(sync.Semaphore):
    """As `trio.Semaphore`."""

    def __new__(cls, initial_value: int, *, max_value: int | None = None) -> Self:
        outside: Any = super().__new__(cls) if local.kernel is not None else trio.Semaphore(initial_value, max_value=max_value)
        return outside  # type: ignore[no-any-return]


class Condition(limits.Condition):
    """As `trio.Condition`."""

    def __new__(cls, lock: sync.Lock | None = None) -> Self:
        foreign: Any = lock
        outside: Any = super().__new__(cls) if local.kernel is not None else trio.Condition(foreign)
        return outside  # type: ignore[no-any-return]


class CapacityLimiter(limits.CapacityLimiter):
    """As `trio.CapacityLimiter`."""

    def __new__(cls, total_tokens: float) -> Self:
        outside: Any = super().__new__(cls) if local.kernel is not None else trio.CapacityLimiter(total_tokens)
        return outside  # type: ignore[no-any-return]


def open_memory_channel(max_buffer_size: float) -> tuple[channels.MemorySendChannel[Any], channels.MemoryReceiveChannel[Any]]:
    """As `trio.open_memory_channel`."""
    outside: Any = trio.open_memory_channel
    return outside(max_buffer_size) if local.kernel is None else channels.open_memory_channel(max_buffer_size)


# ---- what the run knows


@dataclass(frozen=True, slots=True)
class ParentInfo:
    """The workflow that started this one as a child."""

    workflow_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """What a run knows about itself, as of the event that was applied last (K2).

    `history_length` and `history_bytes` (about) count what replay sees; when `continue_as_new_suggested` is true it is
    time to continue as new (N2). `attributes` are the run's own, without changes from outside.
    """

    workflow_id: str
    run_id: str
    type: str
    version: int
    namespace: str
    started_at: datetime
    parent: ParentInfo | None
    attributes: Mapping[str, Any]
    history_length: int
    history_bytes: int
    continue_as_new_suggested: bool


def info() -> WorkflowInfo:
    """What the run knows about itself."""
    found: WorkflowInfo = _host("info").info()
    return found


def now() -> datetime:
    """The workflow's time, aware UTC: when the event that was applied last was recorded (K2)."""
    _host("now")
    kernel = current_kernel()
    kernel.charge()
    return ev.datetime_of(kernel.time_us)


def random() -> _random.Random:
    """The run's random numbers: one stream, seeded from workflow id and run id, the same on replay."""
    stream: _random.Random = _host("random").random()
    return stream


def uuid4() -> UUID:
    """A random UUID from the run's stream."""
    stream: _random.Random = _host("uuid4").random()
    return UUID(int=stream.getrandbits(128), version=4)


def patched(name: str) -> bool:
    """Whether this run takes the new branch of the change `name` (V3).

    True in every run that gets here for the first time, which records it; false while replaying a history that passed
    this place without it. Keep the old branch until no run needs it.
    """
    return _host("patched").patched(name)


def set_attributes(attributes: Mapping[str, Any]) -> None:
    """Set searchable attributes of this workflow (str, int, float, bool, datetime); None deletes one."""
    _host("set_attributes").set_attributes(attributes)


class _Logger(logging.LoggerAdapter[logging.Logger]):
    """Writes live and never on replay; each record carries `workflow_id` and `run_id`."""

    def isEnabledFor(self, level: int) -> bool:
        host = current()
        if host is None:
            return super().isEnabledFor(level)
        target = host.log_target()
        return target is not None and level >= logging.DEBUG

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write one record, unless this step was run before."""
        host = current()
        if host is None:
            super().log(level, msg, *args, **kwargs)
            return
        target = host.log_target()
        if target is not None:
            logger, extra = target
            with set_aside():
                if logger.isEnabledFor(level):
                    kwargs["extra"] = {**extra, **kwargs.get("extra", {})}
                    kwargs.setdefault("stacklevel", 2)
                    logger.log(level, msg, *args, **kwargs)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


logger = _Logger(logging.getLogger("aion_trio.workflow"), {})
"""The workflow's log: live only, silent on replay; outside of a workflow a plain logger."""


# ---- other workflows


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How a child is started. `id` None derives one from the parent's run and the ordinal; `on_parent_close` is a number of `events`."""

    id: str | None = None
    on_parent_close: int = ev.ON_CLOSE_TERMINATE
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    timeout_us: int | None = None


class ChildHandle(Generic[R]):
    """A child that was started; it is recorded, and starts even if this workflow crashes at once (C1)."""

    def __init__(self, child: Any) -> None:
        self._child = child

    @property
    def id(self) -> str:
        """The child's workflow id."""
        found: str = self._child.id
        return found

    async def result(self) -> R:
        """Wait for the child's end: its result, or `ChildWorkflowFailedError`. Giving up the wait does not cancel the child."""
        value: R = await self._child.result()
        return value

    async def signal(self, signal: Signal[T] | str, value: T) -> None:
        """Signal the child; returns when it has recorded the signal."""
        await signal_workflow(self.id, signal, value)

    def cancel(self) -> None:
        """Ask the child to cancel; does nothing if it has ended or was asked before."""
        self._child.cancel("cancelled by its parent")


async def start_child(
    workflow: WorkflowDefinition[..., R] | str,
    *args: Any,
    id: str | None = None,
    on_parent_close: OnParentClose = "terminate",
    attributes: Mapping[str, Any] | None = None,
    timeout: float | timedelta | None = None,
) -> ChildHandle[R]:
    """Start a workflow as a child and go on; `await workflow(...)` starts one and waits for its result.

    An id that is taken shows as `ChildWorkflowFailedError` (kind `already_started`) where the result is awaited.
    """
    host = _host("start_child")
    if on_parent_close not in ev.ON_PARENT_CLOSE:
        expected = ", ".join(ev.ON_PARENT_CLOSE)
        raise InvalidInputError(f"on_parent_close: expected one of {expected}, found {on_parent_close!r}", "on_parent_close")
    if timeout is None:
        timeout_us: int | None = None if isinstance(workflow, str) else workflow.timeout_us
    else:
        timeout_us = round((timeout.total_seconds() if isinstance(timeout, timedelta) else timeout) * scopes.MICROSECONDS)
    options = ChildOptions(id, ev.ON_PARENT_CLOSE.index(on_parent_close), dict(attributes or {}), timeout_us)
    return ChildHandle(await host.start_child(workflow, args, options))


async def signal_workflow(id: str, signal: Signal[T] | str, value: T) -> None:
    """Signal another workflow, exactly once (S2); `SignalNotDeliveredError` if it is closed or missing."""
    await _host("signal_workflow").signal_workflow(id, signal, value)


def continue_as_new(*args: Any, workflow: WorkflowDefinition[..., Any] | str | None = None) -> NoReturn:
    """End this run and begin its successor under the same id, on the latest version, with these arguments (N1).

    It does not return; what it raises passes through every nursery. Signals that were not received go along, and so does
    a cancel request that was not answered.
    """
    _host("continue_as_new").continue_as_new(args, workflow)
    raise AssertionError("continue_as_new returned")
