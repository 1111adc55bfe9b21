"""Arguments as they are stored and read: how many, of which types, and which one is named where one does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from aion_trio.codec import Arguments, Parameter, Value, encode, plain_data
from aion_trio.codec.plain import MAX_DEPTH
from aion_trio.errors import InvalidInputError

from .data import Parcel, Tree


@pytest.mark.parametrize(
    ("types", "stored", "message"),
    [
        ((int,), ["x"], "f: a: expected int, found str 'x'"),
        ((int, str), [1, 2], "f: b: expected str, found int 2"),
        ((int,), [True], "f: a: expected int, found bool True"),
        ((int,), {"a": 1}, "f: expected an array of arguments, found dict"),
        ((int,), 5, "f: expected an array of arguments, found int"),
        ((int,), [1, 2], "f(a): expected 1 argument, found 2"),
        ((int, Parcel), [1], "f(a, b): expected 2 arguments, found 1"),
        ((), [1], "f(): expected 0 arguments, found 1"),
        ((int, Parcel), [1, {"weight": "x"}], "f: b.weight: expected int, found str 'x'"),
    ],
    ids=str,
)
def test_arguments_are_checked_when_they_are_read(types: tuple[Any, ...], stored: Any, message: str) -> None:
    arguments = Arguments("f", [Parameter(name, annotation) for name, annotation in zip("ab", types, strict=False)])
    with pytest.raises(InvalidInputError) as caught:
        arguments.decode(encode(stored))
    assert str(caught.value) == message


@pytest.mark.parametrize("types", [(int, str), (int, Any), (Any, Any)])
def test_arguments_are_read_as_what_they_were(types: tuple[Any, ...]) -> None:
    arguments = Arguments("f", [Parameter("a", types[0]), Parameter("b", types[1], required=False)])
    for args in ((1, "x"), (1,)):
        assert arguments.decode(arguments.encode(args)) == args
        assert arguments.encode(args) == encode(list(args))


def test_what_only_all_arguments_together_make_too_deep_is_refused_also_where_some_are_left_out() -> None:
    value: Any = 0
    for _ in range(MAX_DEPTH):
        value = [value]
    assert Value().encode(value)
    arguments = Arguments("f", [Parameter("a"), Parameter("b", required=False)])
    with pytest.raises(InvalidInputError, match=r"^the value cannot be read back once it is stored: "):
        arguments.encode((value,))


def test_a_cyclic_argument_is_named() -> None:
    tree = Tree(0)
    tree.parent = tree
    with pytest.raises(
        InvalidInputError, match=rf"^second: expected data nested at most {MAX_DEPTH} deep, found a deeper or cyclic value$"
    ):
        Arguments("f", [Parameter("first", int), Parameter("second", Tree)]).encode((1, tree))


def test_a_set_of_any_class_is_plain_data_to_those_who_have_no_annotation() -> None:
    class Tags(set[str]):
        pass

    assert plain_data([Tags("ab"), frozenset("c"), {1}]) == [{"a", "b"}, {"c"}, {1}]
