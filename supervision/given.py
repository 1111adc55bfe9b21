"""What a caller has given: of the kind that is expected, or refused with a `TypeError` that says what was found."""

from __future__ import annotations

from enum import Enum
from numbers import Real
from typing import TypeVar

W = TypeVar("W", bound=Enum)


def require_kind(what: str, value: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse a ``value`` for ``what`` that is no ``kind``."""
    if not isinstance(value, kind):
        raise TypeError(f"{what}: expected {expected}, found {value!r}")


def require_numbers(owner: str, **values: object) -> None:
    """Refuse what is no number, by the name that it has at ``owner``."""
    for name, value in values.items():
        require_kind(f"{owner}: {name}", value, Real, "a number")


def require_callable(what: str, value: object, expected: str) -> None:
    """Refuse what cannot be called, such as a coroutine: the function, not what a call of it returns, is wanted."""
    if not callable(value):
        raise TypeError(f"{what}: expected {expected}, found {value!r}")


def word(what: str, value: object, words: type[W]) -> W:
    """The member of ``words`` that ``value`` is or names, as a file of settings would; ValueError for an unknown name."""
    if isinstance(value, words):
        return value
    if isinstance(value, str):
        for each in words:
            if each.value == value:
                return each
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{what}: expected {words.__name__} or one of {', '.join(repr(each.value) for each in words)}, found {value!r}")
