"""A value that does not fit its annotation, and where in the whole it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aion_trio.errors import InvalidInputError

_SHOWN = (str, int, float, bytes, list, tuple, dict, set, frozenset)
_SHOWN_CHARACTERS = 60


class Misfit(Exception):
    """What was expected, what was found, and the path to it from the value at hand (`.parcels[2].weight`)."""

    def __init__(self, expected: str, found: str, path: str = "") -> None:
        super().__init__(expected, found, path)
        self.expected, self.found, self.path = expected, found, path

    def under(self, segment: str) -> Misfit:
        """The same misfit, seen from the value that holds this one at `segment`."""
        return Misfit(self.expected, self.found, segment + self.path)

    def error(self, place: str = "") -> InvalidInputError:
        """What the caller is told; `place` names the whole (a parameter's name)."""
        path = (place + self.path).lstrip(".")
        return InvalidInputError(f"{path or 'value'}: expected {self.expected}, found {self.found}", path)


def misfit(expected: str, value: object) -> Misfit:
    """The misfit of `value` itself."""
    return Misfit(expected, shown(value))


def shown(value: object) -> str:
    """`value` with its type, short enough for a message; never raises."""
    kind = type(value).__name__
    if value is None:
        return "None"
    if not issubclass(type(value), _SHOWN):
        return kind
    try:
        text = repr(value)
    except Exception:  # a user's subclass may have any __repr__
        return kind
    return f"{kind} {text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + '…'}"


def locate(parts: Iterable[tuple[str, Callable[[Any], object], Any]]) -> None:
    """Raise the first misfit among `parts` (segment, hook, value) under its segment.

    Called only after a fast pass over the same parts has failed, so that the fast pass need not know where it is.
    """
    for segment, hook, value in parts:
        try:
            hook(value)
        except Misfit as inner:
            raise inner.under(segment) from None
