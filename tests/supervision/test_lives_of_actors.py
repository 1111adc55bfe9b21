"""A directory over time: what it remembers of failures, whom it lets go and takes back, and how it ends."""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import (
    AskCycle,
    Backoff,
    Budget,
    Exit,
    Instrument,
    Mailbox,
    Request,
    open_directory,
)

from .scenes import AMPLE, PROMPT, Recorder, lasting, reads


@dataclass(frozen=True)
class Relay(Request[str]):
    """Ask these, one after the other."""

    route: tuple[str, ...]


async def lingers(key: str, mailbox: Mailbox[Any]) -> None:
    """An actor that takes ten seconds to end when it is let go."""
    async for _ in mailbox:
        pass
    await trio.sleep(10)


class Latest(Random):
    """Chance that makes every back-off as long as it can be."""

    def uniform(self, a: float, b: float) -> float:
        return b


# What is remembered of failures.


@pytest.mark.parametrize("jitter", [0.0, 0.5])
async def test_a_row_is_remembered_over_the_longest_back_off(autojump_clock: MockClock, jitter: float) -> None:
    """No run has lasted long enough to break it, however late the next failure comes."""
    recorder = Recorder()
    options: dict[str, Any] = {"backoff": Backoff(initial=4, maximum=4, jitter=jitter, reset_after=10), "budget": Budget(1, 7.0)}
    async with open_directory(lasting(9.5, 9.5, 9.5), instruments=[recorder], random=Latest(), **options) as directory:
        await directory.send("k", "begin")
        await trio.sleep(60)
    assert recorder.of("restarting") == [("k", 1), ("k", 2), ("k", 3)]


async def test_the_chance_of_a_back_off_is_the_one_that_was_given(autojump_clock: MockClock) -> None:
    told: list[tuple[str, float, int]] = []

    class Restarts(Instrument):
        def child_restarting(self, path: str, delay: float, streak: int) -> None:
            told.append((path, delay, streak))

    options: dict[str, Any] = {"instruments": [Restarts()], "random": Latest(), "budget": AMPLE}
    async with open_directory(lasting(1, 1), backoff=Backoff(initial=1, maximum=3, jitter=0.25), **options) as directory:
        await directory.send("k", "begin")
        await trio.sleep(10)
    assert told == [("directory/k", 1.25, 1), ("directory/k", 2.5, 2)]


@pytest.mark.parametrize(("seconds", "streaks"), [(9, [1, 2]), (10, [1, 1]), (11, [1, 1])])
async def test_a_run_that_lasted_long_enough_breaks_the_row(autojump_clock: MockClock, seconds: float, streaks: list[int]) -> None:
    recorder = Recorder()
    backoff = Backoff(initial=1, maximum=100, jitter=0, reset_after=10)
    async with open_directory(lasting(1, seconds), instruments=[recorder], backoff=backoff, budget=AMPLE) as directory:
        await directory.send("k", "begin")
        await trio.sleep(60)
    assert recorder.of("restarting") == [("k", streak) for streak in streaks]


async def test_to_forget_one_key_is_not_to_forget_another(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def fails(key: str, mailbox: Mailbox[str]) -> None:
        async for _ in mailbox:
            raise ValueError

    backoff = Backoff(initial=1, maximum=2, jitter=0, reset_after=10)
    async with open_directory(fails, instruments=[recorder], backoff=backoff, budget=Budget(5, 10.0)) as directory:
        for key, pause in (("old", 8), ("new", 6), ("new", 1)):
            await directory.send(key, "fail")
            await trio.sleep(pause)
    assert recorder.of("restarting") == [("old", 1), ("new", 1), ("new", 2)]


async def test_who_is_told_of_failures_and_fails_is_logged(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    def bad(key: str, error: Exception) -> None:
        raise RuntimeError("in on_failed")

    async with open_directory(lasting(1), name="d", on_failed=bad, backoff=PROMPT, instruments=[]) as directory:
        await directory.send("k", "begin")
        await trio.sleep(5)
    (record,) = caplog.records
    assert record.getMessage() == "on_failed of d failed" and record.exc_info is not None
    assert str(record.exc_info[1]) == "in on_failed"


# Letting go and taking back.


async def test_where_nothing_is_said(autojump_clock: MockClock) -> None:
    """Sixty-four messages, and a minute."""
    async with open_directory(reads) as directory:
        assert directory.path == "directory"
        for number in range(64):
            directory.send_nowait("k", number)
        with pytest.raises(trio.WouldBlock):
            directory.send_nowait("k", 64)
        await trio.sleep(59.5)
        assert len(directory) == 1
        await trio.sleep(1)
        assert len(directory) == 0


async def test_an_actor_that_is_written_to_while_it_closes_is_one_that_runs(autojump_clock: MockClock) -> None:
    async with open_directory(lingers, idle_after=1, grace=100) as directory:

        def state() -> str:
            (node,) = directory.snapshot().children
            return node.state

        await directory.send("k", 1)
        await trio.sleep(0.5)
        assert state() == "running"
        await trio.sleep(1)
        assert state() == "closing"
        await directory.send("k", 2)
        assert state() == "running"
        await trio.sleep(10)
        assert (state(), directory.snapshot().children[0].runs) == ("running", 2)


async def test_one_that_closes_takes_no_place_and_one_that_is_taken_back_does(autojump_clock: MockClock) -> None:
    async with open_directory(lingers, limit=2, idle_after=math.inf, grace=100) as directory:

        async def write(key: str) -> dict[str, str]:
            await directory.send(key, 1)
            await wait_all_tasks_blocked()
            await trio.sleep(0.1)
            return {node.name: node.state for node in directory.snapshot().children}

        await write("a")
        assert await write("b") == {"a": "running", "b": "running"}
        assert await write("c") == {"a": "closing", "b": "running", "c": "running"}
        assert await write("d") == {"a": "closing", "b": "closing", "c": "running", "d": "running"}
        assert await write("a") == {"a": "running", "b": "closing", "c": "closing", "d": "running"}
        await trio.sleep(30)
        assert set(directory.keys()) == {"a", "d"}
        assert await write("e") == {"a": "running", "d": "closing", "e": "running"}, "d has been idle since before a was taken back"


async def test_an_actor_may_be_idle_before_anybody_looks(autojump_clock: MockClock) -> None:
    """Who takes its message at once is idle at its first step, which may come before any other of the directory."""

    async def at_once(key: str, mailbox: Mailbox[int]) -> None:
        mailbox.receive_nowait()
        await reads(key, mailbox)

    recorder = Recorder()
    for _ in range(20):  # Trio tosses a coin for who comes first
        async with open_directory(at_once, idle_after=1, instruments=[recorder]) as directory:
            directory.send_nowait("k", 1)
            await trio.sleep(2)
            assert len(directory) == 0
    assert recorder.of("exited") == [("k", "returned")] * 20


async def test_actors_that_were_let_go_leave_nothing_behind(autojump_clock: MockClock) -> None:
    """Not even for the cyclic collector, which may come late where there is much."""

    def left() -> int:
        return sum(type(each) in (Mailbox, trio.lowlevel.Task) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = left() + 1  # there is one task that looks for the idle
        async with open_directory(reads, idle_after=1) as directory:
            for key in "abc":
                await directory.send(key, 1)
            await wait_all_tasks_blocked()
            assert left() == before + 2 * 3
            await trio.sleep(2)
            assert (len(directory), left()) == (0, before)
    finally:
        gc.enable()


# The end.


async def test_leaving_waits_for_the_last_actor_and_not_for_the_first(autojump_clock: MockClock) -> None:
    done: list[str] = []

    async def works(key: str, mailbox: Mailbox[float]) -> None:
        async for seconds in mailbox:
            await trio.sleep(seconds)
            done.append(key)

    async with open_directory(works, grace=100) as directory:
        await directory.send("quick", 1)
        await directory.send("slow", 5)
    assert done == ["quick", "slow"]


async def test_leaving_lets_an_actor_that_rests_go_back_to_its_work(autojump_clock: MockClock) -> None:
    """It has failed, and there is mail for its next run."""
    done: list[int] = []

    async def stumbles(key: str, mailbox: Mailbox[int]) -> None:
        async for number in mailbox:
            if number == 0:
                raise ValueError
            done.append(number)

    async with open_directory(stumbles, backoff=PROMPT, instruments=[]) as directory:
        for number in range(2):
            await directory.send("k", number)
        await wait_all_tasks_blocked()
        assert [node.state for node in directory.snapshot().children] == ["waiting"]
    assert done == [1]


async def test_leaving_lets_an_actor_that_has_rested_finish_its_work(autojump_clock: MockClock) -> None:
    done: list[int] = []

    async def stumbles(key: str, mailbox: Mailbox[int]) -> None:
        async for number in mailbox:
            if number == 0:
                raise ValueError
            await trio.sleep(1)
            done.append(number)

    async with open_directory(stumbles, backoff=PROMPT, instruments=[]) as directory:
        await directory.send("k", 0)
        await trio.sleep(0.5)
        await directory.send("k", 1)
        await trio.sleep(0.5)
        assert [node.state for node in directory.snapshot().children] == ["running"]
    assert done == [1]


async def test_an_actor_that_is_cut_off_has_not_failed(autojump_clock: MockClock) -> None:
    exits: list[Exit] = []

    class Ends(Instrument):
        def child_exited(self, path: str, exit: Exit) -> None:
            exits.append(exit)

    async def sleeps(key: str, mailbox: Mailbox[int]) -> None:
        await trio.sleep_forever()

    async with open_directory(sleeps, grace=1, instruments=[Ends()]) as directory:
        await directory.send("k", 1)
    assert [(exit.path, exit.how, exit.error, exit.at) for exit in exits] == [("directory/k", "stopped", None, 1)]


async def test_a_directory_that_is_empty_has_not_been_stopped(autojump_clock: MockClock) -> None:
    ended: list[float] = []

    async def wait_for_the_end() -> None:
        await directory.stopped()
        ended.append(trio.current_time())

    async with open_directory(lingers, idle_after=1, grace=100) as directory, trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_the_end)
        await directory.send("k", 1)
        await trio.sleep(20)
        assert len(directory) == 0 and ended == []
        await directory.send("k", 2)
        await wait_all_tasks_blocked()
        directory.stop()
    assert ended == [30]


async def test_keyed_actors_may_ask_each_other_but_not_in_a_circle(autojump_clock: MockClock) -> None:
    async def relays(key: str, mailbox: Mailbox[Relay]) -> None:
        async for request in mailbox:
            try:
                request.reply(await directory.ask(request.route[0], Relay(request.route[1:])) if request.route else "arrived")
            except AskCycle as error:
                request.fail(error)

    async with open_directory(relays, name="d") as directory:
        for _ in range(2):
            assert await directory.ask("a", Relay(("b", "c"))) == "arrived"
            with pytest.raises(AskCycle) as caught:
                await directory.ask("a", Relay(("b", "c", "a")))
            assert caught.value.path == ("d/c", "d/a", "d/b", "d/c")
