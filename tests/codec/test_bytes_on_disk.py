"""The bytes of plain data, written out a second time: whoever changes how a value is stored sees it here (H7)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import cbor2
import pytest

from aion_trio.codec import ZlibCodec, decode, encode
from aion_trio.errors import JournalFormatError


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 6), "da61696f01781a323032362d30312d30325430333a30343a30352e303030303036"),
        (datetime(2026, 1, 2, tzinfo=UTC), "c074323032362d30312d30325430303a30303a30305a"),
        (date(2026, 1, 2), "d903ec6a323032362d30312d3032"),
        (time(1, 2, 3), "da61696f026830313a30323a3033"),
        (timedelta(1, 2, 3), "da61696f0383010203"),
        (Decimal("Infinity"), "da61696f0468496e66696e697479"),
        (Decimal("1.50"), "c482211896"),
        (Decimal("0.00"), "c4822100"),
        (Decimal("-0.00"), "da61696f04652d302e3030"),
        (UUID(int=5), "d8255000000000000000000000000000000005"),
        ({2, 1}, "d90102820102"),
    ],
)
def test_a_value_is_stored_as_these_bytes_and_read_from_them(value: Any, stored: str) -> None:
    assert encode(value).hex() == stored
    back = decode(bytes.fromhex(stored))
    assert (back, repr(back)) == (value, repr(value))


@pytest.mark.parametrize(
    ("tag", "content"), [(5, [1, 2]), (28, [1]), (29, 0), (35, "a+"), (36, "Subject: x\n\ny")], ids=lambda part: str(part)[:8]
)
def test_what_may_cost_more_than_its_length_is_not_read(tag: int, content: Any) -> None:
    """J7."""
    with pytest.raises(JournalFormatError, match=rf"error decoding semantic tag {tag}$"):
        decode(cbor2.dumps(cbor2.CBORTag(tag, content)))


def test_compression_begins_at_half_a_kilobyte_and_ends_at_a_quarter_of_a_gigabyte() -> None:
    codec = ZlibCodec()
    assert (codec.level, codec.minimum_bytes, codec.limit_bytes, codec.name) == (6, 512, 2**28, "zlib")
    assert codec.encode(bytes(511)) == bytes(511)
    assert len(codec.encode(bytes(512))) < 512
