"""Shapes: how the values of one annotation are stored and read back.

A shape is a pair of hooks, `plain` (a value to plain data) and `build` (plain data to a value). Both check what they
are given and raise Misfit, so that neither a caller's mistake nor a damaged payload goes on as something else. A
misfit is located afterwards, by a second and slower pass: what fits pays nothing for good messages.
"""

from __future__ import annotations

import types
import typing
from collections import Counter, OrderedDict, deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set as AbstractSet,
)
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin

from aion_trio.codec.narrow import is_class
from aion_trio.codec.scalars import CHECKS, FLAT, PATHS
from aion_trio.errors import UnsupportedTypeError

Hook = Callable[[Any], Any]

_UNIONS = (Union, types.UnionType)
_NOTES = (Annotated, typing.Required, typing.NotRequired, typing.Final)


@dataclass(frozen=True, slots=True)
class Shape:
    """Both directions of one annotation.

    `kinds` are the types of the plain data that `plain` gives and `types` the exact types of the values that it takes,
    both for telling the members of a union apart; an empty `kinds` is any. `hashable` says that the plain data can be
    a key. `flat` is the type whose values are stored as they are, if their exact type is this one. `bounded` says that
    the annotation itself bounds how deep the data nests.
    """

    name: str
    plain: Hook
    build: Hook
    kinds: frozenset[type]
    types: frozenset[type] = frozenset()
    hashable: bool = True
    flat: type | None = None
    bounded: bool = False


def as_is(value: Any) -> Any:
    """The hook of values that need no check."""
    return value


ANYTHING = Shape("Any", as_is, as_is, frozenset())
"""No annotation, `Any` or `object`: plain data, given back as plain data."""

SEQUENCES: Mapping[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    deque: deque,
    Sequence: list,
    MutableSequence: list,
    Collection: list,
    Iterable: list,
}
SETS: Mapping[Any, Callable[[Iterable[Any]], Any]] = {set: set, frozenset: frozenset, AbstractSet: set, MutableSet: set}
MAPPINGS: Mapping[Any, Callable[[Any], Any]] = {
    dict: dict,
    OrderedDict: OrderedDict,
    Counter: Counter,
    Mapping: dict,
    MutableMapping: dict,
}


class Shapes:
    """The shapes of all annotations that were met, by annotation.

    Invariant: a class is described once, also where it refers to itself.
    """

    def __init__(self) -> None:
        self._classes: dict[Any, Shape] = {}

    def of(self, annotation: Any) -> Shape:
        """The shape of an annotation; UnsupportedTypeError names the innermost type that has none."""
        annotation = _bare(annotation)
        if annotation in (Any, object):
            return ANYTHING
        if annotation is None:
            annotation = type(None)
        leaf = _leaf(annotation)
        if leaf is not None:
            return leaf
        origin = get_origin(annotation)
        if origin in _UNIONS:
            return self._of_union(annotation)
        if origin is Literal:
            return self._of_literal(annotation)
        if _is_alias(annotation):
            return self._of_class(annotation, lambda: self.of(annotation.__value__))
        return self._of_container(annotation, origin or annotation) or self._of_type(annotation, origin or annotation)

    def _of_union(self, annotation: Any) -> Shape:
        from aion_trio.codec.unions import union_shape

        return union_shape(readable(annotation), [self.of(member) for member in dict.fromkeys(_members(annotation))])

    def _of_literal(self, annotation: Any) -> Shape:
        from aion_trio.codec.enums import literal_shape

        return literal_shape(annotation, self)

    def _of_container(self, annotation: Any, origin: Any) -> Shape | None:
        from aion_trio.codec import containers

        args = get_args(annotation)
        if origin in SEQUENCES:
            return containers.sequence_shape(annotation, self.of(args[0] if args else Any), SEQUENCES[origin])
        if origin in SETS:
            return containers.set_shape(annotation, self.of(args[0] if args else Any), SETS[origin])
        if origin in MAPPINGS:
            key, value = (*args, int)[:2] if args else (Any, Any)
            return containers.mapping_shape(annotation, (self.of(key), self.of(value)), MAPPINGS[origin])
        if origin is tuple:
            if not args or args[-1] is Ellipsis:
                return containers.sequence_shape(annotation, self.of(args[0] if args else Any), tuple)
            return containers.tuple_shape(annotation, [self.of(arg) for arg in args if arg != ()])
        return None

    def _of_type(self, annotation: Any, origin: object) -> Shape:
        from aion_trio.codec import classes, enums, models

        if is_class(origin):
            cls = origin
            if issubclass(cls, Enum):
                return self._of_class(annotation, lambda: enums.enum_shape(cls))
            describe = models.description(cls) or classes.description(cls)
            if describe is not None:
                return self._of_class(annotation, lambda: describe(annotation, self))
        raise UnsupportedTypeError(
            f"`{readable(annotation)}` cannot be stored; use dataclasses, attrs classes, enums, dates, UUID, Decimal, containers "
            "of these, unions of them, pydantic or msgspec models, or plain data"
        )

    def _of_class(self, annotation: Any, describe: Callable[[], Shape]) -> Shape:
        known = self._classes.get(annotation)
        if known is not None:
            return known
        before = len(self._classes)
        # While a class is described, its fields may lead back to it: they get hooks that look it up when they run.
        self._classes[annotation] = Shape(
            readable(annotation),
            lambda value: self._classes[annotation].plain(value),
            lambda data: self._classes[annotation].build(data),
            frozenset({dict}),
            frozenset({get_origin(annotation) or annotation}),
            hashable=False,
        )
        try:
            shape = self._classes[annotation] = describe()
        except BaseException:
            while len(self._classes) > before:  # also those that were described on the way, and lead back here
                self._classes.popitem()
            raise
        return shape


def _bare(annotation: Any) -> Any:
    """An annotation without notes on it, and what stands for a type variable or a new type."""
    while True:
        if get_origin(annotation) in _NOTES:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, TypeVar):
            constraints = annotation.__constraints__
            annotation = Union[constraints] if constraints else Any if annotation.__bound__ is None else annotation.__bound__  # noqa: UP007
        else:
            return annotation


def _is_alias(annotation: Any) -> bool:
    return type(annotation).__name__ == "TypeAliasType"


def _members(union: Any) -> Iterator[Any]:
    """The members of a union and of unions among them, which a name or a note keeps Python from joining.

    A union that is stored with tags cannot be a member of another: nobody could tell whose tag it is.
    """
    for member in get_args(union):
        bare = named = _bare(member)
        while _is_alias(named):
            named = _bare(named.__value__)
        if get_origin(named) in _UNIONS:
            yield from _members(named)
        else:
            yield bare


def _leaf(annotation: Any) -> Shape | None:
    if not isinstance(annotation, type):
        return None
    check = CHECKS.get(annotation)
    if check is not None:
        kind = bytes if annotation is bytearray else annotation
        flat = annotation if annotation in FLAT else None
        return Shape(annotation.__name__, check, check, frozenset({kind}), frozenset({annotation}), flat=flat, bounded=True)
    if annotation in PATHS:
        plain, build = PATHS[annotation]
        return Shape(annotation.__name__, plain, build, frozenset({str}), frozenset({annotation}), bounded=True)
    return None


def readable(annotation: Any) -> str:
    """An annotation as a person writes it: without the modules."""
    args = get_args(annotation)
    origin = get_origin(annotation)
    if origin in _UNIONS:
        # Sorted, since `A | B == B | A`: the name must not depend on which of the two was met first.
        return " | ".join(sorted(map(readable, args), key=lambda name: (name == "None", name)))
    if annotation is Ellipsis:
        return "..."
    if annotation is type(None):
        return "None"
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin in _NOTES:
        return readable(args[0])
    name = getattr(origin or annotation, "__name__", None) or repr(annotation)
    return f"{name}[{', '.join(map(readable, args))}]" if args else str(name)
