"""A mailbox at its bounds, and when it is idle, cancelled, or closed by the way."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from aion_trio.supervision import ActorStopped, Mailbox, MailboxStatistics, open_directory

from .scenes import Length


@pytest.mark.parametrize(
    ("capacity", "good"),
    [(1, True), (2, True), (3, True), (3.0, True), (math.inf, True), (0, False), (0.5, False), (2.5, False), (-math.inf, False)],
)
def test_what_a_capacity_may_be(capacity: float, good: bool) -> None:
    if good:
        assert Mailbox[int](capacity).capacity == capacity
    else:
        with pytest.raises(ValueError, match=f"from 1, or math.inf, found {capacity}"):
            Mailbox[int](capacity)


def test_sixty_four_fit_where_nothing_is_said() -> None:
    box = Mailbox[int]()
    for number in range(64):
        box.address.send_nowait(number)
    with pytest.raises(trio.WouldBlock):
        box.address.send_nowait(64)


async def test_the_statistics_of_a_mailbox() -> None:
    box = Mailbox[int](2)
    assert box.statistics() == MailboxStatistics(queued=0, urgent=0, peak=0, capacity=2, senders_waiting=0, received=0, closed=False)
    box.address.send_nowait(1)
    box.address.send_nowait(2)
    box.address.send_nowait(3, urgent=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.address.send, 4)
        await wait_all_tasks_blocked()
        assert box.statistics() == MailboxStatistics(queued=3, urgent=1, peak=3, capacity=2, senders_waiting=1, received=0, closed=False)
        assert [await box.receive() for _ in range(3)] == [3, 1, 2]
    box.close()
    assert box.statistics() == MailboxStatistics(queued=1, urgent=0, peak=3, capacity=2, senders_waiting=0, received=3, closed=True)
    assert box.received == 3
    assert box.bury() == [4]


def test_the_peak_counts_what_is_patient_too() -> None:
    box = Mailbox[int]()
    peaks: list[int] = []
    for number in range(3):
        box.address.send_nowait(number)
        peaks.append(box.statistics().peak)
    box.receive_nowait()
    box.address.send_nowait(3)
    assert (peaks, box.statistics().peak) == ([1, 2, 3], 3)


async def test_a_place_in_the_urgent_lane_is_no_room_for_those_who_wait() -> None:
    box = Mailbox[int](1)
    box.address.send_nowait(1)
    for number in (-1, -2):
        box.address.send_nowait(number, urgent=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.address.send, 2)
        await wait_all_tasks_blocked()
        assert box.receive_nowait(lambda number: number == -2) == -2
        assert (box.queued, box.statistics().senders_waiting) == (2, 1)
        assert [await box.receive() for _ in range(3)] == [-1, 1, 2]


def test_an_address_is_the_same_whenever_it_is_asked_for() -> None:
    box = Mailbox[int]()
    assert box.address is box.address
    assert box.name == f"mailbox {id(box):#x}" and repr(box.address) == f"<address of {box.name}>"


async def test_an_urgent_message_that_comes_just_before_another_is_taken_is_the_first() -> None:
    """Receiving is a checkpoint before anything is taken."""
    box = Mailbox[str]()
    got: list[str] = []
    box.address.send_nowait("patient")

    async def read() -> None:
        got.append(await box.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.lowlevel.checkpoint()
        box.address.send_nowait("urgent", urgent=True)
    assert got == ["urgent"] and await box.receive() == "patient"


@pytest.mark.parametrize("urgent", [False, True])
async def test_receiving_what_is_there_is_a_checkpoint(urgent: bool) -> None:
    box = Mailbox[int]()
    box.address.send_nowait(1, urgent=urgent)
    with assert_checkpoints():
        assert await box.receive() == 1


async def test_who_is_cancelled_receives_nothing() -> None:
    """Neither what is there, nor what comes while it waits."""
    box = Mailbox[int]()
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.receive()
    box.address.send_nowait(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.receive()
    assert (await box.receive(), box.received) == (1, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.receive)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    box.address.send_nowait(2)
    assert (await box.receive(), box.received) == (2, 2)


async def test_a_certain_message_is_waited_for_among_urgent_ones_too() -> None:
    box = Mailbox[int]()
    got: list[int] = []

    async def read() -> None:
        got.append(await box.receive(lambda number: number > 5))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        for number, urgent in ((1, True), (2, False), (9, True)):
            box.address.send_nowait(number, urgent=urgent)
            await wait_all_tasks_blocked()
    assert got == [9] and [box.receive_nowait() for _ in range(2)] == [1, 2]
    box.close()
    with pytest.raises(trio.EndOfChannel):
        await box.receive(lambda number: True)


async def test_who_waits_for_a_certain_message_gets_one_that_was_waiting_for_room() -> None:
    box = Mailbox[Any](1)
    request = Length("in the way")
    got: list[Any] = []

    async def read() -> None:
        got.append(await box.receive(lambda message: message == "wanted"))

    async def send() -> None:
        await box.address.send("wanted")

    scope = trio.CancelScope()

    async def ask() -> None:
        with scope:
            await box.address.ask(request)

    async with trio.open_nursery() as nursery:
        for work in (ask, send, read):
            nursery.start_soon(work)
            await wait_all_tasks_blocked()
        assert got == []
        scope.cancel()
    assert got == ["wanted"]


async def test_an_actor_that_has_left_off_waiting_is_not_idle(autojump_clock: MockClock) -> None:
    """It works on by itself, and gets its mail."""
    got: list[int] = []

    async def works_between(key: str, mailbox: Mailbox[int]) -> None:
        got.append(await mailbox.receive())
        with trio.move_on_after(1):
            await mailbox.receive()
        await trio.sleep(50)
        got.append(await mailbox.receive())

    async with open_directory(works_between, idle_after=10) as directory:
        await directory.send("k", 1)
        await trio.sleep(20)
        assert [node.state for node in directory.snapshot().children] == ["running"]
        await directory.send("k", 2)
        await trio.sleep(40)
    assert got == [1, 2]


async def test_to_look_for_mail_without_waiting_is_not_to_be_idle(autojump_clock: MockClock) -> None:
    """Though there are too many, and this one could go."""
    looked: list[str] = []

    async def looks(key: str, mailbox: Mailbox[int]) -> None:
        await mailbox.receive()
        with trio.move_on_after(0):
            await mailbox.receive()
        await trio.sleep(1)
        looked.append(f"{key} got {await mailbox.receive()}")

    async with open_directory(looks, limit=1, grace=100, instruments=[]) as directory:
        for number in range(2):
            for key in "ab":
                await directory.send(key, number)
            await wait_all_tasks_blocked()
    assert sorted(looked) == ["a got 1", "b got 1"]


async def test_to_be_let_go_at_once_is_a_checkpoint(autojump_clock: MockClock) -> None:
    ended: list[str] = []

    async def reads(key: str, mailbox: Mailbox[int]) -> None:
        await mailbox.receive()
        if key == "busy":
            await trio.sleep(5)
        with assert_checkpoints(), pytest.raises(trio.EndOfChannel):
            await mailbox.receive()
        ended.append(key)

    async with open_directory(reads, limit=1, instruments=[]) as directory:
        for key in ("busy", "idle"):
            await directory.send(key, 1)
        await trio.sleep(1)
        assert ended == ["idle"]


async def test_over_the_limit_who_becomes_idle_is_the_one_that_goes(autojump_clock: MockClock) -> None:
    """If it is the only one: it is closed in the moment in which it would wait."""
    ended: list[str] = []

    async def works(key: str, mailbox: Mailbox[float]) -> None:
        async for seconds in mailbox:
            await trio.sleep(seconds)
        ended.append(f"{key} at {trio.current_time():g}")

    async with open_directory(works, limit=1, idle_after=math.inf, grace=100) as directory:
        await directory.send("a", 3)
        await directory.send("b", 2)
        await trio.sleep(5)
        assert ended == ["b at 2"] and directory.keys() == ("a",)
        await directory.send("b", 1)
        await trio.sleep(5)
        assert ended == ["b at 2", "a at 5"] and directory.keys() == ("b",)


async def test_closing_twice_changes_nothing() -> None:
    box = Mailbox[int](1)
    box.address.send_nowait(1)
    refused: list[str] = []

    async def send() -> None:
        with pytest.raises(ActorStopped, match="accepts no more messages"):
            await box.address.send(2)
        refused.append("sender")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        box.close()
        box.close()
        await wait_all_tasks_blocked()
        assert refused == ["sender"]
    assert box.bury() == [1] and box.bury() == []
    box = Mailbox[int]()
    box.address.send_nowait(1)
    box.address.send_nowait(2, urgent=True)
    assert box.bury() == [2, 1] and box.bury() == [] and box.queued == 0
    for urgent in (False, True):
        with pytest.raises(ActorStopped, match="accepts no more messages"):
            box.address.send_nowait(3, urgent=urgent)
