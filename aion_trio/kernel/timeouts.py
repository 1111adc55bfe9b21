"""Time-outs as Trio's: scopes with a deadline in the workflow's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf, isnan

from .context import current_kernel, current_task
from .scopes import CancelScope


def require_seconds(seconds: float) -> None:
    """ValueError for a negative number of seconds or NaN."""
    if isnan(seconds):
        raise ValueError("`seconds` must not be NaN")
    if seconds < 0:
        raise ValueError("`seconds` must be non-negative")


def move_on_at(deadline: float, *, shield: bool) -> CancelScope:
    """A scope that is cancelled at `deadline`, in epoch seconds."""
    return CancelScope(deadline=deadline, shield=shield)


def move_on_after(seconds: float, *, shield: bool) -> CancelScope:
    """A scope that is cancelled `seconds` after it was entered."""
    require_seconds(seconds)
    return CancelScope(relative_deadline=seconds, shield=shield)


@contextmanager
def fail_at(deadline: float, *, shield: bool) -> Iterator[CancelScope]:
    """As `move_on_at`; TooSlowError if the deadline cut the block off."""
    with move_on_at(deadline, shield=shield) as scope:
        yield scope
    if scope.cancelled_caught:
        raise current_kernel().errors.too_slow


@contextmanager
def fail_after(seconds: float, *, shield: bool) -> Iterator[CancelScope]:
    """As `move_on_after`; TooSlowError if the deadline cut the block off."""
    with move_on_after(seconds, shield=shield) as scope:
        yield scope
    if scope.cancelled_caught:
        raise current_kernel().errors.too_slow


def current_time() -> float:
    """The workflow's time in epoch seconds: that of the event applied last."""
    kernel = current_kernel()
    kernel.charge()
    return kernel.now


def current_effective_deadline() -> float:
    """The earliest deadline of the scopes around this task up to a shield; -inf if it is cancelled."""
    scope: CancelScope | None = current_task().scope
    assert scope is not None
    if scope._cancelled:
        return -inf
    deadline = inf
    while scope is not None:
        deadline = min(deadline, scope._deadline)
        scope = None if scope._shield else scope._parent
    return deadline
