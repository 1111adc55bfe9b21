"""Durable time: sleeps, deadlines and races, and that nothing of them outlives its run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import DeadlinePassed, TimerFired, TimerStarted
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet
from .harness import engine_on, history_of, names_of, until

YEAR = 365 * 86400.0


async def result_of(workflow: Any, *args: Any, store: MemoryStore | None = None, **settings: Any) -> Any:
    """The result of one workflow, in an engine of its own that leaves nothing behind (J9)."""
    store = store or MemoryStore()
    workflows = [*shop.WORKFLOWS, workflow] if workflow not in shop.WORKFLOWS else shop.WORKFLOWS
    async with engine_on(store, workflows=workflows, **settings) as engine:
        result = await engine.execute(workflow, *args, id="w")
        await quiet(store)
    assert owed(store) == []
    return result


# ---- sleeps


async def test_a_sleep_takes_its_time_and_is_one_timer(autojump_clock: MockClock) -> None:
    """T1."""
    store = MemoryStore()
    assert await result_of(shop.sleeps, 12.5, store=store) == "rested"
    assert trio.current_time() == pytest.approx(12.5, abs=0.001)
    async with engine_on(store) as engine:
        assert await names_of(engine, "w") == ["WorkflowStarted", "TimerStarted", "TimerFired", "WorkflowCompleted"]


async def test_a_year_of_timers_passes(autojump_clock: MockClock) -> None:
    """T1: one sleep a day, each at its time."""

    @aion.workflow
    async def daily() -> list[float]:
        begun = durable.current_time()
        late: list[float] = []
        for day in range(1, 366):
            await durable.sleep_until(begun + day * 86400)
            late.append(durable.current_time() - begun - day * 86400)
        return late

    late = await result_of(daily)
    assert len(late) == 365 and all(0 <= seconds < 0.01 for seconds in late)
    assert trio.current_time() == pytest.approx(YEAR, abs=1)


async def test_a_sleep_of_a_year_needs_no_memory(autojump_clock: MockClock) -> None:
    """T1: a parked run is not resident; its timer brings it back."""
    async with engine_on(MemoryStore(), idle_after=1.0) as engine:
        handle = await engine.start(shop.sleeps, YEAR)
        await trio.sleep(5)
        assert engine.runs.resident == 0
        description = await handle.describe()
        assert description.next_wakeup == description.started_at + timedelta(days=365)
        assert await handle.result() == "rested"


async def test_timers_that_are_due_together_fire_in_the_order_in_which_they_were_set(autojump_clock: MockClock) -> None:
    """T1, K1: within one workflow, and the same after the code has been replayed."""

    @aion.workflow
    async def many() -> list[int]:
        woke: list[int] = []

        async def one(n: int) -> None:
            await durable.sleep(10)
            woke.append(n)

        async with durable.open_nursery() as nursery:
            for n in range(200):
                nursery.start_soon(one, n)
        return woke

    assert await result_of(many) == list(range(200))
    store = MemoryStore()
    async with engine_on(store, workflows=[many]) as engine:
        await engine.start(many, id="m")
        await until(engine, "m", "TimerStarted", 200)
    async with engine_on(store, workflows=[many]) as engine:
        assert await engine.handle("m").result() == list(range(200))
        fired = await only(engine, "m", TimerFired)
        assert [event.ordinal for event in fired] == list(range(1, 201))


async def test_timers_fire_in_the_order_of_their_due_times(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def mixed() -> list[int]:
        woke: list[int] = []

        async def one(n: int) -> None:
            await durable.sleep(n)
            woke.append(n)

        async with durable.open_nursery() as nursery:
            for n in (5, 3, 9, 1, 7):
                nursery.start_soon(one, n)
        return woke

    assert await result_of(mixed) == [1, 3, 5, 7, 9]


async def test_timers_that_all_passed_while_nobody_was_there_fire_in_order(autojump_clock: MockClock) -> None:
    """T1, K2: past-due ones fire at boot, sorted by due time, deadlines among them."""

    @aion.workflow
    async def mixed() -> list[str]:
        seen: list[str] = []

        async def one(n: int) -> None:
            await durable.sleep(n)
            seen.append(f"timer {n}")

        async def limited(n: int) -> None:
            with durable.move_on_after(n):
                await durable.sleep_forever()
            seen.append(f"deadline {n}")

        async with durable.open_nursery() as nursery:
            for n in (4, 2):
                nursery.start_soon(one, n)
                nursery.start_soon(limited, n + 1)
        return seen

    store = MemoryStore()
    async with engine_on(store, workflows=[mixed]) as engine:
        await engine.start(mixed, id="m")
    await trio.sleep(1000)
    async with engine_on(store, workflows=[mixed]) as engine:
        assert engine.recovery.wakeups_due == 1
        assert await engine.handle("m").result() == ["timer 2", "deadline 3", "timer 4", "deadline 5"]
    assert owed(store) == []


async def test_a_thousand_workflows_with_timers_due_at_once(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        for n in range(1000):
            await engine.start(shop.sleeps, 60.0, id=str(n))
        for n in range(1000):
            assert await engine.handle(str(n)).result() == "rested"
        assert trio.current_time() == pytest.approx(60, abs=1)
        assert owed(engine.journal.store) == []


async def test_sleeping_for_no_time_and_for_ever_records_nothing(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def idles() -> None:
        await durable.sleep(0)
        await durable.sleep_until(durable.current_time())
        await durable.checkpoint()
        with durable.move_on_after(0):
            await durable.sleep(10)
        await durable.sleep_forever()

    async with engine_on(MemoryStore(), workflows=[idles]) as engine:
        handle = await engine.start(idles, id="i")
        await trio.sleep(100)
        assert await names_of(engine, "i") == ["WorkflowStarted"]
        assert (await handle.describe()).next_wakeup is None


async def test_a_sleep_of_nonsense_fails_the_workflow_at_its_line(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def sleeps_badly(seconds: float) -> str:
        try:
            await durable.sleep(seconds)
        except ValueError:
            return "refused"
        return "slept"

    for seconds in (-1.0, float("nan")):
        async with engine_on(MemoryStore(), workflows=[sleeps_badly]) as engine:
            assert await engine.execute(sleeps_badly, seconds) == "refused"


@pytest.mark.parametrize("seconds", [1e10, 1e12, 1e15, 1e300, float("inf")])
async def test_a_sleep_of_ages_waits_and_harms_nobody(seconds: float, autojump_clock: MockClock) -> None:
    """Beyond the year 9999, and beyond what an index can hold."""
    async with engine_on(MemoryStore()) as engine:
        handle = await engine.start(shop.sleeps, seconds, id="ages")
        assert await engine.execute(shop.sleeps, 5.0) == "rested"
        description = await handle.describe()
        assert (description.status, description.quarantine) == (aion.WorkflowStatus.RUNNING, None)
        assert len(await names_of(engine, "ages")) == (1 if seconds == float("inf") else 2)
        await trio.sleep(1000)
        await handle.terminate()


# ---- scopes


@aion.workflow
async def limits(kind: str) -> list[Any]:
    """A time-out of five seconds around something that takes for ever; then what time it is."""
    begun = durable.current_time()
    with durable.move_on_after(5) as scope:
        match kind:
            case "activity":
                await shop.hang()
            case "child":
                await shop.hangs()
            case "signal":
                await shop.go.receive()
            case "sleep":
                await durable.sleep(1000)
            case "back-off":
                await shop.fails_twice(1)
            case "event":
                await durable.Event().wait()
    return [scope.cancelled_caught, round(durable.current_time() - begun, 3)]


@pytest.mark.parametrize("kind", ["activity", "child", "signal", "sleep", "back-off", "event"])
async def test_a_time_out_cuts_off_whatever_is_inside(kind: str, autojump_clock: MockClock) -> None:
    """K8, K9: at its time, durably."""
    store = MemoryStore()
    assert await result_of(limits, kind, store=store) == [True, 5.0]
    async with engine_on(store, workflows=[*shop.WORKFLOWS, limits]) as engine:
        expected = {
            "activity": ["ActivityScheduled", "DeadlinePassed", "ActivityCancelled"],
            "child": ["ChildWorkflowStarted", "DeadlinePassed", "ChildCancelRequested"],
            "signal": ["DeadlinePassed"],
            "sleep": ["TimerStarted", "DeadlinePassed", "TimerCancelled"],
            "back-off": ["ActivityScheduled", "ActivityAttemptFailed", "DeadlinePassed", "ActivityCancelled"],
            "event": ["DeadlinePassed"],
        }
        assert (await names_of(engine, "w"))[1:-1] == expected[kind]


async def test_a_time_out_that_is_not_needed_records_nothing(autojump_clock: MockClock) -> None:
    """A deadline is recorded only if it fires; its wake-up goes with it."""

    @aion.workflow
    async def in_time() -> int:
        with durable.fail_after(50):
            found = await shop.add(1, 2)
        await durable.sleep(100)
        return found

    store = MemoryStore()
    assert await result_of(in_time, store=store) == 3
    async with engine_on(store, workflows=[in_time]) as engine:
        assert not await only(engine, "w", DeadlinePassed)


async def test_fail_after_raises_and_the_workflow_fails_with_it(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def strict(catches: bool) -> str:
        try:
            with durable.fail_after(5):
                await shop.hang()
        except trio.TooSlowError:
            if catches:
                return "too slow"
            raise
        return "in time"

    assert await result_of(strict, True) == "too slow"
    async with engine_on(MemoryStore(), workflows=[strict]) as engine:
        with pytest.raises(aion.WorkflowFailedError, match="TooSlowError"):
            await engine.execute(strict, False)


async def test_a_deadline_and_a_result_at_one_moment_are_decided_by_what_was_applied(autojump_clock: MockClock) -> None:
    """K5: whichever came first in the history, replay takes the same branch."""

    @aion.activity
    async def takes(seconds: float) -> str:
        await trio.sleep(seconds)
        return "result"

    @aion.workflow
    async def races(seconds: float) -> str:
        with durable.move_on_after(5):
            return await takes(seconds)
        return "deadline"

    @aion.workflow
    async def races_and_waits(seconds: float) -> str:
        won = await races.fn(seconds)
        await shop.go.receive()
        return won

    for seconds in (4.9, 4.999999, 5.0, 5.000001, 5.1):
        store = MemoryStore()
        settings: dict[str, Any] = {"workflows": [races_and_waits], "activities": [takes]}
        async with engine_on(store, **settings) as engine:
            await engine.start(races_and_waits, seconds, id="r")
            await trio.sleep(10)
            live = [name for name in await names_of(engine, "r") if name in ("ActivityCompleted", "DeadlinePassed")]
        async with engine_on(store, **settings) as engine:
            await engine.handle("r").signal(shop.go, 1)
            won = await engine.handle("r").result()
            assert engine.recovery.quarantined == ()
        assert live == [{"result": "ActivityCompleted", "deadline": "DeadlinePassed"}[won]]
        assert won == ("result" if seconds < 5 else won)


async def test_nested_time_outs_fire_outermost_last(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def nested() -> list[Any]:
        seen: list[Any] = []
        with durable.move_on_after(9) as outer:
            with durable.move_on_after(3) as inner:
                await durable.sleep_forever()
            seen.append(["inner", inner.cancelled_caught, outer.cancel_called])
            await durable.sleep_forever()
        return [*seen, outer.cancelled_caught]

    assert await result_of(nested) == [["inner", True, False], True]
    assert trio.current_time() == pytest.approx(9, abs=0.01)


async def test_a_deadline_that_moves_is_armed_anew(autojump_clock: MockClock) -> None:
    """J9: one wake-up row, rewritten."""

    @aion.workflow
    async def moves() -> float:
        begun = durable.current_time()
        with durable.CancelScope(deadline=begun + 100) as scope:
            async with durable.open_nursery() as nursery:
                nursery.start_soon(durable.sleep_forever)
                await shop.go.receive()
                scope.deadline = begun + 20
                await shop.go.receive()
                scope.deadline = begun + 500
        return round(durable.current_time() - begun, 3)

    store = MemoryStore()
    async with engine_on(store, workflows=[moves]) as engine:
        handle = await engine.start(moves, id="m")

        async def wakeup() -> float:
            description = await handle.describe()
            assert description.next_wakeup is not None and len(owed(store)) == 1
            return (description.next_wakeup - description.started_at).total_seconds()

        assert await wakeup() == 100
        await handle.signal(shop.go, 1)
        assert await wakeup() == 20
        await trio.sleep(10)
        await handle.signal(shop.go, 1)
        assert await wakeup() == 500
        assert await handle.result() == 500
    assert owed(store) == []


# ---- closed runs


@pytest.mark.parametrize("how", ["complete", "fail", "cancel", "terminate", "time out", "continue"])
async def test_timers_of_a_closed_run_never_fire_or_append(how: str, autojump_clock: MockClock) -> None:
    """T3, L2, J9: nothing of it is left to wake."""

    @aion.workflow
    async def leaves(how: str) -> str:
        async def in_background() -> None:
            with durable.move_on_after(40):
                await durable.sleep(50)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(in_background)
            await durable.sleep(10)
            match how:
                case "complete":
                    nursery.cancel_scope.cancel()
                case "fail":
                    raise ValueError
                case "continue":
                    durable.continue_as_new("complete")
                case _:
                    await durable.sleep_forever()
        return "done"

    store = MemoryStore()
    async with engine_on(store, workflows=[leaves]) as engine:
        handle = await engine.start(leaves, how, id="l", timeout=30 if how == "time out" else None)
        await trio.sleep(20)
        if how == "cancel":
            await handle.cancel()
        elif how == "terminate":
            await handle.terminate()
        try:
            await handle.result()
        except aion.AionError:
            pass
        await quiet(store)
        assert owed(store) == []
        closed = await history_of(engine, "l")
        await trio.sleep(1000)
        assert await history_of(engine, "l") == closed
    async with engine_on(store, workflows=[leaves]) as engine:
        assert engine.recovery.wakeups_due == 0
        assert await history_of(engine, "l") == closed


async def test_a_timer_is_set_for_the_recorded_moment(autojump_clock: MockClock) -> None:
    """T1: its due time is in the history and does not move with restarts."""
    store = MemoryStore()
    async with engine_on(store) as engine:
        await engine.start(shop.sleeps, 100.0, id="s")
    for _ in range(5):
        await trio.sleep(10)
        async with engine_on(store):
            await trio.sleep(5)
    async with engine_on(store) as engine:
        assert await engine.handle("s").result() == "rested"
        (started,) = await only(engine, "s", TimerStarted)
        (fired,) = await only(engine, "s", TimerFired)
        assert fired.recorded_at.timestamp() == pytest.approx(started.fire_at_us / 1e6, abs=0.001)
        assert trio.current_time() == pytest.approx(100, abs=0.1)


async def test_the_workflows_clock_is_that_of_the_event_applied_last(autojump_clock: MockClock) -> None:
    """K2, H8."""

    @aion.workflow
    async def tells_time() -> list[float]:
        begun = durable.current_time()
        times = [durable.current_time() - begun]
        await durable.sleep(7)
        times.append(round(durable.current_time() - begun, 3))
        await shop.add(1, 1)
        times.append(round(durable.current_time() - begun, 3))
        assert durable.now().timestamp() == pytest.approx(durable.current_time())
        return times

    store = MemoryStore()
    assert await result_of(tells_time, store=store) == [0, 7, 7]
