"""What a verb of the command line is, and a group of them.

A group is a table from each verb to where it is (`module:name`); to add a verb is to add a line. A verb is loaded when it
is asked for, so that `aion-trio --version` loads no engine. Every verb has examples, which its help shows and
`docs/cli.md` lists.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

Fn = TypeVar("Fn", bound=Callable[..., Any])
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


class Verb(click.Command):
    """One verb; `examples` are command lines without the program's name."""

    examples: tuple[str, ...] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        _write_examples(self.examples, formatter)


class Verbs(click.Group):
    """A group of verbs, each loaded from its place in `table` when it is asked for."""

    table: Mapping[str, str] = {}
    examples: tuple[str, ...] = ()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, None if there is none."""
        place = self.table.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found: click.Command = getattr(importlib.import_module(f".{module}", __package__), name)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the arguments begin with; a wrong one is told with the nearest that there is."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            raise click.UsageError(f"there is no verb {name!r}{did_you_mean(name, self.table)}", ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the verbs."""
        _write_examples(self.examples, formatter)


def verb(name: str, *examples: str, context_settings: Mapping[str, Any] | None = None) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function with click's parameters a verb with examples."""

    def made(fn: Callable[..., Any]) -> Verb:
        command = click.command(name, cls=Verb, context_settings={**SETTINGS, **(context_settings or {})})(fn)
        command.examples = examples
        command.short_help = re.split(r"[:;.]", command.help or "", maxsplit=1)[0].strip() + "."
        return command

    return made


def group(name: str, doc: str, table: Mapping[str, str], *examples: str) -> Verbs:
    """A group of the verbs in `table`, which says for each where it is."""
    made = Verbs(name, help=doc, context_settings=dict(SETTINGS), no_args_is_help=True)
    made.table, made.examples = table, examples
    return made


def did_you_mean(name: str, known: Iterable[str], most: int = 3) -> str:
    """The end of a message that names what is nearest to `name`; empty where nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=most)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def options(*parts: Callable[[Fn], Fn]) -> Callable[[Fn], Fn]:
    """Several options of click as one decorator, in the order in which help lists them."""

    def decorated(fn: Fn) -> Fn:
        for part in reversed(parts):
            fn = part(fn)
        return fn

    return decorated


def _write_examples(examples: tuple[str, ...], formatter: click.HelpFormatter) -> None:
    if not examples:
        return
    with formatter.section("Examples"):
        for example in examples:
            formatter.write(f"{'':>{formatter.current_indent}}aion-trio {example}\n")
