"""Everything that a client can do, as one scenario that each kind of client runs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import anyio.to_thread
import pytest

import aion_trio as aion
from aion_trio.client import SyncClient
from aion_trio.errors import RecordedError
from aion_trio.history import WorkflowStatus
from tests.daemon import services
from tests.daemon.services import Order, Parcel, Receipt


class InThread:
    """A synchronous client or handle with the asynchronous face, so that the scenario is written once."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        if name == "handle":
            return lambda *args, **kwargs: InThread(found(*args, **kwargs))
        if name in ("list_workflows", "history", "statuses", "watch"):
            return lambda *args, **kwargs: self._iterate(partial(found, *args, **kwargs))
        if not callable(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            value = await anyio.to_thread.run_sync(partial(found, *args, **kwargs))
            return InThread(value) if name == "start" else value

        return call

    async def _iterate(self, begin: Callable[[], Any]) -> AsyncIterator[Any]:
        iterator = begin()
        try:
            while (item := await anyio.to_thread.run_sync(next, iterator, None)) is not None:
                yield item
        finally:
            iterator.close()


async def whole_api(client: Any, me: str) -> None:
    """Use every call once or more; `me` begins all ids."""
    client = InThread(client) if isinstance(client, SyncClient) else client
    await typed_values(client, me)
    await messages(client, me)
    await endings(client, me)
    await refusals(client, me)
    await listings(client, me)
    await streams(client, me)
    await moves(client, me)


async def typed_values(client: Any, me: str) -> None:
    order = Order(
        uuid.UUID(int=7), datetime(2026, 1, 31, 12, tzinfo=UTC), [Parcel(Decimal("1.10")), Parcel(Decimal("2.20"), True)], frozenset("ab")
    )
    receipt = await client.execute(services.ship, order, id=f"{me}/ship ä")
    assert receipt == Receipt(order.id, Decimal("3.30"), {0: b"\x00label", 1: b"\x00label"})
    again = await client.start(services.ship, order, id=f"{me}/ship ä")
    assert await again.result() == receipt and again.run_id is not None
    assert (await client.handle(f"{me}/ship ä").result()) == receipt
    assert await client.execute("double", 21, id=f"{me}/named") == 42


async def messages(client: Any, me: str) -> None:
    handle = await client.start(services.waits, 1, id=f"{me}/waits")
    assert await handle.query(services.stage) == "waiting" and await handle.query("stage") == "waiting"
    assert await handle.query(services.heaviest) == Parcel(Decimal("1.50"), True)
    with pytest.raises(aion.QueryNotServedError):
        await handle.query("nothing")
    with pytest.raises(KeyError, match="nothing here"):
        await handle.query(services.broken)
    assert "in waits" in await handle.stack()
    sums = await client.start(services.sums, 0, id=f"{me}/sums")
    for _ in range(2):
        await sums.signal(services.go, 5, request_id="once")
    await sums.signal("go", 3)
    await sums.signal(services.go, -1)
    assert await sums.result() == 8
    await handle.signal(services.go, 2)
    assert await handle.result() == 3


async def endings(client: Any, me: str) -> None:
    with pytest.raises(aion.WorkflowFailedError) as failed:
        await client.execute(services.fails, "no", id=f"{me}/fails")
    cause = failed.value.__cause__
    assert isinstance(cause, aion.ActivityFailedError) and cause.type == "Declined" and cause.message == "no"
    assert isinstance(cause.__cause__, ValueError) and str(cause.__cause__) == "no funds"
    with pytest.raises(aion.WorkflowFailedError) as plain:
        await client.execute(services.raises_value_error, id=f"{me}/value")
    assert isinstance(plain.value.__cause__, ValueError) and plain.value.__cause__.args == ("seven", 7)
    assert not isinstance(plain.value.__cause__, RecordedError)
    hangs = await client.start(services.hangs, id=f"{me}/cancelled")
    await hangs.cancel("enough")
    with pytest.raises(aion.WorkflowCancelledError, match="enough"):
        await hangs.result()
    hangs = await client.start(services.hangs, id=f"{me}/terminated")
    await hangs.terminate("at once")
    with pytest.raises(aion.WorkflowTerminatedError, match="at once"):
        await hangs.result()
    late = await client.start(services.hangs, id=f"{me}/late", timeout=0.05)
    with pytest.raises(aion.WorkflowTimedOutError):
        await late.result()
    down = await client.start(services.counts_down, 2, id=f"{me}/down")
    assert await down.result() == "zero"
    with pytest.raises(aion.WorkflowContinuedAsNewError) as continued:
        await client.handle(f"{me}/down", down.run_id).result()
    assert len(continued.value.new_run_id) == 32


async def refusals(client: Any, me: str) -> None:
    for call in (
        lambda handle: handle.describe(),
        lambda handle: handle.result(),
        lambda handle: handle.signal("go", 1),
        lambda handle: handle.stack(),
    ):
        with pytest.raises(aion.WorkflowNotFoundError):
            await call(client.handle(f"{me}/nobody"))
    with pytest.raises(aion.WorkflowNotRegisteredError, match="double"):
        await client.start("doubel", 1)
    with pytest.raises(aion.InvalidInputError) as misfit:
        await client.start("double", "one")
    assert misfit.value.path == "n"
    with pytest.raises(aion.WorkflowAlreadyStartedError):
        await client.start(services.double, 1, id=f"{me}/named", if_exists="fail")
    with pytest.raises(aion.WorkflowClosedError):
        await client.handle(f"{me}/named").signal("go", 1)


async def listings(client: Any, me: str) -> None:
    label = f"{me}-label"
    for n in range(3):
        await client.start(services.double, n, id=f"{me}/listed-{n}", attributes={"label": label, "n": n})
    found = [line async for line in client.list_workflows(attributes={"label": label})]
    assert sorted(line.id for line in found) == [f"{me}/listed-{n}" for n in range(3)]
    assert all(line.attributes["label"] == label and line.type == "double" for line in found)
    assert await client.count_workflows(type="double", attributes={"label": label, "n": 1}) == 1
    failed = [line async for line in client.list_workflows(status=WorkflowStatus.FAILED, started_after=datetime(2020, 1, 1, tzinfo=UTC))]
    assert f"{me}/fails" in [line.id for line in failed]
    described = await client.handle(f"{me}/fails").describe()
    assert described.status is WorkflowStatus.FAILED and described.history_length > 3 and described.closed_at is not None


async def streams(client: Any, me: str) -> None:
    handle = await client.start(services.sleeps, 0.05, id=f"{me}/sleeps")
    seen: list[str] = []
    async with aclosing(handle.history(follow=True)) as followed:
        async for event in followed:
            seen.append(type(event).__name__)
            if seen[-1] == "WorkflowCompleted":
                break
    assert seen == ["WorkflowStarted", "TimerStarted", "TimerFired", "WorkflowCompleted"]
    events = [event async for event in handle.history()]
    assert [type(event).__name__ for event in events] == seen and [event.seq for event in events] == [1, 2, 3, 4]
    waits = await client.start(services.waits, 0, id=f"{me}/watched")
    statuses: list[WorkflowStatus] = []
    async with aclosing(waits.statuses()) as changes:
        async for status in changes:
            statuses.append(status)
            if not status.open:
                break
            await waits.signal(services.go, 1)
    assert statuses == [WorkflowStatus.RUNNING, WorkflowStatus.COMPLETED]
    counts = await client.start(services.counts, 3, id=f"{me}/counts")
    first = client.handle(f"{me}/counts", counts.run_id)
    for watched, expected in ((first, [0, 1, 2]), (counts, [0, 1])):
        answers: list[int] = []
        async with aclosing(watched.watch(services.counted if watched is first else "counted")) as news:
            async for answer in news:
                answers.append(answer)
                if answer < expected[-1]:
                    await counts.signal(services.go, 1)
        assert answers == expected
    assert [answer async for answer in first.watch(services.counted)] == [2]


async def moves(client: Any, me: str) -> None:
    lines = await client.export_history(f"{me}/named")
    with pytest.raises(aion.WorkflowAlreadyStartedError):
        await client.import_history(lines)
    moved = [line.replace(f'"{me}/named"', f'"{me}/moved"') for line in lines]
    assert await client.import_history(moved) == f"{me}/moved"
    assert await client.handle(f"{me}/moved").result() == 42
    await client.release(f"{me}/moved")
    assert (await client.recovery()).quarantined == ()
    assert [child.name for child in (await client.tree()).children][-1] == "gateway"
