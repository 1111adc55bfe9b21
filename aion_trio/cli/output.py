"""What verbs print: tables for people, JSON for programs.

JSON is the default where standard output is not a terminal. Text and tables carry no escape codes there, and tables are
then as wide as they need to be.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeGuard

import click
from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from aion_trio.codec.narrow import is_dict
from aion_trio.protocol.values import Json, value_to_json

WIDE = 1000


class Format(enum.Enum):
    """How a verb prints."""

    TABLE = "table"
    JSON = "json"


def _chosen(_: click.Context, __: click.Parameter, value: str | None) -> Format:
    if value is not None:
        return Format(value)
    return Format.TABLE if sys.stdout.isatty() else Format.JSON


OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Choice([each.value for each in Format]),
    callback=_chosen,
    help="How to print; json where standard output is not a terminal.",
)
"""The option of every verb that prints data."""


def console() -> Console:
    """Standard output for tables: a terminal's width, and unbounded elsewhere, where lines must not be cut."""
    return Console() if sys.stdout.isatty() else Console(width=WIDE, color_system=None, force_terminal=False)


def show(*parts: RenderableType) -> None:
    """Print tables and lines; without the blanks that fill them up where nobody sees their edges."""
    out = console()
    if out.is_terminal:
        out.print(*parts, sep="\n", highlight=False)
        return
    with out.capture() as captured:
        out.print(*parts, sep="\n", highlight=False)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def table_of(columns: Iterable[str], *, right: Iterable[str] = (), whole: Iterable[str] = ()) -> Table:
    """An empty table; the columns in `right` hold numbers, those in `whole` are not folded. Nothing is cut where there is some room."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    numbers, unbroken = frozenset(right), frozenset(whole)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold", no_wrap=name in unbroken)
    return table


def facts(pairs: Iterable[tuple[str, str]]) -> Table:
    """A table of names and values."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, escape(value))
    return table


def plain(value: object) -> Json:
    """Descriptions of the engine as JSON: by field, times in ISO 8601, user data as the API has it."""
    fields = _fields_of(value)
    if fields is not None:
        return {name: plain(part) for name, part in fields.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dict(value):
        return {str(name): value_to_json(part) for name, part in value.items()}
    if _is_sequence(value):
        return [plain(part) for part in value]
    return value_to_json(value)


def _fields_of(value: object) -> dict[str, Any] | None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    as_dict = getattr(value, "_asdict", None)
    return None if as_dict is None else as_dict()


def _is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, (list, tuple))


def show_json(value: Json) -> None:
    """Print one JSON document: indented for a person who asked for it, on one line otherwise."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


async def show_array(values: AsyncIterator[object]) -> None:
    """Print a JSON array as its elements come, one a line, so that a long one needs no memory."""
    before = "[\n"
    async for value in values:
        click.echo(before + json.dumps(plain(value), ensure_ascii=False), nl=False)
        before = ",\n"
    click.echo("[]" if before == "[\n" else "\n]")


def when(moment: datetime | None) -> str:
    """A time for people, in UTC, to the second; a dash where there is none."""
    return "–" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A time span for people, in the unit that fits."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    for limit, factor, unit in ((1, 1e3, "ms"), (120, 1, "s"), (7200, 1 / 60, "min"), (172_800, 1 / 3600, "h")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds / 86_400:.1f} d"


def attributes_text(attributes: Mapping[str, Any]) -> str:
    """Attributes in one cell."""
    return " ".join(f"{name}={when(value) if isinstance(value, datetime) else value}" for name, value in attributes.items())


STATUS_STYLES = {
    "running": "cyan",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "terminated": "red",
    "timed_out": "red",
    "continued_as_new": "dim",
}


def status_text(status: str) -> str:
    """A status in its colour, where there are colours."""
    return f"[{STATUS_STYLES.get(status, 'default')}]{status}[/]"
