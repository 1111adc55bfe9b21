"""Plain data as JSON, and back exactly."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from aion_trio.codec import decode, encode
from aion_trio.errors import InvalidInputError
from aion_trio.protocol import payload_to_json, value_from_json, value_to_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXT,
    st.binary(max_size=8),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
KEYS = st.one_of(TEXT, TEXT.map("${}".format), st.integers(), st.booleans(), st.uuids())
DATA = st.recursive(
    SCALARS,
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(KEYS, part, max_size=3), st.sets(st.integers() | TEXT, max_size=3)),
    max_leaves=12,
)


def through_json(value: Any) -> Any:
    """As it travels: by msgspec on one side and by `json` on the other."""
    text = msgspec.json.encode(value_to_json(value))
    assert json.loads(text) == json.loads(json.dumps(json.loads(text), allow_nan=False))
    return value_from_json(msgspec.json.decode(text))


@settings(max_examples=300, deadline=None)
@given(DATA)
def test_the_round_trip_is_exact(value: Any) -> None:
    data = encode(value)
    assert encode(through_json(decode(data))) == data


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
        (2**53, {"$int": "9007199254740992"}),
        (-(2**70), {"$int": str(-(2**70))}),
        (math.inf, {"$float": "inf"}),
        (b"\x00\xff", {"$bytes": "AP8="}),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1))), {"$datetime": "2026-01-31T12:00:00+01:00"}),
        (date(2026, 1, 31), {"$date": "2026-01-31"}),
        (time(12, 30), {"$time": "12:30:00"}),
        (timedelta(seconds=1.5), {"$timedelta_us": 1_500_000}),
        (Decimal("1.10"), {"$decimal": "1.10"}),
        (UUID(int=1), {"$uuid": "00000000-0000-0000-0000-000000000001"}),
        ({1, 2}, {"$set": [1, 2]}),
        ({1: "a", "$b": 2}, {"$map": [[1, "a"], ["$b", 2]]}),
        (Fraction(1, 3), {"$cbor": "2B6CAQM="}),
        (IPv4Address("10.0.0.1"), {"$cbor": "2DREChAAAQ=="}),
    ],
)
def test_each_kind_has_its_form(value: Any, wire: Any) -> None:
    if "$cbor" not in (wire if isinstance(wire, dict) else {}):
        assert value_to_json(value) == wire
    assert payload_to_json(encode(value)) == value_to_json(value) and value_from_json(value_to_json(value)) == value


@pytest.mark.parametrize(
    "wire",
    [
        {"$nothing": 1},
        {"$int": "x"},
        {"$int": 5},
        {"$int": "9" * 5000},
        {"$float": "1.5"},
        {"$bytes": "!"},
        {"$datetime": "yesterday"},
        {"$timedelta_us": 10**30},
        {"$timedelta_us": "1"},
        {"$decimal": "1,1"},
        {"$uuid": "1"},
        {"$set": [[1]]},
        {"$set": 1},
        {"$map": [[1]]},
        {"$map": [[[], 1]]},
        {"$cbor": "/w=="},
        {"$a": 1, "b": 2},
    ],
)
def test_what_is_no_value_is_refused_with_its_place(wire: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        value_from_json({"order": [wire]}, "args")
    assert refused.value.path == "args.order[0]"


def test_deep_data_is_refused() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InvalidInputError, match="nested"):
        value_from_json(deep)
