"""Models to the letter: what is stored of sets, computed fields and numbers that are none, and which place is named."""

import datetime as dt
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict

from aion_trio.codec import Value, decode, encode
from aion_trio.errors import InvalidInputError

T = TypeVar("T")


class Key(pydantic.BaseModel, frozen=True):
    name: str


class Spread(pydantic.BaseModel):
    """Sets in every kind of field, and one that is computed."""

    model_config = pydantic.ConfigDict(extra="forbid")

    tags: set[str]
    numbers: set[int | str] = set()
    keys: set[Key] = set()
    by_name: dict[str, set[str]] = {}
    several: list[set[str]] = []
    pair: tuple[int, frozenset[str]] = (0, frozenset())
    secret: int = pydantic.Field(default=0, alias="hidden")
    inner: "Spread | None" = None

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def count(self) -> int:
        return len(self.tags)


NAMES = [f"tag {number}" for number in range(9)]
EMPTY = {"tags": [], "numbers": [], "keys": [], "by_name": {}, "several": [], "pair": [0, []], "hidden": 0, "inner": None}


def stored(value: Any) -> Any:
    return decode(Value(type(value)).encode(value))


@pytest.mark.parametrize(
    ("changes", "form"),
    [
        ({"tags": set(NAMES)}, {"tags": NAMES}),
        ({"numbers": {-1, 1, "a", 0}}, {"numbers": [0, 1, -1, "a"]}),
        ({"keys": {Key(name=name) for name in NAMES}}, {"keys": [{"name": name} for name in NAMES]}),
        ({"by_name": {"b": set(NAMES), "a": {"x"}}}, {"by_name": {"b": NAMES, "a": ["x"]}}),
        ({"several": [set(NAMES), {"x"}, set(NAMES[:4])]}, {"several": [NAMES, ["x"], NAMES[:4]]}),
        ({"pair": (1, frozenset(NAMES))}, {"pair": [1, NAMES]}),
        ({"hidden": 5}, {"hidden": 5}),
        ({"inner": Spread(tags=set(NAMES))}, {"inner": {**EMPTY, "tags": NAMES}}),
    ],
    ids=",".join,
)
def test_sets_are_stored_in_the_order_of_their_encoding_wherever_they_stand(changes: dict[str, Any], form: dict[str, Any]) -> None:
    """K1; what is computed is not stored."""
    value = Spread(**{"tags": set(), **changes})
    assert stored(value) == {**EMPTY, **form}
    assert list(stored(value)) == list(EMPTY)
    assert Value(Spread).decode(Value(Spread).encode(value)) == value


class Tags(pydantic.RootModel[set[str]]):
    """A model that is its one value."""


@dataclass
class Plain:
    tags: set[str]


@pydantic.dataclasses.dataclass
class Aliased:
    tags: set[str] = pydantic.Field(serialization_alias="labels", validation_alias="labels")
    hidden: int = pydantic.Field(default=0, exclude=True)


class Named(NamedTuple):
    number: int
    tags: set[str]


class Typed(TypedDict):
    tags: set[str]


class Nested(pydantic.BaseModel):
    """Sets below sets, and below all that holds something else."""

    model_config = pydantic.ConfigDict(alias_generator=str.upper, populate_by_name=True, extra="allow")
    __pydantic_extra__: dict[str, set[str]]

    sets: set[frozenset[str]] = set()
    queue: deque[set[str]] = deque()
    root: Tags = Tags(set())
    plain: Plain = Plain(set())
    aliased: Aliased = Aliased(labels=set())  # type: ignore[call-arg]
    named: Named = Named(0, set())
    typed: Typed = {"tags": set()}
    hidden: set[str] = pydantic.Field(default=set(), exclude=True)


NESTED: dict[str, Any] = {
    "SETS": [],
    "QUEUE": [],
    "ROOT": [],
    "PLAIN": {"TAGS": []},
    "ALIASED": {"labels": []},
    "NAMED": [0, []],
    "TYPED": {"TAGS": []},
}


@pytest.mark.parametrize(
    ("changes", "form"),
    [
        ({"sets": {frozenset(NAMES[:5]), frozenset(NAMES[3:])}}, {"SETS": [NAMES[:5], NAMES[3:]]}),
        ({"queue": deque([set(NAMES), {"x"}])}, {"QUEUE": [NAMES, ["x"]]}),
        ({"root": Tags(set(NAMES))}, {"ROOT": NAMES}),
        ({"plain": Plain(set(NAMES))}, {"PLAIN": {"TAGS": NAMES}}),
        ({"aliased": Aliased(labels=set(NAMES))}, {"ALIASED": {"labels": NAMES}}),  # type: ignore[call-arg]
        ({"named": Named(1, set(NAMES))}, {"NAMED": [1, NAMES]}),
        ({"typed": {"tags": set(NAMES)}}, {"TYPED": {"TAGS": NAMES}}),
        ({"more": set(NAMES)}, {"more": NAMES}),
    ],
    ids=",".join,
)
def test_sets_are_stored_in_their_order_below_whatever_holds_them(changes: dict[str, Any], form: dict[str, Any]) -> None:
    """K1."""
    value = Nested(**changes)
    assert stored(value) == {**NESTED, **form}
    assert Value(Nested).decode(Value(Nested).encode(value)) == value


class Odd(pydantic.BaseModel):
    """Fields whose JSON form is of another kind, or holds less."""

    as_text: set[str] = set()
    as_mapping: str = ""
    as_list: int = 0
    from_mapping: dict[str, set[str]] = {}
    from_list: list[set[str]] = []
    fewer: dict[str, set[str]] = {}
    shorter: list[int] = []

    @pydantic.field_serializer("as_text", when_used="json")
    def _joined(self, value: set[str]) -> str:
        return ",".join(sorted(value, reverse=True))

    @pydantic.field_serializer("as_mapping", when_used="json")
    def _mapped(self, value: str) -> dict[str, int]:
        return dict.fromkeys(value, 1)

    @pydantic.field_serializer("as_list", when_used="json")
    def _listed(self, value: int) -> list[int]:
        return [value]

    @pydantic.field_serializer("from_mapping", "from_list", when_used="json")
    def _counted(self, value: Any) -> str:
        return "x" * len(value)

    @pydantic.field_serializer("fewer", when_used="json")
    def _non_empty(self, value: dict[str, set[str]]) -> dict[str, list[str]]:
        return {key: sorted(part) for key, part in value.items() if part}

    @pydantic.field_serializer("shorter", when_used="json")
    def _up_to_zero(self, value: list[int]) -> list[int]:
        return value[: value.index(0)] if 0 in value else value

    @pydantic.model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data.get("as_text", set()), str):
            return data
        return {
            "as_text": set(filter(None, data["as_text"].split(","))),
            "as_mapping": "".join(data["as_mapping"]),
            "as_list": data["as_list"][0],
            "from_mapping": {str(number): set() for number in range(len(data["from_mapping"]))},
            "from_list": [set() for _ in data["from_list"]],
            "fewer": {"none": set(), **data["fewer"]},
            "shorter": [*data["shorter"], 0],
        }


def test_a_form_that_a_serialiser_chose_is_stored_as_it_is() -> None:
    value = Odd(
        as_text={"a", "b", "c"},
        as_mapping="ab",
        as_list=5,
        from_mapping={"0": set()},
        from_list=[set()],
        fewer={"none": set(), "b": {"y", "x"}},
        shorter=[1, 0],
    )
    form = {
        "as_text": "c,b,a",
        "as_mapping": {"a": 1, "b": 1},
        "as_list": [5],
        "from_mapping": "x",
        "from_list": "x",
        "fewer": {"b": ["x", "y"]},
        "shorter": [1],
    }
    assert stored(value) == form
    assert Value(Odd).decode(Value(Odd).encode(value)) == value


def test_classes_are_described_where_neither_library_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("pydantic", "msgspec"):
        monkeypatch.setitem(sys.modules, library, None)  # type: ignore[arg-type]
    assert stored(Plain({"a"})) == {"tags": {"a"}}


class Price(pydantic.BaseModel):
    price: Decimal = pydantic.Field(default=Decimal(0), allow_inf_nan=True)


def test_a_decimal_that_is_no_number_is_stored_though_it_equals_nothing() -> None:
    typed = Value(Price)
    assert str(typed.decode(typed.encode(Price(price=Decimal("NaN"))))) == "price=Decimal('NaN')"


class Row(msgspec.Struct, frozen=True):
    name: str
    tags: frozenset[str] = frozenset()
    at: dt.datetime | None = None


class Box(msgspec.Struct, Generic[T]):
    content: T


class Spot(msgspec.Struct):
    x: int


class Array(msgspec.Struct, array_like=True, frozen=True):
    x: int


def test_a_model_can_be_a_key_and_is_stored_in_a_list_of_pairs() -> None:
    for annotation, key, form in (
        (dict[Key, int], Key(name="a"), {"name": "a"}),
        (dict[Row, int], Row("a"), {"name": "a", "tags": [], "at": None}),
        (dict[Array, int], Array(1), [1]),
    ):
        typed = Value(annotation)
        assert decode(typed.encode({key: 5})) == [[form, 5]]
        assert typed.decode(typed.encode({key: 5})) == {key: 5}


def test_a_struct_stores_its_sets_in_one_order_and_keeps_dates() -> None:
    """K1."""
    at = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert stored(Row("a", frozenset(NAMES), at)) == {"name": "a", "tags": NAMES, "at": at}


def test_a_struct_with_a_parameter_is_filled_in() -> None:
    typed = Value(Box[int], "box")
    assert typed.decode(typed.encode(Box(5))) == Box(5)
    with pytest.raises(InvalidInputError, match=r"^box.content: expected Box\[int\]: Expected `int`, got `str`, found Box$"):
        typed.encode(Box("x"))


@pytest.mark.parametrize(("annotation", "value", "path"), [(Spot, Spot("s"), "v.x"), (Array, Array("s"), "v[0]")])  # type: ignore[arg-type]
def test_a_field_of_a_struct_is_told_by_its_place(annotation: Any, value: Any, path: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Value(annotation, "v").encode(value)
    assert caught.value.path == path


@pytest.mark.parametrize("model", [Key, Row])
@pytest.mark.parametrize("mapping", [dict, MappingProxyType])
def test_a_mapping_among_others_that_is_no_model_is_told_by_its_place(model: type, mapping: Any) -> None:
    typed = Value(list[model], "v")  # type: ignore[valid-type]
    good: Mapping[str, Any] = mapping({"name": "a"})
    assert typed.encode([good]) == typed.encode([model(name="a")])
    with pytest.raises(InvalidInputError) as caught:
        typed.encode([good, mapping({"name": 5})])
    assert caught.value.path == "v[1].name"
    with pytest.raises(InvalidInputError) as caught:
        typed.decode(encode([{"name": "a"}, {"name": 5}]))
    assert caught.value.path == "v[1].name"


class LongRow(Row, frozen=True):
    more: int = 0


class LongKey(Key, frozen=True):
    more: int = 0


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Row, LongRow("a"), "v: expected Row itself, found its subclass LongRow"),
        (Row, 5, "v: expected Row, found int 5"),
        (Box[int], 5, "v: expected Box[int], found int 5"),
        (Key, LongKey(name="a"), "v: expected Key itself, found its subclass LongKey"),
        (Key, None, "v: expected Key, found None"),
    ],
    ids=str,
)
def test_what_is_no_model_is_told_by_its_type(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Value(annotation, "v").encode(value)
    assert str(caught.value) == message


def test_a_payload_of_another_kind_is_no_model() -> None:
    for annotation, kind in ((Key, "int"), (Row, "int")):
        with pytest.raises(InvalidInputError, match=rf"^v: expected {annotation.__name__}: .*, found {kind}$") as caught:
            Value(annotation, "v").decode(encode(5))
        assert caught.value.path == "v"
