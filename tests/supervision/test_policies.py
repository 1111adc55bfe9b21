"""Policies at their bounds: what is refused, what is the last that is not, and what holds where nothing is said."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aion_trio.supervision import (
    AutoShutdown,
    Backoff,
    Budget,
    Child,
    Exit,
    GaveUp,
    MailboxStatistics,
    Node,
    Restart,
    Strategy,
    open_supervisor,
    supervise,
)
from aion_trio.supervision.policy import Ledger

from .scenes import Recorder, failing, forever


def accepted(make: Callable[..., object], *args: Any, **options: Any) -> bool:
    try:
        make(*args, **options)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("options", "good"),
    [
        ({"initial": 0}, True),
        ({"initial": -0.01}, False),
        ({"initial": 30, "maximum": 30}, True),
        ({"initial": 30.01, "maximum": 30}, False),
        ({"initial": 0, "maximum": 0}, True),
        ({"initial": 0.01, "maximum": 0.02}, True),
        ({"factor": 1}, True),
        ({"factor": 1.5}, True),
        ({"factor": 0.99}, False),
        ({"reset_after": 0}, True),
        ({"reset_after": 0.5}, True),
        ({"reset_after": -0.01}, False),
        ({"reset_after": math.nan}, False),
        ({"factor": math.nan}, False),
        ({"jitter": 0}, True),
        ({"jitter": 0.5}, True),
        ({"jitter": 1}, True),
        ({"jitter": 1.01}, False),
        ({"jitter": -0.01}, False),
        ({"jitter": math.nan}, False),
    ],
)
def test_the_bounds_of_a_backoff(options: dict[str, float], good: bool) -> None:
    assert accepted(Backoff, **options) is good


@pytest.mark.parametrize(
    ("restarts", "per", "good"),
    [(0, 1, True), (1, 1, True), (-1, 1, False), (1.5, 1, False), (math.nan, 1, False), (1, 0.01, True), (1, 0, False), (1, -1, False)],
)
def test_the_bounds_of_a_budget(restarts: Any, per: float, good: bool) -> None:
    assert accepted(Budget, restarts, per) is good


def test_a_budget_is_out_of_reach_where_the_last_restart_falls_out_of_the_window() -> None:
    """Two restarts in a row take 1 + 2 seconds at least, and 1.5 with half of it chance."""
    slow, jittered = Backoff(initial=1, jitter=0), Backoff(initial=1, jitter=0.5)
    assert [Budget(2, per).lesson("a", slow) is None for per in (2.9, 3, 3.1)] == [False, False, True]
    assert [Budget(2, per).lesson("a", jittered) is None for per in (1.4, 1.5, 1.6)] == [False, False, True]
    assert Budget(0, 0.1).lesson("a", slow) is None


def test_chance_lies_between_the_bounds_that_jitter_names() -> None:
    """And the least is asked for first, as `random.uniform` has it."""
    asked: list[tuple[float, float]] = []

    class Asked(Random):
        def uniform(self, a: float, b: float) -> float:
            asked.append((a, b))
            return 1.5

    assert Backoff(initial=0.5, maximum=9, jitter=0.25).delay(3, Asked()) == 0.5 * 4 * 1.5
    assert asked == [(0.75, 1.25)]


def test_a_window_of_restarts_to_the_second() -> None:
    """What is a whole window old counts no more."""
    ledger = Ledger(Budget(1, 5.0))
    assert [ledger.spend(at) for at in (0, 5, 9)] == [True, True, False]
    assert [ledger.expire(at) for at in (9.9, 10, 13.9, 14)] == [False, False, False, True]


async def test_where_nothing_is_said(autojump_clock: MockClock) -> None:
    """A child that has failed is run again, three times in five seconds, after 0.1 s at first, give or take a fifth."""

    class Asked(Random):
        def uniform(self, a: float, b: float) -> float:
            assert (a, b) == (0.8, 1.2)
            return 1.0

    begun: list[float] = []

    async def fails(*, task_status: trio.TaskStatus[None]) -> None:
        begun.append(trio.current_time())
        task_status.started()
        raise ValueError

    with pytest.raises(GaveUp, match=r"^supervisor: more than 3 restarts in 5 s$"):
        await supervise(Child("a", fails), instruments=[], random=Asked())
    assert begun == pytest.approx([0, 0.1, 0.3, 0.7])
    assert [Backoff(jitter=0).delay(n, Random()) for n in (8, 9, 10, 11)] == [12.8, 25.6, 30, 30]


@pytest.mark.parametrize(("seconds", "streak"), [(59, 2), (60, 1)])
async def test_a_run_of_a_minute_breaks_the_row(autojump_clock: MockClock, seconds: float, streak: int) -> None:
    runs = iter((1, seconds, math.inf))

    async def fails(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(next(runs))
        raise ValueError

    recorder = Recorder()
    async with open_supervisor(Child("a", fails, backoff=Backoff(initial=1, jitter=0)), budget=Budget(9, 999), instruments=[recorder]) as s:
        await trio.sleep(100)
        s.stop()
    assert recorder.of("restarting") == [("a", 1), ("a", streak)]


async def test_a_temporary_child_needs_no_reachable_budget(autojump_clock: MockClock) -> None:
    """It is never run again, whatever its back-off."""
    child = Child("a", forever, restart=Restart.TEMPORARY, backoff=Backoff(initial=10))
    async with open_supervisor(child) as supervisor:
        supervisor.stop()


async def test_whom_auto_shutdown_may_look_at(autojump_clock: MockClock) -> None:
    """A permanent child beside a significant one, and one that is neither where there is none, are declared in good order."""
    for auto, children in (
        (AutoShutdown.NEVER, [Child("a", forever, restart=Restart.PERMANENT)]),
        (AutoShutdown.ALL_SIGNIFICANT, [Child("a", forever, restart=Restart.PERMANENT), Child("b", forever, significant=True)]),
        (AutoShutdown.ANY_SIGNIFICANT, [Child("a", failing(0), significant=True, restart=Restart.TEMPORARY)]),
    ):
        async with open_supervisor(*children, auto_shutdown=auto) as supervisor:
            supervisor.stop()


@pytest.mark.parametrize("words", [Restart, Strategy, AutoShutdown])
def test_a_policy_can_be_had_by_its_name(words: Any) -> None:
    """As a file of settings would say it."""
    for each in words:
        assert words(each.name.lower()) is each


@pytest.mark.parametrize(
    "value",
    [
        Backoff(),
        Budget(),
        Exit("a", "returned", None, 0, 0),
        Node("a", "a", "child", "running"),
        Child("a", forever),
        MailboxStatistics(0, 0, 0, 1, 0, 0, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_shared_and_so_nobody_can_change_them(value: Any) -> None:
    for field in dataclasses.fields(value):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, None)
    assert hash(value) == hash(dataclasses.replace(value)) and value == dataclasses.replace(value)


def test_the_numbers_of_a_backoff_are_named() -> None:
    with pytest.raises(TypeError):
        Backoff(0.1, 2.0)  # type: ignore[call-arg]
