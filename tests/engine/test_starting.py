"""Starting: who wins an id, what counts as the same start, and which code a start runs."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import WorkflowStarted, WorkflowTimedOut
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet
from .harness import engine_on, history_of, names_of, until


@aion.workflow(timeout=50)
async def bounded(seconds: float) -> str:
    await durable.sleep(seconds)
    return "done"


@aion.workflow
async def bounded_work(n: int) -> str:
    """All kinds of work at once, none of which ends by itself."""
    await durable.start_child(shop.hangs, id="bounded-child")
    async with durable.open_nursery() as nursery:
        nursery.start_soon(shop.hang)
        nursery.start_soon(durable.sleep, 10_000)
        nursery.start_soon(shop.go.receive)
        with durable.move_on_after(5_000):
            await durable.sleep_forever()
    return "done"


# ---- if_exists


async def test_the_same_start_gives_the_same_run_open_or_closed(autojump_clock: MockClock) -> None:
    """J2: "use" is the default; type and input are compared."""
    async with engine_on(MemoryStore()) as engine:
        first = await engine.start(shop.waits, 1, id="w")
        again = await engine.start(shop.waits, 1, id="w")
        assert again.run_id == first.run_id
        await first.signal(shop.go, 2)
        assert await first.result() == 3
        assert (await engine.start(shop.waits, 1, id="w")).run_id == first.run_id
        assert await engine.execute(shop.waits, 1, id="w") == 3
        assert len(await only(engine, "w", WorkflowStarted)) == 1


@pytest.mark.parametrize("closed", [False, True])
async def test_another_type_or_input_is_refused_and_nothing_is_recorded(closed: bool, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        if closed:
            await handle.signal(shop.go, 2)
            await handle.result()
        before = await names_of(engine, "w")
        with pytest.raises(aion.WorkflowAlreadyStartedError, match="another input"):
            await engine.start(shop.waits, 2, id="w")
        with pytest.raises(aion.WorkflowAlreadyStartedError, match="is a 'waits', not a 'sums'"):
            await engine.start(shop.sums, 1, id="w")
        assert await names_of(engine, "w") == before


@pytest.mark.parametrize("closed", [False, True])
async def test_fail_refuses_an_id_that_exists(closed: bool, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        handle = await engine.start(shop.waits, 1, id="w", if_exists="fail")
        if closed:
            await handle.terminate()
        with pytest.raises(aion.WorkflowAlreadyStartedError):
            await engine.start(shop.waits, 1, id="w", if_exists="fail")


async def test_new_run_begins_a_new_chain_after_a_closed_one_only(autojump_clock: MockClock) -> None:
    """H5, H6: each handle answers for its own chain."""
    async with engine_on(MemoryStore()) as engine:
        first = await engine.start(shop.waits, 1, id="w", if_exists="new_run")
        with pytest.raises(aion.WorkflowAlreadyStartedError, match="still open"):
            await engine.start(shop.waits, 5, id="w", if_exists="new_run")
        await first.signal(shop.go, 1)
        assert await first.result() == 2
        second = await engine.start(shop.waits, 5, id="w", if_exists="new_run")
        assert second.run_id != first.run_id
        assert await first.result() == 2
        await second.signal(shop.go, 1)
        assert await second.result() == 6
        assert (await first.result(), await engine.handle("w").result(), await engine.handle("w", first.run_id).result()) == (2, 6, 2)
        assert [event.origin for event in await only(engine, "w", WorkflowStarted)] == [0, 2]
        assert (await engine.start(shop.waits, 5, id="w")).run_id == second.run_id, "use looks at the newest chain"


async def test_after_continue_as_new_the_first_run_of_the_chain_decides(autojump_clock: MockClock) -> None:
    """The successor's input is not what was asked for."""
    async with engine_on(MemoryStore()) as engine:
        first = await engine.start(shop.counts_down, 2, id="c")
        assert await first.result() == "zero"
        assert (await engine.start(shop.counts_down, 2, id="c")).run_id == first.run_id
        with pytest.raises(aion.WorkflowAlreadyStartedError):
            await engine.start(shop.counts_down, 0, id="c")
        turned = await engine.start(shop.turns_into_double, 4, id="t")
        assert await turned.result() == 8
        assert (await engine.start(shop.turns_into_double, 4, id="t")).run_id == turned.run_id
        with pytest.raises(aion.WorkflowAlreadyStartedError):
            await engine.start(shop.double, 4, id="t")


async def test_a_wrong_if_exists_is_refused(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        wrong: Any = "replace"
        with pytest.raises(aion.InvalidInputError, match="if_exists"):
            await engine.start(shop.waits, 1, id="w", if_exists=wrong)
        assert await engine.count_workflows() == 0


async def test_of_concurrent_starts_of_one_id_one_wins(autojump_clock: MockClock) -> None:
    """J2: equal ones get the winner's run, different ones are refused."""
    async with engine_on(MemoryStore()) as engine:
        outcomes: list[object] = []

        async def begin(n: int) -> None:
            try:
                outcomes.append((await engine.start(shop.waits, n, id="w")).run_id)
            except aion.WorkflowAlreadyStartedError:
                outcomes.append(None)

        async with trio.open_nursery() as nursery:
            for n in [1, 2] * 20:
                nursery.start_soon(begin, n)
        winners = {outcome for outcome in outcomes if outcome is not None}
        assert len(winners) == 1
        assert len([outcome for outcome in outcomes if outcome is None]) == 20
        assert (await names_of(engine, "w")).count("WorkflowStarted") == 1


# ---- request ids


async def test_a_request_id_is_looked_at_before_everything_else(autojump_clock: MockClock) -> None:
    """S6: before if_exists, before a refusal, over continue-as-new and over a restart."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        first = await engine.start(shop.counts_down, 2, id="c", request_id="r1")
        await first.result()
        for if_exists in ("use", "fail", "new_run"):
            found = await engine.start(shop.counts_down, 0, id="c", if_exists=if_exists, request_id="r1")  # type: ignore[call-overload]
            assert found.run_id == first.run_id
        second = await engine.start(shop.counts_down, 1, id="c", if_exists="new_run", request_id="r2")
        await second.result()
    async with engine_on(store) as engine:
        assert (await engine.start(shop.counts_down, 2, id="c", if_exists="fail", request_id="r1")).run_id == first.run_id
        assert (await engine.start(shop.sums, 2, id="c", if_exists="new_run", request_id="r2")).run_id == second.run_id
        assert len(await only(engine, "c", WorkflowStarted)) == 5


async def test_without_an_id_the_workflow_id_follows_from_the_request_id(autojump_clock: MockClock) -> None:
    """S6: retrying a start whose answer was lost finds the run that it made."""
    async with engine_on(MemoryStore()) as engine:
        first = await engine.start(shop.waits, 1, request_id="order 7")
        again = await engine.start(shop.waits, 1, request_id="order 7")
        other = await engine.start(shop.waits, 1, request_id="order 8")
        made_up = await engine.start(shop.waits, 1)
        assert (first.id, first.run_id) == (again.id, again.run_id)
        assert len({first.id, other.id, made_up.id}) == 3
        digest = hashlib.blake2b(b"order 7", digest_size=12, person=b"request").hexdigest()
        assert first.id == f"waits-{digest}", "the derivation is a promise to callers of other versions"


async def test_starting_twice_at_once_with_a_request_id_makes_one_run(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        found: set[object] = set()

        async def begin() -> None:
            found.add((await engine.start(shop.waits, 1, id="w", if_exists="fail", request_id="r")).run_id)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(begin)
        assert len(found) == 1


# ---- which code


async def test_a_name_starts_the_latest_version_and_a_definition_its_own(autojump_clock: MockClock) -> None:
    """V2."""

    @aion.workflow(name="greets", version=1)
    async def older() -> str:
        return "one"

    @aion.workflow(name="greets", version=2)
    async def newer() -> str:
        return "two"

    async with engine_on(MemoryStore(), workflows=[newer, older]) as engine:
        assert await engine.execute("greets") == "two"
        assert await engine.execute(older) == "one"
        assert await engine.execute(newer) == "two"
        handle = await engine.start(older, id="o")
        assert (await handle.describe()).version == 1


async def test_what_is_not_loaded_cannot_be_started(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def stranger() -> None: ...

    @aion.workflow(name="waits")
    async def impostor(n: int) -> int:
        return n

    @aion.workflow(name="waits", version=7)
    async def other_version(n: int) -> int:
        return n

    async with engine_on(MemoryStore()) as engine:
        with pytest.raises(aion.WorkflowNotRegisteredError, match="did you mean 'waits'"):
            await engine.start("wait", 1)
        for definition in (stranger, impostor, other_version):
            with pytest.raises(aion.WorkflowNotRegisteredError):
                await engine.start(definition, *([1] if definition is not stranger else []))  # type: ignore[arg-type]
        not_one: Any = 42
        with pytest.raises(aion.InvalidInputError, match="workflow definition"):
            await engine.start(not_one)
        assert await engine.count_workflows() == 0


@pytest.mark.parametrize("bad", ["", "a\0b"])
async def test_an_id_is_a_text_that_a_key_can_hold(bad: str, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        with pytest.raises(aion.InvalidInputError):
            await engine.start(shop.waits, 1, id=bad)


@pytest.mark.parametrize("strange", ["x" * 5000, "ünï/cödé", "../../etc", " ", "\ud800"])
async def test_a_strange_id_works_or_is_refused_as_the_callers_fault(strange: str, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        try:
            handle = await engine.start(shop.waits, 1, id=strange)
        except aion.InvalidInputError:
            assert await engine.count_workflows() == 0
        else:
            await handle.signal(shop.go, 1)
            assert await handle.result() == 2
            assert await engine.execute(shop.double, 2, id="another") == 4


# ---- run time-outs (T4)


@pytest.mark.parametrize("timeout", [20, 20.0, timedelta(seconds=20)])
async def test_a_run_that_exceeds_its_time_out_is_timed_out(timeout: float | timedelta, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        handle = await engine.start(shop.sleeps, 1000.0, id="s", timeout=timeout)
        with pytest.raises(aion.WorkflowTimedOutError):
            await handle.result()
        assert trio.current_time() == pytest.approx(20, abs=0.001)
        assert (await handle.describe()).status is aion.WorkflowStatus.TIMED_OUT


async def test_a_time_out_cancels_all_work_in_one_append(autojump_clock: MockClock) -> None:
    """T4, L2, T3: the closing event is the last one; no timer, activity or child outlives it."""
    store = MemoryStore()
    async with engine_on(store, workflows=[*shop.WORKFLOWS, bounded_work]) as engine:
        handle = await engine.start(bounded_work, 1, id="b", timeout=30)
        with pytest.raises(aion.WorkflowTimedOutError):
            await handle.result()
        with pytest.raises(aion.WorkflowTerminatedError):
            await engine.handle("bounded-child").result()
        await quiet(store)
        closed = await history_of(engine, "b")
        assert isinstance(closed[-1], WorkflowTimedOut)
        assert closed[-1].recorded_at.timestamp() == pytest.approx(closed[0].recorded_at.timestamp() + 30, abs=0.001)
        assert owed(store) == []
        await trio.sleep(80_000)
        assert await history_of(engine, "b") == closed


async def test_a_run_without_a_time_out_has_no_deadline_at_all(autojump_clock: MockClock) -> None:
    """T4."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        handle = await engine.start(shop.waits, 1, id="w")
        (started,) = await only(engine, "w", WorkflowStarted)
        assert started.timeout_us is None
        assert (await handle.describe()).next_wakeup is None
        assert owed(store) == []
        limited = await engine.start(shop.waits, 1, id="l", timeout=10)
        assert (await limited.describe()).next_wakeup == (await limited.describe()).started_at + timedelta(seconds=10)


async def test_a_time_out_of_the_definition_holds_unless_the_start_has_one(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore(), workflows=[bounded]) as engine:
        with pytest.raises(aion.WorkflowTimedOutError):
            await engine.execute(bounded, 60.0, id="b")
        assert await engine.execute(bounded, 60.0, id="c", timeout=100) == "done"
        assert await engine.execute(bounded, 49.0, id="d") == "done"


async def test_each_run_of_a_chain_has_the_time_out_to_itself(autojump_clock: MockClock) -> None:
    """T4, R4: the time-out is per run and goes along."""

    @aion.workflow
    async def in_parts(n: int) -> int:
        await durable.sleep(8)
        if n:
            durable.continue_as_new(n - 1)
        await durable.sleep(100)
        return n

    async with engine_on(MemoryStore(), workflows=[in_parts]) as engine:
        handle = await engine.start(in_parts, 3, id="p", timeout=10)
        with pytest.raises(aion.WorkflowTimedOutError):
            await handle.result()
        assert trio.current_time() == pytest.approx(34, abs=0.01)


async def test_a_deadline_inside_wins_over_a_later_time_out_of_the_run(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        assert await engine.execute(shop.gives_up_after, 5.0, timeout=5.1) == [True, 2]


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), 1e300, True, "soon"])
async def test_a_time_out_that_is_no_time_is_refused(bad: Any, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        with pytest.raises(aion.InvalidInputError):
            await engine.start(shop.waits, 1, timeout=bad)
        assert await engine.count_workflows() == 0


async def test_a_time_out_passes_while_nobody_is_there(autojump_clock: MockClock) -> None:
    """T4, T1: the next open times the run out, without running its code."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.waits, 1, id="w", timeout=10)
    await trio.sleep(100)
    async with engine_on(store) as engine:
        with pytest.raises(aion.WorkflowTimedOutError):
            await engine.handle("w").result()
        assert await names_of(engine, "w") == ["WorkflowStarted", "WorkflowTimedOut"]


# ---- attributes


async def test_attributes_of_a_start_can_be_seen_and_found(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        handle = await engine.start(shop.waits, 1, id="w", attributes={"team": "red", "size": 3, "late": False, "share": 0.5})
        assert (await handle.describe()).attributes == {"team": "red", "size": 3, "late": False, "share": 0.5}
        assert [found.id async for found in engine.list_workflows(attributes={"team": "red", "size": 3})] == ["w"]
        assert [found.id async for found in engine.list_workflows(attributes={"team": "blue"})] == []


@pytest.mark.parametrize("bad", [None, b"bytes", ["list"], {"a": 1}, object(), float("nan")])
async def test_an_attribute_that_cannot_be_found_again_is_refused(bad: Any, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        with pytest.raises(aion.InvalidInputError, match="attribute"):
            await engine.start(shop.waits, 1, attributes={"x": bad})
        assert await engine.count_workflows() == 0


async def test_a_start_is_durable_when_it_returns(autojump_clock: MockClock) -> None:
    """J3: what a caller knows survives an engine that is dropped at once."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        handle = await engine.start(shop.waits, 1, id="w")
    async with engine_on(store) as engine:
        found = engine.handle("w", handle.run_id)
        await found.signal(shop.go, 4)
        assert await found.result() == 5


async def test_a_start_that_is_cancelled_has_happened_or_not(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        with trio.CancelScope() as scope:
            scope.cancel()
            await engine.start(shop.waits, 1, id="w")
        assert await engine.count_workflows() in (0, 1)
        await engine.start(shop.waits, 1, id="w")
        await until(engine, "w", "WorkflowStarted")
        assert (await names_of(engine, "w")).count("WorkflowStarted") == 1
