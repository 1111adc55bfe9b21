"""Crashes anywhere change nothing: a sample of crash points of every chapter, and proof that the explorer is not blind.

`python -m tests.engine.crash_campaign` tries all of them.
"""

from __future__ import annotations

import pytest
import trio

import aion_trio as aion
from aion_trio import durable
from aion_trio.testing import CrashPoint, CrashSearch, explore_crashes, run_virtual, run_workflow

from . import shop
from .crash_chapters import CHAPTERS, explore

SAMPLE = 12
"""Sequences of crashes tried for each chapter."""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_crash_loses_or_doubles_work(chapter: str) -> None:
    """R3-R7, R11, A1, S2, C1-C3, N1, L1, L2: results, histories, effects and rows are those of the undisturbed run."""
    report = explore(chapter, CrashSearch(deaths=2, sample=SAMPLE))
    assert report.sound, report


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_crash_loses_or_doubles_work_while_time_goes_on(chapter: str) -> None:
    """T1, A3: timers, deadlines and back-offs that come due while nobody is there are found, under crashes of the recovery too."""
    report = explore(chapter, CrashSearch(deaths=2, sample=SAMPLE, seed=1, down_for=100.0))
    assert report.sound, report


@pytest.mark.parametrize("chapter", ["letters", "generations", "orders"])
def test_no_crash_at_all_loses_or_doubles_work(chapter: str) -> None:
    """Every crash point of two chapters, and every one of the recoveries that follow."""
    report = explore(chapter, CrashSearch(deaths=2))
    assert report.sound, report
    assert report.tried > 2 * report.commits - 1


def test_every_commit_is_crashed_before_and_after() -> None:
    """Without a sample nothing is left out: two crashes for each commit, and those of the recoveries that follow."""

    async def scenario(engine: aion.Engine) -> object:
        return await engine.execute(shop.parent, 4, id="p")

    once = explore_crashes(scenario, workflows=shop.WORKFLOWS, activities=shop.ACTIVITIES, search=CrashSearch(deaths=1))
    assert (once.commits, once.tried, once.sound) == (4, 8, True)
    twice = explore_crashes(scenario, workflows=shop.WORKFLOWS, activities=shop.ACTIVITIES)
    assert twice.tried > once.tried


def test_a_result_that_depends_on_how_often_an_activity_ran_is_found() -> None:
    """An activity that is run again after a crash shows in the clients' result; the report tells which commit was crashed."""
    performed: list[int] = []

    @aion.activity
    async def count() -> int:
        performed.append(1)
        return len(performed)

    @aion.workflow
    async def counts(n: int) -> bool:
        return await count() % 2 == n

    async def scenario(engine: aion.Engine) -> object:
        return await engine.execute(counts, 1, id="c")

    report = explore_crashes(scenario, workflows=[counts], activities=[count], search=CrashSearch(deaths=1))
    assert not report.sound
    found = next(finding for finding in report.findings if finding.deaths == (CrashPoint(2, False),))
    assert "result" in found.what
    assert "commit 2, not made" in str(report)
    assert "ActivityCompleted" in str(report)


def test_a_client_that_does_not_try_again_safely_is_found() -> None:
    """A signal without a request id is received twice when its sender has to repeat it."""

    async def scenario(engine: aion.Engine) -> object:
        handle = await engine.start(shop.sums, 0, id="s")
        await handle.signal(shop.go, 5)
        await handle.signal(shop.go, -1, request_id="end")
        return await handle.result()

    report = explore_crashes(scenario, workflows=shop.WORKFLOWS, activities=shop.ACTIVITIES, search=CrashSearch(deaths=1))
    assert any("undisturbed 5, recovered 10" in finding.what for finding in report.findings), report


def test_a_workflow_that_never_ends_is_told_and_does_not_hang() -> None:
    """Virtual time bounds the clients' patience."""

    async def scenario(engine: aion.Engine) -> object:
        return await engine.execute(shop.hangs, id="h")

    with pytest.raises(trio.TooSlowError):
        explore_crashes(scenario, workflows=shop.WORKFLOWS, activities=shop.ACTIVITIES)


def test_one_workflow_runs_in_one_line() -> None:
    """A year of sleep, signals, children, threads: in milliseconds."""
    assert run_workflow(shop.sleeps, 365 * 86400.0) == "rested"
    assert run_workflow(shop.waits, 1, signals=[(shop.go, 4)]) == 5
    assert run_workflow(shop.parent, 4, activities=shop.ACTIVITIES, children=[shop.double]) == 1008
    with pytest.raises(aion.WorkflowFailedError):
        run_workflow(gives_up, 1)


def test_virtual_time_waits_for_threads() -> None:
    """A blocking activity takes no virtual time, so that no time-out passes around it."""

    @aion.workflow
    async def in_time(n: int) -> int:
        with durable.fail_after(0.001):
            return await shop.add_in_thread(n, n)

    assert run_workflow(in_time, 2, activities=shop.ACTIVITIES) == 4


def test_one_seed_gives_one_schedule() -> None:
    """What was found once can be found again."""

    async def race() -> list[int]:
        order: list[int] = []

        async def one(number: int) -> None:
            await trio.lowlevel.checkpoint()
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(one, number)
        return order

    assert run_virtual(race, seed=7) == run_virtual(race, seed=7)
    assert len({tuple(run_virtual(race, seed=seed)) for seed in range(8)}) > 1


@aion.workflow
async def gives_up(n: int) -> None:
    raise ValueError(n)
