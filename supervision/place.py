"""Where the code that is running stands in the tree.

A context variable holds the place of the run that a task belongs to. It gives nested supervisors their path and
their instruments, and it is how an `ask` knows who asks.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import trio

    from .instrument import Instruments
    from .requests import Slip
    from .snapshot import Inspectable


class Place(Protocol):
    """One child or keyed actor, across its runs; the owner of its mailbox."""

    @property
    def path(self) -> str: ...

    @property
    def instruments(self) -> Instruments: ...

    @property
    def task(self) -> trio.lowlevel.Task | None:
        """The main task of the present run; while it waits in `ask`, the actor reads no mailbox."""

    asking: Slip | None  # what that task waits for

    def contain(self, inner: Inspectable) -> None:
        """The present run has opened ``inner``."""

    def release(self, inner: Inspectable) -> None:
        """It has closed it."""

    def idled(self) -> None:
        """The actor waits for any message, and there is none."""

    def woken(self) -> None:
        """It waits no more."""


here: ContextVar[Place | None] = ContextVar("aion_trio.supervision.here", default=None)
