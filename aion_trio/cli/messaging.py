"""`aion-trio workflow signal`, `query`, `cancel`, `terminate`, `stack` and `release`: talk to one workflow through its daemon."""

from __future__ import annotations

from typing import Any

import click

from .output import OUTPUT, Format, show_json
from .parameters import value_of
from .places import Place, daemon_options, operate
from .showing import ID, RUN_ID, show_result
from .verbs import verb

REQUEST_ID = click.option("--request-id", metavar="TEXT", help="What is repeated with it is done once.")


def acknowledge(text: str, output: Format) -> None:
    """Say that something is durable."""
    if output is Format.JSON:
        show_json({"ok": True})
    else:
        click.echo(text)


@verb("signal", "workflow signal trip-2 decision true", "workflow signal trip-2 decision true --request-id click-17")
@ID
@click.argument("name", metavar="SIGNAL")
@click.argument("value", metavar="[VALUE]", type=value_of, required=False)
@RUN_ID
@REQUEST_ID
@OUTPUT
@daemon_options
def signal(workflow_id: str, name: str, value: Any, output: Format, place: Place, run_id: str | None, request_id: str | None) -> None:
    """Send a signal; durable when this returns. The value is JSON, or else text."""
    operate(place, lambda client: client.handle(workflow_id, run_id).signal(name, value, request_id=request_id), workflow_id)
    acknowledge(f"{workflow_id} has the signal {name}", output)


@verb("query", "workflow query trip-2 stage")
@ID
@click.argument("name", metavar="QUERY")
@RUN_ID
@OUTPUT
@daemon_options
def query(workflow_id: str, name: str, run_id: str | None, output: Format, place: Place) -> None:
    """Ask a workflow and print its answer; nothing is recorded."""
    show_result(operate(place, lambda client: client.handle(workflow_id, run_id).query(name), workflow_id), output)


@verb("cancel", "workflow cancel order-42 --reason 'the customer changed their mind'")
@ID
@RUN_ID
@click.option("--reason", default="cancelled from the command line", show_default=True, help="Recorded with the request.")
@REQUEST_ID
@OUTPUT
@daemon_options
def cancel(workflow_id: str, reason: str, output: Format, place: Place, run_id: str | None, request_id: str | None) -> None:
    """Request cancellation: the workflow may clean up first, or decline."""
    operate(place, lambda client: client.handle(workflow_id, run_id).cancel(reason, request_id=request_id), workflow_id)
    acknowledge(f"{workflow_id} is asked to cancel", output)


@verb("terminate", "workflow terminate order-42 --reason 'started by mistake'")
@ID
@RUN_ID
@click.option("--reason", default="terminated from the command line", show_default=True, help="Recorded with the end.")
@OUTPUT
@daemon_options
def terminate(workflow_id: str, reason: str, output: Format, place: Place, run_id: str | None) -> None:
    """End a workflow at once, without its code."""
    operate(place, lambda client: client.handle(workflow_id, run_id).terminate(reason), workflow_id)
    acknowledge(f"{workflow_id} is terminated", output)


@verb("stack", "workflow stack order-42")
@ID
@OUTPUT
@daemon_options
def stack(workflow_id: str, output: Format, place: Place) -> None:
    """Show where each task of an open workflow waits, with files and lines."""
    text = operate(place, lambda client: client.handle(workflow_id).stack(), workflow_id)
    if output is Format.JSON:
        show_json({"text": text})
    else:
        click.echo(text)


@verb("release", "workflow release order-42")
@ID
@OUTPUT
@daemon_options
def release(workflow_id: str, output: Format, place: Place) -> None:
    """Let a quarantined workflow try again."""
    operate(place, lambda client: client.release(workflow_id), workflow_id)
    acknowledge(f"{workflow_id} tries again", output)
