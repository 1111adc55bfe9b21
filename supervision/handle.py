"""Following one child of a supervisor: wait for its end, hear of every end, or share its fate."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

from .errors import ActorStopped, LinkBroken
from .exits import Exit

if TYPE_CHECKING:
    from .address import Address
    from .slot import Slot


class Handle:
    """One child, across its runs; made by `Supervisor.handle`."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def __repr__(self) -> str:
        return f"<handle of {self.path}, {self.state}>"

    @property
    def path(self) -> str:
        """Its name from the root down."""
        return self._slot.path

    @property
    def state(self) -> str:
        """``idle``, ``starting``, ``running``, ``stopping``, ``waiting`` (for its back-off) or ``done``."""
        return self._slot.state.value

    @property
    def value(self) -> Any:
        """What the newest run that is or was ready passed to ``task_status.started()``."""
        return self._slot.value

    @property
    def runs(self) -> int:
        """How many runs have begun."""
        return self._slot.runs

    @property
    def last_exit(self) -> Exit | None:
        """How the newest run that has ended did so."""
        return self._slot.exit

    @property
    def address(self) -> Address[Any]:
        """Where to send to this child; a `LookupError` if it was declared without a mailbox."""
        if self._slot.mailbox is None:
            raise LookupError(f"{self.path} has no mailbox; declare one with Child(mailbox=Mailbox())")
        return self._slot.mailbox.address

    async def exited(self) -> Exit:
        """Wait for the end of the present run. Where no run is up, how the last one ended.

        Raises `ActorStopped` if the child has never run and never will.
        """
        if self._slot.run is None and self._slot.exit is not None:
            await trio.lowlevel.checkpoint()
            return self._slot.exit
        with watch(self) as exits:
            try:
                return await exits.receive()
            except trio.EndOfChannel:
                raise ActorStopped(f"{self.path} never ran") from None

    def subscribe(self, tell: Callable[[Exit | None], None]) -> Callable[[], None]:
        """Have ``tell`` called at every end of a run, and with None when there will be no further run.

        It is called in the middle of things and must not raise. Call what is returned to end the subscription.
        """
        key = object()
        if self._slot.gone:
            tell(None)
        else:
            self._slot.watchers[key] = tell

        def unsubscribe() -> None:
            self._slot.watchers.pop(key, None)

        return unsubscribe


@contextmanager
def watch(handle: Handle) -> Generator[trio.MemoryReceiveChannel[Exit]]:
    """Every `Exit` of a child while the block lasts, in order and none left out, as a channel.

    The channel ends when there will be no further run::

        with watch(supervisor.handle("journal")) as exits:
            async for exit in exits:
                ...
    """
    tell, exits = trio.open_memory_channel[Exit](math.inf)

    def hear(exit: Exit | None) -> None:
        if exit is None:
            tell.close()
        else:
            tell.send_nowait(exit)

    unsubscribe = handle.subscribe(hear)
    with tell, exits:
        try:
            yield exits
        finally:
            unsubscribe()


@contextmanager
def linked(handle: Handle) -> Generator[None]:
    """Let a block last no longer than the child's present run.

    What the child gave out when it started (a store, a port, a session) is worth nothing once that run has ended,
    however it ended. When it does, the block is cancelled, and `LinkBroken` is raised where it is left, unless it
    was done by itself. Where no run is ready at the beginning, `LinkBroken` or `ActorStopped` is raised at once.
    """
    if handle.state not in ("running", "stopping"):
        if handle.last_exit is not None:
            raise LinkBroken(handle.last_exit)
        raise ActorStopped(f"{handle.path} is not up")
    ended: list[Exit] = []
    with trio.CancelScope() as scope:

        def hear(exit: Exit | None) -> None:
            if exit is not None:
                ended.append(exit)
                scope.cancel()

        unsubscribe = handle.subscribe(hear)
        try:
            yield
        finally:
            unsubscribe()
    if scope.cancelled_caught:
        raise LinkBroken(ended[0])
