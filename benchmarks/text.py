"""Figures as people read them."""

from __future__ import annotations

from .row import Row, Rows, Verdict, ratio, verdict

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (0.0, "ns"))
_SIZES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (0.0, "B"))


def amount(value: float, unit: str) -> str:
    """A time or a size with three digits: `1.53 ms`, `412 B`."""
    for least, name in _TIMES if unit == "s" else _SIZES:
        if value >= least:
            scaled = value / (least or (1e-9 if unit == "s" else 1.0))
            return f"{digits(scaled)} {name}"
    return f"{value} {unit}"


def digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def rate(row: Row) -> str:
    """How many pieces a second; empty for sizes, and for what takes longer than a second."""
    return f"{digits(1 / row.median)}/s" if row.unit == "s" and 0 < row.median < 1 else ""


def spread(row: Row) -> str:
    """From the least to the most."""
    low, high = row.spread
    return f"{amount(low, row.unit)} – {amount(high, row.unit)}" if len(row.costs) > 1 else ""


def times_floor(row: Row, rows: Rows) -> str:
    """The cost as a multiple of the floor's."""
    times = ratio(row, rows, row.floor)
    return "" if times is None else f"{digits(times)} ×"


def verdicts(row: Row, rows: Rows) -> str:
    """Each target, and what became of it with the ratio that was found."""
    parts: list[str] = []
    for target in row.targets:
        found = verdict(row, target, rows)
        times = ratio(row, rows, target.against) if target.against else None
        how = "" if times is None else f" ({_factor(times)})"
        parts.append(f"{target.text}: {found.value if found is not Verdict.MISSED else found.value.upper()}{how}")
    return "; ".join(parts)


def _factor(times: float) -> str:
    return f"1/{digits(1 / times)}" if times < 0.1 else f"{digits(times)} ×"
