"""How a run ends: results, failures, cancellation, continue-as-new; and what the run knows about itself."""

from __future__ import annotations

from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import decode, encode

from .plays import RUN_ID, START_US, Play
from .steps import approval, charge, ship


def test_an_exception_that_leaves_the_function_fails_the_run() -> None:
    @aion.workflow
    async def order() -> None:
        raise ValueError("no stock")

    play = Play(order).start()
    assert play.names == ["WorkflowFailed"] and play.last[0][2][1:3] == ["ValueError", "no stock"]
    assert play.execution.finished
    play.check()


def test_a_result_that_does_not_fit_fails_the_run() -> None:
    @aion.workflow
    async def order() -> int:
        wrong: Any = "seven"
        return wrong  # type: ignore[no-any-return]

    play = Play(order).start()
    assert play.names == ["WorkflowFailed"] and "int" in play.last[0][2][2]
    play.check()


def test_a_cancel_request_is_let_through_or_answered() -> None:
    """L1."""

    @aion.workflow
    async def obedient() -> None:
        try:
            await charge("a")
        finally:
            with durable.CancelScope(shield=True):
                await ship("back")

    play = Play(obedient, known=[charge, ship]).start().cancel("changed my mind")
    assert play.names == ["ActivityCancelled", "ActivityScheduled"]
    assert play.complete(2, "x").last == [[ev.WORKFLOW_CANCELLED, play.clock_us, "changed my mind"]]
    play.check()

    @aion.workflow
    async def stubborn() -> str:
        try:
            await charge("a")
        except durable.Cancelled:
            return "done anyway"
        return ""

    play = Play(stubborn, known=[charge]).start().cancel()
    assert play.result == "done anyway"
    play.check()


def test_a_cancelled_fan_out_ends_cancelled_though_its_exceptions_come_in_groups() -> None:
    @aion.workflow
    async def order() -> None:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(charge, "a")
            nursery.start_soon(charge, "b")

    play = Play(order, known=[charge]).start().cancel("stop").cancel("stop again")
    assert [ev.name_of(raw[0]) for raw in play.history[4:]] == [
        "ActivityCancelled", "ActivityCancelled", "WorkflowCancelled", "CancelRequested",
    ]  # fmt: skip
    assert play.history[6][2] == "stop"
    play.check()


def test_a_failure_during_cancellation_fails_the_run() -> None:
    @aion.workflow
    async def order() -> None:
        async def cleanup() -> None:
            try:
                await charge("a")
            finally:
                raise OSError("cleanup")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(cleanup)
            nursery.start_soon(charge, "b")

    play = Play(order, known=[charge]).start().cancel()
    assert play.names[-1] == "WorkflowFailed" and "OSError" in play.last[-1][2][2]
    play.check()


def test_an_exception_after_a_request_to_cancel_fails_the_run() -> None:
    @aion.workflow
    async def order() -> None:
        try:
            await charge("a")
        except durable.Cancelled:
            raise OSError("cleanup") from None

    play = Play(order, known=[charge]).start().cancel()
    assert play.names[-1] == "WorkflowFailed" and play.last[-1][2][1:3] == ["OSError", "cleanup"]
    play.check()


def test_continue_as_new_carries_input_signals_and_an_unanswered_cancel_request() -> None:
    """N1, S3."""

    @aion.workflow
    async def loop(n: int) -> None:
        try:
            await charge("a")
        except durable.Cancelled:
            durable.continue_as_new(n + 1)

    play = Play(loop, 1, known=[charge]).start().signal("approval", True).signal("other", 2).cancel("later")
    closing = play.last[-1]
    signals = [["approval", encode(True), None], ["other", encode(2), None]]
    assert closing == [ev.WORKFLOW_CONTINUED_AS_NEW, play.clock_us, RUN_ID, encode([2]), None, signals, "later"]
    play.check()


def test_continue_as_new_works_from_a_nested_task() -> None:
    @aion.workflow
    async def loop(n: int) -> None:
        async def deep() -> None:
            async with durable.open_nursery() as nursery:
                nursery.start_soon(charge, "x")
                await charge("y")
                durable.continue_as_new(n + 1)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(deep)
            nursery.start_soon(durable.sleep, 100)

    play = Play(loop, 1, known=[charge]).start()
    play.complete(next(raw[2] for raw in play.last if raw[0] == ev.ACTIVITY_SCHEDULED), "z")
    assert play.last[-1][0] == ev.WORKFLOW_CONTINUED_AS_NEW and decode(play.last[-1][3]) == [2]
    play.check()


def test_another_exception_wins_over_continue_as_new() -> None:
    @aion.workflow
    async def loop() -> None:
        async def stop() -> None:
            durable.continue_as_new()

        async def fail() -> None:
            raise ValueError("no")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(stop)
            nursery.start_soon(fail)

    play = Play(loop).start()
    assert play.names == ["WorkflowFailed"] and "ValueError" in play.last[0][2][2]
    play.check()


def test_continue_as_new_may_name_another_type_and_checks_its_input() -> None:
    @aion.workflow
    async def other(text: str) -> None: ...

    @aion.workflow
    async def loop(good: bool) -> None:
        durable.continue_as_new("x" if good else 3, workflow=other)

    play = Play(loop, True, known=[other]).start()
    assert play.last[0][3:5] == [encode(["x"]), "other"]
    play.check()
    play = Play(loop, False, known=[other]).start()
    assert play.names == ["WorkflowFailed"] and "text" in play.last[0][2][2]


def test_a_new_run_takes_new_branches_and_records_it_once() -> None:
    """V3."""

    @aion.workflow
    async def order() -> list[bool]:
        taken = [durable.patched("new"), durable.patched("new")]
        await charge("a")
        return [*taken, durable.patched("new"), durable.patched("newer")]

    play = Play(order, known=[charge]).start()
    assert play.names == ["PatchMarked", "ActivityScheduled"]
    assert play.complete(1, "x").result == [True, True, True, True]
    play.check()


def test_an_old_history_keeps_its_old_branch() -> None:
    """V3: and a run that passes a new place for the first time takes the new branch."""

    @aion.workflow(name="order")
    async def old() -> str:
        await charge("a")
        await approval.receive()
        return await charge("b")

    @aion.workflow(name="order")
    async def new() -> str:
        first = durable.patched("check first")
        if first:
            await ship("x")
        await charge("a")
        await approval.receive()
        second = durable.patched("ship last")
        return f"{first} {second} {await (ship('b') if second else charge('b'))}"

    play = Play(old, known=[charge]).start().complete(1, "x")
    play.execution.evict()
    renewed = Play(new, known=[charge, ship])
    renewed.execution, renewed.history = renewed.replay(play.history), list(play.history)
    renewed.execution.require_settled()
    renewed.clock_us = play.clock_us
    assert renewed.signal("approval", True).names == ["PatchMarked", "ActivityScheduled"]
    assert renewed.complete(2, "y").result == "False True y"
    renewed.check(first=len(play.history))


@pytest.mark.parametrize("step_owed", [False, True])
def test_the_newest_step_is_new_only_if_it_is_owed(step_owed: bool) -> None:
    """V3: a run that waits behind the place of a change keeps its old branch."""

    async def old() -> None:
        await approval.receive()
        await approval.receive()

    async def new() -> None:
        await approval.receive()
        durable.patched("the change")
        await approval.receive()

    history = Play(aion.workflow(name="order")(old)).start().signal("approval", True).history
    execution = Play(aion.workflow(name="order")(new)).replay(history, **({"step_owed": True} if step_owed else {}))
    assert [ev.name_of(raw[0]) for raw in execution.take_outputs()] == (["PatchMarked"] if step_owed else [])
    execution.evict()


def test_attributes_are_set_by_commands_and_seen_by_the_run() -> None:
    @aion.workflow
    async def order() -> dict[str, object]:
        durable.set_attributes({"stage": "paid", "cents": 5})
        await charge("a")
        durable.set_attributes({"cents": None})
        return dict(durable.info().attributes)

    play = Play(order, known=[charge])
    play.start_fields[10] = {"customer": "x"}
    play.start()
    assert play.last[0] == [ev.ATTRIBUTES_UPDATED, START_US, {"stage": "paid", "cents": 5}, 1]
    assert play.complete(2, "x").result == {"customer": "x", "stage": "paid"}
    play.check()


def test_attributes_are_plain_values() -> None:
    @aion.workflow
    async def order() -> None:
        durable.set_attributes({"stage": ["a"]})

    play = Play(order).start()
    assert play.names == ["WorkflowFailed"] and "'stage'" in play.last[0][2][2]


def test_randomness_is_one_stream_of_the_run() -> None:
    """K2."""

    @aion.workflow
    async def order() -> list[Any]:
        first = durable.random().random()
        await charge("a")
        return [first, durable.random().random(), str(durable.uuid4())]

    play = Play(order, known=[charge]).start().complete(1, "x")
    other = Play(order, known=[charge]).start().complete(1, "x")
    assert play.result == other.result
    assert play.result[0] != play.result[1] and play.result[2][14] == "4"
    play.check()


def test_a_run_knows_itself() -> None:
    @aion.workflow(version=1)
    async def order() -> list[Any]:
        info = durable.info()
        assert info.parent is not None
        return [
            info.workflow_id, info.run_id, info.type, info.version, info.namespace, info.started_at.timestamp(),
            info.parent.workflow_id, info.parent.run_id, info.history_length, info.continue_as_new_suggested,
        ]  # fmt: skip

    play = Play(order)
    play.start_fields[7] = ["p1", b"\x01" * 16, 3]
    play.start()
    assert play.result == ["w1", RUN_ID.hex(), "order", 1, "tests", START_US / 1e6, "p1", "01" * 16, 1, False]
    play.check()


def test_a_long_history_suggests_to_continue_as_new() -> None:
    """N2."""

    @aion.workflow
    async def order() -> int:
        count = 0
        while not durable.info().continue_as_new_suggested:
            await charge("a")
            count += 1
        return count

    play = Play(order, known=[charge]).start()
    while not play.execution.finished:
        play.complete(play.last[0][2], "x")
    assert play.result == 5000
    play.replay().require_settled()


def test_a_history_of_ten_thousand_events_is_a_long_one() -> None:
    """N2."""

    @aion.workflow
    async def order() -> int:
        while not durable.info().continue_as_new_suggested:
            durable.set_attributes({})
        return durable.info().history_length

    assert Play(order).start().result == 10_000


@pytest.mark.parametrize("carried", [[], [["approval", encode(True), None]]])
def test_carried_signals_come_first(carried: list[Any]) -> None:
    """S3."""

    @aion.workflow
    async def order() -> list[bool]:
        return [await approval.receive(), await approval.receive()]

    play = Play(order)
    play.start_fields[6] = carried
    play.start().signal("approval", False)
    if not carried:
        play.signal("approval", True)
    assert play.result == ([True, False] if carried else [False, True])
    play.check()
