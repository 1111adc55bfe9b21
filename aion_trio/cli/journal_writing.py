"""`aion-trio journal import`, `repair` and `compact`: they write, so they need the journal's lock and no engine beside them."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TextIO

import click

from aion_trio.journal.repair import Repair, repair_journal
from aion_trio.journal.replacement import compact_journal
from aion_trio.journal.transfer import import_lines
from aion_trio.journal.writer import reading
from aion_trio.stores import LmdbStore

from .journal_reading import DIRECTORY, advice, finding_text
from .output import OUTPUT, Format, plain, show_json
from .verbs import verb


@verb("import", "journal import orders.aion order-42.jsonl", "journal export a.aion order-42 | aion-trio journal import b.aion -")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.argument("file", type=click.File(encoding="utf-8"))
def import_history(directory: Path, file: TextIO) -> None:
    """Take in one exported history, or a prefix of one; `-` reads standard input. The next engine to open goes on with it."""
    with reading(), closing(LmdbStore.open(directory)) as store:
        key = import_lines(store, file)
    click.echo(f"imported {key.workflow_id}")


@verb("repair", "journal repair orders.aion", "journal repair orders.aion --dry-run")
@DIRECTORY
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@OUTPUT
def repair(directory: Path, dry_run: bool, output: Format) -> None:
    """Make all index rows anew, from the histories, of each workflow that `verify` finds fault with.

    The mended journal takes the place of the old one at once, which is kept beside it. A history of which records are damaged
    is left as it is: restore it from a backup or an export. Exit status 1 if faults remain.
    """
    with reading():
        done = repair_journal(directory, dry_run=dry_run)
    if output is Format.JSON:
        show_json(plain(done))
    else:
        _tell(done, directory)
    if done.remaining:
        sys.exit(1)


def _tell(done: Repair, directory: Path) -> None:
    if not done.found:
        click.echo("all is well, nothing was changed")
        return
    for finding in done.found:
        click.echo(f"found: {finding_text(finding)}")
    for workflow_id in done.rebuilt:
        click.echo(f"{'rebuilt' if done.kept else 'to rebuild'}: {workflow_id}")
    for finding in done.remaining:
        click.echo(f"remains: {finding_text(finding)}")
    for line in advice(done.remaining, directory):
        click.echo(line)
    if done.kept:
        click.echo(f"{directory} is mended; the journal as it was is in {done.kept}")


@verb("compact", "journal compact orders.aion", "journal compact orders.aion --to /fast/orders.aion")
@DIRECTORY
@click.option("--to", "destination", type=click.Path(file_okay=False, path_type=Path), help="Leave the journal, write the copy here.")
@OUTPUT
def compact(directory: Path, destination: Path | None, output: Format) -> None:
    """Write the journal without its free pages, and put the copy in its place at once. Needs as much room again meanwhile."""
    with reading():
        before, after = compact_journal(directory, destination)
    if output is Format.JSON:
        show_json({"bytes_before": before, "bytes_after": after})
    else:
        click.echo(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after")
