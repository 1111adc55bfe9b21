"""How long a child may take to end, and who hears of one that takes longer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from aion_trio.supervision import Child, Mailbox, open_directory, open_supervisor

from .scenes import Recorder

BEFORE = 10  # seconds until the stop


def hanging(seconds: float) -> Callable[..., Awaitable[None]]:
    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(BEFORE + seconds)

    return child


@pytest.mark.parametrize(
    ("shutdown", "lasts", "told"),
    [(0, 3.5, [1, 2, 3]), (0.5, 2.5, [1, 2]), (2, 5, [2, 4]), (60, 130, [60, 120]), (100, 150, [60, 120])],
)
async def test_one_that_does_not_end_is_named_at_every_shutdown_but_once_a_second_at_most_and_once_a_minute_at_least(
    autojump_clock: MockClock, shutdown: float, lasts: float, told: list[float]
) -> None:
    recorder = Recorder()
    child = Child("w", hanging(lasts), shutdown=shutdown)
    async with open_supervisor(child, instruments=[recorder]) as supervisor:
        await trio.sleep(BEFORE)
        supervisor.stop()
    assert [waited for _, waited, _ in recorder.of("unresponsive")] == told


async def test_one_that_ends_in_time_is_not_named(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    async with open_supervisor(Child("w", hanging(1), shutdown=2), instruments=[recorder]) as supervisor:
        await trio.sleep(BEFORE)
        supervisor.stop()
    assert recorder.of("unresponsive") == []


@pytest.mark.parametrize(("grace", "told"), [(0, [1, 2, 3]), (0.5, [1, 2, 3]), (2, [2])])
async def test_so_it_is_with_keyed_actors(autojump_clock: MockClock, grace: float, told: list[float]) -> None:
    recorder = Recorder()

    async def wedged(key: str, mailbox: Mailbox[int]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(BEFORE + grace + 3.5)

    async with open_directory(wedged, grace=grace, instruments=[recorder]) as directory:
        await directory.send("k", 1)
        await trio.sleep(BEFORE)
    assert [waited for _, waited, _ in recorder.of("unresponsive")] == told


@pytest.mark.parametrize("keyed", [False, True])
async def test_five_seconds_to_empty_a_mailbox_where_nothing_is_said(autojump_clock: MockClock, keyed: bool) -> None:
    done: list[int] = []
    box = Mailbox[int]()

    async def works(mailbox: Mailbox[int]) -> None:
        async for number in mailbox:
            await trio.sleep(2)
            done.append(number)

    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await works(box)

    async def actor(key: str, mailbox: Mailbox[int]) -> None:
        await works(mailbox)

    if keyed:
        async with open_directory(actor, instruments=[]) as directory:
            for number in range(5):
                await directory.send("k", number)
    else:
        async with open_supervisor(Child("a", child, mailbox=box), instruments=[]) as supervisor:
            for number in range(5):
                await box.address.send(number)
            supervisor.stop()
    assert done == [0, 1] and trio.current_time() == 5


async def test_less_than_a_second_is_time_as_well(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    done: list[int] = []

    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for number in box:
            await trio.sleep(0.25)
            done.append(number)

    async with open_supervisor(Child("a", child, mailbox=box, shutdown=0.6), instruments=[]) as supervisor:
        for number in range(5):
            await box.address.send(number)
        supervisor.stop()
    assert done == [0, 1] and trio.current_time() == 0.6
