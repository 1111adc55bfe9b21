"""What a run keeps hold of, and what it lets go at once: nothing waits for the cyclic collector."""

from __future__ import annotations

import weakref
from typing import Any

import anyio
import pytest

from aion_trio import durable

from .worlds import Runner, in_both_worlds, on_kernel

pytestmark = pytest.mark.usefixtures("no_collector")


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


class Failure(Exception):
    """One that a weak reference can lead to."""


@pytest.mark.parametrize("where", ["body", "child", "start"])
def test_an_error_that_left_a_group_of_anyio_is_freed_with_the_last_reference(where: str) -> None:
    async def fail(*, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        raise Failure

    async def main() -> list[Any]:
        left: list[Any] = []
        try:
            async with anyio.create_task_group() as group:
                if where == "body":
                    await fail()
                elif where == "start":
                    await group.start(fail)
                else:
                    group.start_soon(fail)
        except* Failure as errors:
            left += [weakref.ref(errors), weakref.ref(errors.exceptions[0])]
        await durable.checkpoint()
        return [each() for each in left]

    assert on_kernel(main) == [None, None]
