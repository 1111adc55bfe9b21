"""`aion-trio workflow trace`: a run as a timeline."""

from __future__ import annotations

import time
from typing import Any

import click

from aion_trio.errors import WorkflowNotFoundError
from aion_trio.events import Event

from .drawing import ASCII, UNICODE, Sheet, draw
from .output import OUTPUT, Format, console, show_json
from .places import Place, Readable, place_options, read
from .showing import ID, RUN_ID
from .timeline import RunTrace, as_json, traces
from .verbs import verb

USUAL_LIMIT = 200
USUAL_WIDTH = 100


@verb(
    "trace",
    "workflow trace order-42",
    "workflow trace order-42 --journal orders.aion --by-order",
    "workflow trace order-42 --output table --width 160 > trace.txt",
)
@ID
@RUN_ID
@click.option("--all-runs", is_flag=True, help="Every run of the id, not the newest alone.")
@click.option("--by-order", is_flag=True, help="Space by the order of events: for runs that sleep long and work little.")
@click.option("--limit", type=click.IntRange(1), default=USUAL_LIMIT, show_default=True, help="Draw at most so many operations of a run.")
@click.option("--width", type=click.IntRange(60), help="Characters a line.  [default: the terminal's]")
@click.option("--ascii", "plain_signs", is_flag=True, help="Draw with ASCII characters alone.")
@OUTPUT
@place_options
def trace(workflow_id: str, run_id: str | None, all_runs: bool, output: Format, place: Place, **look: Any) -> None:
    """Draw a run as a timeline: activities with their attempts, timers, children, signals."""

    async def work(source: Readable) -> list[RunTrace]:
        events: list[Event] = [event async for event in source.handle(workflow_id).history()]
        return traces(events)

    chosen = _chosen(read(place, work, workflow_id), workflow_id, run_id, all_runs)
    if output is Format.JSON:
        show_json([as_json(each) for each in chosen])
        return
    for index, each in enumerate(chosen):
        if index:
            click.echo()
        _draw(each, workflow_id, look)


def _chosen(runs: list[RunTrace], workflow_id: str, run_id: str | None, all_runs: bool) -> list[RunTrace]:
    if run_id is None:
        return runs if all_runs else runs[-1:]
    found = [each for each in runs if each.run_id == run_id]
    if not found:
        raise WorkflowNotFoundError(f"workflow {workflow_id!r} has no run {run_id}")
    return found


def _draw(trace: RunTrace, workflow_id: str, look: dict[str, Any]) -> None:
    out = console()
    width = look["width"] or (out.width if out.is_terminal else USUAL_WIDTH)
    signs = ASCII if look["plain_signs"] or not out.encoding.startswith("utf") else UNICODE
    sheet = Sheet(width, signs, time.time_ns() // 1000, look["by_order"])
    click.echo(f"{workflow_id}  run {trace.run_id[:8]}  {' '.join(trace.run.outcome.split()) or 'open'}")
    for line in draw(trace, sheet, look["limit"]):
        out.print(line, no_wrap=True, overflow="ignore", crop=False, highlight=False)
