"""Queries: they read, wherever the workflow is, and change nothing (S4, K6)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore

from . import shop
from .harness import engine_on, history_of, names_of, normalised
from .listeners import broken, collects, counted, note, opened


async def test_a_query_reads_live_parked_and_closed_workflows(autojump_clock: MockClock) -> None:
    async with opened(idle_after=5.0) as engine:
        handle = await engine.start(collects, 2, id="c")
        assert await handle.query(counted) == 0
        await handle.signal(note, "a")
        assert await handle.query(counted) == 1
        await trio.sleep(100)
        assert engine.runs.resident == 0
        assert await handle.query("counted") == 1
        await handle.signal(note, "b")
        await handle.result()
        assert await handle.query(counted) == 2
        assert await engine.handle("c", handle.run_id).query(counted) == 2


@pytest.mark.parametrize("how", ["terminate", "cancel", "fail"])
async def test_a_query_answers_for_a_workflow_that_did_not_complete(how: str, autojump_clock: MockClock) -> None:
    @aion.workflow
    async def ends_badly() -> None:
        seen: list[int] = []
        counted.serve(lambda: len(seen))
        seen.append(await shop.go.receive())
        await shop.go.receive()
        raise ValueError

    async with engine_on(MemoryStore(), workflows=[ends_badly]) as engine:
        handle = await engine.start(ends_badly)
        await handle.signal(shop.go, 1)
        await {"terminate": handle.terminate, "cancel": handle.cancel, "fail": lambda: handle.signal(shop.go, 2)}[how]()
        with pytest.raises(aion.AionError):
            await handle.result()
        assert await handle.query(counted) == 1


async def test_a_query_that_fails_fails_its_caller_alone(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(collects, 1, id="c")
        with pytest.raises(ZeroDivisionError):
            await handle.query(broken)
        with pytest.raises(aion.QueryNotServedError, match=r"it serves: broken, counted"):
            await handle.query("nonsense")
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("nobody").query(counted)
        await handle.signal(note, "a")
        assert await handle.result() == ["a"]
        with pytest.raises(ZeroDivisionError):
            await handle.query(broken)
        with pytest.raises(aion.QueryNotServedError):
            await handle.query("nonsense")


async def test_a_history_with_queries_equals_one_without(autojump_clock: MockClock) -> None:
    """K6."""
    histories = []
    for asks in (False, True):
        async with opened() as engine:
            handle = await engine.start(collects, 3, id="c")
            for text in "abc":
                if asks:
                    await handle.query(counted)
                await handle.signal(note, text)
            if asks:
                await handle.query(counted)
            await handle.result()
            histories.append(normalised(await history_of(engine, "c")))
    assert histories[0] == histories[1]


async def test_a_query_that_changes_the_workflow_is_refused_and_changes_nothing(autojump_clock: MockClock) -> None:
    """K6: the run goes on as if it had not been asked."""
    acts = aion.Query("acts", int)
    wakes = aion.Query("wakes", int)
    waits = aion.Query("waits", int)

    @aion.workflow
    async def careless() -> str:
        event = durable.Event()

        def wake() -> int:
            event.set()
            return 1

        def act() -> int:
            durable.set_attributes({"asked": True})
            return 1

        async def wait() -> int:
            return 1

        wakes.serve(wake)
        acts.serve(act)
        waits.serve(wait)  # type: ignore[arg-type]
        async with durable.open_nursery() as nursery:
            nursery.start_soon(event.wait)
            await note.receive()
            nursery.cancel_scope.cancel()
        return f"event is set: {event.is_set()}"

    async with engine_on(MemoryStore(), workflows=[careless]) as engine:
        handle = await engine.start(careless, id="c")
        for query in (acts, wakes, waits):
            with pytest.raises((aion.AionError, RuntimeError)):
                await handle.query(query)
        assert (await handle.describe()).quarantine is None
        await handle.signal(note, "go on")
        assert await handle.result() == "event is set: False"
        assert await names_of(engine, "c") == ["WorkflowStarted", "SignalReceived", "WorkflowCompleted"]


async def test_a_query_meets_a_workflow_that_has_done_all_that_it_could(autojump_clock: MockClock) -> None:
    """S4: whoever saw an answer of the engine sees its effects in a query."""
    async with opened() as engine:
        handle = await engine.start(collects, 99, id="c")
        for n in range(20):
            await handle.signal(note, str(n))
            assert await handle.query(counted) == n + 1


async def test_watching_a_query_gives_each_answer_that_is_new_until_the_run_closes(autojump_clock: MockClock) -> None:
    async with opened(idle_after=5.0) as engine:
        handle = await engine.start(collects, 3, id="c")
        seen: list[int] = []

        async def watch(query: aion.Query[int] | str) -> None:
            async for answer in handle.watch(query):
                seen.append(answer)

        with trio.fail_after(1000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, counted)
                nursery.start_soon(watch, "counted")
                for letter in "abc":
                    await trio.sleep(100)
                    await handle.signal(note, letter)
        assert sorted(seen) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert [answer async for answer in handle.watch(counted)] == [3]
        assert [answer async for answer in engine.handle("c", handle.run_id).watch(counted)] == [3]
        with pytest.raises(aion.WorkflowNotFoundError):
            await anext(engine.handle("nobody").watch(counted))
        assert "QueryReceived" not in await names_of(engine, "c")


async def test_watching_follows_a_chain_and_ends_with_a_bound_run(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def counts(n: int) -> None:
        counted.serve(lambda: n)
        await shop.go.receive()
        if n < 2:
            durable.continue_as_new(n + 1)

    async with engine_on(MemoryStore(), workflows=[counts]) as engine:
        handle = await engine.start(counts, 0, id="c")
        chain: list[int] = []
        first: list[int] = []

        async def watch(handle: aion.WorkflowHandle[None], seen: list[int]) -> None:
            async for answer in handle.watch(counted):
                seen.append(answer)

        with trio.fail_after(1000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, engine.handle("c"), chain)
                nursery.start_soon(watch, engine.handle("c", handle.run_id), first)
                for _ in range(3):
                    await trio.sleep(10)
                    await handle.signal(shop.go, 1)
        assert (chain, first) == ([0, 1, 2], [0])


async def test_watching_what_is_quarantined_meanwhile_says_so(autojump_clock: MockClock) -> None:
    """K4, V1: nothing is recorded when a timer finds that the code has changed."""

    def version(seconds: float) -> aion.WorkflowDefinition[[], None]:
        @aion.workflow(name="rests")
        async def rests() -> None:
            counted.serve(lambda: 1)
            await durable.sleep(seconds)

        return rests

    store = MemoryStore()
    async with engine_on(store, workflows=[version(5.0)]) as engine:
        await engine.start("rests", id="r")
    async with engine_on(store, workflows=[version(6.0)]) as engine:
        with pytest.raises(aion.WorkflowQuarantinedError), trio.fail_after(60):
            async for _ in engine.handle("r").watch(counted):
                raise AssertionError


async def test_watching_a_chain_whose_next_code_is_missing_says_so(autojump_clock: MockClock) -> None:
    """R4, V1: between two runs nothing comes that could be waited for."""

    @aion.workflow
    async def goes_on() -> None:
        counted.serve(lambda: 1)
        await shop.go.receive()
        durable.continue_as_new(1, workflow="missing")

    async with engine_on(MemoryStore(), workflows=[goes_on]) as engine:
        handle = await engine.start(goes_on, id="g")
        await handle.signal(shop.go, 1)
        with pytest.raises(aion.WorkflowQuarantinedError, match="missing"), trio.fail_after(60):
            async for answer in engine.handle("g").watch(counted):
                assert answer == 1
