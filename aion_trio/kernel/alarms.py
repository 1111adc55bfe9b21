"""What is due when: the deadlines of cancel scopes and the timers of a run, in the order (due, set order).

Nothing here looks at a clock. `first()` says what would be due next; that it *is* due is told from outside, as an
event. Ties are kept in the order in which they were set, never by address: that order is part of the durable format.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .scopes import CancelScope

_SPARE = 64
"""How many entries the heap may hold besides two for each that counts."""


class Alarms:
    """A heap of (due, number) and, by number, who set it: a cancel scope, or a timer's ordinal.

    Invariant: an entry of the heap counts if and only if its number is in `_owners`.
    """

    __slots__ = ("_by_due", "_count", "_heap", "_owners")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []
        self._owners: dict[int, CancelScope | int] = {}
        self._by_due: dict[int, dict[int, CancelScope]] = {}
        self._count = 0

    def set_timer(self, due_us: int, ordinal: int) -> int:
        """Note the timer `ordinal`; the number that is returned clears it."""
        return self._note(due_us, ordinal)

    def set_deadline(self, due_us: int, scope: CancelScope) -> int:
        """Note the deadline of `scope`; the number that is returned clears it."""
        number = self._note(due_us, scope)
        scopes = self._by_due.get(due_us)
        if scopes is None:
            self._by_due[due_us] = {number: scope}
        else:
            scopes[number] = scope
        return number

    def _note(self, due_us: int, owner: CancelScope | int) -> int:
        self._count = number = self._count + 1
        heap, owners = self._heap, self._owners
        owners[number] = owner
        if len(heap) > _SPARE + 2 * len(owners):
            heap[:] = [entry for entry in heap if entry[1] in owners]
            heapify(heap)
        heappush(heap, (due_us, number))
        return number

    def clear_timer(self, number: int) -> None:
        """The timer is over; clearing twice is fine."""
        self._owners.pop(number, None)

    def clear_deadline(self, due_us: int, number: int) -> None:
        """The scope is over, or its deadline was moved; clearing twice is fine."""
        if self._owners.pop(number, None) is not None:
            scopes = self._by_due[due_us]
            del scopes[number]
            if not scopes:
                del self._by_due[due_us]

    def take_deadlines(self, due_us: int) -> list[CancelScope]:
        """The scopes with exactly this deadline, in the order in which they set it. They are noted no longer."""
        scopes = self._by_due.pop(due_us, None)
        if scopes is None:
            return []
        for number in scopes:
            del self._owners[number]
        return list(scopes.values())

    def first(self) -> tuple[int, CancelScope | int] | None:
        """What is due next: its time and its owner."""
        heap, owners = self._heap, self._owners
        while heap:
            due_us, number = heap[0]
            owner = owners.get(number)
            if owner is not None:
                return due_us, owner
            heappop(heap)
        return None

    def clear(self) -> None:
        """Forget everything: nothing in the heap counts any more."""
        self._owners.clear()
        self._by_due.clear()
