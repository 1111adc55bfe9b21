"""Where the code that is running stands in the tree.

A context variable holds the place of the run that a task belongs to. It gives nested supervisors their path and
their instruments, and it is how an `ask` knows who asks.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .instrument import Instruments
    from .mailbox import Mailbox
    from .snapshot import Inspectable


class Place(Protocol):
    """One child or keyed actor, across its runs; the owner of its mailbox."""

    @property
    def path(self) -> str: ...

    @property
    def instruments(self) -> Instruments: ...

    @property
    def mailbox(self) -> Mailbox[Any] | None: ...

    def contain(self, inner: Inspectable) -> None:
        """The present run has opened ``inner``."""

    def release(self, inner: Inspectable) -> None:
        """It has closed it."""

    def idled(self) -> None:
        """The actor waits for any message, and there is none."""

    def woken(self) -> None:
        """It waits no more."""


here: ContextVar[Place | None] = ContextVar("aion_trio.supervision.here", default=None)
