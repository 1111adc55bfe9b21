"""A trace drawn with characters: a line for each span, its bar at the place of its time.

Legible without colour: work and waiting have different lines, and each end has a sign of its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.text import Text

from .output import span as span_text
from .timeline import RunTrace, Segment, Span

_WIDEST_LABEL = 30
_WIDEST_NOTE = 34
_NARROWEST_BAR = 20


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters of a drawing."""

    work: str = "━"
    wait: str = "┄"
    done: str = "●"
    failed: str = "✗"
    cancelled: str = "○"
    open: str = "▶"
    point: str = "◆"
    times: str = "×"

    def of(self, ending: str) -> str:
        """The sign of an end."""
        return {"done": self.done, "failed": self.failed, "cancelled": self.cancelled}.get(ending, self.open)

    def legend(self) -> str:
        """What the signs mean, in one line."""
        return (
            f"{self.work}{self.work} works  {self.wait}{self.wait} waits  {self.done} done  {self.failed} failed  "
            f"{self.cancelled} cancelled  {self.open} open  {self.point} happened  {self.times}2 tries"
        )


UNICODE = Signs()
ASCII = Signs("=", "-", "o", "X", "/", ">", "*", "x")
_STYLES = {"done": "green", "failed": "red", "cancelled": "yellow", "": "cyan"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """How to draw: the width in characters, the signs, the moment that counts as now, and whether only the order counts."""

    width: int
    signs: Signs
    now_us: int
    by_order: bool = False


def draw(trace: RunTrace, sheet: Sheet, most: int) -> list[Text]:
    """The lines of a run's timeline: the axis, the run, at most `most` of its spans, and the legend."""
    shown = [trace.run, *trace.spans[:most]]
    end_us = trace.run.end_us or max(sheet.now_us, trace.last_us)
    labels, notes = [_label(span) for span in shown], [_note(span, end_us, sheet.signs.times) for span in shown]
    label_width = min(max(map(len, labels)), _WIDEST_LABEL, sheet.width * 3 // 10)
    note_width = min(max(map(len, notes)), _WIDEST_NOTE, sheet.width * 3 // 10)
    bar_width = max(sheet.width - label_width - note_width - 4, _NARROWEST_BAR)
    place = _scale(trace, end_us, bar_width, by_order=sheet.by_order)
    lines = [] if sheet.by_order else [_axis(trace.run.start_us, end_us, label_width, bar_width)]
    for span, label, note in zip(shown, labels, notes, strict=True):
        line = Text(_fitted(label, label_width) + "  ")
        line.append_text(_bar(span, place, bar_width, sheet.signs))
        line.append("  " + _fitted(note, note_width).rstrip())
        line.rstrip()
        lines.append(line)
    hidden = len(trace.spans) - most
    if hidden > 0:
        lines.append(Text(f"… and {hidden} more; --limit N shows more"))
    return [*lines, Text(""), Text(sheet.signs.legend(), style="dim")]


def _label(span: Span) -> str:
    return f"{span.ordinal} {span.kind} {span.name}" if span.ordinal else f"{span.kind} {span.name}"


def _note(span: Span, end_us: int, sign: str) -> str:
    if not span.segments:
        return span.outcome
    length = span_text(((span.end_us or end_us) - span.start_us) / 1e6)
    attempts = f" {sign}{span.attempts}" if span.attempts > 1 else ""
    outcome = span.outcome if span.end_us is not None else f"open{', after ' + span.outcome if span.outcome else ''}"
    return f"{length:>7}{attempts} {outcome}".rstrip()


def _fitted(text: str, width: int) -> str:
    text = " ".join(text.split()) if len(text) > width else text
    return f"{text:<{width}}" if len(text) <= width else text[: width - 1] + "…"


def _scale(trace: RunTrace, end_us: int, width: int, *, by_order: bool) -> Callable[[int], int]:
    """Where on the bar a time lies: by time, or evenly by the order of what happened."""
    start_us = trace.run.start_us
    if not by_order:
        length = max(end_us - start_us, 1)
        return lambda us: min(width - 1, max(0, (us - start_us) * (width - 1) // length))
    times = sorted({start_us, end_us, *_times(trace)})
    last = max(len(times) - 1, 1)
    return lambda us: (bisect_right(times, us) - 1) * (width - 1) // last


def _times(trace: RunTrace) -> Iterable[int]:
    for span in trace.spans:
        yield span.start_us
        for segment in span.segments:
            yield from (us for us in (segment.start_us, segment.end_us) if us is not None)


def _bar(span: Span, place: Callable[[int], int], width: int, signs: Signs) -> Text:
    """The bar of a span, exactly `width` wide. Of what falls on one place, the end that came last is seen."""
    cells: list[tuple[str, str]] = [(" ", "")] * width
    if not span.segments:
        cells[place(span.start_us)] = signs.point, "magenta"
    for segment in span.segments:
        _draw_segment(cells, segment, place, signs)
    bar = Text()
    for character, style in cells:
        bar.append(character, style)
    return bar


def _draw_segment(cells: list[tuple[str, str]], segment: Segment, place: Callable[[int], int], signs: Signs) -> None:
    first = place(segment.start_us)
    last = len(cells) - 1 if segment.end_us is None else place(segment.end_us)
    line = signs.work if segment.kind == "work" else signs.wait
    style = _STYLES[segment.ending]
    for index in range(first, last):
        if cells[index][0] in (" ", line):
            cells[index] = line, style
    between = segment.kind == "wait" and segment.ending == "done" and cells[first][0] == signs.failed
    if not between:  # a pause between two attempts has no sign of its own
        cells[last] = signs.of(segment.ending), style


def _axis(start_us: int, end_us: int, indent: int, width: int) -> Text:
    """The time since the start, at some places of the bar."""
    marks = max(2, min(6, width // 12))
    line = [" "] * width
    for mark in range(marks):
        at = mark * (width - 1) // (marks - 1)
        text = "0" if mark == 0 else span_text((end_us - start_us) * mark / (marks - 1) / 1e6)
        begin = min(max(at - len(text) + 1 if mark == marks - 1 else at - len(text) // 2, 0), width - len(text))
        line[begin : begin + len(text)] = text
    return Text(" " * (indent + 2) + "".join(line).rstrip(), style="dim")
