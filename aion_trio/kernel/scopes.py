"""Cancel scopes with Trio's semantics: level-triggered, shielded, with deadlines that fire only when told.

A scope's *members* are the tasks directly in it and the scopes directly inside it, in order of arrival, in one
dict. Cancellation walks them in that order, depth first; no set and no address takes part. A scope is `_cancelled`
when its own cancellation was asked for or its parent's is visible through it; the flag is kept up to date by pushing
changes down, so that a checkpoint looks at one attribute.

Deadlines are whole microseconds. A deadline that has passed when it is set cancels at once, without an event; any
other one fires when the host says `deadline_passed(due)` for exactly that time, and not before, whatever the time is.
"""

from __future__ import annotations

from math import inf, isnan
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from .context import current_kernel, current_task, local

if TYPE_CHECKING:
    from .scheduler import Kernel
    from .tasks import Task

MICROSECONDS = 1_000_000


def us_of(seconds: float) -> int | None:
    """Seconds as whole microseconds, None for infinity.

    It rounds to the nearest, so that a time that came from the clock comes back as the same number and a deadline that
    has passed is never later than the time.
    """
    return None if seconds == inf else round(seconds * MICROSECONDS) if seconds != -inf else -1


class CancelScope:
    """As `trio.CancelScope`: a block that can be cancelled, by `cancel()` or when its deadline passes."""

    __slots__ = (
        "__weakref__", "_abandoned", "_alarm", "_cancel_called", "_cancelled", "_deadline", "_entered",
        "_kernel", "_members", "_parent", "_reason", "_relative", "_shield", "_source", "_source_task", "cancelled_caught",
    )  # fmt: skip

    def __init__(self, *, deadline: float = inf, relative_deadline: float = inf, shield: bool = False) -> None:
        if isnan(deadline) or isnan(relative_deadline):
            raise ValueError("deadline must not be NaN")
        if relative_deadline < 0:
            raise ValueError("timeout must be non-negative")
        if deadline != inf and relative_deadline != inf:
            raise ValueError("cannot specify both a deadline and a relative deadline")
        self._kernel: Kernel | None = None
        self._parent: CancelScope | None = None
        self._members: dict[Task | CancelScope, None] | None = None
        self._deadline = deadline
        self._relative = relative_deadline
        self._alarm: tuple[int, int] | None = None  # when it is due, and its number
        self._shield = shield
        self._source: str | None = None
        self._reason: str | None = None
        self._source_task: str | None = None
        self._cancel_called = self._cancelled = self._entered = self._abandoned = False
        self.cancelled_caught = False

    # ---- as a block

    def __enter__(self) -> Self:
        if self._entered:
            raise RuntimeError("Each CancelScope may only be used for a single 'with' block")
        kernel = self._kernel = current_kernel()
        task = current_task()
        self._entered = True
        self._members = {}
        parent = self._parent = task.scope
        members = parent._members
        assert members is not None
        members[self] = None
        if self._relative != inf:
            self._deadline = kernel.now + self._relative
            self._relative = inf
        if not self._cancel_called:
            self._arm(kernel)
        if self._cancel_called or (parent._cancelled and not self._shield):
            self._cancelled = True
            if self._source is None:
                self._inherit_reason(parent)
        task.move_to(self)
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> bool:
        rest = self.close(exc)
        if rest is None:
            return True
        if rest is exc:
            return False
        raise_in_own_context(rest)

    def close(self, exc: BaseException | None) -> BaseException | None:
        """Leave the scope; what is left of `exc` once this scope's own cancellation is taken out of it."""
        members, parent = self._members, self._parent
        if members is None or parent is None:
            return _misnested("a cancel scope was exited that had been exited before", exc)
        task = current_task()
        if task.scope is self:
            task.move_to(parent)
        elif not self._abandoned:
            error = _misnested("a cancel scope was exited that is not the innermost one of its task", exc)
            if not self._encloses(task.scope):
                return error
            exc = error
            task.move_to(parent)
        if (self._cancelled and (self._shield or not parent._cancelled)) or self._abandoned:
            exc = self._absorb(exc)
        self._unlink(members, parent)
        return exc

    def _absorb(self, exc: BaseException | None) -> BaseException | None:
        kernel = self._kernel
        assert kernel is not None
        if isinstance(exc, kernel.errors.cancelled):
            self.cancelled_caught = True
            return None
        if isinstance(exc, BaseExceptionGroup):
            caught, rest = split_group(exc, kernel.errors.cancelled)
            if caught is not None:
                self.cancelled_caught = True
            return rest
        return exc

    def _unlink(self, members: dict[Task | CancelScope, None], parent: CancelScope) -> None:
        assert parent._members is not None  # a scope that has members keeps them, even if it was left before them
        parent._members.pop(self, None)
        self._disarm()
        if not members:
            self._members = None
            return
        # Misnesting: what is left inside stays cancelled and linked to nobody; it may still enter and leave scopes.
        self._abandon()
        self._cancel_called = True
        self._push_down()
        self._parent = None

    def _abandon(self) -> None:
        self._abandoned = True
        for member in self._members or ():
            if isinstance(member, CancelScope):
                member._abandon()

    def _encloses(self, scope: CancelScope | None) -> bool:
        while scope is not None and scope is not self:
            scope = scope._parent
        return scope is self

    # ---- cancellation

    def cancel(self, reason: str | None = None) -> None:
        """Cancel what runs in this scope, now and later; calling it again does nothing."""
        if not self._cancel_called:
            kernel = local.kernel
            task = kernel.current if kernel is not None else None
            self.cancel_from("explicit", reason, repr(task) if task is not None else None)

    def cancel_from(self, source: str, reason: str | None = None, source_task: str | None = None) -> None:
        """Cancel, and say where it came from."""
        if self._cancel_called:
            return
        self._cancel_called = True
        if self._source is None:
            self._source, self._reason, self._source_task = source, reason, source_task
        self._disarm()
        if self._members is not None:
            self._push_down()

    def _inherit_reason(self, parent: CancelScope) -> None:
        self._source, self._reason, self._source_task = parent._source, parent._reason, parent._source_task

    def _push_down(self) -> None:
        """Pass a change of state on to the members, in their order, depth first."""
        todo: list[Task | CancelScope] = [self]
        while todo:
            member = todo.pop()
            if not isinstance(member, CancelScope):
                member.deliver_cancel()
                continue
            parent = member._parent
            visible = not member._shield and parent is not None and parent._cancelled
            cancelled = member._cancel_called or visible
            if cancelled is not member._cancelled:
                if parent is not None and member._source is None:
                    member._inherit_reason(parent)
                member._cancelled = cancelled
                todo.extend(reversed(member._members or ()))

    def make_cancelled(self) -> BaseException:
        """The exception for a task in this scope, which is cancelled."""
        kernel = self._kernel
        assert kernel is not None
        return kernel.errors.make_cancelled(self._source or "unknown", self._reason, self._source_task)

    @property
    def cancel_called(self) -> bool:
        """Whether cancellation was asked for, by a call or by the deadline."""
        return self._cancel_called

    # ---- deadline and shield

    def _arm(self, kernel: Kernel) -> None:
        due_us = us_of(self._deadline)
        if due_us is None:
            return
        if due_us <= kernel.time_us:
            self.cancel_from("deadline")
        else:
            self._alarm = due_us, kernel.alarms.set_deadline(due_us, self)

    def _disarm(self) -> None:
        if self._alarm is not None and self._kernel is not None:
            self._kernel.alarms.clear_deadline(*self._alarm)

    def _move_deadline(self, value: float) -> None:
        self._deadline = value
        if self._members is not None and not self._cancel_called and self._kernel is not None:
            self._disarm()
            self._arm(self._kernel)

    @property
    def deadline(self) -> float:
        """When the scope becomes cancelled, in seconds of the workflow's time; it can be moved at any time."""
        if self._relative != inf:
            raise RuntimeError("an unentered relative cancel scope does not have an absolute deadline")
        return self._deadline

    @deadline.setter
    def deadline(self, value: float) -> None:
        if isnan(value):
            raise ValueError("deadline must not be NaN")
        if self._relative != inf:
            raise RuntimeError("an unentered relative cancel scope does not have an absolute deadline")
        self._move_deadline(float(value))

    @property
    def relative_deadline(self) -> float:
        """Seconds until the deadline; before the block is entered, what they will be then."""
        if self._entered:
            return self._deadline - current_kernel().now
        if self._deadline != inf:
            raise RuntimeError("an unentered non-relative cancel scope does not have a relative deadline")
        return self._relative

    @relative_deadline.setter
    def relative_deadline(self, value: float) -> None:
        if isnan(value):
            raise ValueError("relative deadline must not be NaN")
        if value < 0:
            raise ValueError("relative deadline must be non-negative")
        if self._entered:
            self._move_deadline(current_kernel().now + float(value))
        elif self._deadline != inf:
            raise RuntimeError("an unentered non-relative cancel scope does not have a relative deadline")
        else:
            self._relative = value

    @property
    def shield(self) -> bool:
        """Whether cancellation of the scopes around this one stays outside."""
        return self._shield

    @shield.setter
    def shield(self, value: bool) -> None:
        if not isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("shield must be a bool")
        self._shield = value
        if self._members is not None:
            self._push_down()


class RootScope(CancelScope):
    """The scope that every task of a run is in: it has no parent and is never left."""

    __slots__ = ()

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel, self._members = kernel, {}


def split_group(group: Any, types: Any) -> tuple[BaseException | None, BaseException | None]:
    """`group.split(types)`: the part of an exception group that is of these types, and the rest."""
    matching, rest = group.split(types)
    return matching, rest


def raise_in_own_context(error: BaseException) -> NoReturn:
    """Raise `error` without the exception that is being handled becoming its `__context__`."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context


def _misnested(what: str, exc: BaseException | None) -> RuntimeError:
    error = RuntimeError(
        f"Cancel scope stack corrupted: {what}. This comes from yielding inside a cancel scope or nursery in a generator, "
        "or from entering and leaving them by hand; use 'with' and 'async with', nested."
    )
    error.__context__ = exc
    return error
