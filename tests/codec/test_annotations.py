"""Every kind of annotation round-trips exactly: equal value, equal types."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from typing_extensions import TypeAliasType

from aion_trio.codec import Value
from aion_trio.errors import InvalidInputError

from .data import Colour, Computed, IntPage, Level, Options, Order, Page, Pair, Parcel, Point, Rights, Shade, T, Taken, Tree

UserId = NewType("UserId", int)
N = TypeVar("N", bound=int)
Chosen = TypeVar("Chosen", int, str)
Names = TypeAliasType("Names", list[str])


@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class Scalars:
    """One field of each type whose values skip their checks where they stand alone."""

    yes: bool
    no: bool
    number: int
    share: float
    text: str
    data: bytes
    nothing: None = None


@dataclass(frozen=True)
class Knot:
    """Holds a set of its own class."""

    name: str
    ties: frozenset[Knot] = frozenset()


@dataclass
class Chain:
    """Leads to itself and to a subclass with a parameter, whose instances are told from its own."""

    next: Chain | Link[int] | None = None


@dataclass
class Link(Chain, Generic[T]):
    size: T | None = None


@dataclass
class Converted:
    converter: str


@dataclass
class Classed:
    cl: int


class Duo(NamedTuple, Generic[T]):
    left: T
    right: T


@dataclass
class Keeper(Generic[T]):
    """A field whose class was not told what its parameter is takes anything for it."""

    number: T
    page: Page  # type: ignore[type-arg]


class Loose(TypedDict, total=False):
    width: int
    more: Parcel


class Tight(Loose):
    depth: int


@dataclass
class Shelf(Page[list[T]]):
    """A generic class whose base has a parameter made of its own."""


ZONE = dt.timezone(dt.timedelta(hours=5, minutes=30))
ORDER = Order("o", [Parcel(1), Parcel(2, "n")], dt.datetime(2024, 1, 1, tzinfo=ZONE), Decimal("1.10"))

EXAMPLES: list[tuple[Any, Any]] = [
    (int, 2**80),
    (bool, True),
    (float, -math.inf),
    (str, "ä\U0001f600"),
    (bytes, b"\x00\xff"),
    (bytearray, bytearray(b"x")),
    (None, None),
    (dt.datetime, dt.datetime(2024, 1, 1, 2, 3, 4, 5, ZONE)),
    (dt.datetime, dt.datetime(2024, 1, 1)),
    (dt.date, dt.date(2024, 2, 29)),
    (dt.time, dt.time(1, 2, 3, 4, dt.UTC)),
    (dt.timedelta, dt.timedelta(-3, 5, 7)),
    (UUID, UUID(int=7)),
    (Decimal, Decimal("-Infinity")),
    (Decimal, Decimal("1.500")),
    (Fraction, Fraction(1, 3)),
    (IPv4Address, IPv4Address("1.2.3.4")),
    (IPv6Network, IPv6Network("2001:db8::/32")),
    (Path, Path("/a/b")),
    (PurePosixPath, PurePosixPath("x")),
    (Colour, Colour.BLUE),
    (Shade, Shade.DARK),
    (Level, Level.HIGH),
    (Rights, Rights.READ | Rights.WRITE),
    (Scalars, Scalars(True, False, 0, 0.0, "", b"")),
    (Scalars, Scalars(True, False, -1, -0.5, "t", b"b")),
    (Order, ORDER),
    (Point, Point(1.5, 2.0, 9)),
    (Tree, Tree(1, [Tree(2, [Tree(3)])], Tree(4))),
    (Page[Order], Page([ORDER], ORDER)),
    (Page[Page[int]], Page([Page([1], 2)], None)),
    (IntPage, IntPage([1, 2], 3, 4)),
    (Page, Page([1, "a"], None)),
    (Taken, Taken(1, "d")),
    (Pair, Pair(1, Parcel(2))),
    (Pair, Pair(1)),
    (Options, {"depth": 1}),
    (Options, {"depth": 1, "parcel": Parcel(3)}),
    (Loose, {}),
    (Loose, {"width": 1, "more": Parcel(1)}),
    (Tight, {"depth": 1, "width": 2}),
    (Shelf[int], Shelf([[1], []], [2])),
    (Computed, Computed(4)),
    (Knot, Knot("a", frozenset({Knot("b"), Knot("c")}))),
    (Chain, Chain(Link(Link(Chain(), 1), 2))),
    (Converted, Converted("c")),
    (Classed, Classed(1)),
    (Duo[int], Duo(1, 2)),
    (Duo, Duo(1, "a")),
    (Duo[Parcel], Duo(Parcel(1), Parcel(2))),
    (Keeper[int], Keeper(1, Page(["a"], 2))),
    (tuple[int], (5,)),
    (tuple[int, str, bool], (5, "a", True)),
    (list[Parcel], [Parcel(1)]),
    (list, [1, "a", None]),
    (Sequence[int], [1, 2]),
    (deque[int], deque([1, 2])),
    (tuple[int, str, Parcel], (1, "a", Parcel(2))),
    (tuple[Colour, ...], (Colour.RED, Colour.BLUE)),
    (tuple[()], ()),
    (tuple, (1, "a")),
    (set[Colour], {Colour.RED, Colour.BLUE}),
    (set[int], set()),
    (frozenset[tuple[int, str]], frozenset({(1, "a")})),
    (set[Pair], {Pair(1), Pair(2)}),
    (set[frozenset[int]], {frozenset({1, 2}), frozenset()}),
    (dict[str, list[Parcel]], {"a": [Parcel(1)]}),
    (dict[int, str], {1: "a"}),
    (dict[tuple[int, str], Colour], {(1, "a"): Colour.RED}),
    (dict[UUID, Decimal], {UUID(int=1): Decimal(2)}),
    (dict[Pair, Parcel], {Pair(1): Parcel(2)}),
    (dict[Colour, int], {Colour.RED: 1}),
    (dict, {"a": [1, {"b": 2}]}),
    (Mapping[str, int], {"a": 1}),
    (OrderedDict[str, int], OrderedDict(b=1, a=2)),
    (Counter[str], Counter("aab")),
    (Optional[Parcel], None),  # noqa: UP045 (the old spelling is tested)
    (Parcel | None, Parcel(1)),
    (Literal["a", 1, True, None], True),
    (Literal["a", 1, True, None], 1),
    (Literal[Colour.RED, 5], Colour.RED),
    (UserId, UserId(5)),
    (list[UserId], [UserId(5)]),
    (Annotated[int, "unit"], 5),
    (Final[int], 5),
    (N, 5),
    (Chosen, "a"),
    (Chosen, 5),
    (Box[int], Box(5)),
    (Names, ["a", "b"]),
    (Any, {"at": dt.datetime(2024, 1, 1, tzinfo=ZONE), "id": UUID(int=3), "d": Decimal("1.1"), "s": {1, 2}}),
    (object, [1, None]),
]


@pytest.mark.parametrize(("annotation", "value"), EXAMPLES, ids=lambda part: str(part)[:40])
def test_a_value_comes_back_equal_and_of_its_type(annotation: Any, value: Any) -> None:
    typed = Value(annotation)
    back = typed.decode(typed.encode(value))
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value) or isinstance(value, (set, frozenset, Mapping))


@pytest.mark.parametrize(("annotation", "value"), EXAMPLES, ids=lambda part: str(part)[:40])
def test_encoding_what_came_back_gives_the_same_bytes(annotation: Any, value: Any) -> None:
    """K3: the digest of an input does not depend on whether it has been in the journal."""
    typed = Value(annotation)
    data = typed.encode(value)
    assert typed.encode(typed.decode(data)) == data


PARCELS = st.builds(Parcel, st.integers(), st.text())
ORDERS = st.builds(
    Order,
    st.text(),
    st.lists(PARCELS, max_size=4),
    st.none() | st.datetimes(timezones=st.none() | st.just(ZONE)),
    st.decimals(allow_nan=False),
)


@given(st.lists(ORDERS, max_size=3))
def test_dataclasses_of_any_content_round_trip(orders: list[Order]) -> None:
    typed = Value(list[Order])
    assert typed.decode(typed.encode(orders)) == orders


def test_a_field_that_was_added_with_a_default_is_filled_in_from_older_payloads() -> None:
    assert Value(Parcel).decode(Value(dict).encode({"weight": 1})) == Parcel(1)


def test_a_field_that_was_removed_is_ignored_in_older_payloads() -> None:
    assert Value(Parcel).decode(Value(dict).encode({"weight": 1, "note": "n", "gone": [1]})) == Parcel(1, "n")


def test_an_int_for_a_float_is_stored_as_the_float() -> None:
    """K3: `f(1)` and `f(1.0)` are the same input."""
    assert Value(float).encode(1) == Value(float).encode(1.0)
    assert Value(list[float]).encode([1, 2.5]) == Value(list[float]).encode([1.0, 2.5])


def test_a_mapping_stands_for_the_class_whose_fields_it_has() -> None:
    plain = {"id": "o", "parcels": [{"weight": 1}], "placed": "2024-01-01T00:00:00+05:30", "price": "1.10"}
    typed = Value(Order)
    assert typed.decode(typed.encode(plain)) == Order("o", [Parcel(1)], ORDER.placed, Decimal("1.10"))


def test_a_mapping_may_hold_instances() -> None:
    typed = Value(Order)
    assert typed.encode({"id": "o", "parcels": [Parcel(1)]}) == typed.encode(Order("o", [Parcel(1)]))


def test_values_of_subclasses_of_scalars_are_stored_as_the_scalar() -> None:
    assert Value(int).decode(Value(int).encode(Level.HIGH)) == 2
    assert type(Value(int).decode(Value(int).encode(Level.HIGH))) is int


def test_the_argument_of_a_generic_class_is_checked() -> None:
    with pytest.raises(InvalidInputError, match=r"^box.content: expected int, found str 'x'$"):
        Value(Box[int], "box").encode(Box("x"))
