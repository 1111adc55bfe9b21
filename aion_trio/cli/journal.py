"""`aion-trio journal …`: look into a journal, check it, copy it, move histories."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.table import Table

from aion_trio.history import WorkflowStatus
from aion_trio.journal.transfer import export_lines, import_lines
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore, Store, WorkflowKey

DIRECTORY = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
NAMESPACE = click.option("--namespace", default="default", show_default=True)


@contextmanager
def open_reader(directory: Path) -> Iterator[Store]:
    """The journal for reading, beside the engine that may be writing it."""
    with closing(LmdbStore.open(directory, read_only=True)) as store:
        yield store


@click.group()
def command() -> None:
    """Look into a journal, check it, copy it, move histories."""


@command.command()
@DIRECTORY
def verify(directory: Path) -> None:
    """Check every record, and the index rows against the histories; exit status 1 if anything is wrong."""
    with open_reader(directory) as store:
        findings = verify_journal(store)
        workflows = store.stats().workflows
    for finding in findings:
        place = f"{finding.workflow_id} at {finding.seq}: " if finding.seq else f"{finding.workflow_id}: " if finding.workflow_id else ""
        click.echo(place + finding.what)
    click.echo(f"{workflows} workflows, {len(findings)} faults" if findings else f"{workflows} workflows, all is well")
    sys.exit(1 if findings else 0)


@command.command()
@DIRECTORY
@NAMESPACE
def stats(directory: Path, namespace: str) -> None:
    """Counts and sizes."""
    with open_reader(directory) as store:
        numbers, counts = store.stats(), store.counts(namespace)
    table = Table(show_header=False)
    table.add_row("workflows", str(numbers.workflows))
    for status, count in sorted(counts.items()):
        table.add_row(f"  {WorkflowStatus.of_number(status).value}", str(count))
    table.add_row("owed", str(sum(numbers.obligations.values())))
    for kind, count in sorted(numbers.obligations.items()):
        table.add_row(f"  {kind.lower().replace('_', ' ')}", str(count))
    table.add_row("size on disk", f"{numbers.size_bytes / 1e6:.1f} MB")
    table.add_row("free on disk", f"{numbers.free_bytes / 1e6:.1f} MB")
    table.add_row("readers", str(numbers.readers))
    table.add_row("format", f"{numbers.format_version}, written by {numbers.written_by}")
    Console().print(table)


@command.command("export")
@DIRECTORY
@click.argument("workflow_id", metavar="ID")
@NAMESPACE
def export_history(directory: Path, workflow_id: str, namespace: str) -> None:
    """Write the history of a workflow to standard output, one JSON object a line."""
    with open_reader(directory) as store:
        for line in export_lines(store, WorkflowKey(namespace, workflow_id)):
            click.echo(line)


@command.command("import")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.argument("file", type=click.File(encoding="utf-8"))
def import_history(directory: Path, file: TextIO) -> None:
    """Take in one exported history, or a prefix of one; `-` reads standard input. The next engine to open goes on with it."""
    with closing(LmdbStore.open(directory)) as store:
        key = import_lines(store, file)
    click.echo(f"imported {key.workflow_id}")


@command.command()
@DIRECTORY
@click.argument("destination", type=click.Path(file_okay=False, path_type=Path))
def backup(directory: Path, destination: Path) -> None:
    """Write a consistent copy to a new or empty directory, also while the engine works."""
    with open_reader(directory) as store:
        store.backup(destination)
    click.echo(f"{directory} is copied to {destination}")
