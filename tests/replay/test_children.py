"""Children from the parent's side: recorded first, awaited or held by a handle, cancelled, closed once (C1 to C4)."""

from __future__ import annotations

import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import digest, encode

from .plays import START_US, Play
from .steps import delivery


def test_an_awaited_child_is_recorded_and_its_result_returned() -> None:
    @aion.workflow
    async def order() -> str:
        return await delivery("p")

    play = Play(order, known=[delivery]).start()
    raw, encoded = play.last[0], encode(["p"])
    assert raw[:3] == [ev.CHILD_WORKFLOW_STARTED, START_US, 1]
    assert raw[3].startswith("w1/1-")
    assert raw[4:] == ["delivery", 1, encoded, digest(encoded), ev.ON_CLOSE_TERMINATE, {}, None, None]
    assert play.feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("there")).result == "there"
    play.check()


def test_a_derived_id_is_the_same_for_the_same_run_and_another_for_another_ordinal() -> None:
    @aion.workflow
    async def order() -> None:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(delivery, "p")
            nursery.start_soon(delivery, "p")

    first, second = Play(order, known=[delivery]).start(), Play(order, known=[delivery]).start()
    ids = [raw[3] for raw in first.last]
    assert ids == [raw[3] for raw in second.last] and len(set(ids)) == 2


@pytest.mark.parametrize("kind", ["failed", "cancelled", "terminated", "timed_out", "already_started"])
def test_a_child_that_does_not_complete_says_how_it_ended(kind: str) -> None:
    """C2."""

    @aion.workflow
    async def order() -> list[str]:
        child = await durable.start_child(delivery, "p", id="parcel-1")
        try:
            await child.result()
        except aion.ChildWorkflowFailedError as exc:
            return [exc.kind, exc.child_id]
        return []

    play = Play(order, known=[delivery]).start().feed(ev.CHILD_WORKFLOW_FAILED, 1, [kind, "", "why", None, None, False])
    assert play.result == [kind, "parcel-1"]
    play.check()


def test_cancelling_the_scope_around_a_child_asks_it_to_cancel_and_returns_at_once() -> None:
    """K9: the closing is still recorded once, and goes to no code."""

    @aion.workflow
    async def order() -> bool:
        with durable.move_on_after(5) as scope:
            await delivery("p")
        await durable.sleep(100)
        return scope.cancelled_caught

    play = Play(order, known=[delivery]).start().pass_time()
    assert play.names == ["ChildCancelRequested", "TimerStarted"]
    assert play.feed(ev.CHILD_WORKFLOW_FAILED, 1, ["cancelled", "", "", None, None, False]).names == []
    assert play.pass_time().result is True
    play.check()


def test_options_of_a_child_are_recorded() -> None:
    @aion.workflow
    async def order() -> str:
        child = await durable.start_child(delivery, "p", id="parcel-2", on_parent_close="abandon", attributes={"size": 3}, timeout=60)
        return child.id

    play = Play(order, known=[delivery]).start()
    assert play.last[0][3] == "parcel-2" and play.last[0][8:] == [ev.ON_CLOSE_ABANDON, {"size": 3}, 60_000_000, None]
    assert play.result == "parcel-2"
    play.check()


def test_a_handle_cancels_once_and_only_while_the_child_runs() -> None:
    @aion.workflow
    async def order() -> None:
        one = await durable.start_child(delivery, "a")
        two = await durable.start_child(delivery, "b")
        one.cancel()
        one.cancel()
        await two.result()
        two.cancel()

    play = Play(order, known=[delivery]).start()
    assert play.names == ["ChildWorkflowStarted", "ChildWorkflowStarted", "ChildCancelRequested"]
    assert play.feed(ev.CHILD_WORKFLOW_COMPLETED, 2, encode("x")).names == ["WorkflowCompleted"]
    play.check()


def test_several_tasks_may_wait_for_one_child_and_later_ones_too() -> None:
    @aion.workflow
    async def order() -> list[str]:
        child = await durable.start_child(delivery, "a")
        first = await durable.wait_all(child.result, child.result)
        return [*first, await child.result()]

    play = Play(order, known=[delivery]).start().feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("x"))
    assert play.result == ["x", "x", "x"]
    play.check()


def test_giving_up_the_wait_for_a_handle_does_not_cancel_the_child() -> None:
    @aion.workflow
    async def order() -> str:
        child = await durable.start_child(delivery, "a")
        with durable.move_on_after(1):
            await child.result()
        return await child.result()

    play = Play(order, known=[delivery]).start().pass_time()
    assert play.names == []
    assert play.feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("x")).result == "x"
    play.check()


def test_a_child_may_be_named() -> None:
    @aion.workflow
    async def order() -> str:
        child = await durable.start_child("delivery", "p")
        found: str = await child.result()
        return found

    play = Play(order, known=[delivery]).start()
    assert play.last[0][4:6] == ["delivery", 1]
    assert play.feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("there")).result == "there"
    play.check()


def test_an_unknown_child_type_is_an_error_before_anything_is_recorded() -> None:
    """C4."""

    @aion.workflow
    async def order() -> str:
        try:
            await durable.start_child("nobody", "p")
        except aion.WorkflowNotRegisteredError as exc:
            return str(exc)
        return ""

    play = Play(order).start()
    assert play.names == ["WorkflowCompleted"] and "nobody" in play.result
    play.check()


def test_on_replay_a_recorded_child_is_matched_before_its_type_is_looked_up() -> None:
    """C4, R3: and it keeps its recorded version."""

    @aion.workflow
    async def order() -> str:
        child = await durable.start_child("delivery", "p")
        found: str = await child.result()
        return found

    play = Play(order, known=[delivery]).start()
    play.last[0][5] = 7
    forgetful = Play(order)
    for history in (play.history, [play.history[0], *_signal(), play.history[1]]):
        execution = forgetful.replay(history)
        execution.require_settled()
        execution.feed([ev.CHILD_WORKFLOW_COMPLETED, START_US, 1, encode("x")])
        assert execution.finished
    execution.evict()


def _signal() -> list[list[object]]:
    return [[ev.SIGNAL_RECEIVED, START_US, "any", encode(1), None, None]]


def test_a_parent_close_policy_that_does_not_exist_is_refused() -> None:
    @aion.workflow
    async def order() -> None:
        await durable.start_child(delivery, "p", on_parent_close="ignore")  # type: ignore[arg-type]

    play = Play(order, known=[delivery]).start()
    assert play.names == ["WorkflowFailed"] and "on_parent_close" in play.last[0][2][2]


@pytest.mark.parametrize("timeout", [None, 60])
def test_a_child_that_is_called_has_the_time_out_of_its_definition(timeout: int | None) -> None:
    @aion.workflow(timeout=timeout)
    async def hurried() -> str:
        return "done"

    @aion.workflow
    async def order() -> str:
        return await hurried()

    play = Play(order, known=[hurried]).start()
    assert play.last[0][10] == (timeout and timeout * 1_000_000)
    play.execution.evict()
