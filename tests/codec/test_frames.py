"""Frames and event objects: exact round trips, typed errors, and fields that are added later."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings, strategies as st

from aion_trio.codec import decode_frame, encode_frame, event_of, frames, raw_of
from aion_trio.errors import AionError, InvalidInputError, JournalFormatError, UnknownEventError
from aion_trio.events import ACTIVITY_COMPLETED, CLASSES, LATEST_US, TIMER_FIRED, WORKFLOW_STARTED, ActivityCompleted, Raw

from .events import RAWS, raws_of

COMPLETED: Raw = [ACTIVITY_COMPLETED, 5, 1, b"\x01", 1]


@given(st.lists(RAWS, max_size=6))
@settings(max_examples=150)
def test_a_frame_gives_back_its_events(raws: list[Raw]) -> None:
    assert decode_frame(encode_frame(raws), len(raws)) == raws


@given(st.lists(RAWS, max_size=3), st.lists(RAWS, max_size=3))
@settings(max_examples=50)
def test_joined_frames_are_a_frame(first: list[Raw], second: list[Raw]) -> None:
    assert decode_frame(encode_frame(first) + encode_frame(second), len(first) + len(second)) == first + second


@given(RAWS, st.integers(1, 2**60))
def test_an_event_object_gives_back_its_raw_event(raw: Raw, seq: int) -> None:
    event = event_of(raw, seq)
    assert type(event) is CLASSES[raw[0]]
    assert event.seq == seq
    assert raw_of(event) == raw


def test_an_event_object_cannot_be_changed() -> None:
    event = event_of(COMPLETED, 1)
    assert isinstance(event, ActivityCompleted)
    with pytest.raises(FrozenInstanceError):
        event.ordinal = 2  # type: ignore[misc]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_frame_of_another_number_of_events_is_refused(count: int) -> None:
    with pytest.raises(JournalFormatError):
        decode_frame(encode_frame([COMPLETED, COMPLETED]), count)


@pytest.mark.parametrize("more", [b"\xf6", b"\xf6\xf6", b"\xf6 and so on", b"\x00", b"\x80", encode_frame([COMPLETED])], ids=bytes.hex)
def test_a_frame_with_more_behind_its_events_is_refused(more: bytes) -> None:
    """J7."""
    with pytest.raises(JournalFormatError, match=r"^a frame holds more than its 1 events$"):
        decode_frame(encode_frame([COMPLETED]) + more, 1)


@pytest.mark.parametrize("size", range(1, len(encode_frame([COMPLETED]))))
def test_a_frame_that_was_cut_is_refused(size: int) -> None:
    """J7."""
    for count in (1, 2):
        with pytest.raises(JournalFormatError):
            decode_frame(encode_frame([COMPLETED])[:size], count)


def test_an_event_of_a_later_version_is_named() -> None:
    """H7."""
    with pytest.raises(UnknownEventError, match="event code 99 is not known to this version"):
        decode_frame(cbor2.dumps([99, 5, "x"]), 1)


def test_an_event_with_fields_of_a_later_version_is_named() -> None:
    """H7: a field that is not known may change the meaning, so it is not dropped."""
    with pytest.raises(UnknownEventError, match="ActivityCompleted with 4 fields instead of 3"):
        decode_frame(cbor2.dumps([*COMPLETED, "new"]), 1)


def test_an_event_without_a_field_that_it_always_had_is_refused() -> None:
    with pytest.raises(JournalFormatError, match="ActivityCompleted has 2 of its 3 fields"):
        decode_frame(cbor2.dumps(COMPLETED[:-1]), 1)


def test_a_field_that_was_added_later_has_its_default_in_older_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """H7: as if two fields had been added to ActivityCompleted, one after the other."""
    monkeypatch.setitem(frames.SIZES, ACTIVITY_COMPLETED, 7)
    monkeypatch.setitem(frames.ADDED_FIELDS, ACTIVITY_COMPLETED, ("first", "second"))
    timer: Raw = [TIMER_FIRED, 6, 1]
    data = b"".join(map(cbor2.dumps, [COMPLETED, timer, [*COMPLETED, "one"], [*COMPLETED, "one", "two"]]))
    assert decode_frame(data, 4) == [
        [*COMPLETED, "first", "second"],
        timer,
        [*COMPLETED, "one", "second"],
        [*COMPLETED, "one", "two"],
    ]
    with pytest.raises(JournalFormatError, match="has 2 of its 5 fields"):
        decode_frame(cbor2.dumps(COMPLETED[:-1]), 1)


def test_every_added_field_has_a_default_for_all_that_follow_it() -> None:
    """H7: the table never names more fields than an event has."""
    for code, defaults in frames.ADDED_FIELDS.items():
        assert len(defaults) <= frames.SIZES[code] - 2


@given(st.binary(max_size=60), st.integers(0, 4))
@settings(max_examples=400)
def test_arbitrary_bytes_are_events_or_a_typed_error(data: bytes, count: int) -> None:
    try:
        decode_frame(data, count)
    except AionError:
        pass


@pytest.mark.parametrize("value", [5, None, "x", [], [1], ["a", 1], [True, 1], [1.0, 2], {}, [[10], 1]])
def test_what_is_no_event_is_a_format_error(value: Any) -> None:
    with pytest.raises((JournalFormatError, UnknownEventError)):
        decode_frame(cbor2.dumps(value), 1)


@given(raws_of(WORKFLOW_STARTED))
def test_sets_in_attributes_are_encoded_in_one_order(raw: Raw) -> None:
    """K1."""
    raw[12] = {"tags": {"a", "b", "c", 1, 2}}
    assert encode_frame([raw]) == encode_frame([[*raw[:12], {"tags": {2, 1, "c", "b", "a"}}, *raw[13:]]])


def test_attributes_that_are_not_plain_data_are_refused() -> None:
    raw: Raw = [26, 5, {"a": object()}, 0]
    with pytest.raises(InvalidInputError, match="found object"):
        encode_frame([raw])


@pytest.mark.parametrize("us", [LATEST_US + 1, -(10**18)])
def test_a_time_that_no_date_has_is_a_format_error(us: int) -> None:
    """J7: only damaged bytes hold one."""
    with pytest.raises(JournalFormatError, match=rf"^ActivityCompleted was recorded {us} microseconds after 1970, which is no date$"):
        event_of([ACTIVITY_COMPLETED, us, 1, b"\x01", 1], 1)
