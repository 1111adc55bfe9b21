"""Work that many wait for and that is done once: the pulls of streams that stand at the same place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Job(Generic[T]):
    task: asyncio.Future[T]
    waiting: int = 0


class Shared(Generic[T]):
    """Jobs by key. Invariant: a job that runs has somebody who waits for it; when the last one leaves, it is cancelled."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, _Job[T]] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def join(self, key: Hashable, begin: Callable[[], Awaitable[T]]) -> asyncio.Future[T]:
        """The job of this key, begun if there is none. Each `join` is followed by one `leave`."""
        job = self._jobs.get(key)
        if job is None or job.task.done():
            job = self._jobs[key] = _Job(asyncio.ensure_future(begin()))
        job.waiting += 1
        return job.task

    def leave(self, key: Hashable, task: asyncio.Future[T]) -> None:
        """Wait for a job no longer."""
        job = self._jobs.get(key)
        if job is None or job.task is not task:
            return
        job.waiting -= 1
        if task.done() or not job.waiting:
            del self._jobs[key]
            task.cancel()
