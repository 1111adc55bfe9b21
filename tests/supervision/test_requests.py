"""Asking: the answer, or a reason why there will be none; never a wait that cannot end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import ActorStopped, AskCycle, Child, Mailbox, NotAnswered, Request, Restart, open_supervisor

from .scenes import PROMPT, Length, Recorder, forever, measure


@dataclass(slots=True)
class Relay(Request[str]):
    """Ask the others in turn, and say what came of it."""

    route: tuple[Mailbox[Any], ...]


async def relay(mailbox: Mailbox[Relay], *, task_status: trio.TaskStatus[None]) -> None:
    """Answers a `Relay` by asking the first of its route for the rest."""
    task_status.started()
    async for request in mailbox:
        if not request.route:
            request.reply("arrived")
            continue
        try:
            request.reply(await request.route[0].address.ask(Relay(request.route[1:])))
        except AskCycle as error:
            request.fail(error)


async def test_an_answer_comes_back_and_so_does_a_failure(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()

    async def actor(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for request in box:
            if request.text:
                request.reply(len(request.text))
            else:
                request.fail(ValueError("empty"))

    async with open_supervisor(Child("actor", actor, mailbox=box)) as supervisor:
        assert await box.address.ask(Length("four")) == 4
        with pytest.raises(ValueError, match="empty"):
            await box.address.ask(Length(""))
        supervisor.stop()


async def test_who_asks_an_actor_that_dies_is_told(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    async with open_supervisor(Child("actor", measure, (box,), mailbox=box, backoff=PROMPT), instruments=[]) as supervisor:
        with pytest.raises(NotAnswered, match="supervisor/actor ended with this request in hand"):
            await box.address.ask(Length("die"))
        assert await box.address.ask(Length("next run")) == 8
        supervisor.stop()


async def test_who_asks_an_actor_that_stops_is_told(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    async with open_supervisor(Child("deaf", forever, mailbox=box, shutdown=0), instruments=[]) as supervisor:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(ActorStopped, match="before it received"):
                    await box.address.ask(Length("unheard"))

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            supervisor.stop()
    with pytest.raises(ActorStopped):
        await box.address.ask(Length("too late"))


async def test_a_cancelled_ask_is_taken_back_or_no_longer_wanted(autojump_clock: MockClock) -> None:
    box = Mailbox[Length](8)
    seen: list[tuple[str, bool]] = []

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for request in box:
            await trio.sleep(5)
            seen.append((request.text, request.wanted))
            request.reply(0)  # harmless where nobody waits

    async with open_supervisor(Child("slow", slow, mailbox=box)) as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(box.address.ask, Length("patient"))
            await wait_all_tasks_blocked()
            with trio.move_on_after(1):
                await box.address.ask(Length("taken back"))
            assert box.queued == 0
        with trio.move_on_after(1):
            await box.address.ask(Length("in hand"))
        await trio.sleep(5)
        supervisor.stop()
    assert seen == [("patient", True), ("in hand", False)]


async def test_taking_back_a_request_lets_a_waiting_sender_in(autojump_clock: MockClock) -> None:
    box = Mailbox[Any](1)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1):
            nursery.start_soon(_later, box, 0.5)
            await box.address.ask(Length("full"))
        await wait_all_tasks_blocked()
        assert box.receive_nowait() == "later" and box.queued == 0


async def _later(box: Mailbox[Any], seconds: float) -> None:
    await trio.sleep(seconds)
    await box.address.send("later")


async def test_a_second_answer_is_an_error_of_the_actor(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    request = Length("x")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.address.ask, request)
        (await box.receive()).reply(1)
        with pytest.raises(RuntimeError, match="already been answered"):
            request.reply(2)
        with pytest.raises(RuntimeError, match="already been answered"):
            request.fail(ValueError())


async def test_a_request_that_is_merely_sent_can_be_answered_into_the_void() -> None:
    box = Mailbox[Length]()
    await box.address.send(Length("x"))
    request = await box.receive()
    assert not request.wanted
    request.reply(1)


async def test_a_request_is_asked_once_at_a_time() -> None:
    box = Mailbox[Length]()
    request = Length("x")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.address.ask, request)
        await wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="already being asked"):
            await box.address.ask(request)
        box.receive_nowait().reply(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.address.ask, request)
        await wait_all_tasks_blocked()
        box.receive_nowait().reply(2)


async def test_a_request_that_is_handed_on_is_the_next_ones_business(autojump_clock: MockClock) -> None:
    """The first actor's death does not concern it any more."""
    front, back = Mailbox[Length](), Mailbox[Length]()

    async def forward(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await back.address.send(await front.receive())
        raise ValueError("died after handing it on")

    async with open_supervisor(
        Child("back", measure, (back,), mailbox=back),
        Child("front", forward, mailbox=front, backoff=PROMPT),
        instruments=[],
    ) as supervisor:
        assert await front.address.ask(Length("three")) == 5
        supervisor.stop()


async def test_asking_in_a_circle_is_an_error_with_the_path(autojump_clock: MockClock) -> None:
    boxes = [Mailbox[Relay]() for _ in range(3)]
    a, b, c = boxes
    children = [Child(name, relay, (box,), mailbox=box) for name, box in zip("abc", boxes, strict=True)]
    async with open_supervisor(*children, name="ring") as supervisor:
        assert await a.address.ask(Relay((b, c))) == "arrived"
        for route, path in (((a,), "aa"), ((b, a), "bab"), ((b, c, a), "cabc"), ((b, c, b), "cbc")):
            with pytest.raises(AskCycle) as caught:
                await a.address.ask(Relay(route))
            assert caught.value.path == tuple(f"ring/{name}" for name in path)
        assert await a.address.ask(Relay((c, b))) == "arrived", "and nothing is left of it"
        supervisor.stop()


async def test_a_task_of_an_actor_may_ask_while_its_loop_answers(autojump_clock: MockClock) -> None:
    """That is no circle: the loop goes on reading."""
    a, b = Mailbox[Any](), Mailbox[Relay]()
    answers: list[str] = []

    async def busy(*, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:

            async def aside() -> None:
                answers.append(await b.address.ask(Relay((a,))))

            nursery.start_soon(aside)
            task_status.started()
            async for request in a:
                request.reply("from the loop")

    async with open_supervisor(Child("b", relay, (b,), mailbox=b), Child("a", busy, mailbox=a)) as supervisor:
        await trio.sleep(1)
        supervisor.stop()
    assert answers == ["from the loop"]


async def test_handing_a_request_back_to_its_asker_is_a_circle(autojump_clock: MockClock) -> None:
    a, b = Mailbox[Relay](), Mailbox[Relay]()
    caught: list[tuple[str, ...]] = []

    async def boomerang(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for request in b:
            try:
                await a.address.send(request)
            except AskCycle as error:
                caught.append(error.path)
                request.reply("kept")

    async with open_supervisor(Child("a", relay, (a,), mailbox=a), Child("b", boomerang, mailbox=b)) as supervisor:
        assert await a.address.ask(Relay((b,))) == "kept"
        supervisor.stop()
    assert caught == [("supervisor/a", "supervisor/a")]


async def test_an_answer_may_come_before_its_asker_has_begun_to_wait_for_it() -> None:
    """Who asks a full mailbox waits for room first; the actor that makes room may answer at once."""
    box = Mailbox[Length](1)
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await box.address.ask(Length("two")))

    box.address.send_nowait(Length("one"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        box.receive_nowait()
        box.receive_nowait().reply(3)
    assert answers == [3]


async def test_all_who_have_asked_a_run_are_told_of_its_end(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    held: list[Length] = []

    async def collects(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        held.extend([await box.receive(), await box.receive()])
        raise ValueError("died with both in hand")

    async def refused(text: str) -> None:
        with pytest.raises(NotAnswered):
            await box.address.ask(Length(text))

    async with open_supervisor(Child("a", collects, mailbox=box, restart=Restart.TEMPORARY), instruments=[]) as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused, "a")
            nursery.start_soon(refused, "b")
        assert not any(request.wanted for request in held)
        held[0].reply(1)  # by what outlived the run: nobody waits, and nothing happens
        supervisor.stop()


async def test_a_request_that_is_handed_on_urgently_is_answered_before_the_others(autojump_clock: MockClock) -> None:
    front, back = Mailbox[Length](), Mailbox[Length]()
    order: list[str] = []

    async def forward(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for request in front:
            back.address.send_nowait(request, urgent=True)

    async def answer(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        async for request in back:
            order.append(request.text)
            request.reply(len(request.text))

    back.address.send_nowait(Length("waits"))
    async with open_supervisor(Child("back", answer, mailbox=back), Child("front", forward, mailbox=front)) as supervisor:
        assert await front.address.ask(Length("urgent")) == 6
        supervisor.stop()
    assert order == ["urgent", "waits"]


async def test_a_request_that_lies_with_two_is_settled_by_the_one_who_answers(autojump_clock: MockClock) -> None:
    """Whoever is not its actor may have sent it on as well; the end of the other then says nothing."""
    slow, quick = Mailbox[Length](), Mailbox[Length]()
    request = Length("three")
    answers: list[int] = []

    async def dies_with_it(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        await slow.receive()
        await trio.sleep(5)
        raise ValueError("too late to matter")

    async def answers_later(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(2)
        (await quick.receive()).reply(5)

    async def ask() -> None:
        answers.append(await slow.address.ask(request))

    children = [Child("quick", answers_later, mailbox=quick), Child("slow", dies_with_it, mailbox=slow, restart=Restart.TEMPORARY)]
    async with open_supervisor(*children, instruments=[]) as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            quick.address.send_nowait(request)
            await trio.sleep(3)
            assert answers == [5]
        assert (await supervisor.handle("slow").exited()).how == "raised"
        supervisor.stop()


async def test_a_request_that_is_taken_back_leaves_the_others_in_their_places(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    box.address.send_nowait(Length("first"))
    with trio.move_on_after(1):
        await box.address.ask(Length("given up"))
    box.address.send_nowait(Length("last"))
    assert [box.receive_nowait().text, box.receive_nowait().text, box.queued] == ["first", "last", 0]


async def test_requests_that_were_merely_sent_are_dead_letters_like_any(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    recorder = Recorder()
    async with open_supervisor(Child("deaf", forever, mailbox=box, shutdown=0), instruments=[recorder]) as supervisor:
        await box.address.send(Length("x"))
        supervisor.stop()
    assert recorder.of("dead") == [("deaf", Length("x"))]
