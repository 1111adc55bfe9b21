"""Lines: one event as one JSON object, for exports that people and other programs read.

Every line has `workflow_id`, `namespace`, `seq`, `at` (ISO 8601 with microseconds, UTC), `type` (the event's name) and the fields by
name (a field `type` is `workflow_type` or `activity_type`). The round trip is exact. Our own ids and digests are hexadecimal; payloads are
`{"$cbor": base64, "$preview": JSON}`, where the preview is for readers alone; what JSON has no form for (NaN, dates,
keys that are no strings…) is `{"$plain": base64 of its CBOR}`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, get_type_hints

from aion_trio.codec.frames import completed, recorded_at
from aion_trio.codec.misfit import Misfit
from aion_trio.codec.narrow import is_dict, is_list, is_set
from aion_trio.codec.plain import decode, encode
from aion_trio.codec.shapes import Shape
from aion_trio.codec.values import shape_of
from aion_trio.errors import AionError, InvalidInputError, JournalFormatError, UnknownEventError
from aion_trio.events import ACTIVITY_SCHEDULED, CLASSES, FIELD_NAMES, Raw, datetime_of

_HEXADECIMAL = frozenset({"run_id", "parent_run_id", "continued_run_id", "input_digest", "payload_digest"})
_PREVIEW_CHARACTERS = 2_000
_EPOCH = datetime_of(0)
_MICROSECOND = timedelta(microseconds=1)
_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_CODES = {cls.__name__: code for code, cls in CLASSES.items()}

Line = tuple[str, str, int, Raw]
"""`(workflow_id, namespace, seq, raw event)`."""


def to_line(workflow_id: str, namespace: str, seq: int, raw: Raw) -> str:
    """The line of an event, without a line end. JournalFormatError for an event with a time or data that no event has."""
    code = raw[0]
    line: dict[str, Any] = {
        "workflow_id": workflow_id,
        "namespace": namespace,
        "seq": seq,
        "at": recorded_at(raw).isoformat(timespec="microseconds"),
        "type": CLASSES[code].__name__,
    }
    try:
        for name, value in zip(FIELD_NAMES[code], raw[2:], strict=True):
            line[_key(code, name)] = value.hex() if name in _HEXADECIMAL and isinstance(value, bytes) else _to_json(value)
        return json.dumps(line, ensure_ascii=False, allow_nan=False)
    except (InvalidInputError, RecursionError) as error:  # damaged bytes may nest deeper than what we write
        raise JournalFormatError(f"event {seq} of workflow {workflow_id!r} holds what is no plain data: {error}") from None


def from_line(line: str) -> Line:
    """The event of a line.

    InvalidInputError says which key is missing or wrong; UnknownEventError names an event of a later version.
    """
    record = _record(line)
    workflow_id, namespace, seq = (_require(record, key, kind) for key, kind in (("workflow_id", str), ("namespace", str), ("seq", int)))
    name = _require(record, "type", str)
    code = _CODES.get(name)
    if code is None:
        raise UnknownEventError(f"an event of type {name!r} is not known to this version; import the line with the later one that wrote it")
    raw: Raw = [code, _instant(_require(record, "at", str))]
    for field in FIELD_NAMES[code]:
        key = _key(code, field)
        if key not in record:
            break
        raw.append(_checked(_field_shapes(code)[field], key, _field(field, key, record[key])))
    try:
        return workflow_id, namespace, seq, completed(raw)
    except AionError:
        missing = FIELD_NAMES[code][len(raw) - 2]
        raise InvalidInputError(f"{name}: the key {missing!r} is missing", missing) from None


def _key(code: int, field: str) -> str:
    """The key of a field; `type` is the event's own in a line, so a field of that name says whose type it is."""
    if field != "type":
        return field
    return "activity_type" if code == ACTIVITY_SCHEDULED else "workflow_type"


def _record(line: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError, TypeError) as error:
        raise InvalidInputError(f"a line of a history is no JSON: {error}") from None
    if not is_dict(record):
        raise InvalidInputError(f"a line of a history is a JSON object, found {type(record).__name__}")
    return record


def _require(record: Mapping[str, Any], key: str, kind: type) -> Any:
    value = record.get(key)
    if type(value) is not kind:
        raise InvalidInputError(f"{key}: expected {kind.__name__}, found {type(value).__name__}", key)
    return value


def _instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        return (at - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInputError(f"at: expected an ISO 8601 time with an offset, found {text!r} ({error})", "at") from None


def _field(field: str, key: str, value: Any) -> Any:
    if field in _HEXADECIMAL and isinstance(value, str):
        if not _HEX.fullmatch(value):
            raise InvalidInputError(f"{key}: expected hexadecimal digits, found {value!r}", key)
        return bytes.fromhex(value)
    try:
        return _from_json(value)
    except (ValueError, TypeError, AionError) as error:
        raise InvalidInputError(f"{key}: {error}", key) from None


def _checked(shape: Shape, key: str, value: Any) -> Any:
    """`value` if it has the type of the event's field."""
    try:
        shape.build(value)
    except Misfit as found:
        raise found.error(key) from None
    return value


@cache
def _field_shapes(code: int) -> Mapping[str, Shape]:
    cls = CLASSES[code]
    hints = get_type_hints(cls)
    return {field.name: shape_of(hints[field.name]) for field in fields(cls)}


def _to_json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, bytes):
        return {"$cbor": _text(value), "$preview": _preview(value)}
    if is_list(value):
        return [_to_json(part) for part in value]
    if is_dict(value) and all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _to_json(part) for key, part in value.items()}
    return {"$plain": _text(encode(value))}


def _from_json(value: Any) -> Any:
    if is_list(value):
        return [_from_json(part) for part in value]
    if not is_dict(value):
        return value
    if "$cbor" in value:
        return _bytes(value["$cbor"])
    if "$plain" in value:
        return decode(_bytes(value["$plain"]))
    return {key: _from_json(part) for key, part in value.items()}


def _bytes(text: Any) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _preview(payload: bytes) -> Any:
    """A payload as JSON for readers; None where it has no such form, is long, or is coded."""
    if len(payload) > _PREVIEW_CHARACTERS:
        return None
    try:
        return json.loads(json.dumps(decode(payload), allow_nan=False, default=_shown))
    except Exception:  # any bytes may stand here, and any data in them
        return None


def _shown(value: object) -> Any:
    return sorted(map(str, value)) if is_set(value) else str(value)
