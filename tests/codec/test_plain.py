"""Plain data: exact, deterministic, and refused clearly where it is not plain."""

from __future__ import annotations

import datetime as dt
import math
import os
import re
import subprocess
import sys
from collections import OrderedDict
from decimal import Decimal
from email.message import Message
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings, strategies as st

from aion_trio.codec import decode, digest, encode
from aion_trio.codec.plain import MAX_DEPTH
from aion_trio.errors import InvalidInputError, JournalFormatError

from .data import PLAIN, Parcel


@given(PLAIN)
def test_plain_data_comes_back_equal(value: Any) -> None:
    assert decode(encode(value)) == value


@given(PLAIN)
def test_encoding_what_was_decoded_gives_the_same_bytes(value: Any) -> None:
    """K3: an input that went through the journal has the digest of the one that went in."""
    data = encode(value)
    assert encode(decode(data)) == data
    assert digest(data) == digest(encode(decode(data)))


@given(PLAIN)
@example(Decimal("-1.5"))
@example(Decimal("0.00"))
@example([Decimal(0), dt.datetime(2024, 1, 1), dt.timedelta(1)])
@example(dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
@example(dt.datetime(2024, 1, 1, 0, 0, 0, 5, tzinfo=dt.UTC))
@example(dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=28))))
def test_the_bytes_of_a_value_do_not_depend_on_what_stands_beside_it(value: Any) -> None:
    """K3: a set or a NaN beside it has it written by another encoder."""
    assert encode([value, {1}]) == b"\x82" + encode(value) + encode({1})


@given(st.datetimes(timezones=st.timezones()))
def test_an_aware_datetime_keeps_its_instant_and_its_offset(value: dt.datetime) -> None:
    back = decode(encode(value))
    assert back.utcoffset() == value.utcoffset()
    assert back.replace(tzinfo=None) == value.replace(tzinfo=None)


@pytest.mark.parametrize("seconds", [28, 3208, -28, 86399])
def test_an_offset_below_a_minute_survives(seconds: int) -> None:
    value = dt.datetime(1900, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=seconds, microseconds=5)))
    assert decode(encode(value)).utcoffset() == value.utcoffset()


def test_a_naive_datetime_stays_naive() -> None:
    assert decode(encode(dt.datetime(2024, 5, 6, 7, 8, 9, 10))) == dt.datetime(2024, 5, 6, 7, 8, 9, 10)


@pytest.mark.parametrize(
    "text", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+400", "0.00", "1.10", "-0", "-0.00", "-0E-30", "-0E+300", "-0E-70000"]
)
def test_a_decimal_keeps_its_digits_and_its_kind(text: str) -> None:
    back = decode(encode([Decimal(text)]))[0]
    assert isinstance(back, Decimal)
    assert str(back) == text


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, 5e-324, 2**70, -(2**70), "", b"", 1.0])
def test_numbers_at_the_edge_come_back_as_what_they_are(value: Any) -> None:
    back = decode(encode(value))
    assert (type(back), repr(back)) == (type(value), repr(value))


def test_nan_comes_back_as_a_float() -> None:
    back = decode(encode(math.nan))
    assert type(back) is float
    assert math.isnan(back)


def test_tuples_come_back_as_lists_and_frozensets_as_sets() -> None:
    back = decode(encode({"t": (1, (2,)), "f": frozenset({3})}))
    assert back == {"t": [1, [2]], "f": {3}}
    assert type(back["f"]) is set


def test_a_mapping_keeps_its_order() -> None:
    assert list(decode(encode(OrderedDict(b=1, a=2)))) == ["b", "a"]


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    """K1: sets are ordered by the encoded bytes of their elements."""
    program = "from aion_trio.codec import encode; print(encode({'s': {'a', 'bb', 'ccc', 1, 2, b'x', ('t', 1)}}).hex())"
    seeds = ("0", "1", "2")
    path = os.pathsep.join(filter(None, sys.path))
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": path}, capture_output=True, check=True, text=True
        ).stdout
        for seed in seeds
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        ({"order": [1, Parcel(2)]}, "['order'][1]", "found Parcel"),
        ([object()], "[0]", "found object"),
        ({"a": "\ud800"}, "['a']", "surrogate"),
        ([1, "\udfff"], "[1]", "surrogate"),
        ({"f": print}, "['f']", "plain data"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_path(value: Any, path: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says) as caught:
        encode(value)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "value", [re.compile("a+"), Message(), cbor2.CBORTag(28, [1]), cbor2.CBORTag(29, 0)], ids=lambda part: type(part).__name__
)
def test_what_could_be_written_but_never_read_is_refused(value: Any) -> None:
    """The C encoder takes some objects whose tags we refuse to read (J7)."""
    expected = f"expected plain data (or an annotation that names the type), found {type(value).__name__}"
    for whole, place in ((value, "value"), ({"a": [1, value]}, "['a'][1]"), ([{2}, value], "[1]")):
        with pytest.raises(InvalidInputError) as caught:
            encode(whole)
        assert str(caught.value) == f"{place}: {expected}"


def test_bytes_that_look_like_a_tag_that_is_never_read_are_plain_data() -> None:
    value = [b"\xd8\x1c\xd8\x23", 0xD824, {1}]
    assert decode(encode(value)) == value


def test_cyclic_data_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(InvalidInputError, match=rf": expected data nested at most {MAX_DEPTH} deep, found a deeper or cyclic value$"):
        encode(cycle)


def nested(levels: int, innermost: Any) -> Any:
    value = innermost
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("innermost", "levels"),
    [([], 0), ({}, 0), ([1], 1), (["text " * 40], 1), ({"k": 1}, 1), ([math.inf], 1), ([Decimal("NaN")], 2), ([{1}], 3)],
    ids=lambda part: repr(part)[:12],
)
def test_data_of_the_greatest_depth_is_stored_and_one_level_more_is_refused(innermost: Any, levels: int) -> None:
    """Whichever encoder writes it; a tag counts as a level, an empty container as none."""
    deepest = nested(MAX_DEPTH - levels, innermost)
    assert repr(decode(encode(deepest))) == repr(deepest)
    with pytest.raises(InvalidInputError, match=r"^the value cannot be read back once it is stored: "):
        encode([deepest])


def test_a_fault_in_the_deepest_place_is_told_as_what_it_is() -> None:
    with pytest.raises(InvalidInputError, match="lone surrogate") as caught:
        encode(nested(MAX_DEPTH, "\ud800"))
    assert caught.value.path == "[0]" * MAX_DEPTH
    with pytest.raises(InvalidInputError, match=r"found a deeper or cyclic value$"):
        encode(nested(MAX_DEPTH + 1, "\ud800"))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 10, 2_000])
def test_data_that_could_not_be_read_back_is_refused_when_it_is_encoded(depth: int) -> None:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    with pytest.raises(InvalidInputError, match="read back"):
        encode(value)


@given(st.binary(max_size=60))
@settings(max_examples=400)
def test_arbitrary_bytes_decode_or_are_a_format_error(data: bytes) -> None:
    try:
        decode(data)
    except JournalFormatError:
        pass


@pytest.mark.parametrize("tag", [5, 28, 29, 35, 36])
def test_tags_that_can_cost_more_than_their_length_are_refused(tag: int) -> None:
    with pytest.raises(JournalFormatError):
        decode(cbor2.dumps(cbor2.CBORTag(tag, [10**9, 1])))
