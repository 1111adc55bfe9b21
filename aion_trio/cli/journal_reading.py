"""`aion-trio journal verify`, `stats`, `backup` and `export`: they read, also while an engine writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click
from rich.table import Table

from aion_trio.history import WorkflowStatus
from aion_trio.journal.transfer import export_lines
from aion_trio.journal.verification import verify_journal
from aion_trio.journal.writer import reading
from aion_trio.stores import Finding, LmdbStore, Remedy, Store, StoreStats, WorkflowKey

from .output import OUTPUT, Format, plain, show, show_json
from .places import NAMESPACE
from .verbs import verb

DIRECTORY = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))


@contextmanager
def open_reader(directory: Path) -> Iterator[Store]:
    """The journal for reading, beside the engine that may be writing it."""
    with reading(), closing(LmdbStore.open(directory, read_only=True)) as store:
        yield store


def finding_text(finding: Finding) -> str:
    """A finding in one line."""
    if not finding.workflow_id:
        return finding.what
    return f"{_whose(finding)} at {finding.seq}: {finding.what}" if finding.seq else f"{_whose(finding)}: {finding.what}"


def advice(findings: Sequence[Finding], directory: Path) -> Iterator[str]:
    """What to do about findings, in a line for each remedy."""
    lost = {_whose(finding): None for finding in findings if finding.remedy is Remedy.RESTORE and finding.workflow_id}
    mendable = [finding for finding in findings if finding.remedy is Remedy.REPAIR and _whose(finding) not in lost]
    if any(finding.remedy is Remedy.SALVAGE for finding in findings):
        yield f"pages are torn: restore a backup, or save what is on the others: aion-trio journal repair {directory}"
    elif mendable:
        yield f"rows can be made anew from the events: aion-trio journal repair {directory}"
    if lost:
        yield f"events of {', '.join(lost)} are damaged: import these ids from an export, or restore a backup"


def _whose(finding: Finding) -> str:
    return finding.workflow_id if finding.namespace in ("", "default") else f"{finding.workflow_id} in {finding.namespace}"


@verb("verify", "journal verify orders.aion")
@DIRECTORY
@OUTPUT
def verify(directory: Path, output: Format) -> None:
    """Check every record, and the index rows against the histories; exit status 1 if anything is wrong."""
    with open_reader(directory) as store:
        findings = verify_journal(store)
        workflows = store.stats().workflows
    if output is Format.JSON:
        show_json({"workflows": workflows, "findings": plain(findings)})
    else:
        for finding in findings:
            click.echo(finding_text(finding))
        for line in advice(findings, directory):
            click.echo(line)
        click.echo(f"{workflows} workflows, {len(findings)} faults" if findings else f"{workflows} workflows, all is well")
    if findings:
        sys.exit(1)


@verb("stats", "journal stats orders.aion", "journal stats orders.aion -o json")
@DIRECTORY
@NAMESPACE
@OUTPUT
def stats(directory: Path, namespace: str, output: Format) -> None:
    """Counts and sizes."""
    with open_reader(directory) as store:
        numbers = store.stats()
        counts = {WorkflowStatus.of_number(status).value: count for status, count in sorted(store.counts(namespace).items())}
    if output is Format.JSON:
        show_json({**plain(numbers), "namespace": namespace, "by_status": counts})
    else:
        show(_stats_table(numbers, counts, namespace))


def _stats_table(numbers: StoreStats, counts: dict[str, int], namespace: str) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    rows = [
        ("workflows, all namespaces", str(numbers.workflows)),
        *((f"  {status} in {namespace}", str(count)) for status, count in counts.items()),
        ("owed", str(sum(numbers.obligations.values()))),
        *((f"  {kind.lower().replace('_', ' ')}", str(count)) for kind, count in sorted(numbers.obligations.items())),
        ("size on disk", f"{numbers.size_bytes / 1e6:.1f} MB"),
        ("free on disk", f"{numbers.free_bytes / 1e6:.1f} MB"),
        ("readers", str(numbers.readers)),
        ("format", str(numbers.format_version)),
        ("written by", numbers.written_by),
    ]
    for row in rows:
        table.add_row(*row)
    return table


@verb("export", "journal export orders.aion order-42 > order-42.jsonl")
@DIRECTORY
@click.argument("workflow_id", metavar="ID")
@NAMESPACE
def export_history(directory: Path, workflow_id: str, namespace: str) -> None:
    """Write the history of a workflow to standard output, one JSON object a line."""
    with open_reader(directory) as store:
        for line in export_lines(store, WorkflowKey(namespace, workflow_id)):
            click.echo(line)


@verb("backup", "journal backup orders.aion /backup/orders-2026-01-31")
@DIRECTORY
@click.argument("destination", type=click.Path(file_okay=False, path_type=Path))
def backup(directory: Path, destination: Path) -> None:
    """Write a consistent copy to a new or empty directory, also while the engine works."""
    with open_reader(directory) as store:
        store.backup(destination)
    click.echo(f"{directory} is copied to {destination}")
