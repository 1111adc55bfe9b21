"""The table: for a terminal while the run goes on, and as Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from .row import Row, Rows
from .text import amount, rate, spread, times_floor, verdicts

_HEAD = f"{'':42} {'each':>9} {'':>14} {'spread':>22} {'cpu':>9} {'floor':>8}"


def header(machine: Mapping[str, str]) -> str:
    """Machine and versions, and the head of the table."""
    return "\n".join([*(f"{name:>12}  {value}" for name, value in machine.items()), "", _HEAD])


def lines(row: Row, rows: Rows) -> str:
    """One row for a terminal: figures, what it is, and its targets."""
    cpu = "" if row.cpu_median is None else amount(row.cpu_median, "s")
    mark = {"floor": "· ", "peer": "† "}.get(row.role, "")
    cost, times = amount(row.median, row.unit), times_floor(row, rows)
    figures = f"{mark + row.name:42} {cost:>9} {rate(row):>14} {spread(row):>22} {cpu:>9} {times:>8}"
    about = f"    {row.what}{f' ({row.note})' if row.note else ''}"
    targets = verdicts(row, rows)
    return "\n".join([figures, about, *([f"    → {targets}"] if targets else [])])


def markdown(rows: Mapping[str, Row]) -> str:
    """A table for each group of rows, and before them one of all targets."""
    groups = [_group(name, list(group), rows) for name, group in groupby(rows.values(), key=lambda row: row.name.partition(".")[0])]
    return "\n\n".join([_targets(rows), *groups])


def _group(name: str, members: Iterable[Row], rows: Rows) -> str:
    head = f"### {name}\n\n| row | each | | spread | cpu | × floor | what |\n|---|---|---|---|---|---|---|"
    return "\n".join([head, *(_line(row, rows) for row in members)])


def _line(row: Row, rows: Rows) -> str:
    cpu = "" if row.cpu_median is None or row.by_cpu else amount(row.cpu_median, "s")
    name = f"*{row.name}*" if row.role == "floor" else f"**{row.name}**" if row.role == "peer" else row.name
    what = f"{row.what}{f'; {row.note}' if row.note else ''}"
    return f"| {name} | {amount(row.median, row.unit)} | {rate(row)} | {spread(row)} | {cpu} | {times_floor(row, rows)} | {what} |"


def _targets(rows: Rows) -> str:
    head = "| what | each | target |\n|---|---|---|"
    measured = [f"| {row.what} | {amount(row.median, row.unit)} | {verdicts(row, rows)} |" for row in rows.values() if row.targets]
    return "\n".join(["### Targets", "", head, *measured])


def targets(rows: Rows) -> str:
    """Every target of a run, with all rows known, for a terminal."""
    return "\n".join(f"{row.name:42} {amount(row.median, row.unit):>9}  {verdicts(row, rows)}" for row in rows.values() if row.targets)
