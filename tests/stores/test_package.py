"""The package's face: what is public, what is loaded when, how values and rows are encoded."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

import aion_trio.stores as stores
from aion_trio.stores.attributes import decode_value, encode_value
from aion_trio.stores.contract import AttributeValue, InvalidRecord
from aion_trio.stores.lmdb_store import memo as memos
from aion_trio.stores.lmdb_store.memo import Memo

from .building import key
from .processes import run_program

TIMES = st.datetimes(timezones=st.just(UTC))


def test_importing_the_stores_loads_neither_lmdb_nor_trio() -> None:
    program = "import aion_trio.stores; print(sorted({'lmdb', 'trio', 'cbor2'} & set(sys.modules)))"
    told = run_program(program, prelude="")
    assert told == "[]\n"


def test_every_public_name_is_there_and_documented() -> None:
    for name in stores.__all__:
        assert getattr(stores, name) is not None
    assert dir(stores) == sorted(stores.__all__)
    assert not hasattr(stores, "no_such_name")


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(exclude_categories=["Cs"])), TIMES))
def test_an_attribute_value_comes_back_as_it_went(value: AttributeValue) -> None:
    back = decode_value(encode_value(value))
    assert type(back) is type(value) and back == value


@pytest.mark.parametrize(
    "values",
    [st.integers(), st.floats(allow_nan=False), st.text(st.characters(exclude_categories=["Cs"])), TIMES, st.booleans()],
    ids=["int", "float", "str", "datetime", "bool"],
)
def test_values_of_one_type_sort_as_their_encodings_do(values: st.SearchStrategy[int]) -> None:
    @given(values, values)
    def check(one: int, other: int) -> None:
        assert (encode_value(one) < encode_value(other)) == (one < other)

    check()


def test_what_is_no_attribute_is_refused() -> None:
    for value in (datetime(2024, 1, 1), b"bytes", None, [1], 1 << 1016):
        with pytest.raises(InvalidRecord):
            encode_value(value)  # type: ignore[arg-type]
    assert decode_value(encode_value((1 << 1008) - 1)) == (1 << 1008) - 1


def test_a_nan_keeps_its_bits() -> None:
    back = decode_value(encode_value(float("nan")))
    assert isinstance(back, float) and struct.pack(">d", back) == struct.pack(">d", float("nan"))


def test_the_writers_memo_is_bounded_and_keeps_what_was_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memos, "_REMEMBERED", 50)
    memo = Memo(1)
    for serial in range(160):
        memo.keep(key(f"w{serial}"), (serial, 1))
    remembered = [serial for serial in range(160) if memo.place(key(f"w{serial}"))]
    assert len(remembered) <= 100 and remembered == list(range(remembered[0], 160))
    assert memo.place(key("w159")) == (159, 1)
    memo.keep(key("w149"), (149, 2))
    assert memo.place(key("w149")) == (149, 2)


def test_the_writers_memo_forgets_a_place_however_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memos, "_REMEMBERED", 2)
    memo = Memo(1)
    for serial in range(1, 4):
        memo.keep(key(f"w{serial}"), (serial, 1))
    for serial in range(1, 4):
        assert memo.place(key(f"w{serial}")) == (serial, 1)
        memo.forget(key(f"w{serial}"))
        assert memo.place(key(f"w{serial}")) is None
