"""What is stored for a value of an annotation: which containers stay what they are, which carry a tag, and how deep they may nest."""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar

import pytest
from typing_extensions import TypeAliasType

from aion_trio.codec import Value, decode
from aion_trio.codec.plain import MAX_DEPTH
from aion_trio.errors import InvalidInputError

from .data import Colour, Level, Pair, Parcel, Point, Rights, Shade

T = TypeVar("T")
PAIR = {"left": 1, "right": None}


Thing = TypeVar("Thing", Parcel, Point)
Name = TypeVar("Name", bound=str)
Lists = TypeAliasType("Lists", list[int] | list[str])


class Mixed(enum.Enum):
    NUMBER = 1
    TEXT = "b"


STORED: list[tuple[Any, Any, Any]] = [
    (set[int], {1, 2}, {1, 2}),
    (set[Pair], {Pair(1)}, [PAIR]),
    (AbstractSet[int], {1, 2}, {1, 2}),
    (set[frozenset[int]], {frozenset({1})}, {frozenset({1})}),
    (dict[frozenset[int], str], {frozenset({1}): "a"}, {frozenset({1}): "a"}),
    (dict[frozenset[Pair], int], {frozenset({Pair(1)}): 2}, [[[PAIR], 2]]),
    (dict[tuple[int, ...], str], {(1, 2): "a"}, {(1, 2): "a"}),
    (dict[tuple[int, str], str], {(1, "b"): "a"}, {(1, "b"): "a"}),
    (dict[tuple[Pair, ...], str], {(Pair(1),): "a"}, [[[PAIR], "a"]]),
    (dict[tuple[Pair, int], str], {(Pair(1), 2): "a"}, [[[PAIR, 2], "a"]]),
    (dict[Pair | int, str], {2: "a"}, [[2, "a"]]),
    (dict[int | str, str], {2: "a"}, {2: "a"}),
    (dict[Pair | None, str], {None: "a"}, [[None, "a"]]),
    (dict[int | None, str], {None: "a"}, {None: "a"}),
    (dict[Literal["a", 1], str], {"a": "b"}, {"a": "b"}),
    (Mapping[str, int], {"a": 1}, {"a": 1}),
    (set[int] | list[int], {1}, {1}),
    (set[Pair] | list[int], {Pair(1)}, {"$type": "set[Pair]", "$value": [PAIR]}),
    (frozenset[int] | set[str], frozenset({1}), {"$type": "frozenset[int]", "$value": {1}}),
    (dict[Pair, int] | list[int], {Pair(1): 2}, {"$type": "dict[Pair, int]", "$value": [[PAIR, 2]]}),
    (dict[Pair, int] | dict[str, int], {Pair(1): 2}, [[PAIR, 2]]),
    (OrderedDict[str, int] | dict[str, int], OrderedDict(a=1), {"$type": "OrderedDict[str, int]", "$value": {"a": 1}}),
    (Counter[str] | list[int], Counter("aa"), {"a": 2}),
    (tuple[int, str] | list[int], (1, "a"), {"$type": "tuple[int, str]", "$value": [1, "a"]}),
    (tuple[int, str] | dict[str, int], (1, "a"), [1, "a"]),
    (tuple[int, ...] | list[int], (1,), {"$type": "tuple[int, ...]", "$value": [1]}),
    (deque[int] | list[int], deque([1]), {"$type": "deque[int]", "$value": [1]}),
    (Sequence[int] | int, [1], [1]),
    (Path | str, Path("a"), {"$type": "Path", "$value": "a"}),
    (Path | int, Path("a"), "a"),
    (bytearray | bytes, bytearray(b"x"), {"$type": "bytearray", "$value": b"x"}),
    (Colour | int, Colour.RED, "red"),
    (Colour | str, "red", {"$type": "str", "$value": "red"}),
    (Shade, Shade.DARK, "DARK"),
    (Shade | int, Shade.DARK, "DARK"),
    (Shade | str, Shade.DARK, {"$type": "Shade", "$value": "DARK"}),
    (Level, Level.HIGH, 2),
    (Level | str, Level.HIGH, 2),
    (Level | int, Level.HIGH, {"$type": "Level", "$value": 2}),
    (Mixed, Mixed.TEXT, "b"),
    (Rights, Rights.READ | Rights.WRITE, 3),
    (Rights | str, Rights.READ, 1),
    (Literal["a", 1] | bytes, "a", "a"),
    (Literal["a"] | str, "b", {"$type": "str", "$value": "b"}),
    (Parcel | dict[str, int], Parcel(1), {"$type": "Parcel", "$value": {"weight": 1, "note": ""}}),
    (Parcel | list[int], Parcel(1), {"weight": 1, "note": ""}),
    (
        dict[Colour | str, int],
        {Colour.RED: 1, "red": 2},
        [[{"$type": "Colour", "$value": "red"}, 1], [{"$type": "str", "$value": "red"}, 2]],
    ),
    (Literal[Colour.RED] | str, Colour.RED, {"$type": "Literal[<Colour.RED: 'red'>]", "$value": "red"}),
    (Literal[Colour.RED] | int, Colour.RED, "red"),
    (Lists | bytes, ["a"], {"$type": "list[str]", "$value": ["a"]}),
    (Lists | list[bytes], [b"a"], {"$type": "list[bytes]", "$value": [b"a"]}),
    (Lists | list[bytes], [1], {"$type": "list[int]", "$value": [1]}),
    (Lists | dict[str, int], {"a": 1}, {"a": 1}),
    (Lists | dict[str, int], ["a"], {"$type": "list[str]", "$value": ["a"]}),
    (Lists | list[int] | None, [1], {"$type": "list[int]", "$value": [1]}),
    (Lists | None, ["a"], {"$type": "list[str]", "$value": ["a"]}),
    (Annotated[Parcel | Point, "note"] | bytes, Parcel(1), {"$type": "Parcel", "$value": {"weight": 1, "note": ""}}),
    (Thing | bytes, Parcel(1), {"$type": "Parcel", "$value": {"weight": 1, "note": ""}}),
    (Thing | Parcel, Point(1.0), {"$type": "Point", "$value": {"x": 1.0, "y": 0.0, "_hidden": 3}}),
    (Name | bytes, "a", "a"),
    (list[Parcel | Point] | None, [Parcel(1)], [{"$type": "Parcel", "$value": {"weight": 1, "note": ""}}]),
]


@pytest.mark.parametrize(("annotation", "value", "stored"), STORED, ids=lambda part: str(part)[:40])
def test_a_value_is_stored_in_this_form_and_comes_back(annotation: Any, value: Any, stored: Any) -> None:
    typed = Value(annotation)
    plain = decode(typed.encode(value))
    assert (plain, type(plain)) == (stored, type(stored))
    back = typed.decode(typed.encode(value))
    assert (back, type(back)) == (value, type(value))


@dataclass
class Loose:
    rest: Any


@dataclass
class Held:
    loose: Loose


class Keys(TypedDict):
    rest: Any


class Row(TypedDict, Generic[T]):
    rest: T


def nested(levels: int, make: Any = list) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = make([value])
    return value


DEEP, DEEP_KEY = nested(MAX_DEPTH), nested(MAX_DEPTH, tuple)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (list[Any], [DEEP]),
        (tuple[Any, ...], (DEEP,)),
        (tuple[int, Any], (1, DEEP)),
        (tuple[Any, int], (DEEP, 1)),
        (set[Any], {DEEP_KEY}),
        (dict[str, Any], {"a": DEEP}),
        (dict[Any, str], {DEEP_KEY: "a"}),
        (dict[str, list[Any]], {"a": [DEEP]}),
        (list[Any] | None, [DEEP]),
        (list[Any] | int, [DEEP]),
        (int | list[Any], [DEEP]),
        (Loose, Loose(DEEP)),
        (Held, Held(Loose(DEEP))),
        (Keys, {"rest": DEEP}),
        (Row[Any], {"rest": DEEP}),
    ],
    ids=lambda part: str(part)[:40],
)
def test_data_of_any_form_inside_a_typed_whole_is_refused_where_it_nests_too_deeply(annotation: Any, value: Any) -> None:
    """Else it would be stored, and never read again."""
    with pytest.raises(InvalidInputError, match=r"^the value cannot be read back once it is stored: "):
        Value(annotation).encode(value)
