"""Ends of runs, stops of what is nested, and what a person reads of a hung tree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from aion_trio.supervision import (
    ActorStopped,
    AutoShutdown,
    Backoff,
    Budget,
    Child,
    GaveUp,
    LinkBroken,
    Mailbox,
    NotAnswered,
    Request,
    Restart,
    StartFailed,
    Strategy,
    linked,
    open_directory,
    open_supervisor,
    supervise,
    watch,
)

from .scenes import PROMPT, Recorder, failing, forever


async def test_the_stop_of_a_directory_in_a_child_drains_too(autojump_clock: MockClock) -> None:
    """As of a nested supervisor: the child is not cancelled before the last actor has ended."""
    done: list[int] = []

    async def slow(key: str, mailbox: Mailbox[int]) -> None:
        async for number in mailbox:
            await trio.sleep(1)
            done.append(number)

    async def team(*, task_status: trio.TaskStatus[object]) -> None:
        async with open_directory(slow, grace=0) as directory:
            task_status.started(directory)
            await trio.sleep_forever()

    async with open_supervisor(Child("team", team, shutdown=10)) as supervisor:
        for number in range(3):
            await supervisor["team"].send("k", number)
        supervisor.stop()
    assert done == [0, 1, 2]
    assert trio.current_time() == pytest.approx(3)


async def test_a_run_that_returns_before_it_has_started_has_failed(autojump_clock: MockClock) -> None:
    """Also later: its end is told as a failure, and a transient child is run again."""
    runs: list[int] = []

    async def returns_the_second_time(*, task_status: trio.TaskStatus[None]) -> None:
        runs.append(len(runs) + 1)
        if len(runs) == 2:
            return
        task_status.started()
        await trio.sleep(1)
        if len(runs) == 1:
            raise ValueError

    recorder = Recorder()
    child = Child("c", returns_the_second_time, backoff=PROMPT)
    async with open_supervisor(child, instruments=[recorder]) as supervisor:
        with watch(supervisor.handle("c")) as exits:
            ends = [await exits.receive() for _ in range(3)]
    assert runs == [1, 2, 3]
    assert [exit.how for exit in ends] == ["raised", "raised", "returned"]
    assert isinstance(ends[1].error, StartFailed)
    assert recorder.of("exited") == [("c", "raised"), ("c", "raised"), ("c", "returned")]


async def test_a_link_is_broken_by_the_end_of_the_run_that_it_was_made_to(autojump_clock: MockClock) -> None:
    """Whatever ends while the block cleans up."""

    async def short(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        raise ValueError(trio.current_time())

    async with open_supervisor(Child("c", short, backoff=PROMPT), instruments=[]) as supervisor:
        with pytest.raises(LinkBroken) as caught:
            with linked(supervisor.handle("c")):
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(1.5)
        supervisor.stop()
    assert caught.value.exit.at == pytest.approx(1)


async def test_an_order_that_is_refused_is_a_checkpoint_like_any_other(autojump_clock: MockClock) -> None:
    async def slow_to_end(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

    async with open_supervisor(Child("c", slow_to_end, shutdown=0)) as supervisor:
        supervisor.stop()
        await wait_all_tasks_blocked()
        with assert_checkpoints(), pytest.raises(ActorStopped, match="is stopping"):
            await supervisor.add(Child("more", forever))


async def test_a_hung_childs_stack_shows_its_tasks_below_it(autojump_clock: MockClock) -> None:
    """The tasks of its nurseries further in, by name."""

    async def wedged(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for name in ("second", "first"):
                    nursery.start_soon(trio.sleep, 1.5, name=name)

    recorder = Recorder()
    async with open_supervisor(Child("wedged", wedged, shutdown=0), instruments=[recorder]) as supervisor:
        supervisor.stop()
    ((_, waited, stack),) = recorder.of("unresponsive")
    assert waited == 1
    heads = [line for line in stack.splitlines() if not line.lstrip().startswith("File ")]
    assert heads == ["supervisor/wedged:", "  first:", "  second:"]
    places = [line for line in stack.splitlines() if line.lstrip().startswith("File ")]
    assert all(place.startswith(("  File ", "    File ")) for place in places)
    assert sum("in sleep" in place and place.startswith("    File ") for place in places) >= 2


def test_a_row_of_restarts_may_be_broken_by_any_run() -> None:
    assert Backoff(reset_after=0).reset_after == 0
    with pytest.raises(ValueError, match="reset_after >= 0"):
        Backoff(reset_after=-0.1)


async def test_a_row_that_any_run_breaks_never_grows(autojump_clock: MockClock) -> None:
    """The back-off after each run is the first."""

    async def fails(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        raise ValueError

    recorder = Recorder()
    child = Child("c", fails, restart=Restart.PERMANENT, backoff=Backoff(initial=0.5, jitter=0, reset_after=0))
    async with open_supervisor(child, instruments=[recorder]) as supervisor:
        await trio.sleep(5)
        supervisor.stop()
    assert recorder.of("restarting") == [("c", 1)] * 3


async def test_an_actor_shows_what_it_has_open_and_no_more(autojump_clock: MockClock) -> None:
    """Of two trees of its own, the one that it has left is not part of the picture."""

    async def leads(key: str, mailbox: Mailbox[str]) -> None:
        async with open_supervisor(Child("first", forever)) as first:
            await mailbox.receive()
            async with open_supervisor(Child("second", forever)) as second:
                await mailbox.receive()
                second.stop()
            await mailbox.receive()
            first.stop()
        await mailbox.receive()

    async with open_directory(leads) as directory:
        shown: list[list[str]] = []
        for _ in range(4):
            await directory.send("k", "go on")
            await wait_all_tasks_blocked()
            shown += [[node.name for node in actor.children] for actor in directory.snapshot().children]
    assert shown == [["first", "second"], ["first"], []]


@dataclass(frozen=True)
class Question(Request[str]):
    """Whatever it is."""


async def test_a_request_that_is_handed_on_urgently_is_the_next_ones_business(autojump_clock: MockClock) -> None:
    """Who has it in hand when its run ends answers for it, and not who had it before."""
    front, back = Mailbox[Request[str]](), Mailbox[Request[str]]()

    async def hands_on(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        back.address.send_nowait(await front.receive(), urgent=True)

    async def dies(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await back.receive()
        await trio.sleep(1)
        raise ValueError

    children = [Child("front", hands_on, mailbox=front), Child("back", dies, mailbox=back, restart=Restart.TEMPORARY)]
    async with open_supervisor(*children, instruments=[]) as supervisor:
        with pytest.raises(NotAnswered, match="supervisor/back ended with this request in hand"):
            await front.address.ask(Question())
        assert trio.current_time() == pytest.approx(1)
        supervisor.stop()


async def test_a_restart_that_fails_at_once_is_answered_though_the_body_has_left(autojump_clock: MockClock) -> None:
    """Leaving waits until all have ended for good."""
    runs: list[int] = []

    async def starts_at_the_third_time(*, task_status: trio.TaskStatus[None]) -> None:
        runs.append(len(runs) + 1)
        if len(runs) == 2:
            raise ValueError("not yet")
        task_status.started()
        await trio.sleep(1)
        if len(runs) == 1:
            raise ValueError("once")

    async with open_supervisor(Child("c", starts_at_the_third_time, backoff=PROMPT), instruments=[]):
        pass
    assert runs == [1, 2, 3]


async def test_a_supervisor_that_is_a_task_does_as_it_was_told(autojump_clock: MockClock) -> None:
    """Name, strategy, back-off's randomness, budget and instruments are those of a block."""

    class Drawn(Random):
        def uniform(self, a: float, b: float) -> float:
            return 2.0

    recorder = Recorder()
    children = [Child("a", failing(math.inf, after=1), backoff=Backoff(initial=0.5)), Child("b", forever)]
    options: dict[str, Any] = {"strategy": Strategy.ONE_FOR_ALL, "budget": Budget(1, 100.0), "random": Drawn(), "name": "team"}
    with pytest.raises(GaveUp, match=r"^team: more than 1 restarts in 100 s$"):
        await supervise(*children, instruments=[recorder], **options)
    assert recorder.of("started") == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert trio.current_time() == pytest.approx(1 + 2 * 0.5 + 1)


async def test_a_supervisor_that_is_a_task_may_stop_by_itself(autojump_clock: MockClock) -> None:
    async def ends(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)

    children = [Child("a", ends, significant=True), Child("b", forever)]
    with trio.fail_after(10):
        await supervise(*children, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, instruments=[])
    assert trio.current_time() == pytest.approx(1)


async def test_a_child_that_was_never_started_is_idle(autojump_clock: MockClock) -> None:
    """As long as one before it is starting."""

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.add, Child("team", supervise, (Child("slow", slow), Child("next", forever))))
        await wait_all_tasks_blocked()
        (team,) = supervisor.snapshot().children
        assert [(node.name, node.state) for node in team.children] == [("slow", "starting"), ("next", "idle")]
        await trio.sleep(2)
        (team,) = supervisor.snapshot().children
        assert [node.state for node in team.children] == ["running", "running"]
        supervisor.stop()
