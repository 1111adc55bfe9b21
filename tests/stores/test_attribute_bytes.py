"""How attributes are written in index rows: to the byte, because rows stay on disk, and in the order of their values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from aion_trio.stores import Fault, FaultyStore, MemoryStore, StoreFull
from aion_trio.stores.attributes import AttributeValue, decode_value, encode_value
from aion_trio.stores.faulty import WRITES
from aion_trio.stores.limits import InvalidRecord

from .building import events, key


def stored(value: AttributeValue) -> str:
    return encode_value(value)[1:].hex()


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("π", "cf80"),
        (0, "80"),
        (1, "8101"),
        (-1, "7ffe"),
        (255, "81ff"),
        (256, "820100"),
        (-256, "7efeff"),
        (1.5, "bff8000000000000"),
        (-1.5, "4007ffffffffffff"),
        (0.0, "8000000000000000"),
        (-0.0, "8000000000000000"),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "80"),
        (datetime(1970, 1, 1, 0, 0, 0, 256, UTC), "820100"),
    ],
)
def test_an_attribute_is_written_as_these_bytes_and_read_from_them(value: AttributeValue, body: str) -> None:
    assert stored(value) == body
    assert decode_value(encode_value(value)) == value


def test_each_type_of_attribute_has_a_tag_of_its_own() -> None:
    tags = [encode_value(value)[0] for value in (False, True, 1, 1.0, datetime(1970, 1, 1, tzinfo=UTC), "")]
    assert tags == [1, 2, 3, 4, 5, 6]


class Nowhere(tzinfo):
    """A time zone that does not say how far it is from UTC."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None


@pytest.mark.parametrize("zone", [None, Nowhere()])
def test_a_time_of_no_zone_is_refused(zone: tzinfo | None) -> None:
    with pytest.raises(InvalidRecord, match="needs a time zone"):
        encode_value(datetime(1970, 1, 1, tzinfo=zone))


@pytest.mark.parametrize(
    "values",
    [
        [-(1 << 1008) + 1, -65536, -257, -256, -255, -2, -1, 0, 1, 2, 255, 256, 65535, (1 << 1008) - 1],
        [float("-inf"), -1e300, -2.5, -1.0, -1e-300, 0.0, 1e-300, 1.0, 2.5, 1e300, float("inf")],
    ],
)
def test_numbers_sort_as_their_bytes_do(values: list[AttributeValue]) -> None:
    assert sorted(values, key=encode_value) == values
    assert [decode_value(encode_value(value)) for value in values] == values


@pytest.mark.parametrize("value", [1 << 1008, -(1 << 1008)])
def test_an_integer_of_more_than_126_bytes_is_refused(value: int) -> None:
    """J6."""
    with pytest.raises(InvalidRecord, match="may have 126 bytes, this one has 127"):
        encode_value(value)


@pytest.mark.parametrize("data", [bytes([4, *range(9, 0, -1)]), bytes([5]) + encode_value(1 << 70)[1:]], ids=["long float", "no date"])
def test_bytes_that_are_no_value_are_an_error_of_the_values(data: bytes) -> None:
    with pytest.raises(ValueError, match="no attribute value"):
        decode_value(data)


def test_a_fault_of_the_writes_leaves_the_reads_alone() -> None:
    store = FaultyStore(MemoryStore())
    store.plan(Fault(WRITES, error=StoreFull("no room")))
    assert store.head(key()) == 0
    with pytest.raises(StoreFull):
        store.apply([events(key(), 0)])
