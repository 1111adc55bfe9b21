"""A value that does not fit its annotation, and where in the whole it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aion_trio.errors import InvalidInputError

_SHOWN = (str, int, float, bytes, list, tuple, dict, set, frozenset)
_SHOWN_CHARACTERS = 60


class Misfit(Exception):
    """What was expected, what was found, and the path to it from the value at hand (`.parcels[2].weight`).

    `at` is the value at hand: the very object that the hook was given which raises this.
    """

    def __init__(self, expected: str, found: str, path: str = "", *, at: object) -> None:
        super().__init__(expected, found, path)
        self.expected, self.found, self.path, self.at = expected, found, path, at

    def under(self, segment: str, whole: object) -> Misfit:
        """The same misfit, seen from the value that holds this one at `segment`."""
        return Misfit(self.expected, self.found, segment + self.path, at=whole)

    def error(self, place: str = "") -> InvalidInputError:
        """What the caller is told; `place` names the whole (a parameter's name)."""
        path = (place + self.path).lstrip(".")
        return InvalidInputError(f"{path or 'value'}: expected {self.expected}, found {self.found}", path)


def misfit(expected: str, value: object) -> Misfit:
    """The misfit of `value` itself."""
    return Misfit(expected, shown(value), at=value)


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


def located(parts: Iterable[tuple[str, Callable[[Any], object], Any]], found: Misfit, whole: object) -> Misfit:
    """The misfit of one of `parts` (segment, hook, value), as a misfit of `whole`: under the segment of that part.

    Called only after a fast pass over the parts has failed, so that the fast pass need not know where it is. The part is told by
    its identity. Its hook is not run again, since each level would double the time; hooks run only to tell apart the places
    of an object that stands in several.
    """
    suspects = [part for part in parts if part[2] is found.at]
    for segment, hook, value in suspects[:-1]:
        try:
            hook(value)
        except Misfit as again:
            return again.under(segment, whole)
    return found.under(suspects[-1][0] if suspects else "", whole)
