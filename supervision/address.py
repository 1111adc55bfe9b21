"""The address of a mailbox: what others have of an actor, and how they ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled, current_task

from .place import here
from .requests import Request

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .place import Place

T = TypeVar("T")
R = TypeVar("R")


class Address(Generic[T]):
    """Where to send an actor's messages; the only thing that others need of it."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Mailbox[T]) -> None:
        self._mailbox = mailbox

    def __repr__(self) -> str:
        return f"<address of {self._mailbox.name}>"

    def send_nowait(self, message: T, *, urgent: bool = False) -> None:
        """Queue ``message``, or raise `trio.WouldBlock` if the mailbox is full; urgent ones always fit."""
        if urgent:
            self._mailbox.accept_urgent(message)
        elif not self._mailbox.accept(message):
            raise trio.WouldBlock

    async def send(self, message: T) -> None:
        """Queue ``message``, waiting for room. If this is cancelled, it was not queued.

        Raises `ActorStopped` if the actor has stopped, or stops while this waits.
        """
        await checkpoint_if_cancelled()
        if self._mailbox.accept(message):
            await cancel_shielded_checkpoint()
        else:
            await self._mailbox.accept_later(message)

    async def ask(self, request: Request[R]) -> R:
        """Send ``request`` and wait for its answer.

        There is no time-out parameter: the deadline is that of the cancel scope around the call. If it is cancelled,
        a request that is still queued is taken back, and one in hand is no longer `wanted <Request.wanted>`.

        Raises what the actor answers with `Request.fail`; `NotAnswered` if the run that had it in hand has ended;
        `ActorStopped` if nobody will receive it; `AskCycle` if the answer could only come after this call.
        """
        await checkpoint_if_cancelled()
        return await ask(self._mailbox, request)


async def ask(mailbox: Mailbox[Any], request: Request[R]) -> R:
    """Put ``request`` into ``mailbox`` and wait for what comes of it."""
    asker = _asking_actor()
    slip = request.issue(asker)
    if asker is not None:
        asker.asking = slip
    try:
        if not mailbox.accept(request):
            await mailbox.accept_later(request)
        return cast("R", await slip.answer())
    except BaseException:
        if slip.live:
            slip.withdraw()
        raise
    finally:
        if asker is not None:
            asker.asking = None


def _asking_actor() -> Place | None:
    """The actor that reads no mailbox while the current task waits: the one whose main task it is."""
    place = here.get()
    return place if place is not None and place.task is current_task() else None
