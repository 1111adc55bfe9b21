"""`aion-trio workflow show`, `describe`, `result` and `export`: one workflow, read."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import click
import trio
from rich.console import RenderableType
from rich.markup import escape

from aion_trio.codec import plain_data, raw_of, to_line
from aion_trio.engine import WorkflowDescription
from aion_trio.errors import AionError
from aion_trio.protocol.values import value_to_json

from .eventtext import event_lines
from .output import OUTPUT, Format, attributes_text, console, facts, plain, show as show_parts, show_json, table_of, when
from .places import Place, Readable, closed_after, place_options, read
from .verbs import verb

ID = click.argument("workflow_id", metavar="ID")
RUN_ID = click.option("--run-id", metavar="HEX", help="This run of the id, not the newest.")


@verb("show", "workflow show order-42", "workflow show order-42 --follow", "workflow show order-42 --journal orders.aion -o json")
@ID
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes later, until Ctrl-C.")
@OUTPUT
@place_options
def show(workflow_id: str, follow: bool, output: Format, place: Place) -> None:
    """Show the history of a workflow, all its runs; as json one event a line, as an export has them."""

    async def work(source: Readable) -> None:
        out = console()
        day = ""
        async with closed_after(source.handle(workflow_id).history(follow=follow)) as events:
            async for event in events:
                if output is Format.JSON:
                    click.echo(to_line(workflow_id, place.namespace, event.seq, raw_of(event)))
                    continue
                if day != (day := f"{event.recorded_at.astimezone(UTC):%Y-%m-%d}"):
                    click.echo(f"{day} (UTC)")
                for line in event_lines(event, out.width if out.is_terminal else None):
                    click.echo(line)

    try:
        read(place, work, workflow_id)
    except KeyboardInterrupt:
        if not follow:
            raise


@verb("describe", "workflow describe order-42", "workflow describe order-42 --journal orders.aion -o json")
@ID
@OUTPUT
@place_options
def describe(workflow_id: str, output: Format, place: Place) -> None:
    """Tell everything that is known of a workflow's newest run."""
    found = read(place, lambda source: source.handle(workflow_id).describe(), workflow_id)
    if output is Format.JSON:
        show_json(plain(found))
    else:
        _show_description(found)


def _show_description(found: WorkflowDescription) -> None:
    pairs = [
        ("id", found.id),
        ("run", found.run_id),
        ("type", f"{found.type}, version {found.version}"),
        ("status", found.status.value),
        ("started", f"{when(found.started_at)} UTC"),
        ("closed", f"{when(found.closed_at)} UTC" if found.closed_at else ""),
        ("attributes", attributes_text(found.attributes)),
        ("history", f"{found.history_length} events, {found.history_bytes} bytes"),
        ("next wake-up", f"{when(found.next_wakeup)} UTC" if found.next_wakeup else ""),
        ("parent", f"{found.parent.workflow_id}, its operation {found.parent.ordinal}" if found.parent else ""),
        ("quarantine", found.quarantine or ""),
    ]
    parts: list[RenderableType] = [facts((name, text) for name, text in pairs if text)]
    if found.pending_activities:
        table = table_of(("#", "activity", "attempt", "due", "queue", ""), right=("#", "attempt"))
        for each in found.pending_activities:
            served = "" if each.served else "not served: no function of this type is loaded"
            table.add_row(str(each.ordinal), escape(each.type), str(each.attempt), when(each.due), escape(each.queue), served)
        parts += ["\nactivities without an outcome", table]
    if found.pending_children:
        table = table_of(("#", "child"), right=("#",))
        for child in found.pending_children:
            table.add_row(str(child.ordinal), escape(child.id))
        parts += ["\nchildren that are open", table]
    show_parts(*parts)


@verb("result", "workflow result order-42", "workflow result order-42 --wait 10", "workflow result order-42 --journal orders.aion")
@ID
@RUN_ID
@click.option("--wait", type=click.FloatRange(0), metavar="SECONDS", help="Wait at most so long; without it, for the end.")
@OUTPUT
@place_options
def result(workflow_id: str, run_id: str | None, wait: float | None, output: Format, place: Place) -> None:
    """Wait for the end of a workflow and print its result; exit status 1 if it ended otherwise, or not in time."""

    async def work(source: Readable) -> Any:
        with trio.move_on_after(float("inf") if wait is None else max(wait, 1e-3)):
            return True, await source.handle(workflow_id, run_id).result()
        await source.handle(workflow_id).describe()
        return False, None

    ended, value = read(place, work, workflow_id)
    if not ended:
        raise AionError(f"workflow {workflow_id!r} is open still after {wait:g} s")
    show_result(value, output)


def show_result(value: Any, output: Format) -> None:
    """Print a result: as JSON, or for people a text as itself."""
    if output is Format.TABLE and isinstance(value, str):
        click.echo(value)
    else:
        show_json(value_to_json(plain_data(value)))


@verb("export", "workflow export order-42 > order-42.jsonl", "workflow export order-42 --journal orders.aion --to order-42.jsonl")
@ID
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to this file.")
@place_options
def export(workflow_id: str, file: Path | None, place: Place) -> None:
    """Write the history of a workflow, one JSON object a line; `journal import` takes it in."""
    lines = read(place, lambda source: source.export_history(workflow_id), workflow_id)
    text = "".join(f"{line}\n" for line in lines)
    if file is None:
        click.echo(text, nl=False)
    else:
        file.write_text(text)
        click.echo(f"{len(lines)} events of {workflow_id} are in {file}")
