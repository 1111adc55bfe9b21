"""Values as JSON: plain data in a form that every language reads, and that comes back exactly.

Text, booleans, null, lists, finite floats and integers up to 2**53 are themselves; so is a map with text keys that do
not begin with `$`. The rest of plain data is an object with one key that says what it is:

| form | value |
|---|---|
| `{"$int": "9007199254740993"}` | an integer that not every JSON reader keeps |
| `{"$float": "nan"}` | NaN, `inf`, `-inf` |
| `{"$bytes": "AP8="}` | bytes, in base64 |
| `{"$datetime": "2026-01-31T12:00:00+01:00"}`, `$date`, `$time` | ISO 8601; a datetime without an offset stays naive |
| `{"$timedelta_us": 1500000}` | a time span in microseconds |
| `{"$decimal": "1.10"}`, `{"$uuid": "…"}` | as text |
| `{"$set": […]}`, `{"$map": [[key, value], …]}` | a set; a map with keys of any kind |
| `{"$cbor": "…"}` | anything else (fractions, IP addresses, keys that are no scalars), its CBOR in base64 |
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..codec import decode, encode
from ..codec.narrow import class_of, is_dict, is_list
from ..codec.plain import MAX_DEPTH
from ..errors import AionError, InvalidInputError

Json = Any
"""What `json` reads and writes: None, bool, int, float, str, list, dict with text keys."""

_LARGEST_INTEGER = 2**53 - 1
_MICROSECOND = timedelta(microseconds=1)


def value_to_json(value: Any) -> Json:
    """Plain data as JSON; `value_from_json` gives it back exactly."""
    write = _WRITERS.get(class_of(value), _write_cbor)
    return write(value)


def payload_to_json(data: bytes) -> Json:
    """The JSON of an encoded value. Raises `JournalFormatError` for bytes that are none."""
    return value_to_json(decode(data))


def value_from_json(value: Json, name: str = "value") -> Any:
    """The plain data of its JSON. Raises `InvalidInputError`; `name` is where its path begins."""
    return _read(value, name, 0)


# ---- writing


def _write_int(value: int) -> Json:
    return value if -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER else {"$int": str(value)}


def _write_float(value: float) -> Json:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _write_list(value: list[Any]) -> Json:
    return [value_to_json(part) for part in value]


def _write_dict(value: dict[Any, Any]) -> Json:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: value_to_json(part) for key, part in value.items()}
    if all(type(key) in _SCALARS for key in value):
        return {"$map": [[value_to_json(key), value_to_json(part)] for key, part in value.items()]}
    return _write_cbor(value)


def _write_set(value: set[Any] | frozenset[Any]) -> Json:
    if all(type(part) in _SCALARS for part in value):
        return {"$set": [value_to_json(part) for part in _in_order(value)]}
    return _write_cbor(value)


def _in_order(value: set[Any] | frozenset[Any]) -> list[Any]:
    """A set's elements in the order of their encodings, so that equal sets have equal JSON."""
    return sorted(value, key=encode)


def _write_cbor(value: Any) -> Json:
    return {"$cbor": _text(encode(value))}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _itself(value: Any) -> Json:
    return value


def _iso(tag: str) -> Callable[[Any], Json]:
    return lambda value: {tag: value.isoformat()}


def _as_text(tag: str) -> Callable[[Any], Json]:
    return lambda value: {tag: str(value)}


_WRITERS: Mapping[type, Callable[[Any], Json]] = {
    type(None): _itself,
    bool: _itself,
    str: _itself,
    int: _write_int,
    float: _write_float,
    list: _write_list,
    dict: _write_dict,
    set: _write_set,
    frozenset: _write_set,
    bytes: lambda value: {"$bytes": _text(value)},
    datetime: _iso("$datetime"),
    date: _iso("$date"),
    time: _iso("$time"),
    timedelta: lambda value: {"$timedelta_us": _write_int(value // _MICROSECOND)},
    Decimal: _as_text("$decimal"),
    UUID: _as_text("$uuid"),
}
_SCALARS = frozenset({type(None), bool, str, int, float, bytes, datetime, date, time, timedelta, Decimal, UUID})


# ---- reading


def _read(value: Json, path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"{path[:80]}: expected data nested at most {MAX_DEPTH} deep", path[:80])
    if is_list(value):
        return [_read(part, f"{path}[{index}]", depth + 1) for index, part in enumerate(value)]
    if not is_dict(value):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag.startswith("$"):
            return _read_tagged(tag, content, path, depth)
    for key in value:
        if key.startswith("$"):
            raise InvalidInputError(f"{path}: the key {key!r} begins with $; write the map as {{'$map': [[key, value], …]}}", path)
    return {key: _read(part, f"{path}.{key}", depth + 1) for key, part in value.items()}


def _read_tagged(tag: str, content: Json, path: str, depth: int) -> Any:
    if tag == "$set":
        return {_hashable(part, path, depth) for part in _require(list, content, tag, path)}
    if tag == "$map":
        return dict(_pair(part, path, depth) for part in _require(list, content, tag, path))
    if tag == "$timedelta_us":
        return _made(lambda us: timedelta(microseconds=us), _require(int, _read(content, path, depth + 1), tag, path), tag, path)
    make = _READERS.get(tag)
    if make is None:
        raise InvalidInputError(f"{path}: {tag!r} is no kind of value; known: {', '.join(sorted(_KNOWN))}", path)
    return _made(make, _require(str, content, tag, path), tag, path)


def _made(make: Callable[[Any], Any], content: Any, tag: str, path: str) -> Any:
    try:
        return make(content)
    except (ValueError, ArithmeticError, TypeError, AionError) as error:
        raise InvalidInputError(f"{path}: {tag} cannot be made of {content!r}: {error}", path) from None


def _require(kind: type, content: Json, tag: str, path: str) -> Any:
    if type(content) is not kind:
        raise InvalidInputError(f"{path}: {tag} holds a {kind.__name__}, found {type(content).__name__}", path)
    return content


def _hashable(value: Json, path: str, depth: int) -> Any:
    part = _read(value, path, depth + 1)
    if type(part) not in _SCALARS:
        raise InvalidInputError(f"{path}: an element of $set or a key of $map is a scalar, found {type(part).__name__}", path)
    return part


def _pair(pair: Json, path: str, depth: int) -> tuple[Any, Any]:
    if not is_list(pair) or len(pair) != 2:
        raise InvalidInputError(f"{path}: $map holds pairs [key, value], found {pair!r}", path)
    return _hashable(pair[0], path, depth), _read(pair[1], path, depth + 1)


def _float(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise ValueError("only 'nan', 'inf' and '-inf' are written so")
    return float(text)


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "$int": int,
    "$float": _float,
    "$bytes": _base64,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$decimal": Decimal,
    "$uuid": UUID,
    "$cbor": lambda text: decode(_base64(text)),
}
_KNOWN = {*_READERS, "$set", "$map", "$timedelta_us"}
