"""A mailbox: what an actor reads, in order, and its address: what others have of it.

Why not a `trio.open_memory_channel`? Because an actor can fail and live again. The mailbox survives that, with
what is in it; a channel's receiving end would be closed by the failure or leaked by the restart. From there on the
differences follow: one reader, so no message is split between two; `receive(match)`, because an actor that waits
for one particular message must not lose the others; an urgent lane for what must not queue behind work; requests,
whose askers hear of it when the run that had them in hand has ended.

A message is queued, or its sender is told that it is not: there is nothing in between, neither on cancellation nor
when Ctrl-C arrives (which Trio then delivers a little later, outside of this module).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import trio
from outcome import Error
from trio.lowlevel import (
    Abort,
    Task,
    cancel_shielded_checkpoint,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .address import Address
from .errors import ActorStopped
from .requests import Request, Slip, forsake, require_no_cycle

if TYPE_CHECKING:
    from .place import Place

T = TypeVar("T")
Match = Callable[[T], bool]

_NOTHING: Any = object()


def _any(_: object) -> bool:
    return True


# Messages are asked `issubclass(type(message), Request)`: isinstance would make type checkers forget that they are a T.


def require_capacity(capacity: float) -> None:
    """ValueError for what cannot be a mailbox's capacity, TypeError for what is no number."""
    try:
        good = capacity >= 1 and (capacity == math.inf or not capacity % 1)
    except TypeError:  # caught rather than looked for: this is done for each keyed actor that is made
        raise TypeError(f"capacity is a whole number from 1, or math.inf, found {capacity!r}") from None
    if not good:
        raise ValueError(f"capacity is a whole number from 1, or math.inf, found {capacity!r}")


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """A mailbox at one moment; ``queued`` counts both lanes, ``peak`` is the longest that it ever was."""

    queued: int
    urgent: int
    peak: int
    capacity: float
    senders_waiting: int
    received: int
    closed: bool


class Mailbox(Generic[T]):
    """Messages for one actor: bounded, first in first out, with an urgent lane that always has room.

    Iterating ends when the mailbox is closed *and* empty, so that ``async for`` drains it. It belongs to the actor,
    not to a run of it: what one run has not received is there for the next. Give it to one `Child` alone.
    """

    __slots__ = (
        "_address",
        "_idle",
        "_in_hand",
        "_normal",
        "_peak",
        "_reader",
        "_received",
        "_urgent",
        "_waiting",
        "capacity",
        "closed",
        "owner",
    )

    def __init__(self, capacity: float = 64, *, owner: Place | None = None) -> None:
        require_capacity(capacity)
        self.capacity = capacity
        self.owner = owner
        self.closed = False
        self._normal: deque[T] | None = None  # made when needed, as the urgent lane below
        self._urgent: deque[T] | None = None  # made when needed: a deque takes 600 bytes, and many mailboxes are idle
        self._waiting: dict[Task, T] | None = None
        self._in_hand: dict[Slip, None] | None = None
        self._reader: Task | None = None
        self._idle: Place | None = None  # who is to hear when the reader, which waits for any message, waits no more
        self._address: Address[T] | None = None
        self._received = self._peak = 0

    @property
    def address(self) -> Address[T]:
        """Where to send; good for as long as the actor may live again."""
        if self._address is None:
            self._address = Address(self)
        return self._address

    @property
    def name(self) -> str:
        return self.owner.path if self.owner is not None else f"mailbox {id(self):#x}"

    @property
    def queued(self) -> int:
        """How many messages have been accepted and not received."""
        return (len(self._normal) if self._normal else 0) + (len(self._urgent) if self._urgent else 0)

    @property
    def received(self) -> int:
        """How many messages have been received, over all runs."""
        return self._received

    # What the actor does.

    @enable_ki_protection
    def receive_nowait(self, match: Match[T] | None = None) -> T:
        """The first message, or the first that ``match`` accepts; the others keep their places.

        Raises `trio.WouldBlock` if there is none, and `trio.EndOfChannel` if there will never be one.
        """
        message = self._take(match)
        if message is _NOTHING:
            raise trio.EndOfChannel if self.closed else trio.WouldBlock
        return message

    @enable_ki_protection
    def receive_patient_nowait(self, match: Match[T] | None = None) -> T:
        """As `receive_nowait`, of those that are not urgent alone: for an actor whom urgent ones may keep busy for ever."""
        message = self._take(match or _any, (self._normal,))
        if message is _NOTHING:
            raise trio.EndOfChannel if self.closed else trio.WouldBlock
        return message

    @enable_ki_protection
    async def receive(self, match: Match[T] | None = None) -> T:
        """As `receive_nowait`, but wait for it. If this is cancelled, nothing was taken.

        Raises `trio.EndOfChannel` once the mailbox is closed and holds no (matching) message, and
        `trio.BusyResourceError` if another task waits in here.
        """
        # A message is taken behind the last await, so that cancellation finds none in hand, and an urgent one that
        # was sent meanwhile comes first. Waiting is a checkpoint too; there is never more than one in vain.
        if self._normal or self._urgent or self.closed:
            await checkpoint()
        else:
            await checkpoint_if_cancelled()
        if self._reader is not None:
            raise trio.BusyResourceError(f"{self.name} has one reader, and another task is waiting in receive")
        while True:
            message = self._take(match)
            if message is not _NOTHING:
                return message
            if self.closed:
                raise trio.EndOfChannel
            await self._wait(idle=match is None)

    def __aiter__(self) -> Mailbox[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def _take(self, match: Match[T] | None, lanes: tuple[deque[T] | None, ...] | None = None) -> T:
        if match is not None:
            message = self._pick(match, lanes or (self._urgent, self._normal))
        elif self._urgent:
            message = self._urgent.popleft()
        elif self._normal:
            message = self._normal.popleft()
            if self._waiting:
                self._admit()
        else:
            return cast("T", _NOTHING)
        if message is not _NOTHING:
            self._received += 1
            if issubclass(type(message), Request):
                self._hold(cast("Request[Any]", message))
        return message

    def _pick(self, match: Match[T], lanes: tuple[deque[T] | None, ...]) -> T:
        for lane in lanes:
            for index, message in enumerate(lane or ()):
                if match(message):
                    self._remove(cast("deque[T]", lane), index)
                    return message
        return cast("T", _NOTHING)

    def _remove(self, lane: deque[T], index: int) -> None:
        del lane[index]
        if lane is self._normal and self._waiting:
            self._admit()

    async def _wait(self, *, idle: bool) -> None:
        """Sleep until something is sent or the mailbox is closed."""
        if idle and self.owner is not None:
            self._idle, self._normal = self.owner, None
            self.owner.idled()
            if self.closed:  # the owner used the occasion
                return await cancel_shielded_checkpoint()
        self._reader = current_task()
        await wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> Abort:
        self._reader = None
        self._unidle()
        return Abort.SUCCEEDED

    def _unidle(self) -> None:
        if self._idle is not None:
            owner, self._idle = self._idle, None
            owner.woken()

    def _wake(self) -> None:
        reader = self._reader
        if reader is not None:
            self._reader = None
            self._unidle()
            reschedule(reader)

    # What senders do, through an `Address` or a directory.

    @enable_ki_protection
    def accept(self, message: T) -> bool:
        """Queue ``message``; false if there is no room. Raises `ActorStopped`, and `AskCycle` for a request."""
        if self.closed:
            raise ActorStopped(f"{self.name} accepts no more messages")
        normal = self._normal
        if normal is None:
            normal = self._normal = deque()
        if len(normal) >= self.capacity:
            return False
        if issubclass(type(message), Request):
            self._expect(cast("Request[Any]", message))
        normal.append(message)
        if len(normal) > self._peak:
            self._peak = len(normal)
        if self._reader is not None:
            self._wake()
        return True

    @enable_ki_protection
    def accept_urgent(self, message: T) -> None:
        """Queue ``message`` before all that are not urgent; there is always room."""
        if self.closed:
            raise ActorStopped(f"{self.name} accepts no more messages")
        if issubclass(type(message), Request):
            self._expect(cast("Request[Any]", message))
        if self._urgent is None:
            self._urgent = deque()
        self._urgent.append(message)
        self._peak = max(self._peak, self.queued)
        self._wake()

    @enable_ki_protection
    async def accept_later(self, message: T) -> None:
        """Wait for room, behind those who already do. If this is cancelled, ``message`` was not queued."""
        if issubclass(type(message), Request):
            self._expect(cast("Request[Any]", message))
        task = current_task()
        if self._waiting is None:
            self._waiting = {}
        waiting = self._waiting
        waiting[task] = message

        def abort(_: object) -> Abort:
            del waiting[task]
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    def _admit(self) -> None:
        """Move the message of the sender that has waited longest to the place that was freed."""
        assert self._waiting
        task = next(iter(self._waiting))
        assert self._normal is not None
        self._normal.append(self._waiting.pop(task))
        reschedule(task)
        self._wake()  # one who waits for a certain message may have got it by another's withdrawal

    # Requests: who answers for them.

    def _expect(self, request: Request[Any]) -> None:
        slip = request.slip
        if slip is not None and slip.live:
            require_no_cycle(slip, self)
            slip.leave_holder()
            slip.holder = self

    def _hold(self, request: Request[Any]) -> None:
        slip = request.slip
        if slip is not None and slip.live:
            if self._in_hand is None:
                self._in_hand = {}
            self._in_hand[slip] = None

    def let_go(self, slip: Slip) -> None:
        """``slip`` is settled, or was handed on."""
        if self._in_hand is not None:
            self._in_hand.pop(slip, None)
            if not self._in_hand:
                self._in_hand = None  # a dict keeps the room that it once took

    @enable_ki_protection
    def withdraw(self, slip: Slip) -> None:
        """Take the request of ``slip`` out of the queue if it is still there."""
        for lane in (self._urgent, self._normal):
            for index, message in enumerate(lane or ()):
                if issubclass(type(message), Request) and cast("Request[Any]", message).slip is slip:
                    self._remove(cast("deque[T]", lane), index)
                    return

    # What the one who runs the actor does.

    @enable_ki_protection
    def end_run(self) -> None:
        """The run has ended: the askers whose requests it had in hand get `NotAnswered`."""
        for slip in tuple(self._in_hand or ()):
            forsake(slip, self.name)

    @enable_ki_protection
    def close(self) -> None:
        """Accept nothing more. What was accepted can still be received; senders that wait for room are refused."""
        self.closed = True
        self._wake()
        waiting, self._waiting = self._waiting, None
        for task in waiting or ():
            reschedule(task, Error(ActorStopped(f"{self.name} accepts no more messages")))

    @enable_ki_protection
    def bury(self) -> list[T]:
        """Close it for good and return what nobody will receive; askers among it get `ActorStopped`."""
        self.close()
        dead = [*(self._urgent or ()), *(self._normal or ())]
        self._urgent = None
        self._normal = None
        for message in dead:
            if issubclass(type(message), Request):
                slip = cast("Request[Any]", message).slip
                if slip is not None and slip.live:
                    slip.settle(Error(ActorStopped(f"{self.name} stopped before it received this request")))
        return dead

    def statistics(self) -> MailboxStatistics:
        """How full it is, and how it has fared."""
        return MailboxStatistics(
            queued=self.queued,
            urgent=len(self._urgent or ()),
            peak=self._peak,
            capacity=self.capacity,
            senders_waiting=len(self._waiting or ()),
            received=self._received,
            closed=self.closed,
        )
