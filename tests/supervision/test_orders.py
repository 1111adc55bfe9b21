"""Children can be added, removed and restarted by hand, and the order stays what it was."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import (
    ActorStopped,
    Budget,
    Child,
    Mailbox,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
    open_supervisor,
    supervise,
)

from .scenes import PROMPT, Recorder, failing, forever


async def test_a_child_that_is_added_comes_last_and_goes_first(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_supervisor(Child("a", forever, (log, "a"))) as supervisor:
        assert await supervisor.add(Child("b", forever, (log, "b"))) == "b"
        assert list(supervisor) == ["a", "b"]
        with pytest.raises(ValueError, match="named 'b' already"):
            await supervisor.add(Child("b", forever))
        supervisor.stop()
    assert log == ["down b", "down a"]


async def test_a_child_that_does_not_start_leaves_no_trace(autojump_clock: MockClock) -> None:
    async def broken(*, task_status: trio.TaskStatus[None]) -> None:
        raise OSError("no disk")

    async with open_supervisor(instruments=[]) as supervisor:
        with pytest.raises(StartFailed) as caught:
            await supervisor.add(Child("broken", broken))
        assert isinstance(caught.value.__cause__, OSError) and len(supervisor) == 0
        supervisor.stop()


async def test_an_addition_that_nobody_waits_for_is_undone(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            await trio.sleep(10)
            task_status.started()
            await trio.sleep_forever()
        finally:
            log.append("undone")

    async with open_supervisor() as supervisor:
        with trio.move_on_after(1):
            await supervisor.add(Child("slow", slow))
        await wait_all_tasks_blocked()
        assert log == ["undone"] and len(supervisor) == 0
        supervisor.stop()


async def test_removing_drains_and_says_how_it_ended(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    done: list[int] = []

    async def actor(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for number in box:
            await trio.sleep(1)
            done.append(number)

    async with open_supervisor(Child("a", actor, mailbox=box), Child("b", forever)) as supervisor:
        for number in range(3):
            await box.address.send(number)
        exit = await supervisor.remove("a")
        assert exit is not None and exit.how == "returned" and done == [0, 1, 2]
        assert list(supervisor) == ["b"]
        with pytest.raises(ActorStopped):
            await box.address.send(4)
        supervisor.stop()


async def test_a_restart_by_hand_spends_no_budget_and_touches_no_sibling(autojump_clock: MockClock) -> None:
    children = [Child("a", forever), Child("b", failing(0))]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, budget=Budget(0, 5.0)) as supervisor:
        for run in (2, 3, 4):
            assert await supervisor.restart("b") == run
        assert [node.runs for node in supervisor.snapshot().children] == [1, 4]
        supervisor.stop()


async def test_a_restart_by_hand_does_not_wait_for_the_back_off(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", failing(1), backoff=PROMPT), budget=Budget(9, 100.0), instruments=[]) as supervisor:
        await trio.sleep(0.02)
        assert supervisor.handle("a").state == "waiting"
        assert await supervisor.restart("a") == 2
        assert trio.current_time() == pytest.approx(0.02)
        await trio.sleep(1)
        assert supervisor.handle("a").runs == 2, "and what was due is not done again"
        supervisor.stop()


async def test_a_finished_child_can_be_run_again(autojump_clock: MockClock) -> None:
    async def brief(*, task_status: trio.TaskStatus[str]) -> None:
        task_status.started("done")

    async with open_supervisor(Child("a", brief)) as supervisor:
        await trio.sleep(1)
        assert await supervisor.restart("a") == "done"
        assert supervisor.handle("a").runs == 2


async def test_a_child_is_added_when_its_group_is_up_again(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    children = [Child("a", failing(1), backoff=PROMPT), Child("b", forever)]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, instruments=[recorder]) as supervisor:
        await trio.sleep(0.02)
        await supervisor.add(Child("c", forever))
        supervisor.stop()
    assert recorder.of("started") == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("c", 1)]


async def test_a_child_may_change_its_supervisor_once_it_has_started(autojump_clock: MockClock) -> None:
    found: list[Supervisor] = []
    log: list[str] = []

    async def restless(*, task_status: trio.TaskStatus[None]) -> None:
        if found:
            with pytest.raises(RuntimeError, match=r"must call task_status\.started"):
                await found[0].add(Child("c", forever))
        task_status.started()
        while not found:
            await trio.sleep(1)
        if "b" not in found[0]:
            await found[0].add(Child("b", forever, (log, "b")))
            await found[0].remove("restless")
            log.append("never reached")

    async with open_supervisor(Child("restless", restless)) as supervisor:
        found.append(supervisor)
        await supervisor.restart("restless")
        await trio.sleep(5)
        assert list(supervisor) == ["b"]
        supervisor.stop()
    assert log == ["down b"]


async def test_a_starting_grandchild_may_not_change_the_outer_supervisor(autojump_clock: MockClock) -> None:
    """The outer loop waits for the inner supervisor, which waits for this child: it would wait for itself."""
    found: list[Supervisor] = []

    async def meddling(*, task_status: trio.TaskStatus[None]) -> None:
        with pytest.raises(RuntimeError, match=r"supervisor/team/leaf must call .* before it changes supervisor"):
            await found[0].add(Child("c", forever))
        task_status.started()
        await found[0].add(Child("d", forever))
        await trio.sleep_forever()

    async with open_supervisor(Child("first", forever)) as supervisor:
        found.append(supervisor)
        with trio.fail_after(1):
            await supervisor.add(Child("team", supervise, (Child("leaf", meddling),)))
        await wait_all_tasks_blocked()
        assert list(supervisor) == ["first", "team", "d"]
        supervisor.stop()


async def test_orders_to_a_supervisor_that_stops_are_refused(autojump_clock: MockClock) -> None:
    async def slow_to_go(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

    async with open_supervisor(Child("a", slow_to_go)) as supervisor:
        async with trio.open_nursery() as nursery:

            async def refused(act: Any, *args: Any) -> None:
                with pytest.raises(ActorStopped):
                    await act(*args)

            nursery.start_soon(supervisor.remove, "a")
            await wait_all_tasks_blocked()
            nursery.start_soon(refused, supervisor.add, Child("b", forever))
            await wait_all_tasks_blocked()
            supervisor.stop()
            nursery.start_soon(refused, supervisor.add, Child("c", forever))


async def test_an_order_that_nobody_waits_for_is_not_begun(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(5)
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor(Child("a", forever, (log, "a"))) as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.add, Child("slow", slow))
            await wait_all_tasks_blocked()
            with trio.move_on_after(1):
                await supervisor.add(Child("late", forever, (log, "late")))
            with trio.move_on_after(1):
                await supervisor.remove("a")
        assert list(supervisor) == ["a", "slow"] and log == []
        supervisor.stop()


async def test_a_restart_by_hand_that_does_not_start_says_why(autojump_clock: MockClock) -> None:
    found: list[Exception] = []

    async def starts_once(*, task_status: trio.TaskStatus[None]) -> None:
        if found:
            raise found[0]
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor(Child("a", starts_once, restart=Restart.TEMPORARY), instruments=[]) as supervisor:
        found.append(OSError("no disk"))
        with pytest.raises(StartFailed, match="supervisor/a did not start") as caught:
            await supervisor.restart("a")
        assert caught.value.__cause__ is found[0]
        await wait_all_tasks_blocked()
        assert (supervisor.handle("a").state, supervisor.handle("a").runs) == ("done", 2), "and it is answered like any other failure"
        supervisor.stop()


async def test_a_starting_child_may_change_a_supervisor_that_does_not_wait_for_it(autojump_clock: MockClock) -> None:
    async with open_supervisor(name="other") as other:

        async def starts_an_aide(*, task_status: trio.TaskStatus[str]) -> None:
            task_status.started(await other.add(Child("aide", forever)))
            await trio.sleep_forever()

        async with open_supervisor(Child("a", starts_an_aide)) as supervisor:
            assert (supervisor["a"], list(other)) == ("", ["aide"])
            supervisor.stop()
        other.stop()


async def test_a_stop_cuts_an_addition_short_and_refuses_those_behind_it(autojump_clock: MockClock) -> None:
    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    async def refused(child: Child) -> None:
        with pytest.raises(ActorStopped):
            await supervisor.add(child)

    async with open_supervisor(Child("first", forever)) as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused, Child("slow", never_ready))
            await wait_all_tasks_blocked()
            nursery.start_soon(refused, Child("behind", forever))
            await wait_all_tasks_blocked()
            assert list(supervisor) == ["first", "slow"]
            supervisor.stop()
    assert list(supervisor) == ["first"]


async def test_a_failure_that_a_stop_overtakes_was_told_and_is_not_answered_any_more(autojump_clock: MockClock) -> None:
    """The supervisor waits for another child to start, and has not come to it."""
    recorder = Recorder()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    async with open_supervisor(Child("fails", failing(9, after=1), backoff=PROMPT), instruments=[recorder]) as supervisor:
        async with trio.open_nursery() as nursery:

            async def add() -> None:
                with pytest.raises(ActorStopped):
                    await supervisor.add(Child("slow", slow))

            nursery.start_soon(add)
            await trio.sleep(2)
            assert supervisor.handle("fails").state == "waiting"
            supervisor.stop()
    assert recorder.of("exited") == [("fails", "raised"), ("slow", "stopped")] and recorder.of("restarting") == []
    assert supervisor.handle("fails").state == "done"
