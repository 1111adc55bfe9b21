"""`aion-trio recovery` and `tree`: look at a daemon's engine."""

from __future__ import annotations

from typing import Any

import click
from rich.console import RenderableType
from rich.markup import escape

from aion_trio.supervision.snapshot import render

from .output import OUTPUT, Format, facts, plain, show, show_json, span, table_of
from .places import Place, daemon_options, operate
from .verbs import verb


@verb("recovery", "recovery", "recovery --url http://127.0.0.1:8420 -o json")
@OUTPUT
@daemon_options
def recovery(output: Format, place: Place) -> None:
    """Show what the daemon's recovery found and did when it started, and what is quarantined."""
    report: Any = operate(place, lambda client: client.recovery())
    if output is Format.JSON:
        show_json(plain(report))
        return
    counts = [(name.replace("_", " "), str(value)) for name, value in plain(report).items() if isinstance(value, int)]
    parts: list[RenderableType] = [facts([*counts, ("took", span(report.seconds))])]
    if report.quarantined:
        table = table_of(("quarantined", "because"))
        for each in report.quarantined:
            table.add_row(escape(each.workflow_id), escape(each.reason))
        parts += ["", table]
    show(*parts)


@verb("tree", "tree", "tree --socket /run/aion/aion.sock --most 5")
@click.option("--most", type=click.IntRange(1), default=20, show_default=True, help="Show at most so many children of one node.")
@OUTPUT
@daemon_options
def tree(most: int, output: Format, place: Place) -> None:
    """Show the tree of the daemon's actors as it is now."""
    root = operate(place, lambda client: client.tree())
    if output is Format.JSON:
        show_json(plain(root))
    else:
        click.echo(render(root, most=most))
