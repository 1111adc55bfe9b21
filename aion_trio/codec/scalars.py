"""The leaf types of annotations: one check each, for both directions.

A check takes what a caller passed or what was stored, and gives the value of the leaf type or raises Misfit. It is
strict where a mistake would hide (`"3"` is no int, True is no int, 1 is no str) and takes the text form of types that
JSON has no literal for (dates, UUID, Decimal), so that callers who have nothing but plain data are served too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar
from uuid import UUID

from aion_trio.codec.misfit import misfit

T = TypeVar("T")
Check = Callable[[Any], Any]


def _bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise misfit("bool", value)


def _int(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, int) and not isinstance(value, bool):  # an IntEnum, say
        return int(value)
    raise misfit("int", value)


def _float(value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise misfit("float", value) from None
    raise misfit("float", value)


def _str(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    raise misfit("str", value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise misfit("bytes", value)


def _bytearray(value: Any) -> bytearray:
    return bytearray(_bytes(value))


def _none(value: Any) -> None:
    if value is not None:
        raise misfit("None", value)


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    return _parsed("datetime (or ISO 8601 text)", value, datetime.fromisoformat)


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return _parsed("date (or ISO 8601 text)", value, date.fromisoformat)


def _time(value: Any) -> time:
    if isinstance(value, time):
        return value
    return _parsed("time (or ISO 8601 text)", value, time.fromisoformat)


def _timedelta(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return timedelta(seconds=value)
        except (OverflowError, ValueError):
            raise misfit("timedelta (or seconds)", value) from None
    raise misfit("timedelta (or seconds)", value)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return _parsed("Decimal (or its text)", value, Decimal)


def _parsed(expected: str, value: Any, parse: Callable[[str], T]) -> T:
    """The value that a text stands for."""
    if isinstance(value, str):
        try:
            return parse(value)
        except (ValueError, InvalidOperation, ZeroDivisionError):
            pass
    raise misfit(expected, value)


def _of_text(kind: type, parse: Callable[[str], Any]) -> Check:
    """The check of a type that has an exact text form, which it is given in where it does not come as itself."""

    def check(value: Any) -> Any:
        return value if isinstance(value, kind) else _parsed(f"{kind.__name__} (or its text)", value, parse)

    return check


CHECKS: Mapping[Any, Check] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
    type(None): _none,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: _timedelta,
    Decimal: _decimal,
    **{kind: _of_text(kind, kind) for kind in (UUID, Fraction)},
    **{kind: _of_text(kind, kind) for kind in (IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface)},
}
"""The leaf types that are stored as they are."""

FLAT = frozenset({bool, int, float, str, bytes, type(None)})
"""Types whose values the C encoder takes as they are, and whose exact type says that they fit."""


def _path_check(kind: type[PurePath]) -> Check:
    def check(value: Any) -> PurePath:
        if isinstance(value, (str, PurePath)):
            return kind(value)
        raise misfit(f"{kind.__name__} (or its text)", value)

    return check


def _path_text(value: Any) -> str:
    if isinstance(value, (str, PurePath)):
        return str(value)
    raise misfit("a path", value)


PATHS: Mapping[type[PurePath], tuple[Check, Check]] = {kind: (_path_text, _path_check(kind)) for kind in (Path, PurePath, PurePosixPath)}
"""Paths: to the text that is stored, and back."""
