"""Shapes of unions.

The members of a union are told apart by the type of what is stored: an int is not a str. Members that are stored
alike (two dataclasses, an enum and a str) are stored with the member's name beside them, as
`{"$type": name, "$value": data}`; renaming such a class therefore makes older payloads unreadable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aion_trio.codec.misfit import Misfit, misfit
from aion_trio.codec.narrow import class_of, is_dict
from aion_trio.codec.shapes import ANYTHING, Hook, Shape
from aion_trio.errors import UnsupportedTypeError

_STORED_AS: Mapping[type, type] = {tuple: list, frozenset: set}
_TAGS = {"$type", "$value"}
_NEVER_ASKED = frozenset({object})
"""The kinds of a union: it is no member of another, whose members its own are (`shapes`)."""


def union_shape(name: str, members: Sequence[Shape]) -> Shape:
    """The shape of a union; one with a member that takes anything takes anything."""
    if any(not member.kinds for member in members):
        return ANYTHING
    optional = _optional(name, members)
    if optional is not None:
        return optional
    choice = _Choice(name, members)
    hashable = all(member.hashable and not choice.is_tagged(member) for member in members)
    bounded = all(member.bounded for member in members)
    return Shape(name, choice.plain, choice.build, _NEVER_ASKED, hashable=hashable, bounded=bounded)


def _optional(name: str, members: Sequence[Shape]) -> Shape | None:
    """`T | None`, where T is never stored as None: the common union, without a search."""
    others = [member for member in members if member.flat is not type(None)]
    if len(others) != 1 or type(None) in others[0].kinds:
        return None
    only = others[0]

    def hook(convert: Hook) -> Hook:
        def convert_optional(value: Any) -> Any:
            if value is None:
                return None
            try:
                return convert(value)
            except Misfit as found:
                raise found if found.path else Misfit(name, found.found, at=value) from None

        return convert_optional

    return Shape(name, hook(only.plain), hook(only.build), _NEVER_ASKED, hashable=only.hashable, bounded=only.bounded)


class _Choice:
    """Which member of a union a value or a stored value belongs to; the order of the members plays no part."""

    def __init__(self, name: str, members: Sequence[Shape]) -> None:
        self._name, self._members = name, members
        users = Counter(kind for member in members for kind in member.kinds)
        self._alike = frozenset(kind for kind, count in users.items() if count > 1)
        tagged = [member for member in members if self.is_tagged(member)]
        self._by_tag = {member.name: member for member in tagged}
        if len(self._by_tag) < len(tagged):
            raise UnsupportedTypeError(
                f"`{name}` cannot be stored: two of its members have the same name, so their values cannot be told apart"
            )
        self._by_kind = {kind: member for member in members if not self.is_tagged(member) for kind in member.kinds}

    def is_tagged(self, member: Shape) -> bool:
        """Whether another member is stored alike."""
        return not self._alike.isdisjoint(member.kinds)

    def plain(self, value: Any) -> Any:
        """The plain data of `value`, by the member of its exact type, of its nearest base, or the only one that it fits."""
        for cls in type(value).__mro__:
            members = [member for member in self._members if cls in member.types]
            if members:
                member, data = self._only_fit(members, value, lambda shape: shape.plain)
                break
        else:
            member, data = self._only_fit(self._members, value, lambda shape: shape.plain)
        return {"$type": member.name, "$value": data} if self.is_tagged(member) else data

    def build(self, data: Any) -> Any:
        """The value of plain data, by its tag, its kind, or the only member that it fits."""
        if is_dict(data) and data.keys() == _TAGS:
            member = self._by_tag.get(data["$type"])
            if member is None:
                raise Misfit(f"one of {', '.join(self._by_tag) or self._name}", f"$type {data['$type']!r}", at=data)
            try:
                return member.build(data["$value"])
            except Misfit as found:
                raise found.under("", data) from None
        kind = class_of(data)
        kind = _STORED_AS.get(kind, kind)
        member = self._by_kind.get(kind)
        if member is not None:
            return member.build(data)
        return self._only_fit(self._members, data, lambda shape: shape.build)[1]

    def _only_fit(self, members: Sequence[Shape], value: Any, hook: Callable[[Shape], Hook]) -> tuple[Shape, Any]:
        fits: list[tuple[Shape, Any]] = []
        deepest: Misfit | None = None
        for member in members:
            try:
                fits.append((member, hook(member)(value)))
            except Misfit as found:
                deepest = found if deepest is None or len(found.path) > len(deepest.path) else deepest
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise Misfit(f"one of {self._name}", f"a value that fits {', '.join(member.name for member, _ in fits)} alike", at=value)
        if deepest is not None and deepest.path:
            raise deepest
        raise misfit(self._name, value)
