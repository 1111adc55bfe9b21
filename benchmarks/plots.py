"""Figures as SVG, drawn by hand: bars on a logarithmic scale, and lines over the number in flight."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from .row import Row
from .text import amount, digits

_COLOURS = {"measured": "#2f6f9f", "floor": "#9aa5ab", "peer": "#c8743a"}
_WIDTH, _LABELS, _BAR, _GAP = 800, 250, 16, 8
_HEIGHT, _MARGIN = 360, 60


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, how long it is, what stands at its end."""

    label: str
    value: float
    text: str
    role: str


def bars(title: str, found: Sequence[Bar]) -> str:
    """A chart of bars; each tenfold of the value is the same length."""
    low = 10 ** math.floor(math.log10(min(bar.value for bar in found)) - 0.3)
    span = math.log10(max(bar.value for bar in found) / low) or 1.0
    height = 44 + len(found) * (_BAR + _GAP)
    parts = [_text(12, 22, title, size=15)]
    for number, bar in enumerate(found):
        top = 36 + number * (_BAR + _GAP)
        length = (_WIDTH - _LABELS - 150) * math.log10(bar.value / low) / span
        parts.append(_text(_LABELS - 8, top + 12, bar.label, anchor="end"))
        parts.append(f'<rect x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_BAR}" fill="{_COLOURS[bar.role]}"/>')
        parts.append(_text(_LABELS + length + 6, top + 12, bar.text))
    return _svg(_WIDTH, height, parts)


def lines(title: str, series: Mapping[str, tuple[str, Sequence[tuple[float, float]]]]) -> str:
    """Lines through points (x, y), both axes logarithmic; each series has a role and its points."""
    points = [point for _, found in series.values() for point in found]
    x_of, y_of = _axis([x for x, _ in points], 70, _WIDTH - 170), _axis([y for _, y in points], _HEIGHT - 40, 50)
    parts = [_text(12, 22, title, size=15)]
    for tick in _tens([x for x, _ in points]):
        parts.append(_rule(x_of(tick), 50, x_of(tick), _HEIGHT - 40))
        parts.append(_text(x_of(tick), _HEIGHT - 22, f"{tick:,.0f}", anchor="middle"))
    for tick in _tens([y for _, y in points]):
        parts.append(_rule(70, y_of(tick), _WIDTH - 170, y_of(tick)))
        parts.append(_text(64, y_of(tick) + 4, f"{tick:,.0f}", anchor="end"))
    labels = _apart({name: y_of(found[-1][1]) + 4 for name, (_, found) in series.items()})
    for name, (role, found) in series.items():
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in found)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_COLOURS[role]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{_COLOURS[role]}"/>' for x, y in found]
        parts.append(_text(x_of(found[-1][0]) + 8, labels[name], name))
    return _svg(_WIDTH, _HEIGHT, parts)


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """The heights of labels, moved down until none covers another."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        placed[name] = lowest = max(height, lowest + 14)
    return placed


class _axis:
    """Where a value lies between two places, on a logarithmic scale."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self._low, high = min(values), max(values)
        self._begin, self._length = begin, (end - begin) / (math.log10(high / self._low) or 1.0)

    def __call__(self, value: float) -> float:
        return self._begin + self._length * math.log10(value / self._low)


def _tens(values: Sequence[float]) -> list[float]:
    first, last = math.ceil(math.log10(min(values))), math.floor(math.log10(max(values)))
    return [10.0**power for power in range(first, last + 1)]


def _rule(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="#e3e7e9"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#222">{escape(text)}</text>'


def _svg(width: int, height: int, parts: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#fff"/>', *parts, "</svg>", ""])


# ---- which rows go into which figure


def _rates(rows: Mapping[str, Row], names: Iterable[str]) -> list[Bar]:
    """Pieces a second."""
    found = [rows[name] for name in names if name in rows]
    return [Bar(row.name, 1 / row.median, f"{digits(1 / row.median)} {row.each}s/s", row.role) for row in found]


def _costs(rows: Mapping[str, Row], names: Iterable[str]) -> list[Bar]:
    """What a piece costs."""
    found = [rows[name] for name in names if name in rows]
    return [Bar(row.name, row.median, amount(row.median, row.unit), row.role) for row in found]


def _in_flight(rows: Mapping[str, Row]) -> dict[str, tuple[str, list[tuple[float, float]]]]:
    """Workflows a second over the number in flight, for the engine, its journal and each peer."""
    series: dict[str, tuple[str, list[tuple[float, float]]]] = {}
    for name, row in rows.items():
        group, _, rest = name.partition(".")
        peer, _, count = rest.rpartition(".workflows_")
        if group == "throughput":
            label, count = ("the journal alone" if rest.endswith("floor") else "workflows"), rest.partition(".")[0]
        elif group == "peer" and peer:
            label = peer
        else:
            continue
        series.setdefault(label, (row.role, []))[1].append((float(count), 1 / row.median))
    return series


def figures(rows: Mapping[str, Row]) -> dict[str, str]:
    """Every figure that these rows give, by file name."""
    drawn: dict[str, str] = {}
    replays = [
        name
        for name in rows
        if name.startswith("replay.") and not name.startswith(("replay.events", "replay.load", "replay.cold", "replay.processes"))
    ]
    replays += [name for name in rows if name.startswith("peer.") and name.endswith("replay")]
    if found := _rates(rows, replays):
        drawn["replay.svg"] = bars("Replay: steps a second (longer is faster)", found)
    peers = [name for name in rows if name.startswith("peer.") and name.endswith(".step")]
    if found := _costs(rows, ["step.fdatasync", "step.commit", "step.rows", "step.durable", *peers]):
        drawn["steps.svg"] = bars("One durable step of one workflow (shorter is faster)", found)
    if series := _in_flight(rows):
        drawn["throughput.svg"] = lines("One-step workflows a second, by how many are in flight", series)
    return drawn


def write_all(directory: Path, rows: Mapping[str, Row]) -> list[Path]:
    """Draw every figure into a directory; the files."""
    directory.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, text in figures(rows).items():
        (directory / name).write_text(text)
        written.append(directory / name)
    return written
