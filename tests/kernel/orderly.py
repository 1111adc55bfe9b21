"""Trio with its choices of order made as the kernel makes them, for tests.

Trio promises no order. For the time of a block, batches are taken first come first served, and the members of a cancel scope and
the waiters at a channel's end are kept in order of arrival. These are private names of Trio, touched in tests alone;
nothing else of Trio is changed: tasks, scopes, nurseries, groups of exceptions and every primitive are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
import trio._core._run as _run


class Ordered:
    """The part of a set that Trio uses, in order of arrival; two of them can share one order."""

    def __init__(self, members: dict[Any, None] | None = None, kind: type | None = None) -> None:
        self.members: dict[Any, None] = {} if members is None else members
        self.kind = kind

    def add(self, member: Any) -> None:
        self.members[member] = None

    def remove(self, member: Any) -> None:
        del self.members[member]

    def discard(self, member: Any) -> None:
        self.members.pop(member, None)

    def clear(self) -> None:
        self.members.clear()

    def __iter__(self) -> Iterator[Any]:
        return iter([m for m in self.members if self.kind is None or isinstance(m, self.kind)])

    def __len__(self) -> int:
        return len(list(iter(self)))


class _FirstComeFirstServed:
    """Trio takes a batch from its end, after reversing it half of the time: always reverse."""

    def random(self) -> float:
        return 0.0


def _recalculate(self: Any) -> None:
    """`CancelStatus.recalculate`, walking tasks and scopes in their one order, depth first."""
    todo = [self]
    while todo:
        member = todo.pop()
        if isinstance(member, _run.Task):
            member._attempt_delivery_of_any_pending_cancel()
            continue
        visible = member.parent_cancellation_is_visible_to_us
        state = member._scope._cancel_called or visible
        if state != member.effectively_cancelled:
            if visible and member._scope._cancel_reason is None:
                member._scope._cancel_reason = member._parent._scope._cancel_reason
            member.effectively_cancelled = state
            todo.extend(reversed(list(member._tasks.members)))


@contextmanager
def orderly_trio() -> Iterator[None]:
    """Trio with the kernel's order, for the time of the block."""
    status: Any = _run.CancelStatus
    ends: list[Any] = [trio.MemorySendChannel, trio.MemoryReceiveChannel]
    old_mode = _run._ALLOW_DETERMINISTIC_SCHEDULING
    old_random, old_post, old_recalculate = _run._r, status.__attrs_post_init__, status.recalculate
    old_ends = [end.__attrs_post_init__ for end in ends]

    def post_init(self: Any) -> None:
        members: dict[Any, None] = {}
        self._children, self._tasks = Ordered(members, status), Ordered(members, _run.Task)
        old_post(self)

    def end_post_init(old: Any) -> Any:
        def post(self: Any) -> None:
            self._tasks = Ordered()
            old(self)

        return post

    _run._r = _FirstComeFirstServed()  # type: ignore[assignment]
    _run._ALLOW_DETERMINISTIC_SCHEDULING = False
    status.__attrs_post_init__, status.recalculate = post_init, _recalculate
    for end, old in zip(ends, old_ends, strict=True):
        end.__attrs_post_init__ = end_post_init(old)
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = old_mode
        _run._r, status.__attrs_post_init__, status.recalculate = old_random, old_post, old_recalculate
        for end, old in zip(ends, old_ends, strict=True):
            end.__attrs_post_init__ = old
