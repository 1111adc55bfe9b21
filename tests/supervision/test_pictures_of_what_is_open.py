"""What a directory, an actor and what they have open look like from outside."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import (
    Backoff,
    Budget,
    Child,
    Directory,
    Exit,
    Mailbox,
    Node,
    open_directory,
    open_supervisor,
    supervise,
)

from .scenes import AMPLE, Recorder, forever, lasting, reads


async def test_the_stack_of_a_hung_actor_says_whose_it_is(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def wedged(key: str, mailbox: Mailbox[int]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1.5)

    async with open_directory(wedged, grace=0, instruments=[recorder]) as directory:
        await directory.send("k", 1)
        await wait_all_tasks_blocked()
    ((_, _, stack),) = recorder.of("unresponsive")
    assert stack.startswith("actor k:\n")


async def test_the_picture_of_a_directory(autojump_clock: MockClock) -> None:
    async def bad_or_busy(key: str, mailbox: Mailbox[int]) -> None:
        async for _ in mailbox:
            if key == "bad":
                raise ValueError
            await trio.sleep(5)

    async with open_directory(bad_or_busy, name="d", budget=Budget(0, 1.0), instruments=[]) as directory:
        assert directory.snapshot() == Node("d", "d", "directory", "running", runs=1)
        await directory.send("bad", 1)
        await trio.sleep(2)
        for number in range(3):
            await directory.send("busy", number)
        await trio.sleep(1)
        busy = Node("d/busy", "busy", "actor", "running", runs=1, up_for=1, queued=2)
        bad = Node("d/bad", "bad", "actor", "quarantined")
        assert directory.snapshot() == Node("d", "d", "directory", "running", runs=1, children=(busy, bad))
        directory.stop()
        assert directory.snapshot().state == "stopping"
    assert directory.snapshot() == Node("d", "d", "directory", "done", runs=1, children=(bad,))


async def test_an_actor_that_is_about_to_begin_has_not_run_for_any_time(autojump_clock: MockClock) -> None:
    async with open_directory(reads, name="d") as directory:
        await trio.sleep(5)
        directory.send_nowait("k", 1)
        assert directory.snapshot().children == (Node("d/k", "k", "actor", "running", queued=1),)
        await trio.sleep(2)
        assert [node.up_for for node in directory.snapshot().children] == [2]


async def test_an_actor_that_rests_shows_how_it_ended(autojump_clock: MockClock) -> None:
    async with open_directory(lasting(2, 1), name="d", backoff=Backoff(initial=3, jitter=0), budget=AMPLE, instruments=[]) as directory:
        await directory.send("k", "begin")
        await trio.sleep(4)
        (node,) = directory.snapshot().children
        assert isinstance(node.last_exit, Exit) and isinstance(node.last_exit.error, ValueError)
        assert (node.last_exit.path, node.last_exit.how, node.last_exit.at, node.last_exit.ran_for) == ("d/k", "raised", 2, 2)
        assert (node.state, node.runs, node.up_for) == ("waiting", 1, 0)


async def test_the_picture_of_a_directory_in_a_child(autojump_clock: MockClock) -> None:
    """It has the place of the child that opened it."""

    async def runs(*, task_status: trio.TaskStatus[Directory[str, int]]) -> None:
        async with open_directory(reads, name="of no matter") as directory:
            task_status.started(directory)
            await trio.sleep_forever()

    async with open_supervisor(Child("runs", runs), name="engine") as supervisor:
        assert supervisor["runs"].snapshot() == Node("engine/runs", "runs", "directory", "running", runs=1)
        supervisor.stop()


async def test_a_child_shows_what_it_has_open_and_no_more(autojump_clock: MockClock) -> None:
    """When it has closed it, it is a child like any other, and is stopped like one."""

    async def activate(key: str, mailbox: Mailbox[int]) -> None: ...

    async def opens(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async with open_supervisor(Child("leaf", forever)) as inner:
            await trio.sleep(2)
            inner.stop()
        await trio.sleep(2)
        async with open_directory(activate):
            await trio.sleep(2)
        await trio.sleep_forever()

    seen: list[tuple[str, int]] = []
    async with open_supervisor(Child("a", opens)) as supervisor:
        for _ in range(4):
            await trio.sleep(1)
            (node,) = supervisor.snapshot().children
            seen.append((node.kind, len(node.children)))
            await trio.sleep(1)
        begun = trio.current_time()
        supervisor.stop()
    assert seen == [("supervisor", 1), ("child", 0), ("directory", 0), ("child", 0)]
    assert trio.current_time() == begun


async def test_the_stack_of_a_hung_child_names_those_who_look_after_its_own(autojump_clock: MockClock) -> None:
    async def wedged(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(2.5)

    team = Child("team", supervise, (Child("wedged", wedged, shutdown=0),), shutdown=0)
    recorder = Recorder()
    with trio.move_on_after(1):
        async with open_supervisor(team, instruments=[recorder]):
            await trio.sleep_forever()
    (stack,) = [stack for name, _, stack in recorder.of("unresponsive") if name == "team"]
    heads = [line for line in stack.splitlines() if not line.lstrip().startswith("File ")]
    assert heads == ["supervisor/team:", "  supervisor supervisor/team:", "  supervisor/team/wedged:"]
