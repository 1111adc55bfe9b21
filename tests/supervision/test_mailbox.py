"""A mailbox: bounded, in order, one reader, and nothing is lost or invented on cancellation."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import ActorStopped, Mailbox


async def test_messages_come_in_order_and_urgent_ones_first() -> None:
    box = Mailbox[str](8)
    for text in ("a", "b"):
        await box.address.send(text)
    box.address.send_nowait("!", urgent=True)
    assert [await box.receive() for _ in range(3)] == ["!", "a", "b"]


async def test_an_actor_gets_to_patient_messages_while_urgent_ones_keep_coming() -> None:
    box = Mailbox[int](1)
    box.address.send_nowait(1)
    for number in (-1, -2):
        box.address.send_nowait(number, urgent=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.address.send, 2)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.WouldBlock):
            box.receive_patient_nowait(lambda number: number < 0)
        assert [box.receive_patient_nowait(), box.receive_patient_nowait(lambda number: number > 1)] == [1, 2]
    assert [await box.receive(), await box.receive(), box.statistics().received] == [-1, -2, 4]
    box.close()
    with pytest.raises(trio.EndOfChannel):
        box.receive_patient_nowait()


async def test_a_full_mailbox_makes_senders_wait_in_turn() -> None:
    box = Mailbox[int](1)
    await box.address.send(0)
    with pytest.raises(trio.WouldBlock):
        box.address.send_nowait(1)
    async with trio.open_nursery() as nursery:
        for number in (1, 2, 3):
            nursery.start_soon(box.address.send, number)
            await wait_all_tasks_blocked()
        assert box.statistics().senders_waiting == 3
        assert [await box.receive() for _ in range(4)] == [0, 1, 2, 3]


async def test_urgent_messages_always_fit() -> None:
    box = Mailbox[int](1)
    box.address.send_nowait(0)
    for number in (1, 2, 3):
        box.address.send_nowait(number, urgent=True)
    assert (box.statistics().queued, box.statistics().urgent, box.statistics().peak) == (4, 3, 4)
    assert [box.receive_nowait() for _ in range(4)] == [1, 2, 3, 0]


async def test_selective_receive_keeps_the_places_of_the_others() -> None:
    box = Mailbox[str](8)
    for text in ("a1", "b1", "a2", "b2"):
        await box.address.send(text)
    assert await box.receive(lambda text: text.startswith("b")) == "b1"
    assert [await box.receive() for _ in range(3)] == ["a1", "a2", "b2"]
    with pytest.raises(trio.WouldBlock):
        box.receive_nowait(lambda text: True)


async def test_selective_receive_waits_for_what_it_wants() -> None:
    box = Mailbox[int](8)
    got: list[int] = []

    async def pick() -> None:
        got.append(await box.receive(lambda number: number > 5))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pick)
        for number in (1, 2, 9):
            await wait_all_tasks_blocked()
            assert got == []
            await box.address.send(number)
    assert got == [9] and [box.receive_nowait(), box.receive_nowait()] == [1, 2]


async def test_a_cancelled_send_was_not_queued(autojump_clock: MockClock) -> None:
    box = Mailbox[int](1)
    await box.address.send(0)
    with trio.move_on_after(1):
        await box.address.send(1)
    assert box.receive_nowait() == 0
    with pytest.raises(trio.WouldBlock):
        box.receive_nowait()
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.address.send(2)
    assert box.queued == 0


async def test_a_cancelled_receive_has_taken_nothing(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    with trio.move_on_after(1):
        await box.receive()
    await box.address.send(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.receive()
    assert box.receive_nowait() == 1


async def test_closing_lets_the_rest_be_read_and_refuses_the_others() -> None:
    box = Mailbox[int](1)
    await box.address.send(0)
    async with trio.open_nursery() as nursery:

        async def late() -> None:
            with pytest.raises(ActorStopped, match="accepts no more"):
                await box.address.send(1)

        nursery.start_soon(late)
        await wait_all_tasks_blocked()
        box.close()
    with pytest.raises(ActorStopped):
        box.address.send_nowait(2, urgent=True)
    assert [number async for number in box] == [0]
    with pytest.raises(trio.EndOfChannel):
        box.receive_nowait()


async def test_a_waiting_reader_hears_of_the_closing() -> None:
    box = Mailbox[int]()
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(trio.EndOfChannel):
                await box.receive()

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        box.close()


async def test_a_mailbox_has_one_reader() -> None:
    box = Mailbox[int]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.receive)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await box.receive()
        await box.address.send(1)


@pytest.mark.parametrize("capacity", [0, -1, 1.5, math.nan])
def test_a_capacity_is_a_whole_number(capacity: float) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Mailbox[int](capacity)


async def test_an_unbounded_mailbox_says_so() -> None:
    box = Mailbox[int](math.inf)
    for number in range(1000):
        box.address.send_nowait(number)
    assert box.statistics().queued == 1000
    assert box.bury() == list(range(1000))
