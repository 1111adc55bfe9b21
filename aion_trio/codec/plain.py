"""Plain data and its deterministic bytes (CBOR).

*Plain data* is what this module takes and gives back: None, bool, int, float, str, bytes, list, dict (in the order of
insertion, with any plain hashable key), set, datetime, date, time, timedelta, UUID, Decimal, Fraction and IP
addresses. A tuple comes back as a list, a frozenset as a set, a subclass as its plain base; everything else is exact:
a naive datetime stays naive, an aware one keeps its offset.

The same value gives the same bytes in every process: sets are ordered by the encoded bytes of their elements (tag
258). What CBOR has no standard form for is written under tags of our own (`_NAIVE` and its neighbours).

The C encoder does nearly all the work. What it would write wrongly or refuse is rare and leaves a mark that can be
found in its output at the speed of `bytes.__contains__`; only then the value is encoded again, with hooks in Python
that cost twice the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import cbor2

from aion_trio.codec.misfit import Misfit, misfit
from aion_trio.codec.narrow import is_mapping, is_sequence, is_set
from aion_trio.errors import InvalidInputError, JournalFormatError

MAX_DEPTH = 100
"""How deep plain data may nest; deeper data is refused when it is encoded.

Typed data of that depth is converted within Python's default recursion limit, wherever it is read. Readers take more.
"""

_NAIVE = 0x61696F01
_TIME = 0x61696F02
_TIMEDELTA = 0x61696F03
_DECIMAL = 0x61696F04

_SET = b"\xd9\x01\x02"  # tag 258: the C encoder writes a set in the order of its hashes
_HALF_FLOAT = b"\xf9"  # NaN or an infinity, which may have been a Decimal
_NO_HEADS = bytes(byte for byte in range(256) if not 0x80 <= byte <= 0xDB)
_CUT_OFFSET = b"Z:"  # an offset below a minute, which the C encoder cuts
_DECIMAL_HEAD = b"\xc4\x82"
_ZERO_DECIMAL = re.compile(rb"\xc4\x82(?:[\x00-\x17\x20-\x37]|[\x18\x38].|[\x19-\x1b\x39-\x3b].{2,8}?)\x00", re.DOTALL)  # it loses its sign
_SHORT_TAG = b"\xd8"  # looked for first: an expression takes ten times as long
_NEVER_READ = re.compile(rb"\xd8[\x1c\x1d\x23\x24]")  # tags 28, 29, 35 and 36: the C encoder writes patterns and mail


def _write_set(encoder: cbor2.CBOREncoder, value: Any) -> None:
    elements = sorted(_dumps_with_hooks(element) for element in value)
    encoder.encode_length(6, 258)
    encoder.encode_length(4, len(elements))
    encoder.write(b"".join(elements))


def _write_datetime(encoder: cbor2.CBOREncoder, value: datetime) -> None:
    if value.utcoffset() is None:
        encoder.encode_semantic(_NAIVE, value.isoformat())
    else:
        text = value.isoformat()
        encoder.encode_semantic(0, text[:-6] + "Z" if text.endswith("+00:00") else text)  # as the C encoder has it


def _write_time(encoder: cbor2.CBOREncoder, value: time) -> None:
    encoder.encode_semantic(_TIME, value.isoformat())


def _write_timedelta(encoder: cbor2.CBOREncoder, value: timedelta) -> None:
    encoder.encode_semantic(_TIMEDELTA, [value.days, value.seconds, value.microseconds])


def _write_decimal(encoder: cbor2.CBOREncoder, value: Decimal) -> None:
    if value.is_finite() and (value or not value.is_signed()):
        encoder.encode_decimal(value)
    else:
        encoder.encode_semantic(_DECIMAL, str(value))


_ENCODERS: Mapping[type, Callable[[cbor2.CBOREncoder, Any], None]] = {
    set: _write_set,
    frozenset: _write_set,
    datetime: _write_datetime,
    time: _write_time,
    timedelta: _write_timedelta,
    Decimal: _write_decimal,
}


def _read(make: Callable[[Any], Any]) -> Callable[[Any, bool], Any]:
    def read(content: Any, _immutable: bool) -> Any:
        return make(content)

    return read


def _refused(_value: Any, _immutable: bool) -> Any:
    raise ValueError("not a part of plain data")


_DECODERS: Mapping[int, Callable[[Any, bool], Any]] = {
    _NAIVE: _read(datetime.fromisoformat),
    _TIME: _read(time.fromisoformat),
    _TIMEDELTA: _read(lambda parts: timedelta(*parts)),
    _DECIMAL: _read(Decimal),
    # Shared references can be cyclic; big floats, patterns and mail can cost more than their length.
    **dict.fromkeys((5, 28, 29, 35, 36), _refused),
}


def encode(value: Any, bounded: bool = False) -> bytes:
    """The bytes of plain data; `bounded` if it is known not to nest deeply.

    Raises InvalidInputError with the path of what is not plain data: an instance of a class (annotate it), a lone
    surrogate, a cycle, or data nested deeper than `MAX_DEPTH`.
    """
    try:
        data = cbor2.dumps(value)
    except Exception:  # of several unrelated types; whatever it was, the careful way says it or mends it
        return _encode_carefully(value)
    if _SET in data or _HALF_FLOAT in data or _CUT_OFFSET in data or (_DECIMAL_HEAD in data and _ZERO_DECIMAL.search(data)):
        return _encode_carefully(value)
    if bounded:
        return data
    if _SHORT_TAG in data and _NEVER_READ.search(data):
        return _encode_carefully(value)
    _require_decodable(data)
    return data


def encode_flat(value: Any) -> bytes:
    """As `encode`, for values that are known to hold no set, no Decimal and no unbounded nesting."""
    try:
        return cbor2.dumps(value)
    except Exception:  # a lone surrogate, or a naive datetime
        return _encode_carefully(value)


def decode(data: bytes) -> Any:
    """The plain data that bytes begin with. Raises JournalFormatError for bytes that `encode` did not write.

    What follows is not looked at: that would take twice the time.
    """
    try:
        return cbor2.loads(data, semantic_decoders=_DECODERS)
    except Exception as error:  # damaged bytes fail in many ways, some of them inside the constructors that we name
        raise JournalFormatError(f"{len(data)} bytes are no encoded data: {error}") from None


def decode_flat(data: bytes) -> Any:
    """As `decode` for bytes of numbers, text and bytes, in half the time.

    What it gives for other bytes is of no use, but is never only numbers, text and bytes: the caller looks at the types.
    """
    try:
        return cbor2.loads(data)
    except Exception:
        return decode(data)


def digest(data: bytes) -> bytes:
    """16 bytes that stand for an encoding, taken before any payload codec (K3)."""
    return blake2b(data, digest_size=16).digest()


def _dumps_with_hooks(value: Any) -> bytes:
    return cbor2.dumps(value, encoders=_ENCODERS)


def _encode_carefully(value: Any) -> bytes:
    try:
        data = _dumps_with_hooks(value)
        if _NEVER_READ.search(data):
            decode(data)
    except Exception as error:
        raise _diagnosis(value, error) from None
    _require_decodable(data)
    return data


def _require_decodable(data: bytes) -> None:
    # Each level takes a byte that can be the head of a container or a tag: few of them cannot nest deeply.
    if len(data) <= MAX_DEPTH or len(data.translate(None, _NO_HEADS)) <= MAX_DEPTH:
        return
    try:
        cbor2.loads(data, semantic_decoders=_DECODERS, max_depth=MAX_DEPTH)
    except Exception as error:
        raise InvalidInputError(f"the value cannot be read back once it is stored: {error}") from None


def _diagnosis(value: Any, error: Exception) -> InvalidInputError:
    found = _fault(value, "", 0)
    return InvalidInputError(f"the value cannot be stored: {error}") if found is None else found.error()


_PATH_CHARACTERS = 80


def _fault(value: Any, path: str, depth: int) -> Misfit | None:
    """The first part of `value` that cannot be encoded, itself included."""
    if depth > MAX_DEPTH:
        return Misfit(f"data nested at most {MAX_DEPTH} deep", "a deeper or cyclic value", path[:_PATH_CHARACTERS], at=value)
    if not (is_mapping(value) or is_sequence(value) or is_set(value)):
        found = _fault_of_leaf(value)
        return None if found is None else found.under(path, value)
    for segment, part in _parts(value):
        found = _fault(part, path + segment, depth + 1)
        if found is not None:
            return found
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a container holds, keys included, each with its place."""
    if is_mapping(value):
        for key, part in value.items():
            yield f" key {key!r}", key
            yield f"[{key!r}]", part
    else:
        for index, part in enumerate(value):
            yield f"[{index}]", part


def _fault_of_leaf(value: Any) -> Misfit | None:
    try:
        decode(_dumps_with_hooks(value))
    except UnicodeEncodeError:
        return Misfit("text", "a string with a lone surrogate, which has no UTF-8 form", at=value)
    except Exception:
        return misfit("plain data (or an annotation that names the type)", value)
    return None
