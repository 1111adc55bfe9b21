"""What the writer remembers of the committed state, so that an append need not look up what the last one wrote."""

from __future__ import annotations

from ..contract import WorkflowKey
from .lookup import Names

Place = tuple[int, int]
"""The serial and the head of a workflow."""

_REMEMBERED = 50_000


class Memo:
    """Places and names as they are committed, or will be when the transaction under way is.

    A failed transaction is undone by dropping the whole memo. The number of places is bounded: they are kept in two
    generations, and the older one is dropped when the younger one is full.
    """

    def __init__(self, next_serial: int) -> None:
        self.names = Names()
        self.next_serial = next_serial
        self._young: dict[WorkflowKey, Place] = {}
        self._old: dict[WorkflowKey, Place] = {}

    def place(self, key: WorkflowKey) -> Place | None:
        """The serial and head of `key`, if they are remembered."""
        place = self._young.get(key)
        return self._old.get(key) if place is None else place

    def keep(self, key: WorkflowKey, place: Place) -> None:
        """Remember a place."""
        self._young[key] = place
        if len(self._young) >= _REMEMBERED:
            self._young, self._old = {}, self._young

    def forget(self, key: WorkflowKey) -> None:
        """The key has no place any more."""
        self._young.pop(key, None)
        self._old.pop(key, None)
