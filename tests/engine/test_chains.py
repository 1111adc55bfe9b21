"""Continue-as-new and passivation: how a workflow goes on for ever without growing, in memory or in its code's eyes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import SignalReceived, WorkflowContinuedAsNew, WorkflowStarted
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet
from .harness import engine_on, history_of, names_of

note = aion.Signal("note", str)
other = aion.Signal("other", int)
lap = aion.Query("lap", int)


@aion.workflow
async def laps(n: int, left: int) -> list[int]:
    """Counts laps; one activity each."""
    lap.serve(lambda: n)
    await shop.add(n, 1)
    if left:
        durable.continue_as_new(n + 1, left - 1)
    info = durable.info()
    return [n, info.history_length, info.history_bytes]


@aion.workflow
async def spins(n: int) -> int:
    """Continues as new without waiting for anything."""
    if n == 0:
        return 0
    durable.continue_as_new(n - 1 if n > 0 else n)


WORKFLOWS = [*shop.WORKFLOWS, laps, spins]


def opened(store: Any = None, **settings: Any) -> Any:
    settings.setdefault("workflows", WORKFLOWS)
    return engine_on(store if store is not None else MemoryStore(), **settings)


# ---- continue-as-new (N1, N2)


async def test_the_successor_has_the_id_the_new_arguments_and_the_carried_attributes(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def changes(n: int) -> dict[str, Any]:
        if n == 0:
            durable.set_attributes({"colour": "red", "size": None, "new": 1})
            durable.continue_as_new(1)
        return dict(durable.info().attributes)

    async with opened(workflows=[changes]) as engine:
        handle = await engine.start(changes, 0, id="c", attributes={"colour": "blue", "size": 3, "kept": True})
        assert await handle.result() == {"colour": "red", "new": 1, "kept": True}
        first, second = await only(engine, "c", WorkflowStarted)
        assert second.parent_run_id == first.run_id and second.origin == 1
        assert (await engine.handle("c").describe()).attributes == {"colour": "red", "new": 1, "kept": True}
        names = await names_of(engine, "c")
        assert names == ["WorkflowStarted", "AttributesUpdated", "WorkflowContinuedAsNew", "WorkflowStarted", "WorkflowCompleted"]


async def test_a_handle_of_one_run_says_where_it_went_on(autojump_clock: MockClock) -> None:
    """H6."""
    async with opened() as engine:
        handle = await engine.start(laps, 0, 2, id="l")
        await handle.result()
        runs = [event.run_id.hex() for event in await only(engine, "l", WorkflowStarted)]
        for run_id, following in pairwise(runs):
            with pytest.raises(aion.WorkflowContinuedAsNewError) as caught:
                await engine.handle("l", run_id).result()
            assert caught.value.new_run_id == following
        assert (await engine.handle("l", runs[-1]).result())[0] == 2
        assert (await handle.result())[0] == 2
        assert await engine.handle("l", runs[0]).query(lap) == 0
        assert await engine.handle("l").query(lap) == 2


async def test_waiting_on_a_run_that_continues_meanwhile(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        chain = await engine.start(shop.carries, 0, id="c")
        outcomes: list[Any] = []

        async def wait(handle: Any) -> None:
            try:
                outcomes.append(await handle.result())
            except aion.WorkflowContinuedAsNewError as error:
                outcomes.append(error.new_run_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, engine.handle("c", chain.run_id))
            nursery.start_soon(wait, chain)
            nursery.start_soon(wait, engine.handle("c"))
            await trio.sleep(1)
            await chain.signal(shop.go, 60)
            await trio.sleep(1)
            await chain.signal(shop.go, 60)
        assert sorted(map(str, outcomes)) == sorted(["120", "120", str((await only(engine, "c", WorkflowStarted))[1].run_id.hex())])


async def test_the_type_can_change_and_the_latest_version_is_taken(autojump_clock: MockClock) -> None:
    """N1, R4: by definition and by name."""

    @aion.workflow(name="second", version=1)
    async def older(n: int) -> str:
        return "older"

    @aion.workflow(name="second", version=2)
    async def newer(n: int) -> str:
        return f"newer {n}"

    @aion.workflow
    async def first(by_name: bool) -> str:
        durable.continue_as_new(7, workflow="second" if by_name else older)

    async with opened(workflows=[first, older, newer]) as engine:
        for by_name in (True, False):
            handle = await engine.start(first, by_name)
            assert await handle.result() == "newer 7"
            description = await handle.describe()
            assert (description.type, description.version) == ("second", 2)


async def test_a_run_continues_on_the_latest_version_of_its_own_type(autojump_clock: MockClock) -> None:
    """N1, V1: until then it is pinned to the version that it was started with."""

    @aion.workflow(name="evolves", version=1)
    async def one() -> str:
        await shop.go.receive()
        durable.continue_as_new()

    @aion.workflow(name="evolves", version=2)
    async def two() -> str:
        return "two"

    store = MemoryStore()
    async with opened(store, workflows=[one]) as engine:
        await engine.start(one, id="e")
    async with opened(store, workflows=[one, two]) as engine:
        handle = engine.handle("e")
        assert (await handle.describe()).version == 1
        await handle.signal(shop.go, 1)
        assert await handle.result() == "two"


async def test_continuing_as_an_unknown_type_keeps_the_successor_owed(autojump_clock: MockClock) -> None:
    """R4: it starts at the next open that knows the type; nothing is lost meanwhile."""

    @aion.workflow
    async def first() -> str:
        durable.continue_as_new(workflow="later")

    @aion.workflow
    async def later() -> str:
        return "at last"

    store = MemoryStore()
    async with opened(store, workflows=[first]) as engine:
        handle = await engine.start(first, id="f")
        with pytest.raises(aion.WorkflowQuarantinedError, match="later"):
            await handle.result()
        assert (await handle.describe()).quarantine is not None
        with pytest.raises(aion.WorkflowQuarantinedError):
            await handle.signal(note, "early")
    async with opened(store, workflows=[first, later]) as engine:
        assert await engine.handle("f").result() == "at last"
        await quiet(store)
        assert owed(store) == []


async def test_unconsumed_signals_go_along_in_order(autojump_clock: MockClock) -> None:
    """S3: of all names, also those that arrive in the very turn, over several runs and a restart."""

    @aion.workflow
    async def one_each(got: list[str], left: int) -> list[str]:
        got = [*got, await note.receive()]
        if left:
            durable.continue_as_new(got, left - 1)
        return [*got, str(await other.receive())]

    store = MemoryStore()
    async with opened(store, workflows=[one_each]) as engine:
        handle = await engine.start(one_each, [], 3, id="o")
        async with trio.open_nursery() as nursery:
            await handle.signal(other, 99)
            for text in ("a", "b", "c"):
                nursery.start_soon(handle.signal, note, text)
    async with opened(store, workflows=[one_each]) as engine:
        await engine.handle("o").signal(note, "d")
        result = await engine.handle("o").result()
        assert (sorted(result[:3]), result[3:]) == (["a", "b", "c"], ["d", "99"])
        received = [event.payload for event in await only(engine, "o", SignalReceived) if event.name == "note"]
        assert [payload[1:].decode() for payload in received] == result[:4]


async def test_signals_in_one_batch_with_a_continue_keep_their_order(autojump_clock: MockClock) -> None:
    """S3, S1: a hundred at once, one a run."""

    @aion.workflow
    async def one_each(got: list[str]) -> list[str]:
        got = [*got, await note.receive()]
        if len(got) < 100:
            durable.continue_as_new(got)
        return got

    async with opened(workflows=[one_each]) as engine:
        handle = await engine.start(one_each, [], id="o")
        async with trio.open_nursery() as nursery:
            for n in range(100):
                nursery.start_soon(handle.signal, note, str(n))
        result = await handle.result()
        received = [event.payload for event in await only(engine, "o", SignalReceived)]
        assert len(result) == len(set(result)) == 100
        assert [payload[1:].decode() if len(payload) < 25 else "" for payload in received] == result


async def test_an_unanswered_cancel_goes_along(autojump_clock: MockClock) -> None:
    """The request that a run did not answer is its successor's to answer."""

    @aion.workflow
    async def shields(first: bool) -> str:
        if first:
            with durable.CancelScope(shield=True):
                await durable.sleep(10)
            durable.continue_as_new(False)
        await durable.sleep_forever()
        return "never"

    store = MemoryStore()
    async with opened(store, workflows=[shields]) as engine:
        handle = await engine.start(shields, True, id="s")
        await handle.cancel("please")
        with pytest.raises(aion.WorkflowCancelledError, match="please"):
            await handle.result()
        assert await names_of(engine, "s") == [
            "WorkflowStarted", "TimerStarted", "CancelRequested", "TimerFired", "WorkflowContinuedAsNew", "WorkflowStarted",
            "CancelRequested", "WorkflowCancelled",
        ]  # fmt: skip
        assert owed(store) == []


async def test_continuing_from_a_nested_nursery_ends_its_tasks(autojump_clock: MockClock) -> None:
    """N1, K9: it passes through every nursery; what runs there is cancelled, durably."""

    @aion.workflow
    async def deep(first: bool) -> str:
        async def inner() -> None:
            await durable.sleep(5)
            durable.continue_as_new(False)

        if first:
            async with durable.open_nursery() as outer:
                outer.start_soon(shop.hang)
                outer.start_soon(durable.sleep, 1000)
                async with durable.open_nursery() as nursery:
                    nursery.start_soon(durable.sleep_forever)
                    nursery.start_soon(inner)
        return "second"

    store = MemoryStore()
    async with opened(store, workflows=[deep]) as engine:
        assert await engine.execute(deep, True, id="d") == "second"
        names = await names_of(engine, "d")
        assert "WorkflowContinuedAsNew" in names
        await quiet(store)
        assert owed(store) == []


async def test_five_hundred_runs_in_a_row_stay_small(autojump_clock: MockClock) -> None:
    """N2, K10: what code sees of its history is its own run's."""
    async with opened() as engine:
        handle = await engine.start(laps, 0, 500, id="l")
        n, length, size = await handle.result()
        assert (n, length) == (500, 3) and 0 < size < 1000
        assert len(await only(engine, "l", WorkflowContinuedAsNew)) == 500
        assert (await handle.describe()).history_length == 501 * 4


async def test_a_workflow_is_told_when_to_continue_as_new(autojump_clock: MockClock) -> None:
    """N2."""

    @aion.workflow
    async def long() -> list[Any]:
        seen: list[Any] = []
        for _ in range(6000):
            info = durable.info()
            if info.continue_as_new_suggested:
                break
            await durable.sleep(1)
        seen.append(info.history_length >= 10_000)
        return seen

    async with opened(workflows=[long]) as engine:
        assert await engine.execute(long) == [True]


async def test_a_workflow_that_spins_starves_nobody_and_can_be_terminated(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        spinning = await engine.start(spins, -1, id="s")
        assert await engine.execute(shop.double, 4) == 8
        await trio.lowlevel.checkpoint()
        await spinning.terminate("enough")
        with pytest.raises(aion.WorkflowTerminatedError):
            await spinning.result()
        assert len(await history_of(engine, "s")) < 5000


async def test_a_workflow_that_spins_for_a_while_ends(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with opened(store) as engine:
        assert await engine.execute(spins, 300, id="s") == 0
        assert len(await only(engine, "s", WorkflowStarted)) == 301
        await quiet(store)
        assert owed(store) == []


async def test_a_spinning_workflow_is_parked_with_the_engine(autojump_clock: MockClock) -> None:
    """R10: leaving the block does not wait for it, and the next open goes on."""
    store = MemoryStore()
    async with opened(store) as engine:
        await engine.start(spins, -1, id="s")
    async with opened(store) as engine:
        await engine.handle("s").terminate()
    assert owed(store) == []


# ---- passivation


async def test_a_parked_workflow_leaves_memory_and_comes_back(autojump_clock: MockClock) -> None:
    async with opened(idle_after=5.0) as engine:
        handle = await engine.start(shop.sums, 0, id="s")
        for n in range(1, 6):
            await handle.signal(shop.go, n)
            assert engine.runs.resident == 1
            await trio.sleep(20)
            assert engine.runs.resident == 0
        await handle.signal(shop.go, -1)
        assert await handle.result() == 15


async def test_a_closed_workflow_leaves_memory_at_once(autojump_clock: MockClock) -> None:
    """Nothing is expected of it any more; whoever asks for it is answered from the journal."""
    async with opened(idle_after=1000.0) as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        await handle.signal(shop.go, 4)
        assert await handle.result() == 5
        await trio.testing.wait_all_tasks_blocked()
        assert engine.runs.resident == 0
        with pytest.raises(aion.WorkflowClosedError):
            await handle.signal(shop.go, 5)
        await trio.testing.wait_all_tasks_blocked()
        assert engine.runs.resident == 0
        again = await engine.start(shop.waits, 2, id="w", if_exists="new_run")
        assert engine.runs.resident == 1
        await again.signal(shop.go, 4)
        assert (await again.result(), await handle.result()) == (6, 5)
    assert trio.current_time() < 1000


async def test_with_few_in_memory_all_finish(autojump_clock: MockClock) -> None:
    """Fifty workflows of every kind, three places."""
    store = MemoryStore()
    most = 0
    async with opened(store, resident_limit=3, idle_after=2.0) as engine:
        handles = []
        for n in range(10):
            handles += [
                await engine.start(shop.waits, n, id=f"w{n}"), await engine.start(shop.sleeps, 10.0 + n, id=f"s{n}"),
                await engine.start(shop.parent, n, id=f"p{n}"), await engine.start(shop.retried, n, id=f"r{n}"),
                await engine.start(shop.gives_up_after, 5.0 + n, id=f"g{n}"),
            ]  # fmt: skip
            most = max(most, engine.runs.resident)
        for n in range(10):
            await engine.handle(f"w{n}").signal(shop.go, 1)
        results = [await handle.result() for handle in handles]
        expected: list[Any] = []
        for n in range(10):
            expected += [n + 1, "rested", 1000 + 2 * n, n, [True, 2]]
        assert results == expected
        await trio.sleep(10)
        assert engine.runs.resident == 0
        await quiet(store)
        assert owed(store) == []
    assert most < 20


async def test_an_activity_that_runs_keeps_nobody_in_memory(autojump_clock: MockClock) -> None:
    """Passivation asks for an empty mailbox and no append in flight, not for the absence of pending activities."""

    @aion.activity
    async def takes_long(n: int) -> int:
        await trio.sleep(1000)
        return n

    @aion.workflow
    async def waits_long(n: int) -> int:
        return await takes_long(n)

    calls = 0
    store = MemoryStore()
    async with opened(store, workflows=[waits_long], activities=[takes_long], idle_after=1.0) as engine:
        handles = [await engine.start(waits_long, n) for n in range(20)]
        await trio.sleep(100)
        assert engine.runs.resident == 0
        for handle in handles:
            description = await handle.describe()
            calls += len(description.pending_activities)
        assert calls == 20
        assert [await handle.result() for handle in handles] == list(range(20))
        assert trio.current_time() == pytest.approx(1000, abs=5), "nobody began a second time"


async def test_coming_back_starts_no_attempt_twice(autojump_clock: MockClock) -> None:
    """A1: a run that is replayed dispatches what it has pending; what runs already is left alone."""
    begun: list[int] = []

    @aion.activity
    async def works() -> str:
        begun.append(1)
        await trio.sleep(100)
        return "done"

    @aion.workflow
    async def works_and_listens() -> list[Any]:
        heard: list[str] = []

        async def listen() -> None:
            async for text in note:
                heard.append(text)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(listen)
            result = await works()
            nursery.cancel_scope.cancel()
        return [result, heard]

    async with opened(workflows=[works_and_listens], activities=[works], idle_after=1.0) as engine:
        handle = await engine.start(works_and_listens)
        for text in ("a", "b", "c"):
            await trio.sleep(10)
            assert engine.runs.resident == 0
            await handle.signal(note, text)
        assert await handle.result() == ["done", ["a", "b", "c"]]
        assert begun == [1]
