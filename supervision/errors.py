"""Everything that this package raises of its own accord.

    SupervisionError
    ├── StartFailed      a child raised, or ended, before it said that it had started
    ├── GaveUp           a supervisor spent its restart budget
    ├── ActorStopped     nobody will ever receive this message
    ├── NotAnswered      the run that had the request in hand ended without an answer
    ├── AskCycle         the request would wait for the actor that makes it
    └── LinkBroken       the child that a block depended on has ended

None of them is an `ExceptionGroup`: Python refuses ``except* SomeGroup``, so a group that is to be caught by
type is a trap. Where several errors stand behind one, the group is the ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .exits import Exit


class SupervisionError(Exception):
    """The root of this package's errors."""


class StartFailed(SupervisionError):
    """A child raised, or ended, before it called ``task_status.started()``; the cause is what it raised, if it did."""


class GaveUp(SupervisionError):
    """A supervisor needed more restarts than its `Budget` allows.

    ``failures`` are the errors that led to it, oldest first; as a group they are also the ``__cause__``.
    """

    def __init__(self, message: str, failures: Sequence[Exception]) -> None:
        super().__init__(message)
        self.failures = tuple(failures)
        self.__cause__ = ExceptionGroup("the failures were", list(failures)) if failures else None


class ActorStopped(SupervisionError):
    """The message was not accepted, or was accepted and never received: its actor has stopped for good."""


class NotAnswered(SupervisionError):
    """The run that had this request in hand ended first. Whether it acted on the request is not known."""


class AskCycle(SupervisionError):
    """Waiting for this answer would be waiting for oneself: every actor of ``path`` waits for the next one.

    Raised at the actor that would close the circle, before its request is sent. ``path`` begins and ends with it.
    """

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__(
            f"{path[0]} would wait for its own answer: {' -> '.join(path)}; "
            "send without waiting, or ask from a task that the actor's loop does not wait for"
        )
        self.path = tuple(path)


class LinkBroken(SupervisionError):
    """The run that a `linked` block depended on has ended; ``exit`` says how."""

    def __init__(self, exit: Exit) -> None:
        super().__init__(f"{exit.path} has {exit.how}")
        self.exit = exit
        self.__cause__ = exit.error
