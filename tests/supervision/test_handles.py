"""Following a child: its end, its ends, and sharing its fate."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import ActorStopped, Child, Handle, LinkBroken, Mailbox, Restart, linked, open_supervisor, watch

from .scenes import PROMPT, failing, forever


async def test_exited_waits_for_the_end_of_the_present_run(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", failing(1, after=3), backoff=PROMPT), instruments=[]) as supervisor:
        handle = supervisor.handle("a")
        exit = await handle.exited()
        assert (exit.how, str(exit.error)) == ("raised", "run 1") and exit.ran_for == pytest.approx(3)
        assert await handle.exited() is exit, "between two runs it is the last one"
        assert handle.state == "waiting" and handle.last_exit is exit
        await trio.sleep(1)
        assert (handle.state, handle.runs, handle.value) == ("running", 2, 2)
        supervisor.stop()
        assert (await handle.exited()).how == "stopped"
    assert handle.state == "done" and "done" in repr(handle)


async def test_watching_hears_of_every_end_until_there_can_be_none(autojump_clock: MockClock) -> None:
    heard: list[str] = []
    async with open_supervisor(Child("a", failing(2), backoff=PROMPT), instruments=[]) as supervisor:
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                with watch(supervisor.handle("a")) as exits:
                    async for exit in exits:
                        heard.append(exit.how)

            nursery.start_soon(listen)
            await trio.sleep(5)
            supervisor.stop()
    assert heard == ["raised", "raised", "stopped"]


async def test_watching_what_is_gone_ends_at_once(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", forever)) as supervisor:
        handle = supervisor.handle("a")
        await supervisor.remove("a")
        with watch(handle) as exits:
            assert [exit async for exit in exits] == []
        supervisor.stop()


async def test_a_linked_block_lasts_no_longer_than_the_run(autojump_clock: MockClock) -> None:
    for child, how in (Child("a", failing(1, after=2), backoff=PROMPT), "raised"), (Child("a", failing(0)), "stopped"):
        async with open_supervisor(child, instruments=[]) as supervisor:
            with pytest.raises(LinkBroken) as caught:
                with linked(supervisor.handle("a")):
                    if how == "stopped":
                        await wait_all_tasks_blocked()
                        await supervisor.restart("a")
                    await trio.sleep_forever()
            assert caught.value.exit.how == how and caught.value.__cause__ is caught.value.exit.error
            supervisor.stop()


async def test_a_linked_block_that_is_done_in_time_is_done(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", failing(1, after=2), backoff=PROMPT), instruments=[]) as supervisor:
        with linked(supervisor.handle("a")):
            await trio.sleep(1)
        await trio.sleep(5)
        supervisor.stop()


async def test_there_is_no_link_to_a_run_that_is_not_up(autojump_clock: MockClock) -> None:
    async def brief(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()

    async with open_supervisor(Child("a", brief, restart=Restart.TEMPORARY)) as supervisor:
        await wait_all_tasks_blocked()
        with pytest.raises(LinkBroken, match="supervisor/a has returned"):
            with linked(supervisor.handle("a")):
                pytest.fail("the block must not be entered")


async def test_a_run_that_is_being_stopped_can_still_be_linked_to(autojump_clock: MockClock) -> None:
    async def tidy(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)

    async with open_supervisor(Child("a", tidy)) as supervisor:
        supervisor.stop()
        await trio.sleep(1)
        assert supervisor.handle("a").state == "stopping"
        with pytest.raises(LinkBroken, match="supervisor/a has stopped"):
            with linked(supervisor.handle("a")):
                await trio.sleep_forever()
        assert trio.current_time() == 3


async def test_a_handle_knows_the_address(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    async with open_supervisor(Child("a", forever, mailbox=box), Child("b", forever)) as supervisor:
        assert supervisor.handle("a").address is box.address
        assert "supervisor/a" in repr(box.address)
        with pytest.raises(LookupError, match="has no mailbox"):
            _ = supervisor.handle("b").address
        supervisor.stop()


async def test_what_is_known_of_a_child_before_it_has_started(autojump_clock: MockClock) -> None:
    async def slow(*, task_status: trio.TaskStatus[str]) -> None:
        await trio.sleep(1)
        task_status.started("ready")
        await trio.sleep_forever()

    seen: list[tuple[Any, ...]] = []

    async def look(handle: Handle) -> None:
        for _ in range(2):
            seen.append((handle.path, handle.state, handle.value, handle.runs, handle.last_exit))
            await trio.sleep(1.5)

    async def team(*, task_status: trio.TaskStatus[None]) -> None:
        async with open_supervisor() as inner, trio.open_nursery() as nursery:
            task_status.started()
            nursery.start_soon(inner.add, Child("slow", slow))
            await wait_all_tasks_blocked()
            nursery.start_soon(look, inner.handle("slow"))
            await trio.sleep(3)
            inner.stop()

    async with open_supervisor(Child("team", team)):
        pass
    assert seen == [("supervisor/team/slow", "starting", None, 1, None), ("supervisor/team/slow", "running", "ready", 1, None)]


async def test_a_child_that_its_supervisor_never_came_to_has_no_end_and_no_link(autojump_clock: MockClock) -> None:
    """A supervisor that is stopped by the one around it while it starts leaves out the rest; its body is entered all the same."""
    seen: list[str] = []

    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    async def team(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async with open_supervisor(Child("first", never_ready), Child("second", forever)) as inner:
            handle = inner.handle("second")
            seen.append(handle.state)
            with pytest.raises(ActorStopped, match="team/second is not up"):
                with linked(handle):
                    pytest.fail("the block must not be entered")
            with pytest.raises(ActorStopped, match="team/second never ran"):
                await handle.exited()
            seen.append(inner.snapshot().state)

    async with open_supervisor(Child("team", team)) as supervisor:
        await wait_all_tasks_blocked()
        assert [child.state for child in supervisor.snapshot().children[0].children] == ["starting", "idle"]
        supervisor.stop()
    assert seen == ["idle", "done"]


async def test_a_link_tells_of_the_run_that_it_was_made_with(autojump_clock: MockClock) -> None:
    """While the block cleans up there may be further runs, and an end of all."""
    async with open_supervisor(Child("a", failing(2, after=1), backoff=PROMPT), instruments=[]) as supervisor:
        with pytest.raises(LinkBroken) as caught:
            with linked(supervisor.handle("a")):
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(5)
                        assert supervisor.handle("a").runs == 3
                        await supervisor.remove("a")
        assert str(caught.value.exit.error) == "run 1"
        supervisor.stop()
