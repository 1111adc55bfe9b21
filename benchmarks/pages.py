"""`--write-docs RESULT`: the table and the figures of a kept result go into the documentation, and the result beside them.

What is between the two marks of docs/performance.md is written by this command alone; the text around them is not touched.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import plots, results, table
from .results import Result

_BEGIN, _END = "<!-- measured figures begin -->", "<!-- measured figures end -->"


def write(source: Path) -> None:
    """Put a result into the source tree that this package lies in."""
    docs = Path(__file__).resolve().parents[1] / "docs"
    page = docs / "performance.md"
    if not page.is_file():
        sys.exit("--write-docs needs a source tree of aion-trio: there is no docs/performance.md beside this package")
    result = results.read(source)
    kept = docs / "evidence" / f"benchmarks-{result.machine['date'][:10]}.json"
    if source.resolve() != kept.resolve():
        kept.write_bytes(source.read_bytes())
    drawn = plots.write_all(docs / "figures", result.rows)
    page.write_text(replaced(page.read_text(), section(result, kept.name, [path.name for path in drawn])))
    print(f"{page}: figures of {result.machine['date']}, kept as {kept}")


def section(result: Result, kept: str, drawn: list[str]) -> str:
    """The measured part of the page."""
    machine = "\n".join(f"{name:>16}  {value}" for name, value in {**result.machine, **result.asked}.items() if value)
    images = "\n".join(f"![{name.removesuffix('.svg')}](figures/{name})" for name in drawn)
    found = f"Measured on {result.machine['date']}; every value of every round: [`{kept}`](evidence/{kept}).{reservation(result)}"
    return f"{found}\n\n```\n{machine}\n```\n\n{images}\n\n{table.markdown(result.rows)}"


def reservation(result: Result) -> str:
    """What a reader must be told of a result that is no proper measurement."""
    small, load = result.asked.get("scale") == "quick", float(result.machine.get("load", 0))
    doubts = [
        *(["with the small counts of `--quick`"] if small else []),
        *([f"on a machine with a load of {load:.1f}"] if load > 0.7 else []),
    ]
    return f"\n\n**A trial, not a measurement**: it was made {' and '.join(doubts)}. Read no single figure." if doubts else ""


def replaced(page: str, measured: str) -> str:
    """The page with another measured part. `ValueError` if the page has no place for it."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"docs/performance.md has no part between {_BEGIN!r} and {_END!r}")
    return f"{before}{_BEGIN}\n\n{measured}\n\n{_END}{after}"
