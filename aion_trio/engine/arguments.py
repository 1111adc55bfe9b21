"""What callers give besides a workflow's own input, checked before anything is recorded.

A value that cannot be stored is the caller's fault and is refused here, with its path: a run's actor never meets one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..arguments import attribute_values, span_us, text_of, workflow_id_of
from ..definitions import Query, Signal
from ..errors import InvalidInputError
from ..events import microseconds_of
from ..history import WorkflowStatus
from ..stores.contract import AttributeValue
from ..stores.limits import MAX_NAME_BYTES


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


def message_name(given: object, kind: type[Signal[Any]] | type[Query[Any]]) -> str:
    """The name of a signal or a query, which is given by its declaration or by name. Raises `InvalidInputError`."""
    if isinstance(given, kind):
        return given.name
    if not isinstance(given, str):
        raise InvalidInputError(f"expected a {kind.__name__} or the name of one, found {given!r}", kind.__name__.lower())
    return text_of(given, kind.__name__.lower())


def moment_us(moment: datetime | None, name: str) -> int | None:
    """Microseconds since the epoch of an aware datetime, or None. Raises `InvalidInputError`."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInputError(f"{name} must be an aware datetime, found {moment!r}", name)
    return microseconds_of(moment)


def statuses_of(status: WorkflowStatus | Iterable[object] | None) -> frozenset[int] | None:
    """The numbers of one status or several, by themselves or by name, or None for all. Raises `InvalidInputError`."""
    if status is None:
        return None
    wanted = status if isinstance(status, Iterable) and not isinstance(status, str) else [status]
    return frozenset(_status_of(item).number for item in wanted)


def _status_of(status: object) -> WorkflowStatus:
    try:
        return WorkflowStatus(status)
    except ValueError:
        names = ", ".join(repr(each.value) for each in WorkflowStatus)
        raise InvalidInputError(f"a status is a WorkflowStatus or one of {names}, found {status!r}", "status") from None


def attributes_of(attributes: Mapping[str, object] | None) -> dict[str, AttributeValue]:
    """A start's attributes. Raises `InvalidInputError` for what cannot be stored, or not be found again."""
    return {name: value for name, value in attribute_values(attributes).items() if value is not None}


__all__ = ["attributes_of", "message_name", "moment_us", "request_id_of", "span_us", "statuses_of", "text_of", "workflow_id_of"]
