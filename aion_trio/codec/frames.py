"""Frames: the events of one append as bytes, and raw events as objects.

A frame is the encoded raw events one after the other, without a head: frames can be joined, and the array head is put
on when they are read, so that any number of events is decoded by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from aion_trio.codec.narrow import is_list
from aion_trio.codec.plain import decode, encode, encode_flat
from aion_trio.errors import JournalFormatError, UnknownEventError
from aion_trio.events import (
    ATTRIBUTES_UPDATED,
    CHILD_WORKFLOW_STARTED,
    CLASSES,
    FIELD_NAMES,
    WORKFLOW_STARTED,
    Event,
    Raw,
    datetime_of,
    name_of,
)

SIZES: dict[int, int] = {code: len(names) + 2 for code, names in FIELD_NAMES.items()}
"""How many elements a raw event of each code has."""

ADDED_FIELDS: dict[int, tuple[Any, ...]] = {}
"""For each code the defaults of the fields that were added to it later, in order (H7)."""

_WITH_PLAIN_DATA = frozenset({WORKFLOW_STARTED, CHILD_WORKFLOW_STARTED, ATTRIBUTES_UPDATED})
"""Events whose attributes are the user's plain data; all else in an event is flat."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime_of(0)
_code_of = itemgetter(0)
_END = "end of frames"
_END_BYTES = encode_flat(_END)


def encode_frame(raws: Sequence[Raw]) -> bytes:
    """The frame of raw events. InvalidInputError for a field that is not plain data."""
    return b"".join([encode(raw) if raw[0] in _WITH_PLAIN_DATA else encode_flat(raw) for raw in raws])


def decode_frame(data: bytes, count: int) -> list[Raw]:
    """The `count` raw events of a frame, or of several that were joined.

    Fields that were added after an event was written have their defaults (H7). UnknownEventError for an event of a
    later version, JournalFormatError for bytes that are no frame of `count` events.
    """
    # One element more than there are events: a frame that holds too many has something else than its end there.
    raws = decode(_array_head(count + 1) + data + _END_BYTES)
    if raws.pop() != _END:
        raise JournalFormatError(f"a frame holds more than its {count} events")
    try:
        fits = [*map(SIZES.get, map(_code_of, raws))] == [*map(len, raws)]
    except Exception:  # something in the place of an event
        fits = False
    return raws if fits else [completed(raw) for raw in raws]


def completed(raw: Any) -> Raw:
    """`raw` with the defaults of fields that it was written without.

    UnknownEventError if this version does not know its code or all of its fields.
    """
    if not is_list(raw) or len(raw) < 2 or type(raw[0]) is not int or type(raw[1]) is not int:
        raise JournalFormatError("a frame holds something else than an event")
    size = SIZES.get(raw[0])
    if size is None or len(raw) > size:
        raise UnknownEventError(_unknown(raw, size))
    missing = size - len(raw)
    if not missing:
        return raw
    defaults = ADDED_FIELDS.get(raw[0], ())
    if missing > len(defaults):
        raise JournalFormatError(f"{name_of(raw[0])} has {len(raw) - 2} of its {size - 2} fields")
    return [*raw, *defaults[len(defaults) - missing :]]


def event_of(raw: Raw, seq: int) -> Event:
    """The object of a raw event, for people. JournalFormatError for a time that is none."""
    raw = completed(raw)
    event: Event = CLASSES[raw[0]](seq, recorded_at(raw), *raw[2:])
    return event


def recorded_at(raw: Raw) -> datetime:
    """When a raw event was recorded. JournalFormatError for microseconds that no date has, as only damaged bytes hold."""
    try:
        return datetime_of(raw[1])
    except OverflowError:
        raise JournalFormatError(f"{name_of(raw[0])} was recorded {raw[1]} microseconds after 1970, which is no date") from None


def raw_of(event: Event) -> Raw:
    """The raw event of an object."""
    names = FIELD_NAMES[event.code]
    return [event.code, (event.recorded_at - _EPOCH) // _MICROSECOND, *(getattr(event, name) for name in names)]


def _array_head(count: int) -> bytes:
    return b"\x9a" + count.to_bytes(4, "big")


def _unknown(raw: Raw, size: int | None) -> str:
    what = name_of(raw[0]) if size is None else f"{name_of(raw[0])} with {len(raw) - 2} fields instead of {size - 2}"
    known = f"event codes up to {max(SIZES)}"
    return f"{what} is not known to this version ({known}); a later version wrote this journal: open it with that one"
