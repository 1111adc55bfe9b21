"""Orders that meet something else: a stop, a cancellation, a back-off, another order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import (
    ActorStopped,
    Budget,
    Child,
    Exit,
    Mailbox,
    Strategy,
    Supervisor,
    open_directory,
    open_supervisor,
    watch,
)

from .scenes import PROMPT, SLOW, Recorder, failing, forever, tidy


async def test_an_addition_beside_one_that_rests_waits_for_nobody(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", failing(1), backoff=SLOW), budget=Budget(9, 99.0), instruments=[]) as supervisor:
        await trio.sleep(1)
        assert supervisor.handle("a").state == "waiting"
        await supervisor.add(Child("b", forever))
        assert trio.current_time() == 1
        supervisor.stop()


async def fails_to_clean_up(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        raise OSError("while cleaning up")


async def test_how_a_removed_child_failed_is_told_to_who_removed_it(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", fails_to_clean_up), instruments=[]) as supervisor:
        exit = await supervisor.remove("a")
        assert exit is not None and (exit.how, str(exit.error)) == ("raised", "while cleaning up")
        await trio.sleep(1)
        supervisor.stop()


async def test_and_to_all_if_a_stop_has_begun_meanwhile(autojump_clock: MockClock) -> None:
    with pytest.RaisesGroup(pytest.RaisesGroup(OSError)):
        async with open_supervisor(Child("a", fails_to_clean_up), instruments=[]) as supervisor, trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.remove, "a")
            await trio.sleep(1)
            supervisor.stop()


async def test_an_order_that_waits_behind_another_is_done_though_the_body_has_left(autojump_clock: MockClock) -> None:
    added: list[str] = []

    async def later(seconds: float, order: Callable[[], Awaitable[object]]) -> None:
        await trio.sleep(seconds)
        added.append(str(await order()))

    async def brief(*, task_status: trio.TaskStatus[str]) -> None:
        task_status.started("brief")

    async with trio.open_nursery() as nursery:
        async with open_supervisor(Child("a", tidy(2)), instruments=[]) as supervisor:
            nursery.start_soon(later, 1, partial(supervisor.remove, "a"))
            nursery.start_soon(later, 2, partial(supervisor.add, Child("b", brief)))
    assert added[1] == "brief" and trio.current_time() == 3


@pytest.mark.parametrize("attempt", range(10))  # Trio tosses a coin for who comes first
async def test_an_addition_that_is_cancelled_as_the_child_starts_is_undone_and_hurts_no_other(
    autojump_clock: MockClock, attempt: int
) -> None:
    scope = trio.CancelScope()

    async def ready(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        scope.cancel()
        await trio.sleep_forever()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        task_status.started()
        await trio.sleep_forever()

    async def adds() -> None:
        with scope:
            await supervisor.add(Child("a", ready))

    async with open_supervisor() as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(adds)
            await trio.lowlevel.checkpoint()
            nursery.start_soon(supervisor.add, Child("b", slow))
        assert scope.cancelled_caught and list(supervisor) == ["b"]
        supervisor.stop()


async def test_a_restart_goes_on_when_who_asked_for_it_has_gone_away(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(2)
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor(Child("a", slow), instruments=[recorder]) as supervisor:
        with trio.move_on_after(1):
            await supervisor.restart("a")
        assert supervisor.handle("a").state == "starting"
        await trio.sleep(2)
        assert supervisor.handle("a").state == "running"
        supervisor.stop()
    assert recorder.of("started") == [("a", 1), ("a", 2)]


async def test_a_stop_in_the_middle_of_a_restart_by_hand_leaves_the_child_down(autojump_clock: MockClock) -> None:
    async def restart() -> None:
        with pytest.raises(ActorStopped, match="supervisor is stopping"):
            await supervisor.restart("a")

    async with open_supervisor(Child("a", tidy(2)), instruments=[]) as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(restart)
        await trio.sleep(1)
        supervisor.stop()
    assert (supervisor.handle("a").runs, trio.current_time()) == (1, 2)


async def test_of_two_additions_at_once_a_stop_leaves_the_second_unbegun(autojump_clock: MockClock) -> None:
    begun: list[str] = []

    async def slow(name: str, *, task_status: trio.TaskStatus[None]) -> None:
        begun.append(name)
        await trio.sleep_forever()

    async def add(name: str) -> None:
        with pytest.raises(ActorStopped, match=r"supervisor (is stopping|has stopped)"):
            await supervisor.add(Child(name, slow, (name,)))

    async with open_supervisor() as supervisor, trio.open_nursery() as nursery:
        for name in "ab":
            nursery.start_soon(add, name)
        await wait_all_tasks_blocked()
        supervisor.stop()
    assert len(begun) == 1


async def test_a_removal_waits_for_no_group(autojump_clock: MockClock) -> None:
    """Nor does a restart by hand; only who is added has to find those before it up."""
    children = [Child("a", failing(1), backoff=SLOW), Child("b", forever), Child("c", forever)]
    options: dict[str, Any] = {"strategy": Strategy.ONE_FOR_ALL, "budget": Budget(9, 99.0), "instruments": []}
    async with open_supervisor(*children, **options) as supervisor:
        await trio.sleep(1)
        assert [supervisor.handle(name).state for name in "abc"] == ["waiting"] * 3
        await supervisor.remove("b")
        await supervisor.restart("c")
        assert trio.current_time() == 1 and supervisor.handle("c").state == "running"
        supervisor.stop()


async def test_a_wrong_name_is_told_at_once_though_the_supervisor_is_busy(autojump_clock: MockClock) -> None:
    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(5)
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor(Child("a", forever)) as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.add, Child("slow", slow))
        await wait_all_tasks_blocked()
        for order in (supervisor.remove, supervisor.restart):
            with pytest.raises(KeyError, match="no child named 'b'"):
                await order("b")
        assert trio.current_time() == 0
        await trio.sleep(6)
        supervisor.stop()


async def test_who_is_starting_can_give_its_supervisor_no_order_of_any_kind(autojump_clock: MockClock) -> None:
    found: list[Supervisor] = []
    refused: list[str] = []

    async def meddling(*, task_status: trio.TaskStatus[None]) -> None:
        for order in (partial(found[0].add, Child("c", forever)), partial(found[0].remove, "a"), partial(found[0].restart, "a")):
            with pytest.raises(RuntimeError, match=r"must call task_status\.started\(\) before it changes supervisor"):
                with trio.fail_after(1):
                    await order()
            refused.append("refused")
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor(Child("a", forever)) as supervisor:
        found.append(supervisor)
        await supervisor.add(Child("meddling", meddling))
        assert refused == ["refused"] * 3 and list(supervisor) == ["a", "meddling"]
        supervisor.stop()


async def test_what_a_child_has_left_behind_may_give_orders_when_its_run_is_over(autojump_clock: MockClock) -> None:
    """A task that it started somewhere else, before it had started itself."""
    async with open_supervisor(Child("a", forever), instruments=[]) as supervisor, trio.open_nursery() as elsewhere:

        async def later() -> None:
            await trio.sleep(1)
            await supervisor.add(Child("b", forever))

        async def brief(*, task_status: trio.TaskStatus[None]) -> None:
            elsewhere.start_soon(later)
            task_status.started()

        await supervisor.add(Child("brief", brief))
        await trio.sleep(2)
        assert list(supervisor) == ["a", "brief", "b"]
        supervisor.stop()


async def test_a_keyed_actor_may_change_a_supervisor(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", forever), instruments=[]) as supervisor:

        async def hires(key: str, mailbox: Mailbox[int]) -> None:
            await mailbox.receive()
            await supervisor.add(Child(key, forever))

        async with open_directory(hires, instruments=[]) as directory:
            await directory.send("b", 1)
        assert list(supervisor) == ["a", "b"]
        supervisor.stop()


async def test_a_restart_by_hand_keeps_the_mail_and_begins_the_back_off_anew(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    box = Mailbox[str]()
    done: list[str] = []

    async def works(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for word in box:
            await trio.sleep(1)
            if word == "fail":
                raise ValueError
            done.append(word)

    child = Child("a", works, mailbox=box, backoff=PROMPT)
    async with open_supervisor(child, instruments=[recorder], budget=Budget(9, 99.0)) as supervisor:
        for word in ("fail", "fail", "lost", "kept"):
            await box.address.send(word)
        await trio.sleep(2.5)
        await supervisor.restart("a")
        await box.address.send("fail")
        await trio.sleep(5)
        supervisor.stop()
    assert done == ["kept"]
    assert recorder.of("restarting") == [("a", 1), ("a", 2), ("a", 1)]


async def test_who_watches_a_child_that_is_removed_hears_of_its_last_end(autojump_clock: MockClock) -> None:
    heard: list[Exit] = []

    async def listen() -> None:
        with watch(supervisor.handle("a")) as exits:
            heard.extend([exit async for exit in exits])
        heard_all.set()

    heard_all = trio.Event()
    async with open_supervisor(Child("a", forever), Child("b", forever)) as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await wait_all_tasks_blocked()
        await supervisor.remove("a")
        with trio.fail_after(1):
            await heard_all.wait()
        supervisor.stop()
    assert [exit.how for exit in heard] == ["stopped"]
