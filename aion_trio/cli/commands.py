"""The root command, and what becomes of errors: one line that says what is wrong, and where there is one, a hint."""

from __future__ import annotations

import importlib
import sys

import click

import aion_trio
from aion_trio.errors import AionError
from aion_trio.stores import StoreError

from .hints import hint_for

VERBS = {"demo": "demo", "journal": "journal", "bench": "bench"}
"""Each verb, and the module of this package that holds it as `command`."""


class Verbs(click.Group):
    """The verbs of `aion-trio`, loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f".{VERBS[cmd_name]}", __package__).command
        return command


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(aion_trio.__version__, prog_name="aion-trio")
@click.pass_context
def root(context: click.Context) -> None:
    """Durable execution for Trio: workflows that survive kill -9.

    Begin with `aion-trio demo`: it runs orders through an engine that it kills again and again.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run() -> None:
    """Run the command line. Exit status: 0 success, 1 a failure that was found, 2 wrong usage."""
    try:
        root(prog_name="aion-trio")
    except (AionError, StoreError, OSError) as error:
        click.echo(f"aion-trio: {error}", err=True)
        if hint := hint_for(error):
            click.echo(f"hint: {hint}", err=True)
        sys.exit(1)
