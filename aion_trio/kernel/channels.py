"""Memory channels with Trio's semantics.

A channel has senders and receivers that wait, each on one of its ends; closing an end wakes the tasks that wait on
that very end with ClosedResourceError, and the last one wakes the other side. A task that was woken is off every queue,
so that no second waker can meet it.
"""

from __future__ import annotations

from collections import deque
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from .context import current_kernel, current_task
from .sync import WaitQueue
from .tasks import Raise, Task, checkpoint, checkpoint_if_cancelled, yield_turn

T = TypeVar("T")


class Channel(Generic[T]):
    """What all ends of one channel share."""

    __slots__ = ("items", "open_receive", "open_send", "receivers", "senders", "size")

    def __init__(self, size: float) -> None:
        self.size = size
        self.items: deque[T] = deque()
        self.senders, self.receivers = WaitQueue(), WaitQueue()
        self.open_send = self.open_receive = 0


class _End(Generic[T]):
    """One end: `_parked` are the tasks that wait on it, in order of arrival."""

    __slots__ = ("__weakref__", "_channel", "_closed", "_parked")

    def __init__(self, channel: Channel[T]) -> None:
        self._channel = channel
        self._closed = False
        self._parked: dict[Task, None] = {}

    async def _park(self, queue: WaitQueue, note: Any = None) -> Any:
        task = current_task()
        self._parked[task] = None
        try:
            return await queue.park(note)
        finally:
            self._parked.pop(task, None)

    def _wake_parked(self, queue: WaitQueue) -> None:
        for task in self._parked:
            if task in queue:  # else it was woken and has not run yet
                queue.remove(task)
                task.kernel.reschedule(task, Raise(task.kernel.errors.closed_resource()))

    if TYPE_CHECKING:  # each end has its own

        def close(self) -> None: ...

    async def aclose(self) -> None:
        """Close this end; a checkpoint."""
        self.close()
        await checkpoint()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        await self.aclose()


class MemorySendChannel(_End[T]):
    """As `trio.MemorySendChannel`."""

    __slots__ = ()

    def __init__(self, channel: Channel[T]) -> None:
        super().__init__(channel)
        channel.open_send += 1

    def send_nowait(self, value: T) -> None:
        """Send, or raise WouldBlock."""
        channel, errors = self._channel, current_kernel().errors
        if self._closed:
            raise errors.closed_resource
        if not channel.open_receive:
            raise errors.broken_resource
        if channel.receivers:
            channel.receivers.wake(value)
        elif len(channel.items) < channel.size:
            channel.items.append(value)
        else:
            raise errors.would_block

    async def send(self, value: T) -> None:
        """Send, waiting for room or a receiver if need be."""
        await checkpoint_if_cancelled()
        try:
            self.send_nowait(value)
        except current_kernel().errors.would_block:
            pass
        else:
            await yield_turn()
            return
        await self._park(self._channel.senders, value)

    def clone(self) -> MemorySendChannel[T]:
        """Another end of the same channel."""
        if self._closed:
            raise current_kernel().errors.closed_resource
        return MemorySendChannel(self._channel)

    def close(self) -> None:
        """Close this end; closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        channel = self._channel
        self._wake_parked(channel.senders)
        channel.open_send -= 1
        if not channel.open_send:
            while channel.receivers:
                channel.receivers.wake(Raise(current_kernel().errors.end_of_channel()))


class MemoryReceiveChannel(_End[T]):
    """As `trio.MemoryReceiveChannel`."""

    __slots__ = ()

    def __init__(self, channel: Channel[T]) -> None:
        super().__init__(channel)
        channel.open_receive += 1

    def receive_nowait(self) -> T:
        """Receive, or raise WouldBlock, or EndOfChannel if no value can come any more."""
        channel, errors = self._channel, current_kernel().errors
        if self._closed:
            raise errors.closed_resource
        if channel.senders:
            channel.items.append(channel.senders.wake())
        if channel.items:
            return channel.items.popleft()
        raise errors.would_block if channel.open_send else errors.end_of_channel

    async def receive(self) -> T:
        """Receive, waiting for a value if need be."""
        await checkpoint_if_cancelled()
        try:
            value = self.receive_nowait()
        except current_kernel().errors.would_block:
            pass
        else:
            await yield_turn()
            return value
        received: T = await self._park(self._channel.receivers)
        return received

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        end_of_channel = current_kernel().errors.end_of_channel
        try:
            return await self.receive()
        except end_of_channel:
            raise StopAsyncIteration from None

    def clone(self) -> MemoryReceiveChannel[T]:
        """Another end of the same channel."""
        if self._closed:
            raise current_kernel().errors.closed_resource
        return MemoryReceiveChannel(self._channel)

    def close(self) -> None:
        """Close this end; closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        channel = self._channel
        self._wake_parked(channel.receivers)
        channel.open_receive -= 1
        if not channel.open_receive:
            while channel.senders:
                channel.senders.wake(Raise(current_kernel().errors.broken_resource()))
            channel.items.clear()


def open_memory_channel(max_buffer_size: float) -> tuple[MemorySendChannel[Any], MemoryReceiveChannel[Any]]:
    """A new channel's two ends; `max_buffer_size` values wait in it before senders do."""
    if max_buffer_size != inf and not isinstance(max_buffer_size, int):
        raise TypeError("max_buffer_size must be an integer or math.inf")
    if max_buffer_size < 0:
        raise ValueError("max_buffer_size must be >= 0")
    channel: Channel[Any] = Channel(max_buffer_size)
    return MemorySendChannel(channel), MemoryReceiveChannel(channel)
