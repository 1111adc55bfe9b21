"""Event, Lock and Semaphore with Trio's semantics; waiters are woken in the order in which they came."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from .context import current_kernel, current_task
from .tasks import Raise, Task, checkpoint, checkpoint_if_cancelled, park, yield_turn


class WaitQueue:
    """Parked tasks, first in, first out, each with a note of what it wants (compare `trio.lowlevel.ParkingLot`)."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: dict[Task, Any] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task: Task) -> bool:
        return task in self._tasks

    async def park(self, note: Any = None) -> Any:
        """Wait until woken; the waker's value is returned."""
        task = current_task()
        self._tasks[task] = note

        def leave() -> bool:
            del self._tasks[task]
            return True

        return await park(leave)

    def first(self) -> tuple[Task, Any]:
        """Take the first task off the queue, with its note; the caller reschedules it."""
        task = next(iter(self._tasks))
        return task, self._tasks.pop(task)

    def wake(self, value: Any = None) -> Any:
        """Wake the first task with `value`; its note is returned."""
        task, note = self.first()
        task.kernel.reschedule(task, value)
        return note

    def wake_all(self, value: Any = None) -> None:
        """Wake all, in order."""
        while self._tasks:
            self.wake(value)

    def remove(self, task: Task) -> None:
        """Take a task off the queue; the caller reschedules it."""
        del self._tasks[task]

    def move_first_to(self, other: WaitQueue) -> None:
        """Let the first task wait at the end of another queue instead."""
        task, note = self.first()
        other._tasks[task] = note

        def leave() -> bool:
            del other._tasks[task]
            return True

        task.abort = leave


class Event:
    """As `trio.Event`. Its hash is its number within the run, so that even code that keeps events in a set walks them alike on replay."""

    def __init__(self) -> None:
        kernel = current_kernel()
        kernel.event_count = self._number = kernel.event_count + 1
        self._flag = False
        self._waiting = WaitQueue()

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other

    def is_set(self) -> bool:
        """Whether the event has happened."""
        return self._flag

    def set(self) -> None:
        """It has happened: every waiter goes on."""
        self._flag = True
        self._waiting.wake_all()

    async def wait(self) -> None:
        """Wait until it has happened."""
        if self._flag:
            await checkpoint()
        else:
            await self._waiting.park()


class Semaphore:
    """As `trio.Semaphore`."""

    def __init__(self, initial_value: int, *, max_value: int | None = None) -> None:
        if not isinstance(initial_value, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("initial_value must be an int")
        if initial_value < 0:
            raise ValueError("initial value must be >= 0")
        if max_value is not None and max_value < initial_value:
            raise ValueError("max_value must be >= initial_value")
        self._value, self._max_value, self._waiting = initial_value, max_value, WaitQueue()

    @property
    def value(self) -> int:
        """How many can acquire without waiting."""
        return self._value

    @property
    def max_value(self) -> int | None:
        """The most that `value` may become, None for no limit."""
        return self._max_value

    def acquire_nowait(self) -> None:
        """Acquire, or raise WouldBlock."""
        if self._value <= 0:
            raise current_kernel().errors.would_block
        self._value -= 1

    async def acquire(self) -> None:
        """Acquire, waiting for a release if need be."""
        await checkpoint_if_cancelled()
        if self._value > 0:
            self._value -= 1
            await yield_turn()
        else:
            await self._waiting.park()

    def release(self) -> None:
        """Let the first waiter through, or raise the value by one."""
        if self._waiting:
            self._waiting.wake()
        elif self._value == self._max_value:
            raise ValueError("semaphore released too many times")
        else:
            self._value += 1

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


class Lock:
    """As `trio.Lock`: fair, owned by a task, and broken for good if its owner ends without releasing it."""

    def __init__(self) -> None:
        self._owner: Task | None = None
        self._broken = False
        self._waiting = WaitQueue()

    def locked(self) -> bool:
        """Whether some task holds the lock."""
        return self._owner is not None

    def acquire_nowait(self) -> None:
        """Acquire, or raise WouldBlock."""
        task = current_task()
        if self._owner is task:
            raise RuntimeError("attempt to re-acquire an already held Lock")
        if self._owner is not None:
            raise task.kernel.errors.would_block
        self._own(task)

    async def acquire(self) -> None:
        """Acquire, waiting for the owner's release if need be."""
        await checkpoint_if_cancelled()
        if self._owner is None or self._owner is current_task():
            self.acquire_nowait()
            await yield_turn()
        elif self._broken:
            raise self._broken_error()
        else:
            await self._waiting.park()  # release() makes us the owner

    def release(self) -> None:
        """Give the lock to the first waiter, or free it."""
        task = current_task()
        if self._owner is not task:
            raise RuntimeError("can't release a Lock you don't own")
        assert task.held is not None  # `_own` made it
        del task.held[self]
        self._owner = None
        if self._waiting:
            heir, _ = self._waiting.first()
            self._own(heir)
            heir.kernel.reschedule(heir)

    def _own(self, task: Task) -> None:
        self._owner = task
        if task.held is None:
            task.held = {}
        task.held[self] = None

    def break_off(self) -> None:
        """The owner ended: all who wait, and all who come, get BrokenResourceError."""
        self._broken = True
        while self._waiting:
            self._waiting.wake(Raise(self._broken_error()))

    def _broken_error(self) -> Exception:
        assert self._owner is not None
        return self._owner.kernel.errors.broken_resource(f"Owner of this lock exited without releasing: {self._owner}")

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
