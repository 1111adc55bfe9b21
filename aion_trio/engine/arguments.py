"""What callers give besides a workflow's own input, checked before anything is recorded.

A value that cannot be stored is the caller's fault and is refused here, with its path: a run's actor never meets one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from ..errors import InvalidInputError
from ..events import microseconds_of
from ..history import WorkflowStatus
from ..stores.contract import AttributeValue, InvalidRecord
from ..stores.limits import MAX_NAME_BYTES, require_attributes, require_id

LONGEST_SECONDS = 100 * 366 * 86400
"""A century: what is longer is a mistake, and dates beyond the year 9999 cannot be told."""


def workflow_id_of(value: object) -> str:
    """`value` if it can be a workflow id. Raises `InvalidInputError`."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidInputError(f"a workflow id is a non-empty text without NUL, found {value!r}", "id")
    try:
        require_id(value)
    except InvalidRecord as error:
        raise InvalidInputError(str(error), "id") from None
    return value


def request_id_of(value: str | None) -> str | None:
    """`value` if it can be a request id, or None. Raises `InvalidInputError`."""
    if value is None:
        return None
    size = len(text_of(value, "request_id").encode())
    if not size:
        raise InvalidInputError("a request id is a non-empty text", "request_id")
    if size > MAX_NAME_BYTES:
        raise InvalidInputError(f"a request id may have {MAX_NAME_BYTES} bytes, {value[:40]!r}... has {size}", "request_id")
    return value


def text_of(value: object, name: str) -> str:
    """`value` if it is a text that can be stored. Raises `InvalidInputError`."""
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} is a text, found {value!r}", name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(f"{name} is valid Unicode text, found {value!r}", name) from None
    return value


def span_us(span: object, name: str = "timeout") -> int | None:
    """A time span in microseconds, or None. Raises `InvalidInputError` unless it is positive and at most a century."""
    if span is None:
        return None
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidInputError(f"{name} must be a positive number of seconds (at most a century) or a timedelta, found {span!r}", name)
    return max(1, round(seconds * 1e6))


def moment_us(moment: datetime | None, name: str) -> int | None:
    """Microseconds since the epoch of an aware datetime, or None. Raises `InvalidInputError`."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInputError(f"{name} must be an aware datetime, found {moment!r}", name)
    return microseconds_of(moment)


def statuses_of(status: WorkflowStatus | Iterable[object] | None) -> frozenset[int] | None:
    """The numbers of one status or several, or None for all. Raises `InvalidInputError`."""
    wanted: Iterable[object] | None = [status] if isinstance(status, (WorkflowStatus, str)) else status
    numbers: set[int] = set()
    for item in wanted or ():
        if not isinstance(item, WorkflowStatus):
            raise InvalidInputError(f"a status is a WorkflowStatus, found {item!r}", "status")
        numbers.add(item.number)
    return None if wanted is None else frozenset(numbers)


def attributes_of(attributes: Mapping[str, object] | None) -> dict[str, AttributeValue]:
    """A start's attributes. Raises `InvalidInputError` for what cannot be stored, or not be found again."""
    checked: dict[str, AttributeValue] = {}
    for name, value in (attributes or {}).items():
        if not isinstance(value, (str, int, float, bool, datetime)) or (isinstance(value, float) and math.isnan(value)):
            raise InvalidInputError(
                f"attribute {name!r} must be a text, number, bool or aware datetime, found {value!r}", f"attributes[{name!r}]"
            )
        checked[name] = value
    try:
        require_attributes(checked)
    except InvalidRecord as error:
        raise InvalidInputError(str(error), "attributes") from None
    return checked
