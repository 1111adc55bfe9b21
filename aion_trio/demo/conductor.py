"""The process that kills: it runs the worker, ends it with SIGKILL at random moments, starts it again, and counts.

Moments are drawn from the seed and tied to progress in the ledger, so that on a slow machine the kills come as often and
fall into as much work as on a fast one. Some kills follow the one before at once, into the start and the recovery.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import trio

from .audit import least_entries
from .home import Home
from .news import Outcomes, Recovery, news_of
from .orders import Order

FOLLOW_UP_CHANCE = 0.25
TIME_LIMIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: which orders, how many kills, drawn from which seed, in which directory."""

    home: Home
    orders: tuple[Order, ...]
    kills: int
    seed: int


@dataclass(frozen=True, slots=True)
class Strike:
    """Kill when the ledger has more than `entries` entries, and `delay` seconds have passed since that or since the start."""

    entries: int
    delay: float


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill that happened: when, how many orders were open, and whether the worker had finished its recovery."""

    seconds: float
    open_orders: int
    recovered: bool


@dataclass(slots=True)
class Course:
    """How the run goes; what the screen shows and the report tells."""

    orders: int
    started: float
    entries: Counter[str] = field(default_factory=Counter[str])
    kills: list[Kill] = field(default_factory=list[Kill])
    recoveries: list[Recovery | None] = field(default_factory=list[Recovery | None])
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    trouble: str = ""
    seconds: float = 0.0

    @property
    def open_orders(self) -> int:
        """Orders whose books are not closed, as far as they were taken in."""
        return self.entries["reserve"] - self.entries["outcome"]


class WorkerFailed(Exception):
    """The worker ended in a way that nobody asked for."""


def draw_strikes(plan: Plan) -> list[Strike]:
    """The moments of the kills, spread over the run: one in each of as many equal parts of it."""
    rng = random.Random(plan.seed)
    total = least_entries(plan.orders)
    strikes: list[Strike] = []
    for number in range(plan.kills):
        follows = bool(strikes) and rng.random() < FOLLOW_UP_CHANCE
        entries = strikes[-1].entries if follows else int(total * (number + rng.random()) / plan.kills * 0.9)
        strikes.append(Strike(entries, rng.uniform(0, 1.0 if follows else 0.2)))
    return strikes


async def strike_when_due(process: trio.Process, strike: Strike, plan: Plan, course: Course) -> None:
    """Kill the worker at its moment, unless all orders are done by then."""
    while course.entries.total() <= strike.entries:
        await trio.sleep(0.01)
    await trio.sleep(strike.delay)
    if course.entries["outcome"] < course.orders and process.returncode is None:
        process.kill()
        course.kills.append(Kill(time.monotonic() - course.started, course.open_orders, course.recoveries[-1] is not None))


async def watch_ledger(plan: Plan, course: Course, show: Callable[[Course], None]) -> None:
    """Keep the course's counts up to date and shown; until cancelled."""
    while True:
        course.entries = await trio.to_thread.run_sync(plan.home.ledger.counts)
        show(course)
        await trio.sleep(0.02)


def take_news(line: str, course: Course) -> None:
    """Note one line of what the worker tells."""
    match news_of(line):
        case Recovery() as recovery:
            course.recoveries[-1] = recovery
        case Outcomes(by_order):
            course.outcomes = by_order


async def listen(stream: trio.abc.ReceiveStream, course: Course) -> None:
    """Note what the worker tells, until it is dead; a line that the kill cut off is no news."""
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            take_news(line.decode(), course)


async def run_worker(plan: Plan, strike: Strike | None, course: Course) -> int:
    """Run one worker to its end, by itself or by `strike`; its exit status."""
    command = [sys.executable, "-m", "aion_trio.demo.worker", str(plan.home.directory), str(len(plan.orders))]
    course.recoveries.append(None)
    with plan.home.worker_log.open("ab") as log:
        process = await trio.lowlevel.open_process(command, stdout=-1, stderr=log)
    assert process.stdout is not None
    try:
        async with process.stdout, trio.open_nursery() as nursery:
            if strike:
                nursery.start_soon(strike_when_due, process, strike, plan, course)
            await listen(process.stdout, course)
            status = await process.wait()
            nursery.cancel_scope.cancel()
        return status
    finally:
        if process.returncode is None:
            process.kill()


async def run_workers(plan: Plan, course: Course) -> None:
    """Start workers until one has finished all orders; every one before it falls to its strike."""
    strikes = draw_strikes(plan)
    while not course.outcomes:
        killed = len(course.kills)
        strike = strikes[killed] if killed < len(strikes) else None
        status = await run_worker(plan, strike, course)
        if status != 0 and len(course.kills) == killed:
            raise WorkerFailed(f"the worker ended with status {status}; its last words are in {plan.home.worker_log}")


async def conduct(plan: Plan, show: Callable[[Course], None]) -> Course:
    """Run the orders through kills and restarts; what went wrong with the run itself is in `trouble`."""
    plan.home.directory.mkdir(parents=True, exist_ok=True)
    plan.home.ledger.create()
    course = Course(len(plan.orders), time.monotonic())
    with trio.move_on_after(TIME_LIMIT_SECONDS) as limit:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(watch_ledger, plan, course, show))
            try:
                await run_workers(plan, course)
            except WorkerFailed as failed:
                course.trouble = str(failed)
            nursery.cancel_scope.cancel()
    if limit.cancelled_caught:
        course.trouble = f"not finished after {TIME_LIMIT_SECONDS:.0f} s"
    course.entries = plan.home.ledger.counts()
    course.seconds = time.monotonic() - course.started
    show(course)
    return course
