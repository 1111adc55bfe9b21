"""`aion-trio workflow list` and `count`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import click
from rich.markup import escape

from aion_trio.engine import WorkflowSummary

from .output import OUTPUT, Format, attributes_text, show, show_array, show_json, span, status_text, table_of, when
from .parameters import filter_options
from .places import Place, Readable, closed_after, place_options, read
from .verbs import verb

USUAL_LIMIT = 100
STARTED = "started (UTC)"


@verb(
    "list",
    "workflow list --status running --status paused",
    "workflow list --type checkout --attribute shop=Ulm --started-after 2h",
    "workflow list --journal orders.aion -o json | jq -r '.[].id'",
)
@filter_options
@click.option("--limit", type=click.IntRange(1), help=f"At most so many.  [default: {USUAL_LIMIT}, all as json]")
@OUTPUT
@place_options
def list_workflows(place: Place, where: dict[str, Any], output: Format, limit: int | None) -> None:
    """List workflows, one line each: the newest run of each id."""

    async def work(source: Readable) -> None:
        async with closed_after(source.list_workflows(**where)) as found:
            if output is Format.JSON:
                await show_array(_first(found, limit))
            else:
                await _show_table(found, limit or USUAL_LIMIT)

    read(place, work)


async def _first(found: AsyncIterator[WorkflowSummary], limit: int | None) -> AsyncIterator[WorkflowSummary]:
    count = 0
    async for summary in found:
        if count == limit:
            return
        count += 1
        yield summary


async def _show_table(found: AsyncIterator[WorkflowSummary], limit: int) -> None:
    table = table_of(("id", "type", "status", STARTED, "took", "attributes"), right=("took",), whole=("status", STARTED, "took"))
    more = False
    async for summary in found:
        if table.row_count == limit:
            more = True
            break
        table.add_row(*_cells(summary))
    show(table if table.row_count else "no workflows")
    if more:
        click.echo(f"there are more than {limit}; --limit N shows more", err=True)


def _cells(summary: WorkflowSummary) -> list[str]:
    return [
        escape(summary.id),
        escape(summary.type),
        status_text(summary.status.value),
        when(summary.started_at),
        "" if summary.closed_at is None else span((summary.closed_at - summary.started_at).total_seconds()),
        escape(attributes_text(summary.attributes)),
    ]


@verb("count", "workflow count", "workflow count --status failed --started-after 1d --journal orders.aion")
@filter_options
@OUTPUT
@place_options
def count(place: Place, where: dict[str, Any], output: Format) -> None:
    """Count the workflows that match."""
    found = read(place, lambda source: source.count_workflows(**where))
    if output is Format.JSON:
        show_json({"count": found})
    else:
        click.echo(found)
