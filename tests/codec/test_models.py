"""pydantic and msgspec models, where those libraries are installed."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from aion_trio.codec import Value, encode
from aion_trio.errors import InvalidInputError, UnsupportedTypeError

from .data import Colour, Parcel

AT = dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))


def exact(annotation: Any, value: Any) -> None:
    typed = Value(annotation)
    back = typed.decode(typed.encode(value))
    assert back == value
    assert type(back) is type(value)
    assert typed.encode(back) == typed.encode(value)


class TestPydantic:
    @pytest.fixture(autouse=True)
    def _models(self) -> None:
        pydantic = pytest.importorskip("pydantic")

        class Item(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            sku: str
            price: Decimal
            tags: frozenset[str] = frozenset()

        class Invoice(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            id: UUID
            at: dt.datetime
            items: list[Item]
            colour: Colour = Colour.RED
            number: int = pydantic.Field(alias="no", default=1)
            weight: float = 0.0
            rest: Any = None

        self.item, self.invoice = Item, Invoice
        self.value = Invoice(id=UUID(int=1), at=AT, items=[Item(sku="a", price=Decimal("1.10"), tags=frozenset({"x", "y"}))], no=5)

    def test_a_model_round_trips(self) -> None:
        exact(self.invoice, self.value)
        exact(list[self.item], self.value.items)  # type: ignore[name-defined]
        exact(self.invoice | Parcel, self.value)

    def test_a_mapping_is_validated_as_the_model(self) -> None:
        typed = Value(self.item)
        assert typed.decode(typed.encode({"sku": "a", "price": "2.5"})) == self.item(sku="a", price=Decimal("2.5"))

    def test_a_misfit_has_the_models_path(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            Value(self.invoice, "invoice").encode({"id": UUID(int=1), "at": AT, "items": [{"sku": 5, "price": 1}]})
        assert caught.value.path == "invoice.items[0].sku"

    def test_a_value_that_would_change_is_refused(self) -> None:
        for rest in ({1, 2}, (1, 2), b"x"):
            with pytest.raises(InvalidInputError, match="its JSON form gives back"):
                Value(self.invoice).encode(self.value.model_copy(update={"rest": rest}))

    def test_numbers_that_are_none_survive(self) -> None:
        exact(self.invoice, self.value.model_copy(update={"weight": float("inf")}))
        Value(self.invoice).encode(self.value.model_copy(update={"weight": float("nan")}))

    def test_a_model_that_cannot_be_dumped_is_refused(self) -> None:
        pydantic = pytest.importorskip("pydantic")

        class Sealed(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            x: int

            @pydantic.field_serializer("x")
            def refuse(self, x: int) -> int:
                raise RuntimeError(f"no {x}")

        with pytest.raises(InvalidInputError, match=r"^sealed: expected Sealed that can be dumped, found .*no 5"):
            Value(Sealed, "sealed").encode(Sealed(x=5))

    def test_an_instance_of_a_subclass_is_refused_rather_than_cut_down(self) -> None:
        class Crate(self.item):  # type: ignore[misc, name-defined]
            lid: bool = True

        with pytest.raises(InvalidInputError, match=r"^v: expected Item itself, found its subclass Crate$"):
            Value(self.item, "v").encode(Crate(sku="a", price=Decimal(1)))
        with pytest.raises(InvalidInputError, match=r"^v: expected Item, found int 5$"):
            Value(self.item, "v").encode(5)

    def test_a_validator_that_refuses_once_alone_is_told_with_its_place(self) -> None:
        pydantic = pytest.importorskip("pydantic")
        moods = iter([True, False, True])

        class Moody(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            x: int

            @pydantic.field_validator("x")
            def refuse_once(cls, x: int) -> int:
                if not next(moods):
                    raise ValueError("not now")
                return x

        with pytest.raises(InvalidInputError, match=r"^v\[1\].x: expected Moody: Value error, not now, found int$"):
            Value(list[Moody], "v").decode(encode([{"x": 5}, {"x": 6}, {"x": 7}]))

    def test_a_model_with_an_unresolved_annotation_is_refused_before_any_value(self) -> None:
        pydantic = pytest.importorskip("pydantic")

        class Broken(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            other: "Nowhere"  # type: ignore[name-defined] # noqa: F821

        with pytest.raises(UnsupportedTypeError, match="Broken"):
            Value(Broken)


class TestMsgspec:
    @pytest.fixture(autouse=True)
    def _structs(self) -> None:
        msgspec = pytest.importorskip("msgspec")

        class Item(msgspec.Struct, frozen=True):  # type: ignore[misc, name-defined]
            sku: str
            price: Decimal
            tags: frozenset[str] = frozenset()
            blob: bytes = b""
            weight: float = 0.0

        class Invoice(msgspec.Struct):  # type: ignore[misc, name-defined]
            id: UUID
            at: dt.datetime
            items: list[Item]
            colour: Colour = Colour.RED
            span: dt.timedelta = dt.timedelta(1)
            by_number: dict[int, str] | None = None

        class Row(msgspec.Struct, array_like=True):  # type: ignore[misc, name-defined]
            x: int
            y: int = 0

        self.item, self.invoice, self.row = Item, Invoice, Row
        item = Item("a", Decimal("1.10"), frozenset({"x", "y"}), b"\xff", float("inf"))
        self.value = Invoice(UUID(int=1), AT, [item], by_number={1: "a"})

    def test_a_struct_round_trips(self) -> None:
        exact(self.invoice, self.value)
        exact(self.row, self.row(1, 2))
        exact(set[self.item], {self.value.items[0]})  # type: ignore[name-defined]
        exact(self.row | list[int] | Parcel, self.row(1, 2))

    def test_a_struct_that_does_not_hold_what_it_says_is_refused(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            Value(self.invoice, "invoice").encode(self.invoice(UUID(int=1), AT, [self.item(5, Decimal(1))]))
        assert caught.value.path == "invoice.items[0].sku"

    def test_a_struct_that_cannot_be_stored_is_refused_before_any_value(self) -> None:
        msgspec = pytest.importorskip("msgspec")

        class Broken(msgspec.Struct):  # type: ignore[misc, name-defined]
            other: "Nowhere"  # type: ignore[name-defined] # noqa: F821

        with pytest.raises(UnsupportedTypeError, match="Broken"):
            Value(Broken)

    def test_a_payload_that_does_not_fit_is_refused_with_the_structs_path(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            Value(self.invoice, "invoice").decode(encode({"id": UUID(int=1), "at": AT, "items": [{"sku": 5, "price": Decimal(1)}]}))
        assert str(caught.value) == "invoice.items[0].sku: expected Invoice: Expected `str`, got `int`, found dict"

    def test_a_mapping_is_converted_to_the_struct(self) -> None:
        item = Value(self.item)
        assert item.encode({"sku": "a", "price": Decimal(1)}) == item.encode(self.item("a", Decimal(1)))
        typed = Value(self.row | None)
        assert typed.decode(typed.encode(self.row(3))) == self.row(3)
