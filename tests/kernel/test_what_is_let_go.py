"""What a run keeps hold of, and what it lets go at once: nothing waits for the cyclic collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from aion_trio import durable

from .worlds import Runner, in_both_worlds


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """Only what nothing refers to is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Parcel:
    """Something that a weak reference can lead to."""


@in_both_worlds
def test_what_a_task_received_is_its_own(run: Runner) -> None:
    """When the task lets go of it, it is freed, though the task goes on."""

    async def main() -> list[Any]:
        send, receive = durable.open_memory_channel(0)
        seen: list[Any] = []

        async def receiver() -> None:
            seen.append(weakref.ref(await receive.receive()))
            await durable.sleep(2)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(receiver)
            await durable.sleep(1)
            await send.send(Parcel())
            await durable.sleep(1)
            return [parcel() for parcel in seen]

    assert run(main) == [None]


@in_both_worlds
def test_a_channel_that_nobody_can_receive_from_keeps_nothing(run: Runner) -> None:
    async def main() -> list[Any]:
        send, receive = durable.open_memory_channel(1)
        parcel = Parcel()
        sent = weakref.ref(parcel)
        send.send_nowait(parcel)
        del parcel
        assert sent() is not None
        receive.close()
        return [sent(), send.close()]

    assert run(main) == [None, None]
