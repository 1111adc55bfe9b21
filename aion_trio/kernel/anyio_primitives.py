"""Events, locks, semaphores and limiters for AnyIO: the kernel's, with AnyIO's signatures, errors and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio import CapacityLimiterStatistics, EventStatistics, LockStatistics, SemaphoreStatistics, WouldBlock

from . import limits, sync
from .context import current_kernel, current_task
from .tasks import Task, checkpoint_if_cancelled, yield_turn

if TYPE_CHECKING:  # at run time AnyIO's classes are bases, so that `isinstance` holds; their declarations contradict the kernel's

    class _AnyIOLock: ...

    class _AnyIOSemaphore:
        def __init__(self, initial_value: int, *, max_value: int | None = None) -> None: ...

else:
    _AnyIOLock, _AnyIOSemaphore = anyio.Lock, anyio.Semaphore


class TaskInfo(anyio.TaskInfo):
    """A task, for people. AnyIO compares these by id: the task's number, so that no address takes part."""

    def __init__(self, task: Task) -> None:
        parent = task.nursery.parent_task.number if task.nursery is not None else None
        super().__init__(task.number, parent, task.name, task.coro)
        self._task = task

    def has_pending_cancellation(self) -> bool:
        """Whether the task will raise Cancelled at its next checkpoint."""
        return self._task.coro is not None and self._task.scope._cancelled


class Event(sync.Event, anyio.Event):
    """An AnyIO event; numbered, because AnyIO's memory streams keep events in sets and walk them."""

    def __new__(cls) -> Event:
        return object.__new__(cls)

    __hash__ = sync.Event.__hash__

    def statistics(self) -> EventStatistics:
        """How many tasks wait."""
        return EventStatistics(len(self._waiting))


class Lock(sync.Lock, _AnyIOLock):
    """An AnyIO lock."""

    def __new__(cls, *, fast_acquire: bool = False) -> Lock:
        return object.__new__(cls)

    def __init__(self, *, fast_acquire: bool = False) -> None:
        sync.Lock.__init__(self)
        self._fast = fast_acquire

    def acquire_nowait(self) -> None:
        """Acquire, or raise WouldBlock."""
        task = current_task()
        if self._owner is task:
            raise RuntimeError("Attempted to acquire an already held Lock")
        if self._owner is not None:
            raise WouldBlock
        self._own(task)

    async def acquire(self) -> None:
        """Acquire, waiting if need be."""
        await checkpoint_if_cancelled()
        try:
            self.acquire_nowait()
        except WouldBlock:
            await self._waiting.park()
        else:
            if not self._fast:
                await yield_turn()

    def statistics(self) -> LockStatistics:
        """Owner and waiters."""
        return LockStatistics(self.locked(), TaskInfo(self._owner) if self._owner else None, len(self._waiting))


class Semaphore(sync.Semaphore, _AnyIOSemaphore):
    """An AnyIO semaphore."""

    def __new__(cls, initial_value: int, *, max_value: int | None = None, fast_acquire: bool = False) -> Semaphore:
        return object.__new__(cls)

    def __init__(self, initial_value: int, *, max_value: int | None = None, fast_acquire: bool = False) -> None:
        _AnyIOSemaphore.__init__(self, initial_value, max_value=max_value)
        sync.Semaphore.__init__(self, initial_value, max_value=max_value)
        self._fast = fast_acquire

    def acquire_nowait(self) -> None:
        """Acquire, or raise WouldBlock."""
        if not self._value:
            raise WouldBlock
        self._value -= 1

    async def acquire(self) -> None:
        """Acquire, waiting if need be."""
        await checkpoint_if_cancelled()
        try:
            self.acquire_nowait()
        except WouldBlock:
            await self._waiting.park()
        else:
            if not self._fast:
                await yield_turn()

    def statistics(self) -> SemaphoreStatistics:
        """How many tasks wait."""
        return SemaphoreStatistics(len(self._waiting))


class CapacityLimiter(limits.CapacityLimiter, anyio.CapacityLimiter):
    """An AnyIO capacity limiter."""

    def __new__(cls, total_tokens: float) -> CapacityLimiter:
        return object.__new__(cls)

    def __init__(self, total_tokens: float) -> None:
        limits.CapacityLimiter.__init__(self, total_tokens)

    def acquire_on_behalf_of_nowait(self, borrower: object) -> None:
        """Borrow a token for `borrower`, or raise WouldBlock."""
        try:
            limits.CapacityLimiter.acquire_on_behalf_of_nowait(self, borrower)
        except current_kernel().errors.would_block:
            raise WouldBlock from None

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        """Borrow a token for `borrower`, waiting if need be."""
        await checkpoint_if_cancelled()
        try:
            self.acquire_on_behalf_of_nowait(borrower)
        except WouldBlock:
            await self._waiting.park(borrower)
        else:
            await yield_turn()

    def statistics(self) -> CapacityLimiterStatistics:
        """Tokens, borrowers and waiters."""
        return CapacityLimiterStatistics(len(self._borrowers), self._total, tuple(self._borrowers), len(self._waiting))
