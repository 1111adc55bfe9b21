"""Signals, queries, cancellation and termination, as callers send them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import CancelRequested, SignalReceived
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet, records
from .harness import engine_on, history_of, names_of, normalised, until

note = aion.Signal("note", str)
counted = aion.Query("counted", int)
broken = aion.Query("broken", int)


@aion.workflow
async def collects(n: int) -> list[str]:
    """The first `n` notes."""
    found: list[str] = []
    counted.serve(lambda: len(found))
    broken.serve(lambda: 1 // 0)
    while len(found) < n:
        found.append(await note.receive())
    return found


@aion.workflow
async def starts_late(n: int) -> list[str]:
    """Looks for its notes only after a while."""
    await durable.sleep(100)
    found = []
    async for text in note:
        found.append(text)
        if len(found) == n:
            return found
    return []


@aion.workflow
async def declines() -> str:
    """Goes on in spite of a cancellation."""
    try:
        await durable.sleep_forever()
    except durable.Cancelled:
        pass
    return "went on"


@aion.workflow
async def tidies(how: str) -> str:
    """Cleans up under a shield, then lets the cancellation through, or fails, or returns."""
    try:
        await durable.sleep_forever()
    except durable.Cancelled:
        with durable.CancelScope(shield=True):
            await durable.sleep(10)
            await shop.add(1, 1)
        if how == "raise":
            raise
        if how == "fail":
            raise ValueError("in clean-up") from None
    return "tidied"


WORKFLOWS = [*shop.WORKFLOWS, collects, starts_late, declines, tidies]


def opened(store: Any = None, **settings: Any) -> Any:
    return engine_on(store if store is not None else MemoryStore(), workflows=WORKFLOWS, **settings)


# ---- signals


async def test_signals_are_received_in_the_order_of_their_arrival(autojump_clock: MockClock) -> None:
    """S1."""
    async with opened() as engine:
        handle = await engine.start(collects, 50, id="c")
        for n in range(50):
            await handle.signal(note, str(n))
        assert await handle.result() == [str(n) for n in range(50)]
        assert [event.name for event in await only(engine, "c", SignalReceived)] == ["note"] * 50


async def test_early_signals_wait(autojump_clock: MockClock) -> None:
    """S1: over a restart, too, and for a loop over the signal."""
    store = MemoryStore()
    async with opened(store) as engine:
        handle = await engine.start(starts_late, 3, id="s")
        await handle.signal(note, "a")
        await handle.signal("note", "b")
    async with opened(store) as engine:
        await engine.handle("s").signal(note, "c")
        assert await engine.handle("s").result() == ["a", "b", "c"]


async def test_a_signal_that_nobody_waits_for_is_recorded_all_the_same(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        await handle.signal("unheard", {"of": [1, 2]})
        await handle.signal(shop.go, 1)
        assert await handle.result() == 2


@pytest.mark.parametrize("closed", [True, False])
async def test_a_signal_to_a_closed_or_missing_workflow_is_refused_and_not_recorded(closed: bool, autojump_clock: MockClock) -> None:
    """S1: typed, nothing appended."""
    store = MemoryStore()
    async with opened(store) as engine:
        if closed:
            await engine.execute(shop.double, 1, id="w")
        before = records(store)
        with pytest.raises(aion.WorkflowClosedError if closed else aion.WorkflowNotFoundError):
            await engine.handle("w").signal(note, "late")
        for ask in (engine.handle("w").cancel, engine.handle("w").terminate):
            with pytest.raises(aion.WorkflowClosedError if closed else aion.WorkflowNotFoundError):
                await ask()
        assert records(store) == before


async def test_a_signal_of_the_wrong_type_is_refused_with_its_path(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        wrong: Any = "not a number"
        with pytest.raises(aion.InvalidInputError):
            await handle.signal(shop.go, wrong)
        assert await names_of(engine, "w") == ["WorkflowStarted"]


async def test_half_a_character_is_refused_wherever_a_caller_gives_text(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        for call in (
            lambda: handle.signal("\ud800"), lambda: handle.cancel("\ud800"), lambda: handle.terminate("\ud800"),
            lambda: handle.signal(shop.go, 1, request_id="\ud800"), lambda: handle.cancel(request_id=""),
            lambda: handle.signal(shop.go, 1, request_id="r" * 1000),
        ):  # fmt: skip
            with pytest.raises(aion.InvalidInputError):
                await call()
        assert await names_of(engine, "w") == ["WorkflowStarted"]


async def test_a_string_signal_of_the_wrong_type_meets_the_workflow_where_it_is_received(autojump_clock: MockClock) -> None:
    """The sender named it by a string, so nobody could check; the receiver is told, and nothing hangs."""
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        await handle.signal("go", "not a number")
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await handle.result()
        assert isinstance(caught.value.__cause__, aion.InvalidInputError)


async def test_a_request_id_makes_a_signal_one(autojump_clock: MockClock) -> None:
    """S6: over a restart, and even when the workflow has closed meanwhile."""
    store = MemoryStore()
    async with opened(store) as engine:
        handle = await engine.start(collects, 2, id="c")
        for _ in range(3):
            await handle.signal(note, "a", request_id="r1")
    async with opened(store) as engine:
        handle = engine.handle("c")
        await handle.signal(note, "a", request_id="r1")
        await handle.signal(note, "b", request_id="r2")
        assert await handle.result() == ["a", "b"]
        await handle.signal(note, "b", request_id="r2")
        assert len(await only(engine, "c", SignalReceived)) == 2


async def test_a_signal_to_one_run_does_not_reach_another(autojump_clock: MockClock) -> None:
    """H6."""
    async with opened() as engine:
        first = await engine.start(shop.waits, 1, id="w")
        await first.terminate()
        await engine.start(shop.waits, 2, id="w", if_exists="new_run")
        with pytest.raises(aion.WorkflowClosedError, match="newer run"):
            await engine.handle("w", first.run_id).signal(shop.go, 1)
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("w", "00" * 16).signal(shop.go, 1)
        with pytest.raises(aion.InvalidInputError):
            engine.handle("w", "no hex")
        await engine.handle("w").signal(shop.go, 1)
        assert await engine.handle("w").result() == 3


async def test_many_senders_at_once_lose_nothing(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(collects, 300, id="c")
        async with trio.open_nursery() as nursery:
            for n in range(300):
                nursery.start_soon(handle.signal, note, str(n))
        assert sorted(await handle.result(), key=int) == [str(n) for n in range(300)]


# ---- signals between workflows (S2)


@aion.workflow
async def sends_many(target: str, count: int) -> list[str]:
    outcomes = []
    for n in range(count):
        try:
            await durable.signal_workflow(target, note, str(n))
            outcomes.append("delivered")
        except aion.SignalNotDeliveredError:
            outcomes.append("refused")
    return outcomes


@aion.workflow
async def sends_at_once(target: str, count: int) -> int:
    async with durable.open_nursery() as nursery:
        for n in range(count):
            nursery.start_soon(durable.signal_workflow, target, note, str(n))
    return count


async def test_workflows_signal_each_other_in_order_and_once(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, sends_many, sends_at_once]) as engine:
        for number, workflow in enumerate((sends_many, sends_at_once)):
            handle = await engine.start(collects, 20, id=f"c{number}")
            await engine.execute(workflow, handle.id, 20)
            assert await handle.result() == [str(n) for n in range(20)]
        await quiet(store)
        assert owed(store) == []


async def test_a_signal_to_a_closed_or_missing_workflow_raises_at_the_sender_and_is_recorded(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, sends_many]) as engine:
        await engine.start(collects, 2, id="c")
        assert await engine.execute(sends_many, "c", 4, id="s") == ["delivered", "delivered", "refused", "refused"]
        assert await engine.execute(sends_many, "nobody", 1) == ["refused"]
        assert (await names_of(engine, "s"))[-3:] == ["SignalSent", "SignalFailed", "WorkflowCompleted"]
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("nobody").describe()
        await quiet(store)
        assert owed(store) == []


async def test_a_signal_outlives_its_sender(autojump_clock: MockClock) -> None:
    """S2, L2: it was recorded, so it is delivered, although the sender closed in that very step."""

    @aion.workflow
    async def sends_and_leaves(target: str) -> str:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(durable.signal_workflow, target, note, "last words")
            await durable.checkpoint()
            await durable.checkpoint()
            nursery.cancel_scope.cancel()
        return "left"

    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, sends_and_leaves]) as engine:
        handle = await engine.start(collects, 1, id="c")
        assert await engine.execute(sends_and_leaves, "c", id="s") == "left"
        assert await handle.result() == ["last words"]
        assert "SignalSent" in await names_of(engine, "s")
        await quiet(store)
        assert owed(store) == []


async def test_a_workflow_signals_itself(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def talks_to_itself() -> str:
        await durable.signal_workflow(durable.info().workflow_id, note, "hello")
        return await note.receive()

    async with engine_on(MemoryStore(), workflows=[talks_to_itself]) as engine:
        assert await engine.execute(talks_to_itself) == "hello"


@pytest.mark.parametrize("target", ["", "x" * 1000, "\ud800", "a\0b"])
async def test_a_signal_to_an_id_that_cannot_be_raises_at_the_sender(target: str, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore(), workflows=[*WORKFLOWS, sends_many]) as engine:
        try:
            handle = await engine.start(sends_many, target, 1)
        except aion.InvalidInputError:
            assert target == "\ud800"
            return
        with trio.fail_after(1000):
            try:
                assert await handle.result() == ["refused"]
            except aion.WorkflowFailedError as error:
                assert isinstance(error.__cause__, aion.InvalidInputError)


# ---- queries (S4, K6)


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


# ---- cancel and terminate (L1)


async def test_a_cancelled_workflow_may_clean_up_under_a_shield(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(tidies, "raise", id="t")
        await trio.sleep(1)
        await handle.cancel("enough")
        with pytest.raises(aion.WorkflowCancelledError, match="enough"):
            await handle.result()
        assert await names_of(engine, "t") == [
            "WorkflowStarted", "CancelRequested", "TimerStarted", "TimerFired", "ActivityScheduled", "ActivityCompleted",
            "WorkflowCancelled",
        ]  # fmt: skip


async def test_a_cancelled_workflow_may_end_as_it_likes(autojump_clock: MockClock) -> None:
    """L1: cooperative; it completes, or fails, if its code says so."""
    async with opened() as engine:
        for workflow, args, expected in ((tidies, ("return",), "tidied"), (declines, (), "went on")):
            handle = await engine.start(workflow, *args)  # type: ignore[arg-type]
            await handle.cancel()
            assert await handle.result() == expected
        handle = await engine.start(tidies, "fail")
        await handle.cancel()
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await handle.result()
        assert isinstance(caught.value.__cause__, ValueError)


async def test_cancelling_twice_is_one_request(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(tidies, "raise", id="t")
        async with trio.open_nursery() as nursery:
            for n in range(5):
                nursery.start_soon(handle.cancel, f"reason {n}")
        await handle.cancel("again", request_id="r")
        with pytest.raises(aion.WorkflowCancelledError):
            await handle.result()
        assert len(await only(engine, "t", CancelRequested)) == 1


async def test_a_workflow_is_cancelled_before_its_code_has_begun(autojump_clock: MockClock) -> None:
    """L1: parked from the first moment, and never in memory after the open."""
    store = MemoryStore()
    async with opened(store) as engine:
        await engine.start(shop.hangs, id="h", attributes={"x": 1})
        await engine.start(shop.waits, 1, id="w")
    async with opened(store) as engine:
        assert engine.runs.resident == 1
        for workflow_id in "hw":
            await engine.handle(workflow_id).cancel()
            with pytest.raises(aion.WorkflowCancelledError):
                await engine.handle(workflow_id).result()
    assert owed(store) == []


async def test_cancelling_cancels_what_the_workflow_waits_for(autojump_clock: MockClock) -> None:
    """K9: activity, timer, child and signal at once."""

    @aion.workflow
    async def does_all() -> None:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(shop.hang)
            nursery.start_soon(shop.hangs)
            nursery.start_soon(durable.sleep, 1000)
            nursery.start_soon(note.receive)

    store = MemoryStore()
    async with engine_on(store, workflows=[*WORKFLOWS, does_all]) as engine:
        handle = await engine.start(does_all, id="d")
        await trio.sleep(1)
        await handle.cancel()
        with pytest.raises(aion.WorkflowCancelledError):
            await handle.result()
        names = await names_of(engine, "d")
        assert names[4:] == ["CancelRequested", "ActivityCancelled", "ChildCancelRequested", "TimerCancelled", "WorkflowCancelled"]
        (child,) = [found async for found in engine.list_workflows(type="hangs")]
        with pytest.raises(aion.WorkflowTerminatedError, match="parent closed"):  # the parent did not stay to see it cancelled
            await engine.handle(child.id).result()
        await quiet(store)
        assert owed(store) == []


async def test_terminate_ends_a_workflow_that_takes_no_notice(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def stubborn() -> None:
        with durable.CancelScope(shield=True):
            await durable.sleep_forever()

    async with engine_on(MemoryStore(), workflows=[stubborn]) as engine:
        handle = await engine.start(stubborn, id="s")
        await handle.cancel()
        await trio.sleep(1000)
        assert (await handle.describe()).status is aion.WorkflowStatus.RUNNING
        await handle.terminate("that is it")
        with pytest.raises(aion.WorkflowTerminatedError, match="that is it"):
            await handle.result()
        with pytest.raises(aion.WorkflowClosedError):
            await handle.terminate()


async def test_two_racing_operations_have_one_winner(autojump_clock: MockClock) -> None:
    """L6: one closing event, and the loser is told."""
    for _ in range(20):
        async with opened() as engine:
            handle = await engine.start(shop.waits, 1, id="w")
            refusals: list[str] = []

            async def attempt(call: Any, *args: Any) -> None:
                try:
                    await call(*args)
                except aion.WorkflowClosedError as error:
                    refusals.append(type(error).__name__)  # noqa: B023

            async with trio.open_nursery() as nursery:
                nursery.start_soon(attempt, handle.terminate)
                nursery.start_soon(attempt, handle.terminate)
                nursery.start_soon(attempt, handle.signal, shop.go, 1)
                nursery.start_soon(attempt, handle.cancel)
            names = await names_of(engine, "w")
            closing = [name for name in names if name in ("WorkflowTerminated", "WorkflowCompleted", "WorkflowCancelled")]
            assert len(closing) == 1 and names[-1] == closing[0]
            assert refusals


async def test_a_cancelled_wait_leaves_the_workflow_alone(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        with trio.move_on_after(5):
            await engine.execute(shop.waits, 1, id="w")
        assert (await engine.handle("w").describe()).status is aion.WorkflowStatus.RUNNING
        await engine.handle("w").signal(shop.go, 1)
        assert await engine.handle("w").result() == 2


async def test_many_wait_for_one_result(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        results: list[int] = []

        async def wait() -> None:
            results.append(await engine.handle("w").result())

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(wait)
            await until(engine, "w", "WorkflowStarted")
            await handle.signal(shop.go, 1)
        assert results == [2] * 100


async def test_result_of_what_is_not_there(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("nobody").result()
        with pytest.raises(aion.WorkflowNotFoundError):
            [event async for event in engine.handle("nobody").history()]
        await engine.execute(shop.double, 1, id="d")
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("d", "11" * 16).result()
