"""Asking to the last detail: whose a request is at each moment, and what is left of it."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import Child, Mailbox, NotAnswered, Request, Restart, open_supervisor
from aion_trio.supervision.requests import Slip

from .scenes import Length, measure


def slips() -> int:
    gc.collect()
    return sum(type(each) is Slip for each in gc.get_objects())


async def test_a_request_is_unwanted_in_the_moment_in_which_its_asker_is_cancelled() -> None:
    """Not a step later: an actor looks just before it acts."""
    box = Mailbox[Length]()
    scopes = [trio.CancelScope(), trio.CancelScope()]
    requests = [Length("in hand"), Length("queued")]

    async def ask(number: int) -> None:
        with scopes[number]:
            await box.address.ask(requests[number])

    async with trio.open_nursery() as nursery:
        for number in range(2):
            nursery.start_soon(ask, number)
            await wait_all_tasks_blocked()
        assert await box.receive() is requests[0] and box.queued == 1
        for scope in scopes:
            scope.cancel()
        assert [request.wanted for request in requests] == [False, False] and box.queued == 0


async def test_what_nobody_waits_for_can_be_answered_as_often_as_one_likes() -> None:
    box = Mailbox[Length]()
    with trio.move_on_after(0.001):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(box.address.ask, Length("given up"))
            request = await box.receive()
    assert not request.wanted
    request.reply(1)
    request.reply(2)
    request.fail(ValueError())


async def test_a_failure_is_an_answer_like_any() -> None:
    box = Mailbox[Length]()

    async def ask() -> None:
        with pytest.raises(ValueError, match="no"):
            await box.address.ask(Length("x"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        request = await box.receive()
        request.fail(ValueError("no"))
        with pytest.raises(RuntimeError, match="has already been answered"):
            request.reply(1)


async def test_what_is_answered_or_given_up_leaves_nothing_with_the_actor() -> None:
    """An actor that lives long has held very many."""
    box = Mailbox[Length]()
    before = slips()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(box.address.ask, Length("answered"))
        for _ in range(10):
            (await box.receive()).reply(8)
    for _ in range(10):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(box.address.ask, Length("given up"))
                await box.receive()
                scope.cancel()
    request = Length("sent when it was given up")
    with trio.move_on_after(0.001):
        await box.address.ask(request)
    box.address.send_nowait(request)
    assert await box.receive() is request
    del request
    assert slips() == before


async def test_nor_with_the_one_who_asked(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()

    async def answers(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            (await box.receive()).reply(4)

    async def asks(*, task_status: trio.TaskStatus[int]) -> None:
        task_status.started(await box.address.ask(Length("four")))
        await trio.sleep_forever()

    before = slips()
    async with open_supervisor(Child("answers", answers, mailbox=box, shutdown=0), Child("asks", asks)) as supervisor:
        assert supervisor["asks"] == 4
        await trio.sleep(1)
        assert slips() == before
        supervisor.stop()


async def test_of_two_in_hand_the_one_that_is_not_answered_is_told_of(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    heard: list[str] = []

    async def answers_one(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        requests = [await box.receive() for _ in range(3)]
        requests[1].reply(1)
        await trio.sleep(1)
        raise ValueError

    async def ask(text: str) -> None:
        try:
            heard.append(f"{text}: {await box.address.ask(Length(text))}")
        except NotAnswered:
            heard.append(f"{text}: not answered")

    async with open_supervisor(Child("a", answers_one, mailbox=box, restart=Restart.TEMPORARY), instruments=[]) as supervisor:
        async with trio.open_nursery() as nursery:
            for text in "abc":
                nursery.start_soon(ask, text)
                await wait_all_tasks_blocked()
        supervisor.stop()
    assert sorted(heard) == ["a: not answered", "b: 1", "c: not answered"]


async def test_an_answer_stands_whatever_becomes_of_another_who_had_the_request() -> None:
    """It came before its asker had begun to wait for it."""
    full, other = Mailbox[Length](1), Mailbox[Length]()
    request = Length("two")
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await full.address.ask(request))

    full.address.send_nowait(Length("one"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        other.address.send_nowait(request)
        full.receive_nowait()
        full.receive_nowait().reply(3)
        assert other.bury() == [request]
    assert answers == [3]


async def serve(mailbox: Mailbox[Any]) -> None:
    async for request in mailbox:
        request.reply(len(request.text))


async def test_who_has_answered_may_ask_back_at_once(autojump_clock: MockClock) -> None:
    """The other waits no more, though it has not come to its next step."""
    a, b = Mailbox[Any](), Mailbox[Any]()
    answers: list[int] = []

    async def asks(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        answers.append(await b.address.ask(Length("one")))
        await serve(a)

    async def asks_back(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for request in b:
            request.reply(1)
            answers.append(await a.address.ask(Length("three")))

    async with open_supervisor(Child("b", asks_back, mailbox=b), Child("a", asks, mailbox=a), instruments=[]) as supervisor:
        await trio.sleep(1)
        supervisor.stop()
    assert answers == [1, 5]


async def test_a_request_that_was_given_up_may_go_to_anybody(autojump_clock: MockClock) -> None:
    """Even to the one who asked it: nobody would wait for itself."""
    a, b = Mailbox[Any](), Mailbox[Any]()
    got: list[str] = []

    async def gives_up(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with trio.move_on_after(1):
            await b.address.ask(Length("sent back"))
        with trio.move_on_after(5):
            await b.address.ask(Length("never mind"))
        async for request in a:
            got.append(request.text)

    async def sends_back(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        request = await b.receive()
        await trio.sleep(2)
        await a.address.send(request)
        await trio.sleep_forever()

    children = [Child("b", sends_back, mailbox=b, shutdown=0), Child("a", gives_up, mailbox=a)]
    async with open_supervisor(*children, instruments=[]) as supervisor:
        await trio.sleep(10)
        supervisor.stop()
    assert got == ["sent back"]


async def test_a_slotted_request_without_fields_can_be_asked(autojump_clock: MockClock) -> None:
    class Ping(Request[int]):
        __slots__ = ("text",)

        def __init__(self) -> None:
            self.text = "ping"

    box = Mailbox[Any]()
    async with open_supervisor(Child("actor", measure, (box,), mailbox=box)) as supervisor:
        assert await box.address.ask(Ping()) == 4
        assert not Ping().wanted
        supervisor.stop()
