"""What does not fit is refused: what was expected, what was found, and where."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import InitVar, dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from aion_trio.codec import Arguments, Parameter, Value, encode, plain_data
from aion_trio.codec.plain import MAX_DEPTH
from aion_trio.errors import InvalidInputError, UnsupportedTypeError

from .data import Colour, Computed, IntPage, Options, Order, Page, Pair, Parcel, T, Tree


@dataclass
class Shelf(Page[list[T]]):
    """A generic class whose base has a parameter made of its own."""


@dataclass
class Refusing:
    """Refuses its fields with errors whose words are the names of fields."""

    error: str
    x: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        raise {"ValueError": ValueError("x"), "KeyError": KeyError("error"), "LookupError": LookupError("note")}.get(self.error, KeyError())


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, "3", "v: expected int, found str '3'"),
        (int, True, "v: expected int, found bool True"),
        (int, 3.0, "v: expected int, found float 3.0"),
        (int, None, "v: expected int, found None"),
        (bool, 1, "v: expected bool, found int 1"),
        (float, "1", "v: expected float, found str '1'"),
        (float, True, "v: expected float, found bool True"),
        (float, 10**400, "v: expected float, found int 1"),
        (str, 1, "v: expected str, found int 1"),
        (str, b"x", "v: expected str, found bytes b'x'"),
        (bytes, "x", "v: expected bytes, found str 'x'"),
        (None, 0, "v: expected None, found int 0"),
        (dt.date, dt.datetime(2024, 1, 1), "v: expected date (or ISO 8601 text), found datetime"),
        (dt.datetime, "soon", "v: expected datetime (or ISO 8601 text), found str 'soon'"),
        (dt.timedelta, "1", "v: expected timedelta (or seconds), found str '1'"),
        (UUID, "1", "v: expected UUID (or its text), found str '1'"),
        (Decimal, 1.5, "v: expected Decimal (or its text), found float 1.5"),
        (Colour, "green", "v: expected Colour ('red', 'blue'), found str 'green'"),
        (Literal["a", 1], True, "v: expected Literal['a', 1], found bool True"),
        (list[int], "abc", "v: expected list[int], found str 'abc'"),
        (list[str], "abc", "v: expected list[str], found str 'abc'"),
        (list[int], [1, "2"], "v[1]: expected int, found str '2'"),
        (set[int], {"a"}, "v[0]: expected int, found str 'a'"),
        (tuple[int, str], (1,), "v: expected tuple[int, str] (2 elements), found 1 elements"),
        (tuple[int, str], (1, 2), "v[1]: expected str, found int 2"),
        (dict[str, int], {"a": "b"}, "v['a']: expected int, found str 'b'"),
        (dict[str, int], {1: 1}, "v key 1: expected str, found int 1"),
        (dict[str, int], [1], "v: expected dict[str, int], found list [1]"),
        (int | None, "x", "v: expected int | None, found str 'x'"),
        (Parcel, 1, "v: expected Parcel, found int 1"),
        (Parcel, {"note": "n"}, "v.weight: expected int (the field has no default), found nothing"),
        (Parcel, Parcel("1"), "v.weight: expected int, found str '1'"),  # type: ignore[arg-type]
        (Order, {"id": "o", "parcels": [{"weight": 1}, {"weight": "2"}]}, "v.parcels[1].weight: expected int, found str '2'"),
        (Order, Order("o", [Parcel(1), Parcel(2), Parcel(None)]), "v.parcels[2].weight: expected int, found None"),  # type: ignore[arg-type]
        (Tree, Tree(1, [Tree(2, [Tree("x")])]), "v.children[0].children[0].value: expected int, found str 'x'"),  # type: ignore[arg-type]
        (Page[int], Page([1, "a"]), "v.items[1]: expected int, found str 'a'"),
        (IntPage, IntPage([1, "a"], None), "v.items[1]: expected int, found str 'a'"),  # type: ignore[list-item]
        (Shelf[int], Shelf([[1], ["a"]]), "v.items[1][0]: expected int, found str 'a'"),
        (Refusing, {"error": "ValueError"}, "v: expected Refusing, found fields that it refuses (ValueError: x)"),
        (Refusing, {"error": "KeyError"}, "v: expected Refusing, found fields that it refuses (KeyError: 'error')"),
        (Refusing, {"error": "LookupError"}, "v: expected Refusing, found fields that it refuses (LookupError: note)"),
        (Refusing, {"error": "nothing"}, "v: expected Refusing, found fields that it refuses (KeyError: )"),
        (Pair, Pair(1, Parcel("z")), "v.right.weight: expected int, found str 'z'"),  # type: ignore[arg-type]
        (Options, {}, "v['depth']: expected a value (the key is required), found nothing"),
        (Options, {"depth": "x"}, "v['depth']: expected int, found str 'x'"),
        (Computed, {"width": -1}, "v: expected Computed, found fields that it refuses (ValueError: a width is not negative)"),
    ],
)
def test_the_message_says_what_was_expected_what_was_found_and_where(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Value(annotation, "v").encode(value)
    assert str(caught.value).startswith(message)
    assert caught.value.path == message.split(":")[0]


def test_the_same_holds_when_a_payload_is_read() -> None:
    data = encode({"id": "o", "parcels": [{"weight": 1}, {"weight": "2"}]})
    with pytest.raises(InvalidInputError) as caught:
        Value(Order, "order").decode(data)
    assert caught.value.path == "order.parcels[1].weight"


def test_an_instance_of_a_subclass_is_refused_rather_than_cut_down() -> None:
    @dataclass
    class Crate(Parcel):
        lid: bool = True

    with pytest.raises(InvalidInputError, match="Parcel itself, found its subclass Crate"):
        Value(Parcel).encode(Crate(1))


def test_an_instance_without_one_of_its_fields_is_refused() -> None:
    broken = Parcel(1)
    del broken.weight
    with pytest.raises(InvalidInputError, match="without one"):
        Value(Parcel).encode(broken)


def test_a_lone_surrogate_is_refused_in_any_place() -> None:
    for annotation, value in ((str, "\ud800"), (Any, ["\ud800"]), (Parcel, Parcel(1, "\ud800"))):
        with pytest.raises(InvalidInputError, match="surrogate"):
            Value(annotation).encode(value)


class TestArguments:
    @property
    def arguments(self) -> Arguments:
        return Arguments("ship", [Parameter("order", Order), Parameter("cents", int), Parameter("note", str, required=False)])

    def test_the_path_begins_with_the_parameter(self) -> None:
        with pytest.raises(InvalidInputError, match=r"^ship: order.parcels\[0\].weight: expected int, found str") as caught:
            self.arguments.encode((Order("o", [Parcel("1")]), 1))  # type: ignore[arg-type]
        assert caught.value.path == "order.parcels[0].weight"

    @pytest.mark.parametrize("count", [0, 1, 4])
    def test_a_wrong_number_of_arguments_is_refused(self, count: int) -> None:
        with pytest.raises(InvalidInputError, match=rf"ship\(order, cents, note=…\): expected 2 to 3 arguments, found {count}"):
            self.arguments.encode((1,) * count)

    def test_arguments_that_were_left_out_are_not_stored(self) -> None:
        assert self.arguments.decode(self.arguments.encode((Order("o", []), 1))) == (Order("o", []), 1)

    def test_a_payload_with_too_many_arguments_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="expected 2 to 3 arguments, found 5"):
            self.arguments.decode(encode([1, 2, 3, 4, 5]))

    def test_a_payload_that_is_no_array_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="array of arguments, found dict"):
            self.arguments.decode(encode({}))

    def test_plain_arguments_are_checked_too(self) -> None:
        plain = Arguments("add", [Parameter("a", int), Parameter("b", int)])
        assert plain.decode(plain.encode((1, 2))) == (1, 2)
        with pytest.raises(InvalidInputError, match="add: b: expected int, found bool True"):
            plain.encode((1, True))

    def test_an_argument_that_is_not_plain_data_is_named(self) -> None:
        free = Arguments("f", [Parameter("x"), Parameter("y")])
        with pytest.raises(InvalidInputError, match=r"f: y: .*found Parcel") as caught:
            free.encode((1, Parcel(1)))
        assert caught.value.path == "y"


class Opaque:
    def __init__(self, x: int) -> None:
        self.x = x


@dataclass
class Wants:
    seed: InitVar[int]
    value: int = 0


@dataclass
class Holds:
    inner: Opaque


@dataclass
class Unresolved:
    other: Nowhere  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        (Opaque, "Opaque"),
        (list[Opaque], "Opaque"),
        (dict[str, Opaque | None], "Opaque"),
        (Holds, "Opaque"),
        (Callable[[], int], "Callable"),
        (type[int], "type"),
        (asyncio.Event, "Event"),
        (complex, "complex"),
        (Wants, "InitVar seed"),
        (Literal["red", Colour.RED], "stored alike"),
        (Literal[((1, 2),)], r"`Literal\[\(1, 2\)\]` cannot be stored: \(1, 2\) is no plain value and no enum member"),
        (5, "^`5` cannot be stored; use dataclasses"),
        (
            Unresolved,
            r"^`Unresolved` has an annotation that cannot be resolved \(name 'Nowhere' is not defined\); define or import it at the top",
        ),
    ],
)
def test_a_type_that_cannot_be_stored_is_refused_before_any_value(annotation: Any, names: str) -> None:
    with pytest.raises(UnsupportedTypeError, match=names):
        Value(annotation)


@dataclass
class First:
    second: Second
    opaque: Opaque


@dataclass
class Second:
    first: First | None = None


def test_a_class_that_leads_to_a_refused_one_is_refused_too() -> None:
    for annotation in (First, Second, list[Second]):
        with pytest.raises(UnsupportedTypeError, match="Opaque"):
            Value(annotation)


def test_a_class_that_was_refused_once_is_refused_again() -> None:
    for _ in range(2):
        with pytest.raises(UnsupportedTypeError):
            Value(Holds)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 2_000])
def test_typed_data_that_nests_too_deeply_is_refused_when_it_is_encoded(levels: int) -> None:
    for annotation in (Tree, Tree | None):
        with pytest.raises(InvalidInputError):
            Value(annotation).encode(_tree(levels))
    with pytest.raises(InvalidInputError):
        Arguments("f", [Parameter("tree", Tree)]).encode((_tree(levels),))


def test_typed_data_of_the_greatest_depth_is_read_back() -> None:
    tree = _tree(MAX_DEPTH - 1)
    assert repr(Value(Tree).decode(Value(Tree).encode(tree))) == repr(tree)


def _tree(levels: int) -> Tree:
    tree = Tree(0)
    for _ in range(levels):
        tree = Tree(0, [], tree)
    return tree


def test_plain_data_takes_values_by_their_own_classes() -> None:
    value = {"order": Order("o", [Parcel(1)]), "colour": Colour.RED, "pair": (Parcel(2), 3)}
    assert Value(Order).decode(encode(plain_data(value)["order"])) == Order("o", [Parcel(1)])
    assert plain_data(value)["colour"] == "red"
    assert plain_data(value)["pair"] == ({"weight": 2, "note": ""}, 3)
    with pytest.raises(InvalidInputError, match="Opaque"):
        plain_data([Opaque(1)])
    with pytest.raises(InvalidInputError, match=r"^Parcel.weight: expected int, found str 'x'$"):
        plain_data([Parcel("x")])  # type: ignore[arg-type]


def _counting_tree(levels: int, leaf: Any) -> Tree:
    tree = Tree(leaf)
    for level in range(levels):
        tree = Tree(0, [tree]) if level % 2 else Tree(0, [], tree)
    return tree


def test_finding_the_place_of_a_misfit_takes_no_longer_than_finding_the_misfit() -> None:
    """A misfit 90 levels down: looked for again at every level, it would be found after 2 ** 90 steps."""
    tree = _counting_tree(90, "x")
    with pytest.raises(InvalidInputError) as caught:
        Value(Tree, "v").encode(tree)
    assert caught.value.path == "v" + ".children[0].parent" * 45 + ".value"
    stored: Any = {"$type": "Twig", "$value": {"next": "x"}}
    for _ in range(40):
        stored = {"$type": "Twig", "$value": {"next": stored}}
    with pytest.raises(InvalidInputError) as caught:
        Value(Twig | Leaf, "v").decode(encode(stored))
    assert caught.value.path == "v" + ".next" * 41


@dataclass
class Leaf:
    size: int


@dataclass
class Twig:
    next: Twig | Leaf


@dataclass
class Labels:
    text: str
    number: int
    other: int = 0


def test_an_object_that_stands_in_two_places_is_named_where_it_does_not_fit() -> None:
    word = "same"
    with pytest.raises(InvalidInputError, match=r"^v.number: expected int, found str 'same'$"):
        Value(Labels, "v").encode(Labels(word, word))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"^v.number: expected int, found str 'same'$"):
        Value(Labels, "v").encode(Labels(word, word, word))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"^v\['same'\]: expected int, found str 'same'$"):
        Value(dict[str, int], "v").encode({word: word})


def test_parts_that_are_other_objects_each_time_are_told_without_their_place() -> None:
    class Copies(list[Any]):
        def __iter__(self) -> Any:
            return (Parcel(part.weight) for part in list.__iter__(self))

    with pytest.raises(InvalidInputError, match=r"^v.weight: expected int, found str 'x'$"):
        Value(list[Parcel], "v").encode(Copies([Parcel("x")]))  # type: ignore[arg-type]
