"""What a person sees of the demo: a live picture on a terminal, plain lines elsewhere, tables at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .conductor import Course, Plan
from .news import SWEEPS, Recovery

SECONDS_BETWEEN_LINES = 2.0
SWEEP_TITLES = ("children started", "successors started", "results delivered", "signals delivered", "wake-ups due", "activities again")


class LiveScreen:
    """Bars that move, for a terminal."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self.progress = Progress(
            TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self.taken = self.progress.add_task("orders taken in", total=len(plan.orders))
        self.settled = self.progress.add_task("orders settled", total=len(plan.orders))
        self.kills = self.progress.add_task("kill -9", total=plan.kills)
        self.live = Live(self.progress, console=console, refresh_per_second=10)

    def show(self, course: Course) -> None:
        """Move the bars."""
        self.progress.update(self.taken, completed=course.entries["reserve"])
        self.progress.update(self.settled, completed=course.entries["outcome"])
        self.progress.update(self.kills, completed=len(course.kills))
        state = "recovering" if course.recoveries and course.recoveries[-1] is None else f"{course.open_orders} orders open"
        self.live.update(Group(self.progress, f"{'worker':>16} {len(course.recoveries)}: {state}"))


class PlainScreen:
    """A line now and then, and one for each kill, for a log."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.kills = 0
        self.next_line = 0.0

    def show(self, course: Course) -> None:
        """Print what is new, if there is something."""
        for kill in course.kills[self.kills :]:
            at = "" if kill.recovered else ", while it was starting"
            self.console.print(f"{kill.seconds:6.1f} s  kill -9 with {kill.open_orders} orders open{at}")
        self.kills = len(course.kills)
        if time.monotonic() >= self.next_line:
            self.next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            taken, settled, now = course.entries["reserve"], course.entries["outcome"], time.monotonic() - course.started
            self.console.print(f"{now:6.1f} s  {taken} orders taken in, {settled} settled")


@contextmanager
def open_screen(console: Console, plan: Plan) -> Iterator[LiveScreen | PlainScreen]:
    """The screen that fits the console, for as long as the block lasts."""
    if not console.is_terminal:
        yield PlainScreen(console)
        return
    screen = LiveScreen(console, plan)
    with screen.live:
        yield screen


def recoveries_table(course: Course) -> Table:
    """A column for each start of the worker: what its recovery found and did, and how it ended."""
    table = Table(title="What each recovery found and did")
    table.add_column("start")
    for number in range(1, len(course.recoveries) + 1):
        table.add_column(str(number), justify="right")
    columns = [recovery_cells(recovery) for recovery in course.recoveries]
    for title, *cells in zip((*SWEEP_TITLES, "quarantined", "seconds"), *columns, strict=True):
        table.add_row(title, *cells)
    table.add_section()
    table.add_row("killed after, s", *(f"{kill.seconds:.1f}" for kill in course.kills))
    table.add_row("with orders open", *(str(kill.open_orders) for kill in course.kills))
    return table


def recovery_cells(recovery: Recovery | None) -> list[str]:
    """The figures of one recovery; dashes for one that a kill cut off."""
    if recovery is None:
        return ["–"] * (len(SWEEPS) + 2)
    counts = [str(recovery.counts[name]) for name in SWEEPS]
    return [*counts, str(len(recovery.quarantined)), f"{recovery.seconds:.2f}"]


def summary_table(plan: Plan, course: Course, attempts: int) -> Table:
    """The run in figures."""
    ends = Counter(course.outcomes.values())
    undone = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()) if end != "completed")
    charged = ends["completed"] + ends["undeliverable"]
    entries = course.entries.total()
    table = Table(title="Orders through kill -9", show_header=False)
    table.add_row("orders", str(len(plan.orders)))
    table.add_row("completed", str(ends["completed"]))
    table.add_row("compensated", f"{ends.total() - ends['completed']} ({undone})" if undone else "0")
    table.add_row("charges in the ledger", f"{course.entries['charge']} for {charged} charged orders")
    table.add_row("parcels handed over", str(course.entries["parcel"]))
    table.add_row("entries in the ledger", f"{entries}, by {attempts} attempts at them")
    table.add_row("kills survived", f"{len(course.kills)} of {plan.kills}")
    table.add_row("seconds", f"{course.seconds:.1f}")
    return table
