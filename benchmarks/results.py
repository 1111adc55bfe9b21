"""Results as JSON, and two of them compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .row import Row, Rows, Target, ratio
from .text import amount, digits

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Result:
    """One run: the machine, what was asked for, and the rows by name, in order."""

    machine: Mapping[str, str]
    asked: Mapping[str, str]
    rows: Mapping[str, Row]


def write(path: Path, result: Result) -> None:
    """Write a result, one row a line."""
    rows = ",\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in result.rows.values())
    head = json.dumps({"format": FORMAT, "machine": dict(result.machine), "asked": dict(result.asked)}, ensure_ascii=False, indent=1)
    path.write_text(f'{head[:-2]},\n "rows": [\n{rows}\n]}}\n')


def read(path: Path) -> Result:
    """Read a result. `ValueError` if it is of another format."""
    data: dict[str, Any] = json.loads(path.read_text())
    if data.get("format") != FORMAT:
        raise ValueError(f"{path} is not a result of these benchmarks (format {FORMAT}), found format {data.get('format')!r}")
    rows = [_row(item) for item in data["rows"]]
    return Result(data["machine"], data["asked"], {row.name: row for row in rows})


def _row(item: dict[str, Any]) -> Row:
    targets = tuple(Target(**target) for target in item.pop("targets"))
    values, cpu = tuple(item.pop("values")), tuple(item.pop("cpu"))
    return Row(values=values, cpu=cpu, targets=targets, **item)


def comparison(old: Result, new: Rows) -> Iterator[str]:
    """Each row that both have, as a multiple of what it was: its cost, and its cost in floors."""
    yield f"compared with {old.machine.get('date', 'an earlier run')}: less than 1 × is faster or smaller"
    yield f"{'':42} {'was':>10} {'is':>10} {'':>8}  {'in floors':>9}"
    for name, row in new.items():
        before = old.rows.get(name)
        if before is None or before.unit != row.unit or not before.median:
            continue
        was, now = ratio(before, old.rows, before.floor), ratio(row, new, row.floor)
        floors = "" if not was or not now else f"{digits(now / was)} ×"
        times = f"{digits(row.median / before.median)} ×"
        yield f"{name:42} {amount(before.median, row.unit):>10} {amount(row.median, row.unit):>10} {times:>8}  {floors:>9}"
