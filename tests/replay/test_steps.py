"""Activities, timers and deadlines as commands: what is recorded, in which order, and what the code sees."""

from __future__ import annotations

import pytest
import trio

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import Codec, ZlibCodec, digest, encode

from .plays import START_US, Play
from .steps import Declined, charge, ship


def test_an_activity_is_recorded_with_its_input_and_returns_its_result() -> None:
    @aion.workflow
    async def order() -> list[str]:
        return [await charge("a", 5), await charge("b")]

    play = Play(order, known=[charge]).start()
    encoded = encode(["a", 5])
    assert play.last == [[ev.ACTIVITY_SCHEDULED, START_US, 1, "charge", encoded, digest(encoded), "default", charge.options]]
    assert play.complete(1, "x").names == ["ActivityScheduled"]
    assert play.complete(2, "y").names == ["WorkflowCompleted"]
    assert play.result == ["x", "y"]
    play.check()


def test_outputs_carry_the_time_of_their_stimulus() -> None:
    """K2: only stimuli move time."""

    @aion.workflow
    async def order() -> list[float]:
        times = [durable.current_time()]
        await charge("a")
        times.append(durable.current_time())
        assert durable.now().timestamp() == times[-1]
        return times

    play = Play(order, known=[charge]).start().complete(1, "x")
    assert play.last[0][1] == play.history[-2][1] == START_US + 1_000_000
    assert play.result == [START_US / 1e6, START_US / 1e6 + 1]
    play.check()


def test_a_failure_that_is_listed_comes_back_as_itself() -> None:
    @aion.workflow
    async def order() -> str:
        try:
            await charge("a")
        except Declined as exc:
            return f"declined: {exc}"
        return "charged"

    play = Play(order, known=[charge]).start().fail(1, Declined("no money"))
    assert play.result == "declined: no money"
    play.check()


def test_another_failure_is_an_activity_failed_error() -> None:
    @aion.workflow
    async def order() -> list[str]:
        try:
            await ship("p")
        except aion.ActivityFailedError as exc:
            return [exc.activity, exc.type, exc.message]
        return []

    play = Play(order, known=[ship]).start().fail(1, OSError("no road"))
    assert play.result == ["ship", "OSError", "no road"]
    play.check()


def test_a_fan_out_is_issued_in_order_and_may_complete_in_any() -> None:
    @aion.workflow
    async def order() -> list[str]:
        done: list[str] = []

        async def one(name: str) -> None:
            done.append(await charge(name))

        async with durable.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(one, name)
        return done

    play = Play(order, known=[charge]).start()
    assert [raw[2] for raw in play.last] == [1, 2, 3]
    assert play.complete(2, "B").complete(3, "C").complete(1, "A").result == ["B", "C", "A"]
    play.check()


def test_an_activity_can_be_started_in_a_nursery_as_it_is() -> None:
    @aion.workflow
    async def order() -> None:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(charge, "a", 1)
            nursery.start_soon(ship, "p")

    play = Play(order, known=[charge, ship]).start()
    assert [raw[3] for raw in play.last] == ["charge", "ship"]
    play.complete(1, "x").complete(2, "y").check()


def test_cancelling_an_activity_is_recorded_in_its_own_turn_and_its_late_result_goes_to_no_code() -> None:
    """K9."""

    @aion.workflow
    async def order() -> bool:
        with durable.move_on_after(10) as scope:
            await charge("a")
        await ship("p")
        return scope.cancelled_caught

    play = Play(order, known=[charge, ship]).start().pass_time()
    assert play.names == ["ActivityCancelled", "ActivityScheduled"]
    assert play.execution.pending_activities().keys() == {2}
    assert play.complete(1, "late").names == []
    assert play.complete(2, "y").result is True
    play.check()


def test_a_sleep_is_a_timer() -> None:
    @aion.workflow
    async def nap() -> float:
        await durable.sleep(90)
        return durable.current_time()

    play = Play(nap).start()
    assert play.last == [[ev.TIMER_STARTED, START_US, 1, START_US + 90_000_000]]
    assert play.execution.next_due() == START_US + 90_000_000
    assert play.execution.due(START_US + 89_999_999, START_US) is None
    assert play.pass_time().history[-2][0] == ev.TIMER_FIRED
    assert play.result == START_US / 1e6 + 90
    play.check()


def test_a_cancelled_sleep_is_recorded() -> None:
    """T2."""

    @aion.workflow
    async def nap() -> None:
        with durable.move_on_after(5):
            await durable.sleep(90)

    play = Play(nap).start().pass_time()
    assert play.names == ["TimerCancelled", "WorkflowCompleted"]
    assert play.execution.next_due() is None
    play.check()


def test_what_does_not_wait_for_time_records_nothing() -> None:
    @aion.workflow
    async def nap() -> None:
        await durable.sleep(0)
        await durable.sleep(1e-9)
        await durable.sleep_until(durable.current_time() - 1)
        await durable.sleep_until(durable.current_time())
        with durable.move_on_after(0):
            await durable.sleep(10)
        await durable.sleep_forever()

    play = Play(nap).start()
    assert play.last == [] and play.execution.next_due() is None
    assert play.cancel().names == ["WorkflowCancelled"]
    play.check()


def test_a_passed_deadline_cancels_before_any_command() -> None:
    @aion.workflow
    async def order() -> bool:
        with durable.move_on_at(durable.current_time()) as scope:
            await charge("a")
        return scope.cancelled_caught

    play = Play(order, known=[charge]).start()
    assert play.names == ["WorkflowCompleted"] and play.result is True
    play.check()


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.3, 1.1, 2.2, 1e-6, 123.456789])
def test_float_arithmetic_never_moves_a_deadline_past_its_time(seconds: float) -> None:
    @aion.workflow
    async def order() -> int:
        began = durable.current_time()
        with durable.move_on_after(seconds):
            await durable.sleep_forever()
        with durable.move_on_at(began + seconds) as again:
            await durable.checkpoint()
        return int(again.cancelled_caught)

    play = Play(order).start()
    due = play.execution.next_due()
    assert due == START_US + round(seconds * 1e6)
    play.clock_us = due
    assert play.feed_raw([ev.DEADLINE_PASSED, due, due]).result == 1
    play.check()


def test_deadlines_that_are_due_together_fire_in_one_event_in_the_order_of_setting() -> None:
    @aion.workflow
    async def order() -> list[str]:
        seen: list[str] = []

        async def wait(name: str) -> None:
            with durable.move_on_at(deadline):
                await durable.sleep_forever()
            seen.append(name)

        deadline = durable.current_time() + 5
        async with durable.open_nursery() as nursery:
            for name in "cab":
                nursery.start_soon(wait, name)
        return seen

    play = Play(order).start().pass_time()
    assert [raw[0] for raw in play.history].count(ev.DEADLINE_PASSED) == 1
    assert play.result == ["c", "a", "b"]
    play.check()


def test_timers_and_deadlines_come_in_the_order_due_then_set() -> None:
    @aion.workflow
    async def order() -> list[str]:
        seen: list[str] = []

        async def nap(name: str) -> None:
            await durable.sleep(5)
            seen.append(name)

        async def wait(name: str) -> None:
            with durable.move_on_after(5):
                await durable.sleep_forever()
            seen.append(name)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(nap, "timer 1")
            nursery.start_soon(wait, "deadline")
            nursery.start_soon(nap, "timer 2")
            nursery.start_soon(wait, "deadline with it")
        return seen

    play = Play(order).start().pass_time().pass_time().pass_time()
    assert [ev.name_of(raw[0]) for raw in play.history if raw[0] in ev.STIMULI] == [
        "WorkflowStarted", "TimerFired", "DeadlinePassed", "TimerFired",
    ]  # fmt: skip
    assert play.result == ["timer 1", "deadline", "deadline with it", "timer 2"]
    play.check()


def test_a_deadline_fires_when_told_and_not_before() -> None:
    """K5: a result that is applied before the deadline's event wins, however late it is."""

    @aion.workflow
    async def order() -> str:
        with durable.move_on_after(5):
            return await charge("a")
        return "too slow"

    play = Play(order, known=[charge]).start()
    play.clock_us += 60_000_000
    assert play.complete(1, "in time").result == "in time"
    play.check()
    other = Play(order, known=[charge]).start().pass_time()
    assert other.result == "too slow"
    other.check()


def test_fail_after_is_a_durable_too_slow_error() -> None:
    @aion.workflow
    async def order() -> str:
        try:
            with durable.fail_after(5):
                await charge("a")
        except trio.TooSlowError:
            return "too slow"
        return "charged"

    play = Play(order, known=[charge]).start().pass_time()
    assert play.result == "too slow"
    play.check()


def test_inputs_match_by_digest_whatever_payload_codecs_there_are() -> None:
    @aion.workflow
    async def order() -> int:
        return len(await charge("a" * 5000)) + len(await charge("b" * 5000))

    play = Play(order, known=[charge], codec=Codec((ZlibCodec(),))).start()
    assert len(play.last[0][4]) < 500
    play.complete(1, "x").complete(2, "yy").check()
    assert play.result == 3
    plain = Play(order, known=[charge])
    plain.world = type(plain.world)(plain.world.registry, Codec((ZlibCodec(level=1, minimum_bytes=1 << 30),)))
    plain.replay(play.history).require_settled()


def test_the_history_a_run_sees_is_the_same_on_replay() -> None:
    """N2, K6: markers and attribute updates from outside do not count."""

    @aion.workflow
    async def order() -> list[int]:
        seen: list[int] = []
        for name in "abc":
            await charge(name)
            seen += [durable.info().history_length, durable.info().history_bytes]
        return seen

    play = Play(order, known=[charge]).start()
    for ordinal in (1, 2, 3):
        play.feed(ev.ACTIVITY_ATTEMPT_FAILED, ordinal, 1, ["application", "E", "", None, None, False], 0)
        play.feed(ev.ATTRIBUTES_UPDATED, {"a": 1}, 0)
        play.complete(ordinal, "x")
    assert play.result[::2] == [3, 5, 7]
    assert play.execution.position == len(play.history)
    play.check()


def test_position_may_begin_anywhere() -> None:
    @aion.workflow
    async def order() -> None:
        await charge("a")

    play = Play(order, known=[charge]).start()
    execution = play.new()
    execution.position = 40
    execution.replay(play.history)
    assert execution.position == 40 + len(play.history)
