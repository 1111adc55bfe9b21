"""Quarantine: code that cannot go on stops its own run, loses nothing, and goes on once it is mended."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import SignalReceived
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet
from .harness import engine_on, names_of, until

DONE: list[str] = []

OUTSIDE = [trio.sleep]
"""A rule is broken by way of it: the static look, which would warn at the open, does not see through a list."""


@aion.activity
async def does(what: str) -> str:
    DONE.append(what)
    return what


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    DONE.clear()


def versions() -> tuple[Any, Any]:
    """A workflow, and the same with a step that was changed under its feet."""

    @aion.workflow(name="orders")
    async def good() -> list[str]:
        first = await does("reserve")
        answer = await shop.go.receive()
        return [first, await does("charge"), str(answer)]

    @aion.workflow(name="orders")
    async def bad() -> list[str]:
        first = await does("something else")
        answer = await shop.go.receive()
        return [first, await does("charge"), str(answer)]

    return good, bad


def opened(store: MemoryStore, workflow: Any, **settings: Any) -> Any:
    return engine_on(store, workflows=[workflow, *shop.WORKFLOWS], activities=[does, *shop.ACTIVITIES], **settings)


async def begun(store: MemoryStore, good: Any) -> None:
    """One workflow that waits in its middle, one that is another's business."""
    async with opened(store, good) as engine:
        await engine.start(good, id="o")
        await engine.start(shop.waits, 1, id="other")
        await until(engine, "o", "ActivityCompleted")


async def test_changed_code_quarantines_its_run_alone(autojump_clock: MockClock) -> None:
    """K4, R8: recovery reports nothing, since nothing was owed; the first message finds out."""
    good, bad = versions()
    store = MemoryStore()
    await begun(store, good)
    async with opened(store, bad) as engine:
        handle = engine.handle("o")
        await handle.signal(shop.go, 1)
        with pytest.raises(aion.WorkflowQuarantinedError) as caught:
            await handle.result()
        assert "NonDeterminismError" in caught.value.reason
        description = await handle.describe()
        assert description.status is aion.WorkflowStatus.RUNNING
        assert description.quarantine == caught.value.reason
        with pytest.raises(aion.WorkflowQuarantinedError):
            await handle.query(shop.stage)
        await engine.handle("other").signal(shop.go, 1)
        assert await engine.handle("other").result() == 2
    assert DONE == ["reserve"]


async def test_the_error_names_what_differs_and_where(autojump_clock: MockClock) -> None:
    """K3: workflow, ordinal, seq, what history has, what the code asked for, and its line."""
    good, bad = versions()
    store = MemoryStore()
    await begun(store, good)
    async with opened(store, bad) as engine:
        await engine.handle("o").signal(shop.go, 1)
        reason = (await engine.handle("o").describe()).quarantine
        assert reason is not None
        for part in ("'o'", "does", "test_quarantine.py"):
            assert part in reason, reason


async def test_arrivals_are_recorded_and_the_mended_code_goes_on_with_them(autojump_clock: MockClock) -> None:
    """K4, S1: no activity runs twice, no signal is lost, the result is that of an undisturbed run."""
    good, bad = versions()
    store = MemoryStore()
    await begun(store, good)
    async with opened(store, bad) as engine:
        for value in (7, 8):
            await engine.handle("o").signal(shop.go, value)
        await trio.sleep(100)
        assert len(await only(engine, "o", SignalReceived)) == 2
    async with opened(store, good) as engine:
        assert await engine.handle("o").result() == ["reserve", "charge", "7"]
        assert engine.recovery.quarantined == ()
        await quiet(store)
        assert owed(store) == []
    assert DONE == ["reserve", "charge"]


@pytest.mark.parametrize("how", ["terminate", "cancel"])
async def test_a_quarantined_run_can_be_ended(how: str, autojump_clock: MockClock) -> None:
    """L1: terminate at once; cancel once the code is mended."""
    good, bad = versions()
    store = MemoryStore()
    await begun(store, good)
    async with opened(store, bad) as engine:
        handle = engine.handle("o")
        await handle.signal("unheard", 1)
        await (handle.terminate("enough") if how == "terminate" else handle.cancel("enough"))
        if how == "terminate":
            with pytest.raises(aion.WorkflowTerminatedError):
                await handle.result()
            assert (await handle.describe()).quarantine is None
            assert owed(store) == []
            again = await engine.start(bad, id="o", if_exists="new_run")
            await again.signal(shop.go, 1)
            assert await again.result() == ["something else", "charge", "1"]
            return
        with pytest.raises(aion.WorkflowQuarantinedError):
            await handle.result()
    async with opened(store, good) as engine:
        with pytest.raises(aion.WorkflowCancelledError, match="enough"):
            await engine.handle("o").result()
    assert owed(store) == []


async def test_a_version_that_is_not_loaded_quarantines(autojump_clock: MockClock) -> None:
    """V1: another version is no substitute, not even the latest."""

    @aion.workflow(name="orders", version=2)
    async def newer() -> list[str]:
        return ["newer"]

    good, _ = versions()
    store = MemoryStore()
    await begun(store, good)
    async with opened(store, newer) as engine:
        await engine.handle("o").signal(shop.go, 1)
        with pytest.raises(aion.WorkflowQuarantinedError, match="WorkflowNotRegisteredError"):
            await engine.handle("o").result()
        assert await engine.execute("orders") == ["newer"]
    async with engine_on(store, workflows=[good, newer], activities=[does]) as engine:
        assert await engine.handle("o").result() == ["reserve", "charge", "1"]
    assert DONE == ["reserve", "charge"]


@aion.workflow(name="breaks")
async def sleeps_with_trio() -> None:
    await shop.go.receive()
    await OUTSIDE[0](1)


@aion.workflow(name="breaks")
async def never_parks() -> None:
    await shop.go.receive()
    while True:
        await durable.checkpoint()


@aion.workflow(name="breaks")
async def catches_all() -> None:
    await shop.go.receive()
    try:
        await OUTSIDE[0](1)
    except BaseException:
        await does("in spite of it")
    await does("after it")


@aion.workflow(name="breaks")
async def behaves() -> None:
    await shop.go.receive()
    await does("well")


@pytest.mark.parametrize("definition", [sleeps_with_trio, never_parks, catches_all])
async def test_code_that_breaks_a_rule_is_stopped_and_can_be_mended(definition: Any, autojump_clock: MockClock) -> None:
    """K7: the step is void; what arrived stays on record, and the mended code answers it."""
    store = MemoryStore()
    async with opened(store, definition, fuel=10_000) as engine:
        handle = await engine.start(definition, id="b")
        await handle.signal(shop.go, 1)
        with pytest.raises(aion.WorkflowQuarantinedError) as caught:
            await handle.result()
        assert "WorkflowRuleError" in caught.value.reason
        assert await engine.execute(shop.double, 2) == 4
        assert await names_of(engine, "b") == ["WorkflowStarted", "SignalReceived"]
    async with opened(store, behaves) as engine:
        await engine.handle("b").result()
    assert DONE == ["well"]
    assert owed(store) == []


async def test_code_that_breaks_a_rule_at_once_was_started_all_the_same(autojump_clock: MockClock) -> None:
    """The start is acknowledged; the first step is owed."""

    @aion.workflow(name="breaks")
    async def at_once() -> None:
        await OUTSIDE[0](1)

    @aion.workflow(name="breaks")
    async def mended() -> None:
        await does("well")

    store = MemoryStore()
    async with opened(store, at_once) as engine:
        handle = await engine.start(at_once, id="b")
        with pytest.raises(aion.WorkflowQuarantinedError):
            await handle.result()
        assert (await engine.start(at_once, id="b")).run_id == handle.run_id
    async with opened(store, at_once) as engine:
        assert [found.workflow_id for found in engine.recovery.quarantined] == ["b"]
    async with opened(store, mended) as engine:
        await engine.handle("b").result()


async def test_a_run_that_is_released_tries_again(autojump_clock: MockClock) -> None:
    """R8: an operator may ask for another try, in the same engine."""
    good_now = False

    @aion.workflow(name="wavers")
    async def wavers() -> str:
        await shop.go.receive()
        if not good_now:
            await OUTSIDE[0](1)
        return await does("well")

    store = MemoryStore()
    async with opened(store, wavers) as engine:
        handle = await engine.start(wavers, id="w")
        await handle.signal(shop.go, 1)
        for _ in range(2):
            with pytest.raises(aion.WorkflowQuarantinedError):
                await handle.result()
            engine.release("w")
            await quiet(store)
            await trio.sleep(1)
        good_now = True
        engine.release("w")
        assert await handle.result() == "well"
        assert (await handle.describe()).quarantine is None
        assert owed(store) == []
    assert DONE == ["well"]


async def test_releasing_what_is_not_quarantined_does_nothing(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with opened(store, behaves) as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        engine.release("w")
        engine.release("nobody")
        await quiet(store)
        await handle.signal(shop.go, 1)
        assert await handle.result() == 2
        assert await engine.count_workflows() == 1


async def test_a_result_that_is_waited_for_ends_with_the_quarantine(autojump_clock: MockClock) -> None:
    """Who waits is told when it happens, not at the next question."""
    store = MemoryStore()
    async with opened(store, sleeps_with_trio) as engine:
        handle = await engine.start(sleeps_with_trio, id="b")
        told: list[str] = []

        async def wait() -> None:
            try:
                await handle.result()
            except aion.WorkflowQuarantinedError as error:
                told.append(error.reason)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(10)
            assert told == []
            await handle.signal(shop.go, 1)
        assert len(told) == 1


@pytest.mark.parametrize("how", ["timer", "query"])
async def test_whoever_waits_is_told_whatever_finds_that_the_code_has_changed(how: str, autojump_clock: MockClock) -> None:
    """V1: also where nothing is recorded of it."""

    def version(seconds: float) -> Any:
        @aion.workflow(name="rests")
        async def rests() -> None:
            await durable.sleep(seconds)

        return rests

    store = MemoryStore()
    async with opened(store, version(5.0)) as engine:
        await engine.start("rests", id="r")
    async with opened(store, version(6.0)) as engine:

        async def wait() -> None:
            with pytest.raises(aion.WorkflowQuarantinedError, match="NonDeterminismError"):
                await engine.handle("r").result()

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await trio.sleep(1)
                if how == "query":
                    with pytest.raises(aion.WorkflowQuarantinedError):
                        await engine.handle("r").query("progress")


async def test_a_parked_run_whose_code_is_missing_says_so_to_who_asks(autojump_clock: MockClock) -> None:
    """V1: nothing has woken it, so that recovery did not look at it (R2)."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.waits, 1, id="w")
    async with engine_on(store, workflows=[]) as engine:
        assert engine.recovery.quarantined == ()
        handle = engine.handle("w")
        why = (await handle.describe()).quarantine
        assert why is not None and why.startswith("WorkflowNotRegisteredError: no workflow 'waits' is registered")
        with pytest.raises(aion.WorkflowQuarantinedError, match="no workflow 'waits' is registered"):
            await handle.result()
        await handle.terminate("enough")
        assert (await handle.describe()).quarantine is None
        with pytest.raises(aion.WorkflowTerminatedError):
            await handle.result()


async def test_timers_of_a_quarantined_run_wait_for_it_without_haste(autojump_clock: MockClock, caplog: Any) -> None:
    """T1, K4: they fire when the code is mended; meanwhile nobody spins."""

    @aion.workflow(name="times")
    async def good() -> str:
        await shop.go.receive()
        await durable.sleep(10)
        return await does("well")

    @aion.workflow(name="times")
    async def bad() -> str:
        await shop.go.receive()
        await durable.sleep(11)
        return "bad"

    store = MemoryStore()
    async with opened(store, good) as engine:
        handle = await engine.start(good, id="t")
        await handle.signal(shop.go, 1)
        await until(engine, "t", "TimerStarted")
    with caplog.at_level(logging.WARNING):
        async with opened(store, bad) as engine:
            await trio.sleep(10_000)
            assert (await engine.handle("t").describe()).quarantine is not None
    assert len(caplog.records) <= 2
    async with opened(store, good) as engine:
        assert await engine.handle("t").result() == "well"
    assert owed(store) == []


async def test_a_quarantined_runs_activities_are_not_begun_again(autojump_clock: MockClock) -> None:
    """An attempt that was in flight waits until the code can follow its own history."""
    store = MemoryStore()

    @aion.workflow(name="acts")
    async def good() -> str:
        return await shop.hang()

    @aion.workflow(name="acts")
    async def bad() -> str:
        return await does("else")

    async with opened(store, good) as engine:
        shop.EFFECTS.clear()
        await engine.start(good, id="a")
        await until(engine, "a", "ActivityScheduled")
        await trio.sleep(1)
    assert len(shop.EFFECTS) == 1
    async with opened(store, bad) as engine:
        assert [found.workflow_id for found in engine.recovery.quarantined] == ["a"]
        assert engine.recovery.activities_resumed == 0
        await trio.sleep(100)
    assert len(shop.EFFECTS) == 1
    async with opened(store, good) as engine:
        assert engine.recovery.activities_resumed == 1
        await trio.sleep(1)
        await engine.handle("a").terminate()
    assert (len(shop.EFFECTS), DONE) == (2, [])


async def test_a_quarantined_childs_parent_waits(autojump_clock: MockClock) -> None:
    """K4: it is no failure of the child."""

    @aion.workflow(name="kid")
    async def bad_kid() -> str:
        await OUTSIDE[0](1)
        return "no"

    @aion.workflow(name="kid")
    async def good_kid() -> str:
        return await does("well")

    @aion.workflow
    async def trusts() -> str:
        child: aion.ChildHandle[str] = await durable.start_child("kid", id="kid")
        return await child.result()

    store = MemoryStore()
    async with engine_on(store, workflows=[bad_kid, trusts], activities=[does]) as engine:
        handle = await engine.start(trusts, id="p")
        await until(engine, "kid", "WorkflowStarted")
        await trio.sleep(100)
        assert (await handle.describe()).status is aion.WorkflowStatus.RUNNING
        with pytest.raises(aion.WorkflowQuarantinedError):
            await engine.handle("kid").result()
    async with engine_on(store, workflows=[good_kid, trusts], activities=[does]) as engine:
        assert await engine.handle("p").result() == "well"
    assert owed(store) == []


async def test_a_run_time_out_passes_in_quarantine(autojump_clock: MockClock) -> None:
    """T4: it needs no code."""
    good, bad = versions()
    store = MemoryStore()
    async with opened(store, good) as engine:
        await engine.start(good, id="o", timeout=50)
        await until(engine, "o", "ActivityCompleted")
    async with opened(store, bad) as engine:
        await engine.handle("o").signal(shop.go, 1)
        await trio.sleep(100)
        with pytest.raises(aion.WorkflowTimedOutError):
            await engine.handle("o").result()
        assert (await engine.handle("o").describe()).quarantine is None
    assert owed(store) == []
