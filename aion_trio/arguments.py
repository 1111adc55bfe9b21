"""Ids, texts, spans and attributes as callers give them, inside of workflows and outside, checked before they are recorded.

A value that cannot be stored is the caller's fault and is refused at the caller's line, with its path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from .errors import InvalidInputError

MAX_ID_BYTES = 400
"""The longest workflow id that a store can key a history by."""

MAX_ATTRIBUTES, MAX_ATTRIBUTE_NAME_BYTES, MAX_ATTRIBUTE_TEXT_BYTES, MAX_ATTRIBUTE_INT_BYTES = 255, 255, 59_999, 126
"""What a store can find a workflow by."""

LONGEST_SECONDS = 100 * 366 * 86400
"""A century: what is longer is a mistake, and dates beyond the year 9999 cannot be told."""


def text_of(value: object, name: str) -> str:
    """`value` if it is a text that can be stored. Raises `InvalidInputError`."""
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} is a text, found {value!r}", name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(f"{name} is valid Unicode text, found {value!r}", name) from None
    return value


def workflow_id_of(value: object) -> str:
    """`value` if it can be a workflow id. Raises `InvalidInputError`."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidInputError(f"a workflow id is a non-empty text without NUL, found {value!r}", "id")
    size = len(text_of(value, "id").encode())
    if size > MAX_ID_BYTES:
        raise InvalidInputError(f"a workflow id may have {MAX_ID_BYTES} bytes, {value[:40]!r}... has {size}", "id")
    return value


def span_us(span: object, name: str = "timeout") -> int | None:
    """A time span in microseconds, or None. Raises `InvalidInputError` unless it is positive and at most a century."""
    if span is None:
        return None
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidInputError(f"{name} must be a positive number of seconds (at most a century) or a timedelta, found {span!r}", name)
    return max(1, round(seconds * 1e6))


Attribute = str | int | float | bool | datetime
"""What an attribute may hold; datetimes are aware."""


def attribute_values(attributes: Mapping[str, object] | None, *, deleting: bool = False) -> dict[str, Attribute | None]:
    """Attributes whose values can be stored and found again; None deletes one where `deleting`. Raises `InvalidInputError`."""
    checked: dict[str, Attribute | None] = {}
    if attributes is not None and not isinstance(attributes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInputError(f"attributes are a mapping of names to values, found {attributes!r}", "attributes")
    for name, value in (attributes or {}).items():
        path = f"attributes[{name!r}]"
        _require_size(len(text_of(name, "the name of an attribute").encode()), MAX_ATTRIBUTE_NAME_BYTES, f"the name {name[:40]!r}", path)
        if value is None and deleting:
            checked[name] = None
        elif isinstance(value, str):
            checked[name] = text_of(value, path)
            _require_size(len(value.encode()), MAX_ATTRIBUTE_TEXT_BYTES, f"the attribute {name!r}", path)
        elif isinstance(value, (int, float, bool, datetime)) and not (isinstance(value, float) and math.isnan(value)):
            checked[name] = value
            if isinstance(value, int):
                _require_size((abs(value).bit_length() + 7) // 8, MAX_ATTRIBUTE_INT_BYTES, f"the attribute {name!r}", path)
        else:
            raise InvalidInputError(f"attribute {name!r} must be a text, number, bool or aware datetime, found {value!r}", path)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise InvalidInputError(f"attribute {name!r} must be an aware datetime, found {value!r}", path)
    require_few(len(checked))
    return checked


def require_few(count: int) -> None:
    """Raise `InvalidInputError` if a workflow cannot have so many attributes."""
    if count > MAX_ATTRIBUTES:
        raise InvalidInputError(f"a workflow may have {MAX_ATTRIBUTES} attributes, found {count}", "attributes")


def _require_size(size: int, limit: int, what: str, path: str) -> None:
    if size > limit:
        raise InvalidInputError(f"{what} may have {limit} bytes, found {size}", path)
