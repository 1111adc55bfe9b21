"""What workflow code uses to wait, to structure concurrency and to ask its run for things.

Names that Trio has mean what they mean in Trio: inside a workflow they are durable and run on the workflow's kernel;
outside they are Trio's own, so that a workflow function can be called and tested as the plain function it is. Names
that have a meaning inside a workflow alone raise `NotInWorkflowError` elsewhere.

A sleep is recorded and survives a crash; `sleep(0)`, `sleep_forever` and everything that only passes values between the
tasks of one workflow records nothing. Time is the time of the event that was applied last (K2). `Cancelled` and the
errors are Trio's own classes on both sides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from math import inf, isnan
from typing import Any, Self, TypeVar

import trio

from .inside import (
    ChildHandle as ChildHandle,
    OnParentClose as OnParentClose,
    ParentInfo as ParentInfo,
    WorkflowInfo as WorkflowInfo,
    continue_as_new as continue_as_new,
    info as info,
    logger as logger,
    now as now,
    patched as patched,
    random as random,
    set_attributes as set_attributes,
    signal_workflow as signal_workflow,
    start_child as start_child,
    uuid4 as uuid4,
)
from .kernel import Errors, channels, limits, nursery, scopes, sync, tasks, timeouts
from .kernel.context import current, current_kernel, local
from .kernel.nursery import Nursery

T = TypeVar("T")

Cancelled = trio.Cancelled
TASK_STATUS_IGNORED = trio.TASK_STATUS_IGNORED


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


class open_memory_channel(tuple[channels.MemorySendChannel[T], channels.MemoryReceiveChannel[T]]):
    """As `trio.open_memory_channel`: gives the two ends; `open_memory_channel[int](1)` is for type checkers."""

    def __new__(cls, max_buffer_size: float) -> Self:
        outside: Any = trio.open_memory_channel
        pair: Any = outside(max_buffer_size) if local.kernel is None else channels.open_memory_channel(max_buffer_size)
        return pair  # type: ignore[no-any-return]
