"""Attribute values as bytes: reversible, and ordered as the values of one type are.

An encoding begins with a tag for the type, so that `1`, `1.0` and `True` are three values here although Python
compares them equal; both backends compare encodings and therefore agree. Within one type the bytes sort as the
values do, which is what lets an index over them be read in order.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from .contract import AttributeValue, InvalidRecord

_FALSE, _TRUE, _INT, _FLOAT, _TIME, _TEXT = 1, 2, 3, 4, 5, 6
_DOUBLE = struct.Struct(">d")
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ZERO_LENGTH = 0x80


def encode_value(value: AttributeValue) -> bytes:
    """The bytes of one value. Raises `InvalidRecord` for a naive datetime, an integer over 126 bytes or another type."""
    if isinstance(value, str):
        return bytes([_TEXT]) + encode_text(value)
    if isinstance(value, bool):
        return bytes([_TRUE if value else _FALSE])
    if isinstance(value, int):
        return bytes([_INT]) + _encode_int(value)
    if isinstance(value, float):
        return bytes([_FLOAT]) + _encode_float(value)
    return bytes([_TIME]) + _encode_time(value)


def decode_value(data: bytes) -> AttributeValue:
    """The value that `encode_value` was given; times come back in UTC. ValueError, IndexError or struct.error for other bytes."""
    try:
        return _value(data[0], data[1:])
    except OverflowError as error:  # a float of more than eight bytes, a time that is no date
        raise ValueError(f"no attribute value: {error}") from None


def _value(tag: int, body: bytes) -> AttributeValue:
    if tag == _TEXT:
        return body.decode()
    if tag in (_TRUE, _FALSE):
        return tag == _TRUE
    if tag == _INT:
        return _decode_int(body)
    if tag == _FLOAT:
        bits = int.from_bytes(body)
        decoded: float = _DOUBLE.unpack((bits ^ _SIGN if bits & _SIGN else bits ^ _ALL).to_bytes(8))[0]
        return decoded
    return _EPOCH + _decode_int(body) * _MICROSECOND


def encode_text(text: str) -> bytes:
    """UTF-8; a text with a lone surrogate cannot be stored and raises `InvalidRecord`."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRecord(f"{text!r} is not valid Unicode text: {error.reason}") from None


def _encode_int(value: int) -> bytes:
    """A length byte above or below 0x80 for the sign, then the magnitude, complemented where it is negative."""
    magnitude = abs(value)
    size = (magnitude.bit_length() + 7) // 8
    if size > 126:
        raise InvalidRecord(f"an integer attribute may have 126 bytes, this one has {size}")
    if value >= 0:
        return bytes([_ZERO_LENGTH + size]) + magnitude.to_bytes(size)
    return bytes([_ZERO_LENGTH - size]) + ((1 << 8 * size) - 1 - magnitude).to_bytes(size)


def _decode_int(body: bytes) -> int:
    size = body[0] - _ZERO_LENGTH
    magnitude = int.from_bytes(body[1:])
    return magnitude if size >= 0 else magnitude - ((1 << -8 * size) - 1)


def _encode_float(value: float) -> bytes:
    """The IEEE bits, made to sort: positive numbers above negative ones, negative ones reversed."""
    bits = int.from_bytes(_DOUBLE.pack(value if value else 0.0))
    return (bits ^ _ALL if bits & _SIGN else bits ^ _SIGN).to_bytes(8)


def _encode_time(value: object) -> bytes:
    if not isinstance(value, datetime):
        raise InvalidRecord(f"an attribute is a str, int, float, bool or datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise InvalidRecord(f"a datetime attribute needs a time zone: {value!r}")
    return _encode_int((value - _EPOCH) // _MICROSECOND)
