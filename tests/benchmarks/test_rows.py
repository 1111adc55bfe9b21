"""Rows, targets and verdicts."""

from __future__ import annotations

from benchmarks.clock import Taken
from benchmarks.row import About, Row, Target, Verdict, ratio, sized_row, timed_row, verdict
from benchmarks.text import amount, rate, times_floor, verdicts


def row(name: str, *values: float, floor: str = "", targets: tuple[Target, ...] = ()) -> Row:
    return Row(name, "what", "step", values, floor=floor, targets=targets)


def table_of(*rows: Row) -> dict[str, Row]:
    return {one.name: one for one in rows}


def test_a_row_stands_for_the_median_of_its_rounds_and_shows_their_spread() -> None:
    found = row("a", 3.0, 1.0, 2.0)
    assert (found.median, found.spread) == (2.0, (1.0, 3.0))


def test_seven_rounds_show_quartiles() -> None:
    assert row("a", *map(float, range(1, 8))).spread == (2.0, 6.0)


def test_a_row_that_waits_for_nothing_stands_for_processor_time() -> None:
    about = About("a", "what", "step", by_cpu=True)
    assert timed_row(about, [Taken(9.0, 1.0), Taken(8.0, 2.0), Taken(7.0, 3.0)]).median == 2.0


def test_a_target_holds_up_to_its_multiple_of_another_row() -> None:
    rows = table_of(row("floor", 1.0), row("a", 2.0), row("b", 2.1))
    target = Target("≤ 2 × floor", 2.0, "floor")
    assert [verdict(rows[name], target, rows) for name in ("a", "b")] == [Verdict.HOLDS, Verdict.MISSED]


def test_an_amount_over_the_floor_is_enough_where_the_floor_is_small() -> None:
    target = Target("", 1.5, "floor", allowed_over=150e-6, where_below=300e-6)
    small, large = table_of(row("floor", 100e-6), row("a", 240e-6)), table_of(row("floor", 400e-6), row("a", 640e-6))
    assert verdict(small["a"], target, small) is Verdict.HOLDS
    assert verdict(large["a"], target, large) is Verdict.MISSED


def test_a_target_without_another_row_is_an_amount() -> None:
    rows = table_of(row("a", 0.9))
    assert verdict(rows["a"], Target("≤ 1 s", 1.0), rows) is Verdict.HOLDS


def test_what_was_not_measured_is_neither_held_nor_missed() -> None:
    rows = table_of(row("a", 1.0))
    assert verdict(rows["a"], Target("", 1.0, "peer.x"), rows) is Verdict.UNKNOWN


def test_a_time_is_not_compared_with_a_size() -> None:
    rows = table_of(row("a", 1.0), sized_row(About("bytes", "what", "step"), [2.0]))
    assert ratio(rows["a"], rows, "bytes") is None


def test_figures_have_three_digits_and_a_unit_that_fits() -> None:
    assert [amount(value, "s") for value in (1.5, 0.0123, 45e-6, 120e-9)] == ["1.50 s", "12.3 ms", "45.0 µs", "120 ns"]
    assert [amount(value, "bytes") for value in (77.0, 5000.0, 3 * 2**20)] == ["77.0 B", "4.88 KiB", "3.00 MiB"]


def test_a_line_says_rate_floor_and_verdict() -> None:
    target = Target("≥ 100 × peer", 1 / 100, "peer")
    rows = table_of(row("floor", 1e-6), row("peer", 1e-3), row("a", 2e-6, floor="floor", targets=(target,)))
    assert rate(rows["a"]) == "500 000/s"
    assert times_floor(rows["a"], rows) == "2.00 ×"
    assert verdicts(rows["a"], rows) == "≥ 100 × peer: holds (1/500)"
