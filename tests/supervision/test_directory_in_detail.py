"""Keyed actors: what happens at the edges of a life, in great numbers, and long afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import (
    ActorStopped,
    Backoff,
    Budget,
    Child,
    Exit,
    Instrument,
    Mailbox,
    open_directory,
    open_supervisor,
)

from .scenes import Recorder, forever


async def test_a_sender_waits_for_room_in_the_mailbox_of_its_key(autojump_clock: MockClock) -> None:
    got: list[int] = []

    async def slow(key: str, mailbox: Mailbox[int]) -> None:
        async for number in mailbox:
            got.append(number)
            await trio.sleep(1)

    async with open_directory(slow, capacity=1) as directory:
        for number in range(4):
            await directory.send("k", number)
        assert trio.current_time() == pytest.approx(2)
    assert got == [0, 1, 2, 3]


async def test_an_actor_may_have_a_tree_of_its_own(autojump_clock: MockClock) -> None:
    async def leads(key: str, mailbox: Mailbox[int]) -> None:
        async with open_supervisor(Child("aide", forever)) as team:
            async for _ in mailbox:
                pass
            team.stop()

    recorder = Recorder()
    async with open_directory(leads, name="d", instruments=[recorder]) as directory:
        await directory.send("k", 1)
        await wait_all_tasks_blocked()
        (actor,) = directory.snapshot().children
        assert (actor.kind, [node.path for node in actor.children]) == ("actor", ["d/k/aide"])
        assert recorder.of("started") == [("k", 1), ("aide", 1)], "its children are heard of where it is"


async def test_a_message_to_an_actor_that_empties_its_mailbox_for_the_last_time_is_refused(autojump_clock: MockClock) -> None:
    done: list[int] = []

    async def slow(key: str, mailbox: Mailbox[int]) -> None:
        async for number in mailbox:
            await trio.sleep(1)
            done.append(number)

    async with open_directory(slow, name="d") as directory:
        await directory.send("k", 1)
        await wait_all_tasks_blocked()
        directory.stop()
        with pytest.raises(ActorStopped, match="d is closed"):
            await directory.send("k", 2)
        assert directory.snapshot().state == "stopping"
    assert done == [1]


async def test_an_actor_that_closes_its_mailbox_is_followed_by_another(autojump_clock: MockClock) -> None:
    got: list[tuple[int, int]] = []

    async def takes_two(key: str, mailbox: Mailbox[int]) -> None:
        life = len({life for life, _ in got}) + 1
        for _ in range(2):
            got.append((life, await mailbox.receive()))
        mailbox.close()
        await trio.sleep(1)

    async with open_directory(takes_two) as directory:
        for number in range(4):
            await directory.send("k", number)
            await trio.sleep(0.1)
    assert got == [(1, 0), (1, 1), (2, 2), (2, 3)]


async def test_leaving_does_not_wait_for_the_back_off_of_one_who_has_nothing_to_do(autojump_clock: MockClock) -> None:
    async def broken(key: str, mailbox: Mailbox[int]) -> None:
        await mailbox.receive()
        raise ValueError

    async with open_directory(broken, backoff=Backoff(initial=4, maximum=4), budget=Budget(1, 9.0), instruments=[]) as directory:
        await directory.send("k", 1)
        await wait_all_tasks_blocked()
        assert [node.state for node in directory.snapshot().children] == ["waiting"]
    assert trio.current_time() == 0


async def test_a_failure_long_ago_is_forgotten(autojump_clock: MockClock) -> None:
    """Also that of a short run, after which nothing else has been heard of the key."""
    recorder = Recorder()

    async def broken(key: str, mailbox: Mailbox[str]) -> None:
        async for word in mailbox:
            if word == "die":
                raise ValueError

    options: dict[str, Any] = {"idle_after": 1, "budget": Budget(5, 10.0), "backoff": Backoff(initial=0.1, maximum=5, reset_after=100)}
    async with open_directory(broken, instruments=[recorder], **options) as directory:
        for pause in (2, 90, 200, 0.5):
            await directory.send("k", "die")
            await trio.sleep(pause)
    assert recorder.of("restarting") == [("k", 1), ("k", 2), ("k", 3), ("k", 1)]


async def test_more_idle_actors_than_one_sweep_takes_are_all_let_go(autojump_clock: MockClock) -> None:
    async def reads(key: int, mailbox: Mailbox[int]) -> None:
        async for _ in mailbox:
            pass

    async with open_directory(reads, idle_after=5) as directory:
        for key in range(1234):
            directory.send_nowait(key, 1)
        await trio.sleep(2)
        directory.send_nowait(7, 2)
        await trio.sleep(3.5)
        assert directory.keys() == (7,), "whose time began anew"
        await trio.sleep(2)
        assert len(directory) == 0


async def test_an_actor_that_is_cut_off_with_its_tasks_was_stopped_and_has_not_failed(autojump_clock: MockClock) -> None:
    exits: list[Exit] = []

    class Ends(Instrument):
        def child_exited(self, path: str, exit: Exit) -> None:
            exits.append(exit)

    async def with_aides(key: str, mailbox: Mailbox[int]) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(trio.sleep_forever)

    async with open_directory(with_aides, grace=1, instruments=[Ends()]) as directory:
        await directory.send("k", 1)
    assert [(exit.how, exit.error) for exit in exits] == [("stopped", None)]
