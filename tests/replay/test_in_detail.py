"""Corners of a run: what arrives after its end, owed outputs on later pages, updates, logs and cleanup when it is dropped."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import encode

from .plays import RUN_ID, START_US, Play, is_output
from .steps import approval, charge, delivery, progress, readdress, ship


@aion.workflow
async def relay(n: int = 0) -> None:
    await charge("a")
    durable.continue_as_new(n + 1)


def owed(play: Play, *late: list[Any]) -> list[list[Any]]:
    """What a replay owes whose last stimulus was recorded without its step, followed by `late`."""
    last = max(i for i, raw in enumerate(play.history) if not is_output(raw))
    execution = play.new()
    execution.replay([*play.history[: last + 1], *late], step_owed=True)
    outputs = execution.take_outputs()
    execution.evict()
    return outputs


def test_what_arrives_behind_a_step_that_was_owed_goes_to_the_successor() -> None:
    """S3, N1: signals in order, and the first request to cancel."""
    play = Play(relay, known=[charge]).start().complete(1, "x")
    at = play.clock_us + 5
    signals = [[ev.SIGNAL_RECEIVED, at, "approval", encode(n), ["w2", n], f"request {n}"] for n in (1, 2)]
    cancels = [[ev.CANCEL_REQUESTED, at, reason, None] for reason in ("first", "second")]
    (closing,) = owed(play, signals[0], cancels[0], [ev.ACTIVITY_COMPLETED, at, 1, encode("y"), 1], signals[1], cancels[1])
    assert closing[0] == ev.WORKFLOW_CONTINUED_AS_NEW
    assert closing[5:] == [[["approval", encode(1), ["w2", 1]], ["approval", encode(2), ["w2", 2]]], "first"]


def test_what_else_arrives_behind_a_step_that_was_owed_goes_to_nobody() -> None:
    """N1: it is no request to cancel the successor."""
    play = Play(relay, known=[charge]).start().complete(1, "x")
    (closing,) = owed(play, [ev.UPDATE_ACCEPTED, play.clock_us, "u1", "readdress", encode("home")])
    assert closing[5:] == [[], None]


def test_what_arrives_behind_another_end_goes_to_nobody() -> None:
    @aion.workflow
    async def order() -> str:
        return await charge("a")

    play = Play(order, known=[charge]).start().complete(1, "x")
    (closing,) = owed(play, [ev.SIGNAL_RECEIVED, play.clock_us, "approval", encode(1), None, None])
    assert closing == [ev.WORKFLOW_COMPLETED, play.clock_us, encode("x")]


@pytest.mark.parametrize(("name", "recorded"), [("relay", None), ("delivery", "delivery")])
def test_a_successor_can_be_named_by_its_name_alone(name: str, recorded: str | None) -> None:
    """N1: the run's own type is recorded as none."""

    @aion.workflow(name="relay")
    async def order() -> None:
        durable.continue_as_new(5, {"a": 1}, workflow=name)

    play = Play(order).start()
    assert play.history[-1][2:] == [RUN_ID, encode([5, {"a": 1}]), recorded, [], None]
    play.check()


def test_a_long_step_is_compared_though_its_outputs_lie_on_the_next_page() -> None:
    """Stimuli whose outputs were recorded late may fill pages before the first of them."""

    @aion.workflow
    async def order() -> list[bool]:
        seen: list[bool] = []
        with durable.move_on_after(10):
            while True:
                await approval.receive()
                seen.append(durable.patched(f"change {len(seen)}"))
        return seen

    count = 1100
    play = Play(order).start()
    for n in range(count):
        play.signal("approval", n % 2 == 0)
    stimuli = [raw for raw in play.history if not is_output(raw)]
    outputs = [raw for raw in play.history if is_output(raw)]
    assert len(outputs) == count
    execution = play.replay([*stimuli, *outputs])
    execution.require_settled()
    assert execution.take_outputs() == [] and execution.position == len(play.history)
    execution.evict()
    half = play.replay([*stimuli, *outputs[: count // 2]], step_owed=False)
    assert half.take_outputs() == []
    half.evict()
    play.execution.evict()


def test_a_result_of_nobody_is_dropped_and_one_of_the_future_is_an_error() -> None:
    """K3: an ordinal that was never issued means that the code changed."""

    @aion.workflow
    async def order() -> str:
        with durable.move_on_after(1):
            await delivery("p")
        return (await approval.receive() and "done") or ""

    play = Play(order, known=[delivery]).start().pass_time()
    assert play.names == ["ChildCancelRequested"]
    assert play.feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("x")).names == []
    assert play.feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("x")).names == []
    with pytest.raises(aion.NonDeterminismError):
        play.feed(ev.CHILD_WORKFLOW_COMPLETED, 2, encode("x"))
    play.execution.evict()


def test_commands_that_differ_are_told_with_what_they_name() -> None:
    """K3."""

    @aion.workflow(name="order")
    async def old() -> None:
        await durable.signal_workflow("other", approval, True)

    @aion.workflow(name="order")
    async def new() -> None:
        durable.patched("the change")
        durable.set_attributes({"a": 1})
        await durable.signal_workflow("another", approval, True)

    play = Play(old).start()
    play.workflow = new
    with pytest.raises(aion.NonDeterminismError) as info:
        play.replay()
    assert "SignalSent: approval to 'other' (command 1)" in str(info.value)
    other = Play(new).start()
    other.workflow = old
    with pytest.raises(aion.NonDeterminismError) as info:
        other.replay()
    assert "PatchMarked: the change" in str(info.value)


@pytest.mark.parametrize("validated", [True, False])
def test_a_query_or_validator_that_is_async_is_refused(validated: bool) -> None:
    """S4, S5: it could not wait."""

    @aion.workflow
    async def order() -> None:
        async def answer(*_: Any) -> int:
            return 1

        asynchronous: Any = answer
        progress.serve(asynchronous)
        readdress.serve(lambda place: 1, asynchronous)
        await approval.receive()

    play = Play(order).start()
    with pytest.raises(aion.WorkflowRuleError, match="make it a plain function, not an async one"):
        play.execution.validate_update("readdress", encode("x")) if validated else play.execution.query("progress")
    assert not play.execution.spoiled
    play.execution.evict()


def test_a_query_that_answers_with_something_to_await_is_refused() -> None:
    class Later:
        def __await__(self) -> Any:
            yield

    @aion.workflow
    async def order() -> None:
        later: Any = Later
        progress.serve(lambda: later())
        await approval.receive()

    play = Play(order).start()
    with pytest.raises(aion.WorkflowRuleError, match="make it a plain function"):
        play.execution.query("progress")
    play.execution.evict()


def test_an_update_that_nobody_serves_or_validates_is_accepted() -> None:
    """S5."""

    @aion.workflow
    async def order() -> list[str]:
        places: list[str] = []

        def handle(place: str) -> int:
            places.append(place)
            return len(places)

        await charge("a")
        readdress.serve(handle)
        await approval.receive()
        return places

    play = Play(order, known=[charge]).start()
    play.execution.validate_update("readdress", b"\xff")
    play.complete(1, "x")
    play.execution.validate_update("readdress", encode("home"))
    with pytest.raises(aion.InvalidInputError):
        play.execution.validate_update("readdress", encode(5))
    assert play.feed(ev.UPDATE_ACCEPTED, "u1", "readdress", encode("home")).last == [
        [ev.UPDATE_COMPLETED, play.clock_us, "u1", [True, encode(1)]]
    ]
    assert play.signal("approval", True).result == ["home"]
    play.check()


def test_what_cleanup_asks_for_when_the_run_is_dropped_is_not_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """K6: an evicted run has nobody to tell, and no update of it is answered."""
    asked: list[str] = []

    @aion.workflow
    async def order() -> None:
        async def handle(place: str) -> int:
            await charge(place)
            return 1

        readdress.serve(handle)
        try:
            await approval.receive()
        finally:
            for act in (lambda: durable.set_attributes({"a": 1}), lambda: durable.patched("new")):
                try:
                    act()
                except BaseException as exc:
                    asked.append(type(exc).__name__)
            durable.logger.warning("never written")
            try:
                await charge("b")
            except BaseException as exc:
                asked.append(type(exc).__name__)

    play = Play(order, known=[charge]).start().feed(ev.UPDATE_ACCEPTED, "u1", "readdress", encode("home"))
    play.execution.evict()
    assert asked == ["Evicted"] * 3
    assert play.execution.take_outputs() == [] and caplog.messages == []


def test_a_call_in_a_cancelled_scope_is_refused_before_it_is_a_command() -> None:
    """K9."""

    @aion.workflow
    async def order() -> list[str]:
        seen: list[str] = []
        for act in (lambda: charge("a"), lambda: durable.sleep(5), lambda: ship("p"), lambda: durable.signal_workflow("w", approval, True)):
            with durable.CancelScope() as scope:
                scope.cancel()
                await act()
            seen.append(str(scope.cancelled_caught))
        return seen

    play = Play(order, known=[charge, ship]).start()
    assert play.names == ["WorkflowCompleted"] and play.result == ["True"] * 4
    play.check()


def test_an_activity_called_by_a_task_that_ended_its_own_run_is_not_recorded() -> None:
    """Called from cleanup while the run is dropped, in a scope that is not cancelled."""
    asked: list[str] = []

    @aion.workflow
    async def order() -> None:
        try:
            await approval.receive()
        finally:
            with durable.CancelScope(shield=True):
                try:
                    await ship("p")
                except BaseException as exc:
                    asked.append(type(exc).__name__)

    play = Play(order, known=[ship]).start()
    play.execution.evict()
    assert asked == ["Evicted"]


def test_the_logger_asks_before_it_formats(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[bool] = []

    @aion.workflow
    async def order() -> None:
        seen.append(durable.logger.isEnabledFor(logging.DEBUG))
        seen.append(durable.logger.isEnabledFor(logging.DEBUG - 1))
        durable.logger.debug("too quiet to be written")
        durable.logger.info("written")
        await charge("a")

    caplog.set_level(logging.INFO, logger="aion_trio.workflow")
    play = Play(order, known=[charge]).start()
    assert caplog.messages == ["written"]
    play.replay().evict()
    assert seen == [True, False, False, False]
    assert caplog.messages == ["written"]
    play.execution.evict()


def test_a_child_can_be_signalled() -> None:
    """S2."""

    @aion.workflow
    async def order() -> None:
        child = await durable.start_child(delivery, "p", id="the child")
        await child.signal(approval, True)

    play = Play(order, known=[delivery]).start()
    assert play.last[1][2:5] == [2, "the child", "approval"]
    assert play.feed(ev.SIGNAL_DELIVERED, 2).names == ["WorkflowCompleted"]
    play.check()


def test_a_run_knows_the_time_that_was_applied_last() -> None:
    """K2."""
    play = Play(relay, known=[charge]).start()
    assert play.execution.time_us == START_US
    play.complete(1, "x")
    assert play.execution.time_us == START_US + 1_000_000
    play.execution.evict()


def test_an_update_that_breaks_a_rule_makes_the_step_void() -> None:
    """K7: nothing of it is recorded, neither an answer."""

    @aion.workflow
    async def order() -> None:
        async def handle(place: str) -> int:
            await trio.sleep(1)
            return 1

        readdress.serve(handle)
        await approval.receive()

    play = Play(order).start()
    with pytest.raises(aion.WorkflowRuleError, match="a function of Trio was called"):
        play.feed(ev.UPDATE_ACCEPTED, "u1", "readdress", encode("home"))
    assert play.execution.take_outputs() == []
    play.execution.evict()


def test_a_shield_that_is_raised_while_a_call_takes_its_turn_lets_the_call_through() -> None:
    """K8: a scope is looked at after the turn, as at every checkpoint."""

    @aion.workflow
    async def order() -> str:
        async def raise_shield() -> None:
            inner.shield = True

        with durable.CancelScope() as outer:
            async with durable.open_nursery() as nursery:
                inner = durable.CancelScope()
                outer.cancel()
                with inner:
                    nursery.start_soon(raise_shield)
                    return await charge("a")
        return "cancelled"

    play = Play(order, known=[charge]).start()
    assert play.names == ["ActivityScheduled"]
    assert play.complete(1, "x").result == "x"
    play.check()
