"""A payload that does not hold what the annotation says is refused where it is read, with the place; it never becomes another value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

import cbor2
import pytest

from aion_trio.codec import Arguments, Parameter, Value, encode
from aion_trio.codec.plain import MAX_DEPTH
from aion_trio.errors import InvalidInputError, JournalFormatError

from .data import Colour, Level, Options, Order, Page, Pair, Parcel, Shade, Tree


@dataclass(frozen=True)
class Heavy:
    weight: int


Eight = IntEnum("Eight", list("abcdefgh"))  # type: ignore[misc]
Nine = IntEnum("Nine", list("abcdefghi"))  # type: ignore[misc]


class Nobody(Enum):
    """An enum without members."""


READ: list[tuple[Any, Any, str]] = [
    (Parcel, 5, "v: expected Parcel, found int 5"),
    (Parcel, [1], "v: expected Parcel, found list [1]"),
    (Pair, 5, "v: expected Pair, found int 5"),
    (Pair, {}, "v.left: expected int (the field has no default), found nothing"),
    (Page[int], {}, "v.items: expected list[int] (the field has no default), found nothing"),
    (Pair, [1, None, 3], "v: expected Pair, found list [1, None, 3]"),
    (Options, [1], "v: expected Options, found list [1]"),
    (Options, {"depth": 1, "parcel": {"weight": "x"}}, "v['parcel'].weight: expected int, found str 'x'"),
    (set[int], 5, "v: expected set[int], found int 5"),
    (set[int], [1, "x"], "v[1]: expected int, found str 'x'"),
    (set, [[1]], "v: expected set with hashable elements, found list [[1]]"),
    (dict[str, int], 5, "v: expected dict[str, int], found int 5"),
    (dict[str, int], {1: 1, "a": 2}, "v key 1: expected str, found int 1"),
    (dict[str, int], {"a": 1, "b": "x"}, "v['b']: expected int, found str 'x'"),
    (dict[str, int], [["a", 1]], "v: expected dict[str, int], found list [['a', 1]]"),
    (dict[Pair, int], 5, "v: expected dict[Pair, int], found int 5"),
    (dict[Pair, int], [5], "v: expected dict[Pair, int], found list [5]"),
    (dict[Pair, int], ["ab"], "v: expected dict[Pair, int], found list ['ab']"),
    (dict[Pair, int], [[{"left": 1}]], "v: expected dict[Pair, int], found list [[{'left': 1}]]"),
    (dict[Pair, int], [[{"left": 1}, "x"]], "v[{'left': 1}]: expected int, found str 'x'"),
    (dict[Parcel, int], [[{"weight": 1}, 2]], "v: expected dict[Parcel, int] with hashable keys, found list [[{'weight': 1}, 2]]"),
    (tuple[int, str], 5, "v: expected tuple[int, str], found int 5"),
    (tuple[int, str], [1, 2], "v[1]: expected str, found int 2"),
    (Parcel | Heavy, 5, "v: expected Heavy | Parcel, found int 5"),
    (Parcel | Heavy, {"$type": "Feather", "$value": {}}, "v: expected one of Parcel, Heavy, found $type 'Feather'"),
    (Parcel | Heavy, {"weight": "x"}, "v.weight: expected int, found str 'x'"),
    (Colour, 5, "v: expected Colour ('red', 'blue'), found int 5"),
    (Level, True, "v: expected Level (1, 2), found bool True"),
    (Level, "LOW", "v: expected Level (1, 2), found str 'LOW'"),
    (Shade, (1, 2), "v: expected Shade (LIGHT, DARK), found list [1, 2]"),
    (Eight, 9, "v: expected Eight (1, 2, 3, 4, 5, 6, 7, 8), found int 9"),
    (Nine, 10, "v: expected Nine (1, 2, 3, 4, 5, 6, 7, 8, …), found int 10"),
    (Literal["a"] | int, "b", "v: expected Literal['a'], found str 'b'"),
    (Literal["a"] | int, 1.5, "v: expected Literal['a'] | int, found float 1.5"),
    (Nobody | int, "x", "v: expected Nobody | int, found str 'x'"),
    (Literal["a"], "b", "v: expected Literal['a'], found str 'b'"),
    (dt.timedelta, float("inf"), "v: expected timedelta (or seconds), found float inf"),
    (Path, 5, "v: expected Path (or its text), found int 5"),
    (None, 5, "v: expected None, found int 5"),
    (int, None, "v: expected int, found None"),
]


@pytest.mark.parametrize(("annotation", "stored", "message"), READ, ids=lambda part: str(part)[:40])
def test_what_was_stored_is_checked_when_it_is_read(annotation: Any, stored: Any, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Value(annotation, "v").decode(encode(stored))
    assert (str(caught.value), caught.value.path) == (message, message.partition(": expected")[0])


WRITTEN: list[tuple[Any, Any, str]] = [
    (Options, 5, "v: expected Options, found int 5"),
    (set[int], 5, "v: expected set[int], found int 5"),
    (tuple[int, str], "ab", "v: expected tuple[int, str], found str 'ab'"),
    (Path, 5, "v: expected a path, found int 5"),
    (dict[Pair, int], {Pair(1): 1, Pair("x"): 2}, "v key Pair(left='x', right=None).left: expected int, found str 'x'"),  # type: ignore[arg-type]
    (Parcel | Heavy, {"weight": "x"}, "v.weight: expected int, found str 'x'"),
    (Parcel | Heavy, {"weight": 1}, "v: expected one of Heavy | Parcel, found a value that fits Parcel, Heavy alike"),
    (dt.date, 5, "v: expected date (or ISO 8601 text), found int 5"),
    (dt.date, "2024-13-01", "v: expected date (or ISO 8601 text), found str '2024-13-01'"),
    (dt.time, "noon", "v: expected time (or ISO 8601 text), found str 'noon'"),
    (dt.timedelta, True, "v: expected timedelta (or seconds), found bool True"),
    (Decimal, "much", "v: expected Decimal (or its text), found str 'much'"),
    (Decimal, True, "v: expected Decimal (or its text), found bool True"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), WRITTEN, ids=lambda part: str(part)[:40])
def test_the_same_holds_for_what_a_caller_gives(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Value(annotation, "v").encode(value)
    assert (str(caught.value), caught.value.path) == (message, message.partition(": expected")[0])


TEXTS: list[tuple[Any, Any, Any]] = [
    (set[int], [2, 1], {1, 2}),
    (tuple[int, ...], [1, 2], (1, 2)),
    (dt.date, "2024-01-02", dt.date(2024, 1, 2)),
    (dt.time, "01:02:03", dt.time(1, 2, 3)),
    (dt.timedelta, 90, dt.timedelta(seconds=90)),
    (dt.timedelta, 0.5, dt.timedelta(seconds=0.5)),
    (Decimal, 3, Decimal(3)),
    (UUID, str(UUID(int=5)), UUID(int=5)),
    (Path, "/a", Path("/a")),
]


@pytest.mark.parametrize(("annotation", "plain", "value"), TEXTS, ids=lambda part: str(part)[:40])
def test_plain_data_stands_for_the_value(annotation: Any, plain: Any, value: Any) -> None:
    typed = Value(annotation)
    assert typed.encode(plain) == typed.encode(value)
    assert typed.decode(encode(plain)) == value


@pytest.mark.parametrize(("plain", "pair"), [([1], Pair(1)), ([1, {"weight": 2}], Pair(1, Parcel(2)))])
def test_a_named_tuple_is_read_from_an_array_too(plain: Any, pair: Pair) -> None:
    """A caller who names a definition by its name alone stores a named tuple as what it is: a tuple."""
    assert Value(Pair).decode(encode(plain)) == pair


def test_a_text_of_a_subclass_is_stored_as_the_text_itself() -> None:
    class Loud(str):
        def __str__(self) -> str:
            return self.upper()

    assert Value(str).decode(Value(str).encode(Loud("quiet"))) == "quiet"


def test_plain_data_may_hold_members_of_enums() -> None:
    @dataclass
    class Painted:
        colour: Colour

    assert Value(Painted).encode({"colour": Colour.RED}) == Value(Painted).encode(Painted(Colour.RED))


@pytest.mark.parametrize("annotation", [int, str, None, Any, Order])
def test_bytes_that_are_no_encoding_are_a_format_error(annotation: Any) -> None:
    """J7."""
    with pytest.raises(JournalFormatError, match=r"^2 bytes are no encoded data: "):
        Value(annotation).decode(b"\xff\xff")


def test_plain_arguments_that_are_no_encoding_are_a_format_error() -> None:
    with pytest.raises(JournalFormatError, match=r"^1 bytes are no encoded data: "):
        Arguments("add", [Parameter("a", int)]).decode(b"\xff")


def test_a_payload_that_nests_deeper_than_python_can_follow_is_refused() -> None:
    stored: Any = {"value": 0}
    for _ in range(390):
        stored = {"value": 0, "parent": stored}
    with pytest.raises(InvalidInputError, match=r"^tree: expected data nested at most 100 deep, found a deeper or cyclic value$"):
        Value(Tree, "tree").decode(cbor2.dumps(stored))


@pytest.mark.parametrize(("levels", "fits"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_the_array_of_arguments_counts_as_a_level(levels: int, fits: bool) -> None:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    arguments = Arguments("f", [Parameter("x")])
    assert Value().decode(Value().encode(value)) == value
    if fits:
        assert arguments.decode(arguments.encode((value,))) == (value,)
    else:
        with pytest.raises(InvalidInputError, match="cannot be read back once it is stored"):
            arguments.encode((value,))


def test_a_mapping_of_any_kind_is_plain_data() -> None:
    free: Mapping[str, int] = MappingProxyType({"a": 1})
    assert Value().encode([free]) == Value().encode([{"a": 1}])
    assert Value(Mapping[str, int]).decode(Value(Mapping[str, int]).encode(free)) == {"a": 1}


def test_a_mapping_that_fails_while_it_is_encoded_is_refused_with_its_own_words() -> None:
    class Flaky(Mapping[str, int]):
        def __init__(self) -> None:
            self.left = 2

        def __getitem__(self, key: str) -> int:
            self.left -= 1
            if self.left >= 0:
                raise OSError("gone for a moment")
            return 1

        def __iter__(self) -> Iterator[str]:
            return iter("a")

        def __len__(self) -> int:
            return 1

    with pytest.raises(InvalidInputError, match=r"^the value cannot be stored: gone for a moment$"):
        Value().encode(Flaky())


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([1, {"a": (2, "\ud800")}], "[1]['a'][1]"),
        ([{Parcel: 1}], "[0] key <class 'tests.codec.data.Parcel'>"),
        ({"a": [1], "b": [Parcel(1)]}, "['b'][0]"),
    ],
)
def test_the_first_part_that_is_no_plain_data_is_named(value: Any, path: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Value().encode(value)
    assert caught.value.path == path


def test_a_cycle_is_refused_with_the_beginning_of_its_path() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(InvalidInputError, match="found a deeper or cyclic value") as caught:
        Value().encode(cycle)
    assert caught.value.path == ("[0]" * 27)[:80]


def test_a_value_whose_repr_fails_is_named_by_its_type() -> None:
    class Shy(list[int]):
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    with pytest.raises(InvalidInputError, match=r"^v: expected int, found Shy$"):
        Value(int, "v").encode(Shy())


@pytest.mark.parametrize(("size", "shown"), [(58, "'" + "x" * 58 + "'"), (59, "'" + "x" * 59 + "…")])
def test_a_long_value_is_cut_in_messages(size: int, shown: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Value(int, "v").encode("x" * size)
    assert str(caught.value) == f"v: expected int, found str {shown}"
