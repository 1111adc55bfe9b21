"""What a supervisor gives as the reasons when it gives up, and what it tells of restarts."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from aion_trio.supervision import Backoff, Budget, Child, GaveUp, Instrument, Mailbox, Restart, Strategy, open_supervisor, supervise

from .scenes import Recorder

AT_ONCE = Backoff(initial=0, maximum=0)


def failing_at(name: str, *times: float) -> Callable[..., Awaitable[None]]:
    """A child that fails at these times, whenever it is up, and never later."""

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        at = min((time for time in times if time > trio.current_time()), default=math.inf)
        await trio.sleep_until(at)
        raise ValueError(f"{name} at {at}")

    return run


async def dirty(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        raise OSError("while cleaning up")


async def reasons(*children: Child, budget: Budget, strategy: Strategy = Strategy.ONE_FOR_ONE) -> list[str]:
    """The failures that `GaveUp` has, in words."""
    recorder = Recorder()
    with pytest.raises(GaveUp) as caught:
        await supervise(*children, budget=budget, strategy=strategy, instruments=[recorder])
    words = [str(error) for error in caught.value.failures]
    assert isinstance(caught.value.__cause__, ExceptionGroup) and caught.value.__cause__.exceptions == caught.value.failures
    ((_, told),) = recorder.of("gave up")
    assert [str(error) for error in told] == words[: len(told)], "the stopping comes later"
    return words


async def test_the_reasons_are_the_failures_within_the_window(autojump_clock: MockClock) -> None:
    child = Child("a", failing_at("a", 1, 3, 7, 8, 9), backoff=AT_ONCE)
    assert await reasons(child, budget=Budget(2, 5.0)) == ["a at 7", "a at 8", "a at 9"]


async def test_a_failure_that_is_a_whole_window_old_is_no_reason_any_more(autojump_clock: MockClock) -> None:
    children = [Child("a", failing_at("a", 1, 6), backoff=AT_ONCE), Child("b", failing_at("b", 6), backoff=AT_ONCE)]
    assert sorted(await reasons(*children, budget=Budget(1, 5.0))) == ["a at 6", "b at 6"]


async def test_failures_at_the_same_time_are_reasons_both_and_one_restart(autojump_clock: MockClock) -> None:
    children = [Child(name, failing_at(name, 1, 2), backoff=AT_ONCE) for name in "ab"]
    told = await reasons(*children, budget=Budget(1, 5.0), strategy=Strategy.ONE_FOR_ALL)
    assert (sorted(told[:2]), sorted(told[2:])) == (["a at 1", "b at 1"], ["a at 2", "b at 2"])


async def test_what_fails_while_the_rest_is_stopped_is_a_reason_as_well(autojump_clock: MockClock) -> None:
    children = [Child("d", dirty), Child("a", failing_at("a", 1), backoff=AT_ONCE)]
    assert await reasons(*children, budget=Budget(0, 5.0)) == ["a at 1", "while cleaning up"]


async def test_a_permanent_child_that_returned_too_often_gives_no_reasons(autojump_clock: MockClock) -> None:
    async def brief(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()

    with pytest.raises(GaveUp) as caught:
        await supervise(Child("a", brief, restart=Restart.PERMANENT, backoff=AT_ONCE), instruments=[])
    assert caught.value.failures == () and caught.value.__cause__ is None


async def test_who_listens_hears_of_each_restart_when_and_the_how_manieth_it_is(autojump_clock: MockClock) -> None:
    told: list[tuple[str, float, int, float]] = []

    class Restarts(Instrument):
        def child_restarting(self, path: str, delay: float, streak: int) -> None:
            told.append((path, delay, streak, trio.current_time()))

    child = Child("a", failing_at("a", 1, 2, 5, 15), backoff=Backoff(initial=0.25, jitter=0, reset_after=9))
    async with open_supervisor(child, budget=Budget(9, 99.0), instruments=[Restarts()], name="s") as supervisor:
        await trio.sleep(20)
        supervisor.stop()
    assert told == [("s/a", 0.25, 1, 1), ("s/a", 0.5, 2, 2), ("s/a", 1, 3, 5), ("s/a", 0.25, 1, 15)]


async def test_a_group_that_is_restarted_keeps_its_mail(autojump_clock: MockClock) -> None:
    """Its members are stopped at once, and do not empty their mailboxes first; the next run goes on with them."""
    done: list[tuple[int, float]] = []
    box = Mailbox[int]()

    async def works(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for number in box:
            await trio.sleep(2)
            done.append((number, trio.current_time()))

    children = [Child("works", works, mailbox=box), Child("a", failing_at("a", 3), backoff=Backoff(initial=1, maximum=1, jitter=0))]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, budget=Budget(1, 9.0), instruments=[]) as supervisor:
        for number in range(4):
            await box.address.send(number)
        await trio.sleep(9)
        supervisor.stop()
    assert done == [(0, 2), (2, 6), (3, 8)], "the 1 was in hand when all went down"


async def test_a_group_waits_for_the_longest_of_its_back_offs(autojump_clock: MockClock) -> None:
    """Who waits already keeps its own, so that all start in their order."""
    begun: list[tuple[str, float]] = []

    def noting(name: str, *times: float) -> Callable[..., Awaitable[None]]:
        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            begun.append((name, trio.current_time()))
            await failing_at(name, *times)(task_status=task_status)

        return run

    quick, slow = Backoff(initial=0.25, jitter=0), Backoff(initial=4, jitter=0)
    children = [Child("a", noting("a", 2), backoff=quick), Child("b", noting("b", 1), backoff=slow), Child("c", noting("c"), backoff=quick)]
    async with open_supervisor(*children, strategy=Strategy.REST_FOR_ONE, budget=Budget(3, 99.0), instruments=[]) as supervisor:
        await trio.sleep(20)
        supervisor.stop()
    assert begun == [("a", 0), ("b", 0), ("c", 0), ("a", 5), ("b", 5), ("c", 5)]
