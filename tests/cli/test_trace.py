"""A history as a timeline: what the spans are, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import aion_trio.events as ev
from aion_trio.cli.drawing import ASCII, UNICODE, Sheet, draw
from aion_trio.cli.timeline import RunTrace, traces
from aion_trio.codec import encode, event_of
from aion_trio.events import Raw
from tests.cli.histories import AT, raws
from tests.cli.running import data, refusal, text

SECOND = 1_000_000
FAILURE = ["application", "ValueError", "no [red]paper[/red]", None, None, False]


def scheduled(ordinal: int, at: int) -> Raw:
    return [ev.ACTIVITY_SCHEDULED, at, ordinal, f"work{ordinal}", encode([]), b"d" * 16, "default", [None] * 5 + ["task"]]


def trace_of(*events: Raw) -> RunTrace:
    history = [raws()[0], *events]
    (found,) = traces(event_of(raw, seq) for seq, raw in enumerate(history, 1))
    return found


def drawn(trace: RunTrace, width: int = 80, now_s: float = 10, *, ascii_only: bool = True, by_order: bool = False) -> list[str]:
    sheet = Sheet(width, ASCII if ascii_only else UNICODE, AT + round(now_s * SECOND), by_order)
    return [line.plain for line in draw(trace, sheet, 50)]


def bar_of(lines: Sequence[str], label: str) -> str:
    """The bar of the line with this label, without the blanks around it."""
    (line,) = [line for line in lines if line.startswith(label)]
    return line[len(label) :].strip().split("   ")[0].split("  ")[0]


def test_an_activity_has_a_segment_for_each_attempt_and_each_pause() -> None:
    """What histories know of attempts (A3)."""
    trace = trace_of(
        scheduled(1, AT),
        [ev.ACTIVITY_ATTEMPT_FAILED, AT + SECOND, 1, 1, FAILURE, AT + 3 * SECOND],
        [ev.ACTIVITY_COMPLETED, AT + 5 * SECOND, 1, encode(1), 2],
        [ev.WORKFLOW_COMPLETED, AT + 5 * SECOND, encode(1)],
    )
    (span,) = trace.spans
    assert [(each.kind, each.ending, (each.end_us or 0) - each.start_us) for each in span.segments] == [
        ("work", "failed", SECOND),
        ("wait", "done", 2 * SECOND),
        ("work", "done", 2 * SECOND),
    ]
    assert (span.attempts, span.outcome) == (2, "completed")
    bar = bar_of(drawn(trace), "1 activity work1")
    assert bar == "=" * bar.index("X") + "X" + "-" * bar.count("-") + "=" * bar[bar.index("-") :].count("=") + "o"
    assert 1.5 < bar.count("-") / bar.index("X") < 2.5


def test_every_kind_of_thing_has_its_line_and_its_end_its_sign() -> None:
    at = [AT + number * SECOND for number in range(12)]
    trace = trace_of(
        [ev.TIMER_STARTED, at[0], 1, at[4]],
        [ev.CHILD_WORKFLOW_STARTED, at[1], 2, "child-1", "ship", 1, encode([]), b"d" * 16, 0, {}, None, None],
        [ev.SIGNAL_SENT, at[1], 3, "other", "hello", encode(1), b"d" * 16],
        [ev.SIGNAL_DELIVERED, at[2], 3],
        [ev.SIGNAL_RECEIVED, at[3], "approval", encode(True), None, None],
        [ev.TIMER_FIRED, at[4], 1],
        [ev.DEADLINE_PASSED, at[5], at[5]],
        [ev.CHILD_CANCEL_REQUESTED, at[5], 2, "late"],
        scheduled(4, at[5]),
        [ev.ACTIVITY_CANCELLED, at[6], 4],
        [ev.CHILD_WORKFLOW_FAILED, at[7], 2, FAILURE],
        [ev.CANCEL_REQUESTED, at[8], "enough", None],
        [ev.WORKFLOW_FAILED, at[9], FAILURE],
    )
    lines = drawn(trace, 120)
    ends = {
        label: bar_of(lines, label)[-1]
        for label in ("1 timer sleep", "2 child ship child-1", "3 signal hello to other", "4 activity work4")
    }
    assert list(ends.values()) == ["o", "X", "o", "/"]
    assert [bar_of(lines, label)[0] for label in ("signal approval", "deadline passed", "cancel requested")] == ["*", "*", "*"]
    assert "true" in next(line for line in lines if line.startswith("signal approval"))
    assert "9 s failed: ValueError: no [red]p" in lines[1]


def test_what_is_open_reaches_to_now() -> None:
    trace = trace_of(scheduled(1, AT + SECOND))
    lines = drawn(trace, now_s=4)
    assert bar_of(lines, "workflow checkout")[-1] == bar_of(lines, "1 activity work1")[-1] == ">"
    assert "3 s open" in lines[2]


def test_what_was_open_when_its_run_ended_ends_with_it() -> None:
    trace = trace_of(
        scheduled(1, AT),
        [ev.ACTIVITY_ATTEMPT_FAILED, AT + SECOND, 1, 1, FAILURE, AT + 30 * SECOND],
        [ev.WORKFLOW_TERMINATED, AT + 2 * SECOND, "enough"],
    )
    (span,) = trace.spans
    assert (span.outcome, span.end_us) == ("open when the run ended", trace.run.end_us)
    assert [(each.kind, each.ending) for each in span.segments] == [("work", "failed"), ("wait", "cancelled")]
    assert all(len(line) <= 80 for line in drawn(trace))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("by_order", [False, True])
def test_a_drawing_keeps_to_its_width_and_its_lines_are_aligned(width: int, by_order: bool) -> None:
    events: list[Raw] = []
    for number in range(1, 40):
        events += [scheduled(number, AT + number * SECOND), [ev.ACTIVITY_COMPLETED, AT + (number + 1) * SECOND, number, encode(1), 1]]
    lines = drawn(trace_of(*events), width, 41, ascii_only=False, by_order=by_order)
    assert max(map(len, lines)) <= max(width, 80)  # the legend needs its 80
    columns = [min(line.find(sign) for sign in "━●" if sign in line) for line in lines if " activity " in line]
    assert columns == sorted(columns)


def test_a_run_of_one_moment_is_drawn() -> None:
    assert drawn(trace_of([ev.WORKFLOW_COMPLETED, AT, encode(1)]))[1].split()[:2] == ["workflow", "checkout"]


def test_short_steps_between_long_sleeps_are_legible_by_order() -> None:
    trace = trace_of(
        scheduled(1, AT),
        [ev.ACTIVITY_COMPLETED, AT + 5, 1, encode(1), 1],
        [ev.TIMER_STARTED, AT + 5, 2, AT + 10**12],
        [ev.TIMER_FIRED, AT + 10**12, 2],
        [ev.WORKFLOW_COMPLETED, AT + 10**12, encode(1)],
    )
    assert bar_of(drawn(trace), "1 activity work1") == "o"
    assert len(bar_of(drawn(trace, by_order=True), "1 activity work1")) > 5


def test_more_operations_than_the_limit_are_counted() -> None:
    trace = trace_of(*(scheduled(number, AT) for number in range(1, 6)))
    lines = [line.plain for line in draw(trace, Sheet(80, ASCII, AT + 1), 2)]
    assert any("and 3 more" in line for line in lines)


def test_the_verb_draws_the_newest_run_or_all_of_them(journal: Path) -> None:
    assert text("workflow", "trace", "rocket", "--journal", journal).count("workflow count_down") == 1
    assert text("workflow", "trace", "rocket", "--journal", journal, "--all-runs").count("workflow count_down") == 3
    runs = data("workflow", "trace", "rocket", "--journal", journal, "--all-runs")
    assert [run["run"]["outcome"] for run in runs] == ["continued_as_new", "continued_as_new", "completed"]
    (one,) = data("workflow", "trace", "rocket", "--journal", journal, "--run-id", runs[0]["run_id"])
    assert one == runs[0]


def test_the_trace_of_a_real_order_names_all_that_it_did(journal: Path) -> None:
    lines = text("workflow", "trace", "order-1", "--journal", journal, "--ascii").splitlines()
    assert [line.split()[1] for line in lines if line[:1].isdigit()] == ["activity", "child", "timer"]
    assert any("x2 completed" in line for line in lines)
    assert "failed: ValueError: no [bold]stock[/bold]" in text("workflow", "trace", "order-2", "--journal", journal).splitlines()[0]
    refusal("workflow", "trace", "order-1", "--journal", journal, "--width", "3", status=2)
