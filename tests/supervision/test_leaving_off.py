"""Who leaves off listening, linking, sending or asking leaves nothing behind."""

from __future__ import annotations

import gc

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import ActorStopped, Child, Exit, Mailbox, linked, open_directory, open_supervisor, watch

from .scenes import PROMPT, Length, failing, forever, measure


async def test_who_has_left_off_watching_is_told_nothing(autojump_clock: MockClock) -> None:
    """What it read from is closed, so that telling it would disturb the run's end."""
    heard: list[Exit | None] = []
    async with open_supervisor(Child("a", failing(1, after=1), backoff=PROMPT), instruments=[]) as supervisor:
        unsubscribe = supervisor.handle("a").subscribe(heard.append)
        unsubscribe()
        unsubscribe()  # once more does no harm
        with watch(supervisor.handle("a")):
            pass
        await trio.sleep(5)
        assert supervisor.handle("a").runs == 2
        supervisor.stop()
    assert heard == []


async def test_many_links_to_one_child_do_not_add_up(autojump_clock: MockClock) -> None:
    """As of a server's sessions to its store."""

    def scopes() -> int:
        gc.collect()
        return sum(type(each) is trio.CancelScope for each in gc.get_objects())

    async with open_supervisor(Child("a", forever)) as supervisor:
        before = scopes()
        for _ in range(10):
            with linked(supervisor.handle("a")):
                await trio.lowlevel.checkpoint()
        assert scopes() == before
        supervisor.stop()


async def test_a_link_that_is_left_before_the_child_ends_is_no_concern_of_it(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", failing(1, after=1), backoff=PROMPT), instruments=[]) as supervisor:
        with trio.CancelScope() as scope, linked(supervisor.handle("a")):
            scope.cancel()
            await trio.sleep_forever()
        assert scope.cancelled_caught
        await trio.sleep(3)
        supervisor.stop()


async def test_who_is_cancelled_already_sends_nothing() -> None:
    """Though there would be room."""
    box = Mailbox[Length]()
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.address.send(Length("sent"))
    assert scope.cancelled_caught
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.address.ask(Length("asked"))
    assert scope.cancelled_caught
    assert (box.queued, box.statistics().peak) == (0, 0)


async def test_who_is_cancelled_already_wakes_no_keyed_actor() -> None:
    async def activate(key: str, mailbox: Mailbox[Length]) -> None:
        await measure(mailbox)

    async with open_directory(activate) as directory:
        for act in (directory.send, directory.ask):
            with trio.CancelScope() as scope:
                scope.cancel()
                await act("k", Length("x"))
            assert scope.cancelled_caught and len(directory) == 0


async def test_a_request_that_was_refused_can_be_asked_elsewhere(autojump_clock: MockClock) -> None:
    shut, full, open_ = Mailbox[Length](), Mailbox[Length](1), Mailbox[Length]()
    shut.close()
    full.address.send_nowait(Length("first"))
    request = Length("four")
    with pytest.raises(ActorStopped):
        await shut.address.ask(request)
    assert not request.wanted
    with trio.move_on_after(1):
        await full.address.ask(request)
    assert not request.wanted and full.statistics().senders_waiting == 0
    async with open_supervisor(Child("actor", measure, (open_,), mailbox=open_)) as supervisor:
        assert await open_.address.ask(request) == 4
        supervisor.stop()


async def test_a_request_in_hand_whose_asker_has_gone_away_is_not_wanted_until_it_is_asked_anew(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    request = Length("four")
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(box.address.ask, request)
            await wait_all_tasks_blocked()
            assert (await box.receive()).wanted
    assert not request.wanted
    request.reply(1)  # nobody waits, and nothing happens
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.address.ask, request)
        again = await box.receive()
        assert again is request and again.wanted
        again.reply(4)
