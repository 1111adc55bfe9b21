"""Condition and CapacityLimiter with Trio's semantics."""

from __future__ import annotations

from math import inf
from types import TracebackType

from .context import current_kernel, current_task
from .scopes import CancelScope
from .sync import Lock, WaitQueue
from .tasks import checkpoint_if_cancelled, yield_turn


class Condition:
    """As `trio.Condition`."""

    def __init__(self, lock: Lock | None = None) -> None:
        self._lock = Lock() if lock is None else lock
        if not isinstance(self._lock, Lock):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("lock must be a durable.Lock")
        self._waiting = WaitQueue()

    def locked(self) -> bool:
        """Whether some task holds the lock."""
        return self._lock.locked()

    def acquire_nowait(self) -> None:
        """Acquire the lock, or raise WouldBlock."""
        self._lock.acquire_nowait()

    async def acquire(self) -> None:
        """Acquire the lock."""
        await self._lock.acquire()

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    async def wait(self) -> None:
        """Release the lock, wait to be notified, and hold the lock again on return, also if cancelled."""
        if self._lock._owner is not current_task():
            raise RuntimeError("must hold the lock to wait")
        self.release()
        try:
            await self._waiting.park()  # notify() lets us wait for the lock instead, and release() wakes us with it
        except BaseException:
            with CancelScope(shield=True):
                await self.acquire()
            raise

    def notify(self, n: int = 1) -> None:
        """Let the first `n` waiters go on, one after the other, as they get the lock."""
        if self._lock._owner is not current_task():
            raise RuntimeError("must hold the lock to notify")
        for _ in range(min(n, len(self._waiting))):
            self._waiting.move_first_to(self._lock._waiting)

    def notify_all(self) -> None:
        """Let all waiters go on."""
        self.notify(len(self._waiting))

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


class CapacityLimiter:
    """As `trio.CapacityLimiter`; borrowers are kept in order of arrival.

    Invariant: nobody waits while a token is free.
    """

    def __init__(self, total_tokens: float) -> None:
        self._borrowers: dict[object, None] = {}
        self._waiting = WaitQueue()
        self._resize(total_tokens)

    def _resize(self, value: float) -> None:
        if not isinstance(value, int) and value != inf:
            raise TypeError("total_tokens must be an int or math.inf")
        if value < 0:
            raise ValueError("total_tokens must be >= 0")
        self._total: float = value
        self._grant()

    def _grant(self) -> None:
        while self._waiting and len(self._borrowers) < self._total:
            task, borrower = self._waiting.first()
            self._borrowers[borrower] = None
            task.kernel.reschedule(task)

    @property
    def total_tokens(self) -> float:
        """How many tokens there are; raising it lets waiters through."""
        return self._total

    @total_tokens.setter
    def total_tokens(self, value: float) -> None:
        self._resize(value)

    @property
    def borrowed_tokens(self) -> int:
        """How many tokens are in use."""
        return len(self._borrowers)

    @property
    def available_tokens(self) -> float:
        """How many tokens are free; negative if the total was lowered below what is in use."""
        return self._total - len(self._borrowers)

    def acquire_nowait(self) -> None:
        """Borrow a token for this task, or raise WouldBlock."""
        self.acquire_on_behalf_of_nowait(current_task())

    def acquire_on_behalf_of_nowait(self, borrower: object) -> None:
        """Borrow a token for `borrower`, or raise WouldBlock."""
        if borrower in self._borrowers:
            raise RuntimeError("this borrower is already holding one of this CapacityLimiter's tokens")
        if len(self._borrowers) >= self._total:
            raise current_kernel().errors.would_block
        self._borrowers[borrower] = None

    async def acquire(self) -> None:
        """Borrow a token for this task, waiting if need be."""
        await self.acquire_on_behalf_of(current_task())

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        """Borrow a token for `borrower`, waiting if need be."""
        await checkpoint_if_cancelled()
        try:
            self.acquire_on_behalf_of_nowait(borrower)
        except current_kernel().errors.would_block:
            await self._waiting.park(borrower)
        else:
            await yield_turn()

    def release(self) -> None:
        """Give back this task's token."""
        self.release_on_behalf_of(current_task())

    def release_on_behalf_of(self, borrower: object) -> None:
        """Give back the token of `borrower`."""
        if borrower not in self._borrowers:
            raise RuntimeError("this borrower isn't holding any of this CapacityLimiter's tokens")
        del self._borrowers[borrower]
        self._grant()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
