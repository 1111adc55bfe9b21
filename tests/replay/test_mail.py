"""Signals in and out, queries, updates (S1 to S5)."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import decode, encode

from .plays import RUN_ID, Play
from .steps import approval, charge, progress, readdress


def test_signals_are_received_in_order_of_arrival_and_early_ones_wait() -> None:
    """S1."""

    @aion.workflow
    async def order() -> list[bool]:
        await charge("a")
        return [await approval.receive() for _ in range(3)]

    play = Play(order, known=[charge]).start().signal("approval", True).signal("other", 1).signal("approval", False)
    assert [raw[0] for raw in play.execution.unconsumed_signals()] == ["approval", "other", "approval"]
    assert play.complete(1, "x").names == []
    assert play.signal("approval", True).result == [True, False, True]
    assert [raw[0] for raw in play.execution.unconsumed_signals()] == ["other"]
    play.check()


def test_a_signal_goes_to_the_task_that_has_waited_longest() -> None:
    @aion.workflow
    async def order() -> list[str]:
        seen: list[str] = []

        async def wait(name: str) -> None:
            seen.append(f"{name}: {await approval.receive()}")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(wait, "first")
            nursery.start_soon(wait, "second")
        return seen

    play = Play(order).start().signal("approval", True).signal("approval", False)
    assert play.result == ["first: True", "second: False"]
    play.check()


def test_signals_can_be_iterated_and_waited_for_with_a_time_out() -> None:
    @aion.workflow
    async def order() -> list[bool]:
        seen: list[bool] = []
        with durable.move_on_after(60):
            async for value in approval:
                seen.append(value)
        return seen

    play = Play(order).start().signal("approval", True).signal("approval", False).pass_time()
    assert play.result == [True, False]
    play.check()


def test_a_signal_to_another_workflow_returns_when_it_is_delivered() -> None:
    """S2."""

    @aion.workflow
    async def order() -> str:
        await durable.signal_workflow("other", approval, True)
        try:
            await durable.signal_workflow("gone", "plain", {"any": 1})
        except aion.SignalNotDeliveredError as exc:
            return str(exc)
        return ""

    play = Play(order).start()
    assert play.last[0][2:5] == [1, "other", "approval"]
    assert play.feed(ev.SIGNAL_DELIVERED, 1).names == ["SignalSent"]
    told = play.feed(ev.SIGNAL_FAILED, 2, "it is closed").result
    assert told == "signal 'plain' to workflow 'gone' was not delivered: it is closed"
    play.check()


def test_giving_up_a_signal_to_another_workflow_records_nothing_more() -> None:
    @aion.workflow
    async def order() -> None:
        with durable.move_on_after(1):
            await durable.signal_workflow("other", approval, True)
        await durable.sleep(50)

    play = Play(order).start().pass_time()
    assert play.names == ["TimerStarted"]
    assert play.feed(ev.SIGNAL_DELIVERED, 1).names == []
    play.pass_time().check()


def test_a_query_looks_at_the_state_and_leaves_no_trace() -> None:
    """K6, S4."""

    @aion.workflow
    async def order() -> list[float]:
        done: list[str] = []
        progress.serve(lambda: len(done) + 0 * durable.random().randrange(9))
        for name in "ab":
            done.append(await charge(name))
        return [durable.random().random()]

    asked, unasked = Play(order, known=[charge]).start(), Play(order, known=[charge]).start()
    for ordinal in (1, 2):
        assert decode(asked.execution.query("progress")) == ordinal - 1
        asked.complete(ordinal, "x")
        unasked.complete(ordinal, "x")
    assert decode(asked.execution.query("progress")) == 2
    assert asked.history == unasked.history
    with pytest.raises(aion.QueryNotServedError, match="progress"):
        asked.execution.query("nothing")


def test_a_signal_that_nobody_received_keeps_its_sender() -> None:
    """S3: by which its receiver knows it again if it is sent again (S2)."""

    @aion.workflow
    async def order() -> None:
        await charge("a")

    play = Play(order, known=[charge]).start().feed(ev.SIGNAL_RECEIVED, "approval", encode(True), ["w2", b"r2", 7], "request")
    assert play.execution.unconsumed_signals() == [["approval", encode(True), ["w2", b"r2", 7]]]
    play.execution.evict()


@pytest.mark.parametrize("act", ["attributes", "continue", "patched"])
def test_a_query_that_asks_for_something_is_refused(act: str) -> None:
    @aion.workflow
    async def order() -> None:
        def answer() -> int:
            match act:
                case "attributes":
                    durable.set_attributes({"a": 1})
                case "continue":
                    durable.continue_as_new()
                case _:
                    return int(durable.patched("new"))
            return 0

        progress.serve(answer)
        await charge("a")

    play = Play(order, known=[charge]).start()
    if act == "patched":
        assert decode(play.execution.query("progress")) == 1
    else:
        asked = "a command" if act == "attributes" else "continue as new"
        with pytest.raises(RuntimeError, match=f"a query or validator asked for {asked}:"):
            play.execution.query("progress")
    assert play.execution.take_outputs() == []
    play.complete(1, "x").check()


@pytest.mark.parametrize(
    ("serve", "what"),
    [(lambda: progress.serve(lambda: 2), "a query's handler"), (lambda: readdress.serve(lambda place: 2), "an update's handler")],
    ids=["query", "update"],
)
def test_a_query_that_serves_something_is_refused(serve: Any, what: str) -> None:
    """K6: it would be served until the run leaves memory, and not any more when it is replayed."""

    @aion.workflow
    async def order() -> None:
        progress.serve(lambda: 1)
        aion.Query("serving", int).serve(lambda: serve() and 1)
        await charge("a")

    play = Play(order, known=[charge]).start()
    with pytest.raises(RuntimeError, match=f"a query or validator asked for {what}: it can look"):
        play.execution.query("serving")
    assert decode(play.execution.query("progress")) == 1
    assert play.feed(ev.UPDATE_ACCEPTED, "u1", "readdress", encode("home")).names == []
    play.execution.evict()


def test_a_query_that_steps_a_call_by_hand_is_told_that_it_cannot_wait() -> None:
    """K6."""

    @aion.workflow
    async def order() -> None:
        def answer() -> int:
            call = charge("b")
            try:
                call.send(None)
            finally:
                call.close()
            return 1

        progress.serve(answer)
        await charge("a")

    play = Play(order, known=[charge]).start()
    with pytest.raises(RuntimeError, match="queries and validators cannot wait"):
        play.execution.query("progress")
    play.complete(1, "x").check()


def test_a_query_writes_nothing_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """K6."""

    @aion.workflow
    async def order() -> None:
        def answer() -> int:
            durable.logger.warning("asked")
            return 1

        progress.serve(answer)
        await charge("a")

    play = Play(order, known=[charge]).start()
    assert decode(play.execution.query("progress")) == 1
    assert caplog.messages == []
    play.execution.evict()


def test_a_query_that_wakes_a_task_poisons_the_run() -> None:
    @aion.workflow
    async def order() -> None:
        event = durable.Event()

        def answer() -> int:
            event.set()
            return 1

        progress.serve(answer)
        await event.wait()

    play = Play(order).start()
    assert not play.execution.spoiled
    with pytest.raises(aion.WorkflowRuleError, match="changed the workflow's state"):
        play.execution.query("progress")
    assert play.execution.spoiled
    with pytest.raises(aion.WorkflowRuleError, match="changed the workflow's state"):
        play.cancel()
    play.execution.evict()


def test_an_update_runs_once_and_answers() -> None:
    """S5."""

    @aion.workflow
    async def order() -> list[str]:
        places: list[str] = []

        async def handle(place: str) -> int:
            await charge(place)
            if place == "moon":
                raise ValueError("too far")
            places.append(place)
            return len(places)

        def validate(place: str) -> None:
            if not place:
                raise ValueError("no place")

        await charge("first")
        readdress.serve(handle, validate)
        await approval.receive()
        return places

    play = Play(order, known=[charge]).start()
    assert play.feed(ev.UPDATE_ACCEPTED, "u1", "readdress", encode("home")).names == []
    assert play.complete(1, "x").names == ["ActivityScheduled"]
    assert play.complete(2, "x").last == [[ev.UPDATE_COMPLETED, play.clock_us, "u1", [True, encode(1)]]]
    play.feed(ev.UPDATE_ACCEPTED, "u2", "readdress", encode("moon")).complete(3, "x")
    assert play.last[0][3][0] is False and play.last[0][3][1][2] == "too far"
    play.execution.validate_update("readdress", encode("x"))
    with pytest.raises(ValueError, match="no place"):
        play.execution.validate_update("readdress", encode(""))
    assert play.signal("approval", True).result == ["home"]
    play.check()


def test_the_log_is_written_live_and_not_on_replay(caplog: pytest.LogCaptureFixture) -> None:
    @aion.workflow
    async def order() -> None:
        durable.logger.info("began %s", 1)
        await charge("a")
        durable.logger.warning("charged", extra={"cents": 5})

    caplog.set_level(logging.INFO, logger="aion_trio.workflow")
    play = Play(order, known=[charge]).start().complete(1, "x")
    assert [record.getMessage() for record in caplog.records] == ["began 1", "charged"]
    assert {(getattr(record, "workflow_id", None), getattr(record, "run_id", None)) for record in caplog.records} == {("w1", RUN_ID.hex())}
    assert {record.funcName for record in caplog.records} == {"order"}
    play.check()
    caplog.clear()
    play.replay()
    assert caplog.records == []
