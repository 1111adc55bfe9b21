"""The table of verbs in `docs/cli.md`, made from the verbs themselves: `python -m tests.cli.reference` writes it there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from aion_trio.cli.commands import root
from aion_trio.cli.verbs import Verb, Verbs
from tests.project.tree import TREE

PAGE = TREE / "docs" / "cli.md"
BEGIN, END = "<!-- verbs: made by `python -m tests.cli.reference` -->\n", "<!-- end of verbs -->\n"


def each_verb(group: Verbs = root, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Verb]]:
    """Every verb, with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, Verbs):
            yield from each_verb(found, (*path, name))
        else:
            assert isinstance(found, Verb)
            yield (*path, name), found


def table() -> str:
    """One row a verb: what it does, and its examples."""
    rows = [f"| `{' '.join(path)}` | {summary(verb)} | {examples(verb)} |" for path, verb in each_verb()]
    return "\n".join(["| verb | what it does | for example |", "|---|---|---|", *rows]) + "\n"


def summary(verb: Verb) -> str:
    """The first paragraph of a verb's help, on one line."""
    return " ".join((verb.help or "").partition("\n\n")[0].split()).replace("|", "\\|")


def examples(verb: Verb) -> str:
    """The examples as command lines, one below the other."""
    return "<br>".join(f"`aion-trio {example}`".replace("|", "\\|") for example in verb.examples)


def with_table(page: str) -> str:
    """The page, with the table of today in its place."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


def main(page: Path = PAGE) -> None:
    """Write the table into the page."""
    page.write_text(with_table(page.read_text()))


if __name__ == "__main__":
    main()
