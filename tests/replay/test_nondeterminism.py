"""Code that does not match its history is found out, with everything that helps to mend it (K3, K4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import encode
from aion_trio.events import Raw

from .plays import START_US, Play
from .steps import approval, charge, delivery, ship

KNOWN = [charge, ship, delivery]
Code = Callable[[], Any]


def history_of(code: Code) -> list[Raw]:
    """The history of a run in which everything completes at once."""
    play = Play(aion.workflow(name="order")(code), known=KNOWN).start()
    while not play.execution.finished:
        ordinals = [*play.execution.pending_activities()]
        if ordinals:
            play.complete(ordinals[0], "x")
        else:
            play.pass_time()
    play.execution.evict()
    return play.history


def mismatch(code: Code, history: Sequence[Raw], **how: Any) -> aion.NonDeterminismError:
    """The error of replaying a history with other code."""
    play = Play(aion.workflow(name="order")(code), known=KNOWN)
    execution = play.new()
    with pytest.raises(aion.NonDeterminismError) as info:
        execution.replay(history, **how)
        execution.require_settled()
    execution.evict()
    play.execution.evict()
    return info.value


async def recorded() -> None:
    await charge("a", 5)
    await ship("p")


def test_a_renamed_step() -> None:
    async def renamed() -> None:
        await charge("a", 5)
        await charge("p")

    error = mismatch(renamed, history_of(recorded))
    assert (error.workflow_id, error.ordinal, error.seq) == ("w1", 2, 4)
    assert error.recorded == "ActivityScheduled: ship (command 2)"
    assert error.asked == "ActivityScheduled: charge (command 2)"
    assert "test_nondeterminism.py:" in error.line and error.line.endswith("in test_a_renamed_step.<locals>.renamed")
    for part in ("'w1'", "event 4", "command 2", error.recorded, error.asked, error.line, "durable.patched()"):
        assert part in str(error)


def test_a_changed_input() -> None:
    async def changed() -> None:
        await charge("a", 6)

    error = mismatch(changed, history_of(recorded))
    assert (error.ordinal, error.seq) == (1, 2) and "another input" in error.asked
    assert error.line.endswith("changed")


def test_an_extra_step_at_the_front() -> None:
    async def extra() -> None:
        await ship("first")
        await charge("a", 5)

    error = mismatch(extra, history_of(recorded))
    assert (error.ordinal, error.seq, error.line != "") == (1, 2, True)


def test_an_extra_step_at_the_end() -> None:
    async def extra() -> None:
        await recorded()
        await ship("last")

    error = mismatch(extra, history_of(recorded))
    assert error.recorded == "WorkflowCompleted" and error.asked == "ActivityScheduled: ship (command 3)"
    assert error.seq == 6 and error.line.endswith("extra")


def test_an_extra_step_in_a_run_that_waits() -> None:
    """History ends, and the code asked for more in a step that is done."""

    async def waits() -> None:
        await charge("a", 5)
        await approval.receive()

    async def extra() -> None:
        await charge("a", 5)
        await ship("p")
        await approval.receive()

    play = Play(aion.workflow(name="order")(waits), known=KNOWN).start().complete(1, "x")
    error = mismatch(extra, play.history)
    assert (error.recorded, error.asked) == ("nothing", "ActivityScheduled: ship (command 2)")
    assert (error.ordinal, error.seq) == (2, 0) and error.line.endswith("extra")
    play.execution.evict()


def test_code_that_ends_where_history_waits() -> None:
    """The function has no line any more: it is named where it is defined, and nothing is that merely ran the engine."""

    async def waits() -> None:
        await charge("a", 5)
        await approval.receive()

    async def ends() -> None:
        await charge("a", 5)

    play = Play(aion.workflow(name="order")(waits), known=KNOWN).start().complete(1, "x")
    error = mismatch(ends, play.history)
    assert (error.recorded, error.asked) == ("nothing", "WorkflowCompleted")
    assert error.line.startswith(__file__) and error.line.endswith("ends")
    play.execution.evict()


def test_a_missing_step() -> None:
    async def missing() -> None:
        await ship("p")

    error = mismatch(missing, history_of(recorded))
    assert (error.ordinal, error.seq) == (1, 2)


def test_code_that_finishes_early_leaves_commands_over() -> None:
    async def early() -> None:
        await charge("a", 5)

    error = mismatch(early, history_of(recorded))
    assert error.recorded == "ActivityScheduled: ship (command 2)" and error.asked == "WorkflowCompleted"
    assert (error.ordinal, error.seq) == (2, 4)


def test_code_that_waits_where_history_went_on() -> None:
    async def waits() -> None:
        await charge("a", 5)
        await approval.receive()

    error = mismatch(waits, history_of(recorded))
    assert error.recorded == "ActivityScheduled: ship (command 2)" and error.asked == "nothing"
    assert (error.ordinal, error.seq) == (2, 4) and error.line.endswith("waits")


def test_swapped_branches() -> None:
    async def both() -> None:
        await durable.wait_all(lambda: charge("a"), lambda: ship("p"))

    async def swapped() -> None:
        await durable.wait_all(lambda: ship("p"), lambda: charge("a"))

    assert mismatch(swapped, history_of(both)).seq == 2


def test_another_kind_of_command() -> None:
    async def sleeps() -> None:
        await durable.sleep(5)

    error = mismatch(sleeps, history_of(recorded))
    assert error.asked.startswith("TimerStarted: until 2023-11-14T")
    assert error.recorded == "ActivityScheduled: charge (command 1)"


def test_another_duration() -> None:
    async def five() -> None:
        await durable.sleep(5)

    async def six() -> None:
        await durable.sleep(6)

    assert mismatch(six, history_of(five)).seq == 2


def test_a_deadline_that_is_gone() -> None:
    async def limited() -> None:
        with durable.move_on_after(5):
            await durable.sleep_forever()

    async def unlimited() -> None:
        await durable.sleep_forever()

    error = mismatch(unlimited, history_of(limited))
    assert error.recorded.startswith("DeadlinePassed") and error.line.endswith("unlimited")


def test_another_child() -> None:
    async def one() -> None:
        await durable.start_child(delivery, "p", id="one")

    async def two() -> None:
        await durable.start_child(delivery, "p", id="two")

    error = mismatch(two, history_of(one))
    assert error.recorded == "ChildWorkflowStarted: delivery 'one' (command 1)"


def test_another_result() -> None:
    async def one() -> int:
        return 1

    async def two() -> int:
        return 2

    error = mismatch(two, history_of(one))
    assert (error.seq, error.recorded, error.asked) == (2, "WorkflowCompleted", "WorkflowCompleted with another input")


@pytest.mark.parametrize(
    "raw",
    [
        [ev.ACTIVITY_COMPLETED, START_US, 9, encode("x"), 1],
        [ev.TIMER_FIRED, START_US, 9],
        [ev.TIMER_FIRED, START_US, 1],
        [ev.CHILD_WORKFLOW_COMPLETED, START_US, 9, encode("x")],
        [ev.SIGNAL_DELIVERED, START_US, 9],
    ],
    ids=lambda raw: f"{ev.name_of(raw[0])} {raw[2]}",
)
def test_a_stimulus_for_what_was_never_asked(raw: Raw) -> None:
    history = history_of(recorded)
    error = mismatch(recorded, [*history[:2], raw])
    assert error.seq == 3 and error.recorded.startswith(ev.name_of(raw[0]))


def test_user_code_cannot_swallow_it() -> None:
    """K4: it is found out at the command, and no `except` of the workflow's makes it a business failure."""
    went_on: list[str] = []

    async def swallows() -> None:
        try:
            await ship("wrong")
        except BaseException:
            went_on.append("swallowed")
        try:
            await charge("a", 5)
        except BaseException:
            went_on.append("swallowed again")

    error = mismatch(swallows, history_of(recorded))
    assert error.seq == 2 and went_on == ["swallowed", "swallowed again"]


def test_code_that_swallows_everything_for_ever_does_not_hang_the_engine() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await ship("wrong")
            except BaseException:
                continue

    assert mismatch(stubborn, history_of(recorded)).seq == 2


def test_outputs_that_come_late_are_compared_in_their_order() -> None:
    """S1 S2 C1 C2, and the line is that of the code that asked."""

    @aion.workflow(name="order")
    async def original() -> None:
        await charge("a")
        await approval.receive()
        await ship("p")

    play = Play(original, known=KNOWN).start().complete(1, "x").signal("approval", True)
    start, scheduled, completed, signal, shipped = play.history
    late = [start, scheduled, completed, signal, shipped]
    owed = [start, [ev.SIGNAL_RECEIVED, START_US, "approval", encode(True), None, None], scheduled, completed, shipped]
    for history in (late, owed):
        execution = play.replay(history)
        execution.require_settled()
        assert list(execution.pending_activities()) == [2]
        execution.evict()

    async def renamed() -> None:
        await ship("a")

    error = mismatch(renamed, [start, owed[1], scheduled])
    assert error.seq == 3 and error.line.endswith("renamed")
    assert (error.recorded, error.asked) == ("ActivityScheduled: charge (command 1)", "ActivityScheduled: ship (command 1)")
    play.execution.evict()


def test_outputs_that_history_lacks_are_owed_and_stamped_after_it() -> None:
    """H8: an owed output is written behind the newest event, so its time is not before it."""

    @aion.workflow(name="order")
    async def order() -> None:
        await charge("a")

    play = Play(order, known=KNOWN)
    start = [ev.WORKFLOW_STARTED, START_US, *play.start_fields]
    execution = play.replay([start, [ev.SIGNAL_RECEIVED, START_US + 5, "any", encode(1), None, None]], step_owed=True)
    with pytest.raises(aion.NonDeterminismError):
        execution.require_settled()
    (owed,) = execution.take_outputs()
    assert owed[:4] == [ev.ACTIVITY_SCHEDULED, START_US + 5, 1, "charge"]
    assert execution.position == 3
    execution.require_settled()
    execution.evict()
