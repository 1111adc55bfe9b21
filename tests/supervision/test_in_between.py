"""What comes while the supervisor is in the middle of something: a stop, a failure, an interrupt."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import (
    ActorStopped,
    Budget,
    Child,
    GaveUp,
    Mailbox,
    Strategy,
    Supervisor,
    open_directory,
    open_supervisor,
)

from .scenes import AT_ONCE, PROMPT, SLOW, Recorder, failing, forever, tidy


async def test_who_rests_when_the_stop_comes_is_done(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", failing(1), backoff=SLOW), budget=Budget(9, 99.0), instruments=[]) as supervisor:
        await trio.sleep(1)
        supervisor.stop()
    assert (supervisor.handle("a").state, supervisor.handle("a").runs, trio.current_time()) == ("done", 1, 1)


async def test_what_fails_after_a_stop_that_meets_a_restart_goes_up(autojump_clock: MockClock) -> None:
    """The group is being stopped for the restart; the stop begins, and then another fails by itself."""
    children = [Child("late", failing(1, after=1)), Child("broken", failing(1), backoff=PROMPT), Child("slow", tidy(2))]
    with pytest.RaisesGroup(pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="run 1"))):
        async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, instruments=[]) as supervisor:
            await trio.sleep(0.5)
            supervisor.stop()


async def test_who_comes_after_one_that_asks_for_the_stop_is_not_started_again(autojump_clock: MockClock) -> None:
    found: list[Supervisor] = []
    recorder = Recorder()
    runs = iter((1, 2))

    async def stops_the_second_time(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        if next(runs) == 2:
            found[0].stop()
        else:
            await trio.sleep(1)
            raise ValueError

    children = [Child("a", stops_the_second_time, backoff=AT_ONCE), Child("b", forever)]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, instruments=[recorder]) as supervisor:
        found.append(supervisor)
    assert recorder.of("started") == [("a", 1), ("b", 1), ("a", 2)]


async def test_a_start_that_fails_is_answered_before_the_next_is_started(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    runs = iter((1, 2, 3))

    async def starts_at_the_third_time(*, task_status: trio.TaskStatus[None]) -> None:
        run = next(runs)
        if run == 2:
            raise ValueError("not yet")
        task_status.started()
        if run == 1:
            await trio.sleep(1)
            raise ValueError("once")
        await trio.sleep_forever()

    children = [Child("a", starts_at_the_third_time, backoff=AT_ONCE), Child("b", forever)]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, instruments=[recorder]) as supervisor:
        await trio.sleep(5)
        supervisor.stop()
    assert recorder.of("started") == [("a", 1), ("b", 1), ("a", 3), ("b", 2)]


async def test_one_that_gives_up_takes_no_orders(autojump_clock: MockClock) -> None:
    """It stops its children, and that takes a while."""
    children = [Child("a", failing(1, after=1), backoff=AT_ONCE), Child("slow", tidy(5))]
    with pytest.RaisesGroup(GaveUp):
        async with open_supervisor(*children, budget=Budget(0, 1.0), instruments=[]) as supervisor:
            await trio.sleep(3)
            assert supervisor.snapshot().state == "stopping"
            with pytest.raises(ActorStopped, match="supervisor is stopping"):
                await supervisor.add(Child("b", forever))
            assert trio.current_time() == 3
            await trio.sleep_forever()


async def test_a_stop_does_not_wait_for_the_mail_of_one_that_is_starting(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()

    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    async def refused() -> None:
        with pytest.raises(ActorStopped):
            await supervisor.add(Child("starting", never_ready, mailbox=box))

    recorder = Recorder()
    async with open_supervisor(instruments=[recorder]) as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(refused)
        await wait_all_tasks_blocked()
        await box.address.send(1)
        supervisor.stop()
    assert trio.current_time() == 0 and recorder.of("dead") == [("starting", 1)]


async def test_one_without_time_to_empty_its_mailbox_is_stopped_and_has_not_returned(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    box = Mailbox[int]()

    async def reads(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for _ in box:
            pass

    async with open_supervisor(Child("a", reads, mailbox=box, shutdown=0), instruments=[recorder]) as supervisor:
        await wait_all_tasks_blocked()
        supervisor.stop()
    assert recorder.of("exited") == [("a", "stopped")]


@pytest.mark.parametrize("seconds", [3, 100])
async def test_a_cancelled_block_gives_nobody_time_to_empty_a_mailbox(autojump_clock: MockClock, seconds: float) -> None:
    box = Mailbox[int]()
    done: list[int] = []

    async def works(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for number in box:
            await trio.sleep(2)
            done.append(number)

    with trio.move_on_after(3):
        async with open_supervisor(Child("a", works, mailbox=box, shutdown=seconds), instruments=[]):
            for number in range(4):
                await box.address.send(number)
            await trio.sleep_forever()
    assert done == [0] and trio.current_time() == 3


async def test_a_cancelled_block_names_an_actor_that_does_not_end(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def wedged(key: str, mailbox: Mailbox[int]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(4.5)

    with trio.move_on_after(1):
        async with open_directory(wedged, grace=2, instruments=[recorder]) as directory:
            await directory.send("k", 1)
            await trio.sleep_forever()
    assert [(name, waited) for name, waited, _ in recorder.of("unresponsive")] == [("k", 2)]


# An interrupt, which goes up as soon as the body has left.


async def interrupted(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    await trio.sleep(1)
    raise KeyboardInterrupt


async def leaves_slowly() -> None:
    """A body."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(5)


async def test_nobody_is_run_again_while_the_body_leaves(autojump_clock: MockClock) -> None:
    """What fails in the meantime is told, and finds no answer any more."""
    recorder = Recorder()
    children = [Child("k", interrupted), Child("a", failing(1, after=2), backoff=AT_ONCE), Child("b", failing(1, after=0.5), backoff=SLOW)]
    with pytest.RaisesGroup(KeyboardInterrupt):
        async with open_supervisor(*children, instruments=[recorder], budget=Budget(9, 99.0)):
            await leaves_slowly()
    assert recorder.of("exited") == [("b", "raised"), ("k", "raised"), ("a", "raised")]
    assert recorder.of("restarting") == [("b", 1)] and [run for _, run in recorder.of("started")] == [1, 1, 1]
    assert trio.current_time() == 6


async def test_nobody_waits_for_a_start_while_the_body_leaves(autojump_clock: MockClock) -> None:
    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(4)
        task_status.started()

    refused_at: list[float] = []

    async def add(supervisor: Supervisor) -> None:
        with pytest.raises(ActorStopped, match="is stopping"):
            await supervisor.add(Child("slow", slow))
        refused_at.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        with pytest.RaisesGroup(KeyboardInterrupt):
            async with open_supervisor(Child("k", interrupted), instruments=[]) as supervisor:
                nursery.start_soon(add, supervisor)
                await leaves_slowly()
    assert refused_at == [1] and trio.current_time() == 6
