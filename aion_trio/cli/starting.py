"""`aion-trio workflow start` and `execute`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TextIO

import click

from aion_trio.codec.narrow import is_list
from aion_trio.protocol.values import value_from_json

from .output import OUTPUT, Format, show_json
from .parameters import attribute_of, value_of
from .places import Place, daemon_options, operate
from .showing import show_result
from .verbs import options, verb


@dataclass(frozen=True, slots=True)
class Start:
    """What is started: the workflow's name, its arguments, and the options as `Engine.start` takes them."""

    workflow: str
    args: list[Any]
    options: dict[str, Any]


def start_options(fn: Callable[..., None]) -> Callable[..., None]:
    """What a start takes; the function gets it as `wanted`."""

    @wraps(fn)
    def with_start(**given: Any) -> None:
        fn(wanted=take_start(given), **given)

    file_help = "A JSON array of the arguments; - is standard input."
    return options(
        click.argument("workflow", metavar="WORKFLOW"),
        click.argument("values", metavar="[ARG]...", nargs=-1, type=value_of),
        click.option("--args", "file", type=click.File(encoding="utf-8"), metavar="FILE", help=file_help),
        click.option("--id", "workflow_id", metavar="ID", help="The workflow's id; one is made up without."),
        click.option(
            "--if-exists", type=click.Choice(["use", "fail", "new_run"]), default="use", show_default=True, help="If it is there."
        ),
        click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Bounds each run."),
        click.option("--attribute", type=attribute_of, multiple=True, metavar="NAME=VALUE", help="An attribute to find it by."),
        click.option("--request-id", metavar="TEXT", help="A start that is repeated with it is done once."),
    )(with_start)


def take_start(given: dict[str, Any]) -> Start:
    """Take what is started out of a verb's parameters."""
    file, values = given.pop("file"), list(given.pop("values"))
    if file is not None and values:
        raise click.UsageError("arguments are given on the command line and with --args; give them once")
    keywords = {
        "id": given.pop("workflow_id"),
        "if_exists": given.pop("if_exists"),
        "timeout": given.pop("timeout"),
        "attributes": dict(given.pop("attribute")),
        "request_id": given.pop("request_id"),
    }
    return Start(given.pop("workflow"), values if file is None else _read_args(file), keywords)


@verb(
    "start",
    "workflow start checkout order-42 4200 --id order-42",
    'workflow start journey \'{"traveller": "Ada", "city": "Bern", "nights": 2}\' --attribute city=Bern',
    "workflow start checkout --args args.json",
)
@start_options
@OUTPUT
@daemon_options
def start(wanted: Start, output: Format, place: Place) -> None:
    """Start a workflow; durable when this returns. Arguments are JSON, or else text."""

    async def work(client: Any) -> Any:
        return await client.start(wanted.workflow, *wanted.args, **wanted.options)

    handle = operate(place, work)
    if output is Format.JSON:
        show_json({"id": handle.id, "run_id": handle.run_id})
    else:
        click.echo(f"{handle.id} (run {handle.run_id})")


@verb("execute", "workflow execute checkout order-42 4200 --id order-42")
@start_options
@OUTPUT
@daemon_options
def execute(wanted: Start, output: Format, place: Place) -> None:
    """Start a workflow, wait for its end and print its result; Ctrl-C ends the wait, not the workflow."""

    async def work(client: Any) -> Any:
        return await client.execute(wanted.workflow, *wanted.args, **wanted.options)

    show_result(operate(place, work), output)


def _read_args(file: TextIO) -> list[Any]:
    try:
        found = json.load(file)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--args: {file.name} is no JSON: {error}") from None
    if not is_list(found):
        raise click.UsageError(f"--args: {file.name} holds {type(found).__name__}, expected an array of the arguments")
    return list(value_from_json(found, "args"))
