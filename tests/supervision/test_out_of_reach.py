"""Budgets that a back-off keeps from ever being spent: allowed, and said once to the author."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aion_trio.supervision import Backoff, Budget, Child, GaveUp, Mailbox, Restart, open_directory, open_supervisor, supervise

from .scenes import AT_ONCE, Recorder, failing, forever, reads

LESSON = (
    "a budget of 10 restarts in 60 s is never spent by {} alone, whose backoff spreads as many over at least 64.9 s: if it fails again "
    "and again it is restarted for ever; to have that end, make the budget's per longer or its restarts fewer, or the backoff shorter"
)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings of this package."""
    assert {(record.name, record.levelname) for record in caplog.records} <= {("aion_trio.supervision", "WARNING")}
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("budget", [Budget(10, 10), Budget(10, 60), Budget(5, 1), Budget(100, 60), Budget(10**12, 60)], ids=repr)
async def test_common_budgets_go_with_the_usual_backoff(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, budget: Budget
) -> None:
    async with open_supervisor(Child("a", forever), budget=budget) as supervisor:
        supervisor.stop()
    async with open_directory(reads, budget=budget):
        pass
    assert ["never spent by" in each for each in said(caplog)] == [True, True]


async def test_the_author_is_told_what_happens_and_what_to_change(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """Once for each opening, whoever else listens, and whatever is added later."""
    children = [Child("prompt", forever, backoff=AT_ONCE), Child("once", forever, restart=Restart.TEMPORARY), *map(child, "ab")]
    for _ in range(2):
        async with open_supervisor(*children, name="team", budget=Budget(10, 60), instruments=[]) as supervisor:
            await supervisor.add(child("c"))
            supervisor.stop()
    assert said(caplog) == ["team: " + LESSON.format("'a'")] * 2


def child(name: str) -> Child:
    return Child(name, forever)


async def test_so_it_is_with_one_that_is_added(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_supervisor(Child("a", forever, backoff=AT_ONCE), budget=Budget(10, 60)) as supervisor:
        assert said(caplog) == []
        for name in "bc":
            await supervisor.add(child(name))
        supervisor.stop()
    assert said(caplog) == ["supervisor: " + LESSON.format("'b'")]


async def test_so_it_is_with_keyed_actors(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_directory(reads, name="d", budget=Budget(10, 60), instruments=[]):
        pass
    assert said(caplog) == ["d: " + LESSON.format("a key")]


async def test_nothing_is_said_of_a_declaration_that_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="named 'a' already"):
        async with open_supervisor(child("a"), child("a"), budget=Budget(10, 60)):
            pytest.fail("the body must not run")
    assert said(caplog) == []


async def test_such_a_child_is_restarted_for_ever(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    async with open_supervisor(Child("a", failing(999, after=0)), budget=Budget(10, 60), instruments=[recorder]) as supervisor:
        await trio.sleep(3600)
        supervisor.stop()
    assert 100 < len(recorder.of("restarting")) < 200 and recorder.of("gave up") == []


async def test_such_a_key_is_never_set_aside(autojump_clock: MockClock) -> None:
    async def broken(key: str, mailbox: Mailbox[Any]) -> None:
        raise ValueError

    recorder = Recorder()
    async with open_directory(broken, budget=Budget(10, 60), grace=0, instruments=[recorder]) as directory:
        await directory.send("k", 1)
        await trio.sleep(3600)
        assert not directory.quarantined
    assert len(recorder.of("exited")) > 100


@pytest.mark.parametrize(
    ("count", "reset_after", "least"),
    [
        (3, 60, 1 + 2 + 4),
        (4, 2, (1 + 2) + 2 + (1 + 2)),
        (5, 2, (1 + 2) + 2 + (1 + 2) + 2 + 1),
        (5, 3, (1 + 2 + 4) + 3 + (1 + 2)),
        (4, 0, 4),
        (0, 0, 0),
    ],
)
def test_the_least_time_is_that_of_the_best_rows(count: int, reset_after: float, least: float) -> None:
    """A row goes 1, 2, 4, ... seconds; a run that lasts ``reset_after`` begins another one."""
    assert Backoff(initial=1, jitter=0, reset_after=reset_after).shortest(count) == least


async def test_a_backoff_that_begins_anew_leaves_the_budget_in_reach(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """Ten restarts take a second, not a hundred, if every run breaks the row."""
    eager = Backoff(initial=0.1, jitter=0, reset_after=0)
    with pytest.raises(GaveUp, match="more than 10 restarts in 10 s"):
        await supervise(Child("a", failing(99, after=0), backoff=eager), budget=Budget(10, 10), instruments=[])
    assert trio.current_time() == pytest.approx(1) and said(caplog) == []


async def test_no_python_warning_is_issued(autojump_clock: MockClock, recwarn: pytest.WarningsRecorder) -> None:
    async with open_supervisor(child("a"), budget=Budget(10, 60)) as supervisor:
        supervisor.stop()
    assert not recwarn.list and logging.getLogger("aion_trio.supervision").level == logging.NOTSET
