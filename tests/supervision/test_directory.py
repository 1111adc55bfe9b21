"""One actor for each key that is spoken to; no message is lost between one incarnation and the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import (
    ActorStopped,
    AskCycle,
    Backoff,
    Budget,
    Child,
    Directory,
    Exit,
    Instrument,
    Mailbox,
    NotAnswered,
    Request,
    open_directory,
    open_supervisor,
)

from .scenes import PROMPT, Recorder


@dataclass(frozen=True)
class Add(Request[int]):
    """Add to the sum of this key, and tell it."""

    amount: int


@dataclass
class Sums:
    """Actors that keep a sum each, over their incarnations."""

    sums: dict[str, int]
    born: list[str]

    async def activate(self, key: str, mailbox: Mailbox[Add]) -> None:
        self.born.append(key)
        total = self.sums.get(key, 0)
        try:
            async for request in mailbox:
                if request.amount < 0:
                    raise ValueError("negative")
                total += request.amount
                request.reply(total)
        finally:
            self.sums[key] = total


async def test_an_actor_is_made_by_its_first_message_and_closed_when_idle(autojump_clock: MockClock) -> None:
    sums = Sums({}, [])
    async with open_directory(sums.activate, idle_after=10) as directory:
        assert await directory.ask("k", Add(1)) == 1
        assert await directory.ask("k", Add(1)) == 2
        await trio.sleep(9.9)
        assert len(directory) == 1 and "k" in directory and directory.keys() == ("k",)
        await trio.sleep(0.2)
        assert len(directory) == 0
        assert await directory.ask("k", Add(1)) == 3
    assert sums.born == ["k", "k"]


async def test_idle_time_begins_when_the_work_is_done(autojump_clock: MockClock) -> None:
    async def slow(key: str, mailbox: Mailbox[int]) -> None:
        async for _ in mailbox:
            await trio.sleep(100)

    async with open_directory(slow, idle_after=10) as directory:
        await directory.send("k", 1)
        await trio.sleep(109)
        assert len(directory) == 1
        await trio.sleep(2)
        assert len(directory) == 0


async def test_over_the_limit_the_one_that_is_idle_for_longest_goes(autojump_clock: MockClock) -> None:
    sums = Sums({}, [])
    async with open_directory(sums.activate, limit=2, idle_after=math.inf) as directory:
        for key in ("a", "b", "a", "c"):
            await directory.ask(key, Add(1))
        await wait_all_tasks_blocked()
        assert set(directory.keys()) == {"a", "c"}


async def test_the_limit_lets_nobody_go_who_has_something_to_do(autojump_clock: MockClock) -> None:
    done: list[str] = []

    async def work(key: str, mailbox: Mailbox[int]) -> None:
        async for _ in mailbox:
            await trio.sleep(5)
            done.append(key)

    async with open_directory(work, limit=1) as directory:
        for key in "abc":
            await directory.send(key, 1)
        await trio.sleep(1)
        assert len(directory) == 3
        await trio.sleep(5)
        assert len(directory) == 1
    assert sorted(done) == ["a", "b", "c"]


async def test_one_who_waits_for_a_certain_message_is_not_idle(autojump_clock: MockClock) -> None:
    got: list[int] = []

    async def picky(key: str, mailbox: Mailbox[int]) -> None:
        got.append(await mailbox.receive(lambda number: number > 5))

    async with open_directory(picky, idle_after=1) as directory:
        await directory.send("k", 9)
        await directory.send("j", 1)
        await trio.sleep(100)
        assert directory.keys() == ("j",)
        await directory.send("j", 7)
        await trio.lowlevel.checkpoint()
    assert 9 in got and 7 in got


def slow_to_go(live: list[int], got: list[int]) -> Callable[[str, Mailbox[int]], Any]:
    async def activate(key: str, mailbox: Mailbox[int]) -> None:
        live[0] += 1
        assert live[0] == 1, "two incarnations at once"
        try:
            await trio.sleep(0.01)
            async for number in mailbox:
                got.append(number)
            await trio.sleep(0.5)
        finally:
            live[0] -= 1

    return activate


async def test_a_message_that_meets_a_closing_actor_wakes_the_next(autojump_clock: MockClock) -> None:
    live, got = [0], list[int]()
    async with open_directory(slow_to_go(live, got), idle_after=1, capacity=2) as directory:
        await directory.send("k", 1)
        await trio.sleep(1.2)
        assert live == [1]
        directory.send_nowait("k", 3)
        directory.send_nowait("k", 2, urgent=True)
        directory.send_nowait("k", 4)
        with pytest.raises(trio.WouldBlock):
            directory.send_nowait("k", 5)
        await trio.sleep(5)
        assert got == [1, 2, 3, 4]


async def test_a_failed_actor_is_run_again_on_the_same_mailbox(autojump_clock: MockClock) -> None:
    sums = Sums({}, [])
    failed: list[tuple[str, str]] = []

    def note(key: str, error: Exception) -> None:
        failed.append((key, str(error)))

    async with open_directory(sums.activate, backoff=PROMPT, on_failed=note, instruments=[]) as directory:
        async with trio.open_nursery() as nursery:

            async def die() -> None:
                with pytest.raises(NotAnswered):
                    await directory.ask("k", Add(-1))

            nursery.start_soon(die)
            await wait_all_tasks_blocked()
            assert await directory.ask("k", Add(5)) == 5, "it waited in the mailbox"
    assert failed == [("k", "negative")] and sums.born == ["k", "k"]


async def test_a_key_that_keeps_failing_is_set_aside_alone(autojump_clock: MockClock) -> None:
    sums = Sums({}, [])
    recorder = Recorder()
    async with open_directory(sums.activate, backoff=PROMPT, budget=Budget(2, 5.0), instruments=[recorder]) as directory:
        for _ in range(3):
            with pytest.raises(NotAnswered):
                await directory.ask("bad", Add(-1))
        await wait_all_tasks_blocked()
        assert [str(error) for error in directory.quarantined.values()] == ["negative"]
        with pytest.raises(ActorStopped, match="quarantined after ValueError") as caught:
            directory.send_nowait("bad", Add(1), urgent=True)
        assert isinstance(caught.value.__cause__, ValueError)
        assert await directory.ask("good", Add(1)) == 1
        assert [(node.name, node.state) for node in directory.snapshot().children] == [("good", "running"), ("bad", "quarantined")]
        assert not directory.release("good") and directory.release("bad")
        assert await directory.ask("bad", Add(1)) == 1
    assert [name for name, _ in recorder.of("quarantined")] == ["bad"]


async def test_who_is_told_of_a_failure_sees_whether_it_was_the_last(autojump_clock: MockClock) -> None:
    seen: list[bool] = []
    found: list[Directory[str, Any]] = []

    async def broken(key: str, mailbox: Mailbox[int]) -> None:
        await mailbox.receive()
        raise ValueError

    def note(key: str, error: Exception) -> None:
        seen.append(key in found[0].quarantined)

    async with open_directory(broken, on_failed=note, backoff=PROMPT, budget=Budget(1, 5.0), instruments=[]) as directory:
        found.append(directory)
        for number in range(2):
            await directory.send("k", number)
        await trio.sleep(2)
    assert seen == [False, True]


async def test_what_a_key_that_is_set_aside_was_sent_is_dead_letters(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def broken(key: str, mailbox: Mailbox[int]) -> None:
        await mailbox.receive()
        raise ValueError

    async with open_directory(broken, budget=Budget(0, 5.0), instruments=[recorder]) as directory:
        for number in range(3):
            directory.send_nowait("k", number)
        await wait_all_tasks_blocked()
    assert recorder.of("dead") == [("k", 1), ("k", 2)]


async def test_flapping_is_noticed_across_incarnations(autojump_clock: MockClock) -> None:
    async def dies_when_let_go(key: str, mailbox: Mailbox[int]) -> None:
        async for _ in mailbox:
            pass
        raise ValueError("every time")

    options: dict[str, Any] = {"idle_after": 0.1, "backoff": Backoff(initial=0.1, maximum=0.1, jitter=0), "budget": Budget(3, 5.0)}
    async with open_directory(dies_when_let_go, instruments=[], **options) as directory:
        for _ in range(4):
            await directory.send("k", 1)
            await trio.sleep(0.25)
        assert list(directory.quarantined) == ["k"]


async def test_returning_with_mail_begins_again_but_not_for_ever(autojump_clock: MockClock) -> None:
    got: list[int] = []

    async def one_each(key: str, mailbox: Mailbox[int]) -> None:
        got.append(await mailbox.receive())

    async with open_directory(one_each, instruments=[]) as directory:
        for number in range(5):
            await directory.send("k", number)
    assert got == list(range(5))

    async def reads_nothing(key: str, mailbox: Mailbox[int]) -> None: ...

    async with open_directory(reads_nothing, backoff=PROMPT, instruments=[]) as directory:
        await directory.send("k", 1)
        await trio.sleep(5)
        assert "without receiving" in str(directory.quarantined["k"])


async def test_leaving_drains_within_grace_then_cancels(autojump_clock: MockClock) -> None:
    done: list[int] = []
    recorder = Recorder()

    async def slow(key: str, mailbox: Mailbox[int]) -> None:
        async for number in mailbox:
            await trio.sleep(1)
            done.append(number)

    async with open_directory(slow, grace=2.5, instruments=[recorder]) as directory:
        for number in range(5):
            await directory.send("k", number)
    assert done == [0, 1] and recorder.of("dead") == [("k", 3), ("k", 4)]
    with pytest.raises(ActorStopped, match="is closed"):
        directory.send_nowait("k", 9, urgent=True)


async def test_a_cancelled_block_cancels_its_actors_after_the_body(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def actor(key: str, mailbox: Mailbox[int]) -> None:
        try:
            async for _ in mailbox:
                pass
        finally:
            log.append(key)

    with trio.move_on_after(1):
        async with open_directory(actor) as directory:
            try:
                await directory.send("k", 1)
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)
                log.append("body")
    assert log == ["body", "k"]


async def test_an_actor_that_will_not_end_is_named(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def wedged(key: str, mailbox: Mailbox[int]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(7)

    async with open_directory(wedged, grace=2, instruments=[recorder]) as directory:
        await directory.send("k", 1)
    assert [(name, waited) for name, waited, _ in recorder.of("unresponsive")] == [("k", 2), ("k", 4)]
    assert "wedged" in recorder.of("unresponsive")[0][2]


async def test_a_keyboard_interrupt_in_an_actor_goes_up(autojump_clock: MockClock) -> None:
    async def interrupted(key: str, mailbox: Mailbox[int]) -> None:
        raise KeyboardInterrupt

    with pytest.RaisesGroup(KeyboardInterrupt):
        async with open_directory(interrupted, instruments=[]) as directory:
            await directory.send("k", 1)
            await trio.sleep_forever()


async def test_a_callback_that_raises_is_contained(autojump_clock: MockClock) -> None:
    async def broken(key: str, mailbox: Mailbox[int]) -> None:
        await mailbox.receive()
        raise ValueError

    def bad(key: str, error: Exception) -> None:
        raise RuntimeError("in on_failed")

    async with open_directory(broken, on_failed=bad, budget=Budget(0, 1.0), instruments=[]) as directory:
        await directory.send("k", 1)
        await wait_all_tasks_blocked()
        assert list(directory.quarantined) == ["k"]


async def test_a_directory_in_a_supervised_child_is_part_of_its_tree(autojump_clock: MockClock) -> None:
    sums = Sums({}, [])

    async def runs(*, task_status: trio.TaskStatus[Any]) -> None:
        async with open_directory(sums.activate) as directory:
            task_status.started(directory)
            await trio.sleep_forever()

    async with open_supervisor(Child("runs", runs), name="engine") as supervisor:
        directory = supervisor["runs"]
        await directory.ask("k", Add(1))
        assert directory.path == "engine/runs"
        (node,) = supervisor.snapshot().children
        assert node.kind == "directory" and [each.path for each in node.children] == ["engine/runs/k"]
        begun = trio.current_time()
        supervisor.stop()
    assert trio.current_time() == begun, "stopping lets the actors finish, and then does not wait for the body"


@pytest.mark.parametrize("options", [{"idle_after": 0}, {"limit": 0}, {"capacity": 0.5}])
async def test_rules_that_cannot_be_kept_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        async with open_directory(Sums({}, []).activate, **options):
            pass


async def test_an_actor_on_its_way_out_that_asks_its_own_key_is_told(autojump_clock: MockClock) -> None:
    """The next incarnation would begin when this one has ended."""
    caught: list[tuple[str, ...]] = []

    async def activate(key: str, mailbox: Mailbox[Any]) -> None:
        async for _ in mailbox:
            pass
        try:
            await found[0].ask(key, Add(1))
        except AskCycle as error:
            caught.append(error.path)

    found: list[Directory[str, Any]] = []
    async with open_directory(activate, idle_after=1, name="d") as directory:
        found.append(directory)
        await directory.send("k", 1)
        await trio.sleep(2)
        assert len(directory) == 0, "nobody is woken by a request that was taken back"
    assert caught == [("d/k", "d/k")]


async def test_what_fails_beside_a_cancellation_does_not_leave_the_directory(autojump_clock: MockClock) -> None:
    """A nursery raises both in one group, which is no `Exception`."""
    failures: list[Exception] = []

    async def assist() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("while cleaning up")

    async def activate(key: str, mailbox: Mailbox[int]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(assist)
            await trio.sleep_forever()

    with trio.move_on_after(1):
        async with open_directory(activate, on_failed=lambda _, error: failures.append(error), instruments=[]) as directory:
            await directory.send("k", 1)
            await trio.sleep_forever()
    assert pytest.RaisesGroup(OSError).matches(failures[0])


async def test_an_interrupt_in_an_actor_is_told_and_goes_up(autojump_clock: MockClock) -> None:
    exits: list[Exit] = []

    class Ends(Instrument):
        def child_exited(self, path: str, exit: Exit) -> None:
            exits.append(exit)

    async def activate(key: str, mailbox: Mailbox[int]) -> None:
        raise KeyboardInterrupt

    with pytest.RaisesGroup(KeyboardInterrupt):
        async with open_directory(activate, instruments=[Ends()]) as directory:
            await directory.send("k", 1)
            await trio.sleep_forever()
    assert isinstance(exits[0].error, KeyboardInterrupt) and exits[0].failure is None


async def test_an_actor_lives_in_the_context_of_the_directory_not_of_its_first_sender(autojump_clock: MockClock) -> None:
    said_by: ContextVar[str] = ContextVar("said_by", default="the directory")
    seen: list[str] = []

    async def activate(key: str, mailbox: Mailbox[int]) -> None:
        async for _ in mailbox:
            seen.append(said_by.get())

    async def send() -> None:
        said_by.set("a sender")
        await directory.send("k", 1)

    async with open_directory(activate) as directory:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
    assert seen == ["the directory"]


async def test_a_grace_that_makes_no_sense_is_refused() -> None:
    async def activate(key: str, mailbox: Mailbox[int]) -> None: ...

    for grace in (-1.0, math.nan):
        with pytest.raises(ValueError, match="grace is a number"):
            async with open_directory(activate, grace=grace):
                pytest.fail("the body must not run")
