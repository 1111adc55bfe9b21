"""The exceptions that a kernel raises into workflow code, as a seam, and those that end a step.

The kernel does not import Trio, and yet workflow code shall meet `trio.TooSlowError` where Trio would raise it. So
the types are handed in. `KERNEL_ERRORS` are the kernel's own, for a kernel that stands alone.

`Evicted` and `Fault` are raised at every durable call of a kernel that must not go on. They are `BaseException`s that
mean nothing to user code; swallowing one changes nothing, because the next durable call raises it again and the
driver looks at the kernel's state, never at what came out of the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Cancelled(BaseException):
    """Raised at a checkpoint inside a cancelled scope; let it propagate."""

    def __init__(self, source: str = "unknown", reason: str | None = None, source_task: str | None = None) -> None:
        super().__init__(source, reason, source_task)
        self.source, self.reason, self.source_task = source, reason, source_task

    def __str__(self) -> str:
        reason = "" if self.reason is None else f" with reason {self.reason!r}"
        task = "" if self.source_task is None else f" from task {self.source_task}"
        return f"cancelled due to {self.source}{reason}{task}"


class TooSlowError(Exception):
    """The deadline of `fail_after` or `fail_at` passed."""


class WouldBlock(Exception):
    """A `_nowait` call would have to wait."""


class ClosedResourceError(Exception):
    """This end of the channel was closed."""


class BrokenResourceError(Exception):
    """The other end of the channel was closed, or a lock's owner ended without releasing it."""


class EndOfChannel(Exception):
    """No more values will come out of the channel."""


class BusyResourceError(Exception):
    """Another task is using this already."""


@dataclass(frozen=True, slots=True)
class Errors:
    """The exception types of one kernel. `make_cancelled(source, reason, source_task)` makes an instance of `cancelled`."""

    cancelled: type[BaseException] = Cancelled
    make_cancelled: Callable[[str, str | None, str | None], BaseException] = Cancelled
    too_slow: type[Exception] = TooSlowError
    would_block: type[Exception] = WouldBlock
    closed_resource: type[Exception] = ClosedResourceError
    broken_resource: type[Exception] = BrokenResourceError
    end_of_channel: type[Exception] = EndOfChannel
    busy_resource: type[Exception] = BusyResourceError


KERNEL_ERRORS = Errors()


class Evicted(BaseException):
    """The run is dropped from memory; every durable call in it raises this, and nothing is recorded."""


class Fault(BaseException):
    """The step is void: the driver raises the error that this was made with, whatever user code does."""
