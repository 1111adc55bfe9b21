"""What verbs take on the command line: values, attributes, times.

A value is JSON where it reads as JSON, and text otherwise: `42` is a number, `true` a boolean, `order-42` a text, `'"42"'` the text 42.
What JSON has no form for is written as in the API (`{"$datetime": "…"}`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import click

from aion_trio.errors import InvalidInputError
from aion_trio.history import WorkflowStatus
from aion_trio.protocol.values import value_from_json

from .verbs import did_you_mean, options

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def value_of(text: str) -> Any:
    """A value as JSON, or else as the text that it is. Only forms with `$` can be wrong."""
    try:
        return value_from_json(json.loads(text, parse_constant=_no_json), "value")
    except InvalidInputError as error:
        raise click.BadParameter(str(error)) from None
    except (ValueError, RecursionError):
        return text


def attribute_of(text: str) -> tuple[str, Any]:
    """The name and the value of `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"expected NAME=VALUE, found {text!r}")
    return name, value_of(value)


def moment_of(text: str) -> datetime:
    """The time of an ISO 8601 text with an offset, or of a span such as `90m`, which means so long ago."""
    if found := _SPAN.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"expected a time such as 2026-01-31T12:00:00Z, or a span such as 90m or 2d, found {text!r}") from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"a time has an offset, such as {text}Z")
    return moment


def status_of(text: str) -> WorkflowStatus:
    """The status of that name."""
    names, name = [each.value for each in WorkflowStatus], text.lower().replace("-", "_")
    if name not in names:
        raise click.BadParameter(f"{text!r} is no status{did_you_mean(name, names) or '; known: ' + ', '.join(names)}")
    return WorkflowStatus(name)


_TIMES = {
    "started_after": "Only those started at or after this time, or within a span such as 2h.",
    "started_before": "Only those started before this time.",
    "closed_after": "Only those closed at or after this time.",
    "closed_before": "Only those closed before this time.",
}


def filter_options(fn: Callable[..., None]) -> Callable[..., None]:
    """The conditions of a listing; the function gets them as `where`, the keyword arguments of `list_workflows`."""

    @wraps(fn)
    def with_filter(**given: Any) -> None:
        where = {
            "status": frozenset(given.pop("status")) or None,
            "type": given.pop("type_name"),
            "attributes": dict(given.pop("attribute")),
            **{name: given.pop(name) for name in _TIMES},
        }
        fn(where=where, **given)

    return options(
        click.option("--status", type=status_of, multiple=True, metavar="STATUS", help="Only of this status; may be given several times."),
        click.option("--type", "type_name", metavar="NAME", help="Only of this workflow type."),
        click.option("--attribute", type=attribute_of, multiple=True, metavar="NAME=VALUE", help="Only with this attribute."),
        *(click.option(f"--{name.replace('_', '-')}", type=moment_of, metavar="TIME", help=text) for name, text in _TIMES.items()),
    )(with_filter)


def _no_json(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
