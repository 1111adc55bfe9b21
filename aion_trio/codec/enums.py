"""Shapes of enums and literals."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, get_args

from aion_trio.codec.misfit import misfit
from aion_trio.codec.narrow import class_of
from aion_trio.codec.scalars import FLAT
from aion_trio.codec.shapes import Shape, readable
from aion_trio.errors import UnsupportedTypeError

if TYPE_CHECKING:
    from aion_trio.codec.shapes import Shapes


def enum_shape(cls: type[Enum]) -> Shape:
    """An enum, stored by value if all values are str or int, else by name."""
    by_value = all(type(member.value) in (str, int) for member in cls)

    def plain(member: Any) -> Any:
        if not isinstance(member, cls):
            member = build(member)
        return member.value if by_value else member.name

    def build(stored: Any) -> Any:
        if isinstance(stored, cls):
            return stored
        try:
            return cls(stored) if by_value and not isinstance(stored, bool) else cls[str(stored)]
        except (ValueError, KeyError, TypeError):
            raise misfit(f"{cls.__name__} ({_choices(cls, by_value)})", stored) from None

    kinds: set[type] = {class_of(member.value) for member in cls} if by_value else {str}
    return Shape(cls.__name__, plain, build, frozenset(kinds or {int}), frozenset({cls}), bounded=True)


def _choices(cls: type[Enum], by_value: bool) -> str:
    names = [repr(member.value) if by_value else member.name for member in cls]
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def literal_shape(annotation: Any, shapes: Shapes) -> Shape:
    """A literal: one of the given values, of exactly their type; an enum's members are stored as the enum is."""
    name = readable(annotation)
    choices: dict[tuple[type, Any], Any] = {}
    kinds: set[type] = set()
    for choice in get_args(annotation):
        if isinstance(choice, Enum):
            stored = shapes.of(type(choice)).plain(choice)
        elif type(choice) in FLAT:
            stored = choice
        else:
            raise UnsupportedTypeError(f"`{name}` cannot be stored: {choice!r} is no plain value and no enum member")
        kinds.add(class_of(stored))
        choices[type(choice), choice] = stored
    by_stored = {(class_of(stored), stored): choice for (_, choice), stored in choices.items()}
    if len(by_stored) != len(choices):
        raise UnsupportedTypeError(f"`{name}` cannot be stored: two of its values are stored alike")

    def plain(value: Any) -> Any:
        try:
            return choices[type(value), value]
        except (KeyError, TypeError):
            return choices[type(built := build(value)), built]

    def build(stored: Any) -> Any:
        try:
            return by_stored[type(stored), stored]
        except (KeyError, TypeError):
            raise misfit(name, stored) from None

    types = frozenset(class_of(choice) for _, choice in choices)
    return Shape(name, plain, build, frozenset(kinds), types, bounded=True)
