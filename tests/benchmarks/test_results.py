"""Results that are kept: JSON, comparison, pages and figures."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import pages, plots, results
from benchmarks.results import Result
from benchmarks.row import Row, Target


def result(factor: float = 1.0) -> Result:
    target = Target("≤ 2 × floor", 2.0, "replay.sequential.floor")
    rows = [
        Row("replay.sequential.floor", "the floor", "step", (1e-6, 2e-6), (1e-6, 1e-6), True, role="floor"),
        Row(
            "replay.sequential",
            "a step",
            "step",
            (4e-6, 4e-6),
            (3e-6 * factor,) * 2,
            True,
            floor="replay.sequential.floor",
            targets=(target,),
        ),
        Row("step.commit", "a commit", "step", (1e-3,), (1e-4,), role="floor"),
        Row("step.durable", "a durable step", "step", (2e-3,), (5e-4,), floor="step.commit"),
        Row("throughput.1.floor", "appends", "workflow", (1e-3,), role="floor"),
        Row("throughput.1", "workflows", "workflow", (2e-3,)),
        Row("throughput.100.floor", "appends", "workflow", (1e-4,), role="floor"),
        Row("throughput.100", "workflows", "workflow", (3e-4,)),
        Row("peer.other.workflows_64", "of a peer", "workflow", (4e-3,), role="peer"),
        Row("journal.step", "bytes", "step", (300.0,), unit="bytes"),
    ]
    return Result({"date": "2026-11-24 08:00 UTC", "load": "0.10"}, {"scale": "normal"}, {row.name: row for row in rows})


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    results.write(tmp_path / "a.json", result())
    assert results.read(tmp_path / "a.json") == result()


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="found format 99"):
        results.read(tmp_path / "a.json")


def test_a_comparison_shows_the_cost_and_the_cost_in_floors() -> None:
    lines = list(results.comparison(result(), result(2.0).rows))
    line = next(line for line in lines if line.startswith("replay.sequential "))
    assert line.split()[-4:] == ["2.00", "×", "2.00", "×"]


def test_every_figure_is_an_svg_with_one_mark_for_each_row() -> None:
    drawn = plots.figures(result().rows)
    assert set(drawn) == {"replay.svg", "steps.svg", "throughput.svg"}
    for text in drawn.values():
        assert ElementTree.fromstring(text).tag.endswith("svg")
    assert drawn["replay.svg"].count("<rect") == 1 + 2
    assert drawn["throughput.svg"].count("<polyline") == 3


def test_only_the_measured_part_of_a_page_is_replaced() -> None:
    page = "before\n<!-- measured figures begin -->\nold\n<!-- measured figures end -->\nafter\n"
    replaced = pages.replaced(page, pages.section(result(), "kept.json", ["replay.svg"]))
    assert replaced.startswith("before\n") and replaced.endswith("\nafter\n")
    assert "old" not in replaced
    assert "| replay.sequential | 3.00 µs | 333 333/s |" in replaced
    assert "≤ 2 × floor: MISSED (3.00 ×)" in replaced
    assert pages.replaced(replaced, "new").count("new") == 1


def test_a_page_without_a_place_for_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="has no part between"):
        pages.replaced("nothing here", "new")
