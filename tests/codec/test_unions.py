"""Unions: the member that went in is the member that comes back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest

from aion_trio.codec import Value, decode, encode
from aion_trio.errors import InvalidInputError, UnsupportedTypeError

from .data import Colour, Pair, Parcel, Point, Shade


@dataclass
class Heavy:
    weight: int
    note: str = ""


@dataclass
class Heavier(Heavy):
    tons: int = 1


EXAMPLES: list[tuple[Any, Any]] = [
    (Parcel | Heavy, Heavy(1)),
    (Parcel | Heavy, Parcel(1)),
    (Heavy | Heavier, Heavier(1, "n", 2)),
    (Heavy | Heavier, Heavy(1)),
    (Parcel | Heavy | None, None),
    (Parcel | Heavy | int | str, 5),
    (Parcel | Point | Pair, Pair(1)),
    (Colour | str, Colour.RED),
    (Colour | str, "red"),
    (Colour | Shade, Shade.DARK),
    (int | float, 3),
    (int | float, 3.0),
    (int | bool, True),
    (int | bool, 1),
    (Decimal | int, Decimal(1)),
    (dt.datetime | dt.date, dt.date(2024, 1, 1)),
    (dt.datetime | dt.date, dt.datetime(2024, 1, 1)),
    (str | bytes | None, b"x"),
    (list[int] | list[str], ["a"]),
    (list[Parcel] | Parcel, [Parcel(1)]),
    (dict[str, int] | Parcel, {"weight": 1}),
    (dict[str, int] | Parcel, Parcel(1)),
    (set[int] | list[int], {1}),
    (Literal["a"] | int, "a"),
    (list[Parcel | Heavy], [Parcel(1), Heavy(2)]),
    (dict[str, Parcel | Heavy | None], {"a": Heavy(1), "b": None}),
    (int | Any, [1, "a"]),
]


@pytest.mark.parametrize(("annotation", "value"), EXAMPLES, ids=str)
def test_the_member_comes_back_as_itself(annotation: Any, value: Any) -> None:
    typed = Value(annotation)
    back = typed.decode(typed.encode(value))
    assert back == value
    assert type(back) is type(value)
    assert typed.encode(back) == typed.encode(value)


def test_only_members_that_are_stored_alike_carry_a_tag() -> None:
    assert decode(Value(Parcel | Heavy).encode(Heavy(1))) == {"$type": "Heavy", "$value": {"weight": 1, "note": ""}}
    assert decode(Value(Parcel | int | None).encode(Parcel(1))) == {"weight": 1, "note": ""}


def test_the_order_of_the_members_plays_no_part() -> None:
    """K1: `A | B == B | A` in Python, so whichever was met first must not matter."""
    for value in (Parcel(1), Heavy(2), "x", Colour.RED):
        assert Value(Parcel | Heavy | str | Colour).encode(value) == Value(Colour | str | Heavy | Parcel).encode(value)


def test_a_mapping_that_fits_one_member_alone_is_that_member() -> None:
    typed = Value(Parcel | Point)
    assert typed.decode(typed.encode({"x": 1.0})) == Point(1.0)


def test_stored_data_that_fits_one_member_alone_is_that_member() -> None:
    """A caller who names a definition by its name alone stores no tags."""
    assert Value(Parcel | Point).decode(encode({"x": 1.0})) == Point(1.0)
    assert Value(list[int] | list[str]).decode(encode(["a"])) == ["a"]


@dataclass
class Holder:
    heavy: Heavy


@dataclass
class Carrier:
    holder: Holder


@pytest.mark.parametrize("union", [Holder | Carrier, Carrier | Holder])
def test_of_several_members_the_one_that_fits_best_says_what_is_wrong(union: Any) -> None:
    for plain, message in (
        ({"heavy": {"weight": "x"}}, "v.heavy.weight: expected int, found str 'x'"),
        ({"holder": {"heavy": {"weight": "x"}}}, "v.holder.heavy.weight: expected int, found str 'x'"),
    ):
        for attempt in (lambda data: Value(union, "v").decode(encode(data)), lambda data: Value(union, "v").encode(data)):
            with pytest.raises(InvalidInputError) as caught:
                attempt(plain)
            assert str(caught.value) == message


def test_a_tag_for_a_union_that_has_none_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"^value: expected one of int \| str, found \$type 'int'$"):
        Value(int | str).decode(encode({"$type": "int", "$value": 1}))


def test_a_mapping_that_fits_two_members_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="fits Parcel, Heavy alike"):
        Value(Parcel | Heavy).encode({"weight": 1})


def test_a_tag_that_names_no_member_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"one of Parcel, Heavy, found \$type 'Gone'"):
        Value(Parcel | Heavy).decode(Value(dict).encode({"$type": "Gone", "$value": {}}))


def test_two_members_of_one_name_are_refused() -> None:
    def other() -> type:
        @dataclass
        class Parcel:
            x: int

        return Parcel

    with pytest.raises(UnsupportedTypeError, match="same name"):
        Value(Parcel | other())


def test_the_name_of_a_container_in_a_tag_does_not_depend_on_the_order_of_its_members() -> None:
    for union in (list[Parcel | Heavy] | list[int], list[int] | list[Heavy | Parcel]):
        assert decode(Value(union).encode([Heavy(1)]))["$type"] == "list[Heavy | Parcel]"


def test_what_fits_no_member_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"value: expected int \| str, found float 1.5"):
        Value(int | str).encode(1.5)
