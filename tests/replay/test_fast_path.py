"""A step that is replayed without parking is the step that parked when it was live (K1, K5)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import Codec, encode
from aion_trio.replay import steps
from aion_trio.replay.ledger import _PAGE

from .plays import START_US, Play
from .steps import approval, charge, delivery
from .test_disagreements import Salted
from .test_nondeterminism import history_of, mismatch


def played(code: Any, fuel: int) -> Play:
    """A run with so much fuel for each step; its activity gives "x", and its sleep is slept."""
    play = Play(aion.workflow(name="order")(code), known=[charge], fuel=fuel)
    try:
        play.start()
        while not play.execution.finished:
            pending = list(play.execution.pending_activities())
            play.complete(pending[0], "x") if pending else play.pass_time()
    finally:
        play.execution.evict()
    return play


async def asks_after_an_activity() -> None:
    await charge("a")
    for _ in range(9):
        durable.now()


async def asks_after_a_sleep() -> None:
    await durable.sleep(5)
    for _ in range(9):
        durable.now()


async def asks_before_and_after_an_activity() -> None:
    for _ in range(9):
        durable.now()
    await charge("a")
    for _ in range(9):
        durable.now()


async def asks_before_and_after_a_sleep() -> None:
    for _ in range(9):
        durable.now()
    await durable.sleep(5)
    for _ in range(9):
        durable.now()


async def asks_with_two_activities_under_way() -> None:
    async def waits() -> None:
        await charge("a")

    async with durable.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(waits)
        await durable.checkpoint()
        for _ in range(5):
            durable.now()


async def asks_after_two_of_each() -> None:
    for _ in range(2):
        await durable.sleep(5)
        await charge("a")
    for _ in range(9):
        durable.now()


async def takes_turns() -> None:
    for _ in range(9):
        await durable.checkpoint()


@pytest.mark.parametrize(
    "code",
    [
        asks_after_an_activity, asks_before_and_after_an_activity, asks_after_a_sleep, asks_before_and_after_a_sleep,
        asks_with_two_activities_under_way, asks_after_two_of_each, takes_turns,
    ],
    ids=lambda code: code.__name__,
)  # fmt: skip
def test_a_step_has_just_as_much_fuel_when_it_is_replayed_as_when_it_was_live(code: Any) -> None:
    """K5: nine calls, the turn that makes them, and the closing event; or as many of other kinds."""
    needed = 11
    history = played(code, 1000).history
    assert played(code, needed).replay().finished
    with pytest.raises(aion.WorkflowRuleError, match=f"used {needed - 1} resumptions and durable calls in one step"):
        played(code, needed - 1)
    definition = aion.workflow(name="order")(code)
    Play(definition, known=[charge], fuel=needed).replay(history).evict()
    with pytest.raises(aion.WorkflowRuleError, match=f"used {needed - 1} resumptions and durable calls in one step"):
        Play(definition, known=[charge], fuel=needed - 1).replay(history)


@pytest.mark.parametrize("wait", [lambda: charge("a"), lambda: durable.sleep(5)], ids=["activity", "sleep"])
def test_who_waits_for_all_to_be_blocked_is_woken_by_a_wait_that_is_replayed(wait: Any) -> None:
    async def code() -> list[str]:
        seen: list[str] = []

        async def idle() -> None:
            await anyio.wait_all_tasks_blocked()
            seen.append("all are blocked")

        async with anyio.create_task_group() as group:
            group.start_soon(idle)
            await approval.receive()
            await wait()
            seen.append("waited")
            await anyio.lowlevel.checkpoint()
            group.start_soon(idle)
            await anyio.lowlevel.checkpoint()
            await wait()
            seen.append("waited again")
        return seen

    play = Play(aion.workflow(name="order")(code), known=[charge]).start().signal("approval", True)
    while not play.execution.finished:
        pending = list(play.execution.pending_activities())
        play.complete(pending[0], "x") if pending else play.pass_time()
    assert play.result == ["all are blocked", "waited", "all are blocked", "waited again"]
    play.check()


@pytest.mark.parametrize("wait", [lambda: charge("a"), lambda: durable.sleep(5)], ids=["activity", "sleep"])
def test_tasks_that_can_run_do_so_before_a_wait_that_is_replayed_is_over(wait: Any) -> None:
    async def code() -> list[str]:
        seen: list[str] = []

        async def other() -> None:
            seen.append("the other ran")

        async with durable.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(other)
                await wait()
                seen.append("waited")
        return seen

    play = Play(aion.workflow(name="order")(code), known=[charge]).start()
    while not play.execution.finished:
        pending = list(play.execution.pending_activities())
        play.complete(pending[0], "x") if pending else play.pass_time()
    assert play.result == ["the other ran", "waited"] * 2
    play.check()


@pytest.mark.parametrize("codecs", [(), (Salted(),)], ids=["plain", "with a cipher"])
def test_a_sequence_is_replayed_without_parking_once(codecs: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what makes replay quick: each command finds its record and its result as the next two events."""

    async def code() -> list[str]:
        seen: list[str] = []
        for cents in range(3):
            seen.append(await charge("a", cents))
            await durable.sleep(5 + cents)
        return seen

    play = Play(aion.workflow(name="order")(code), known=[charge], codec=Codec(codecs)).start()
    while not play.execution.finished:
        pending = list(play.execution.pending_activities())
        play.complete(pending[0], "x") if pending else play.pass_time()

    def parked(abort: Any) -> None:
        raise AssertionError("it parked")

    monkeypatch.setattr(steps, "park", parked)
    execution = play.replay()
    assert execution.finished and execution.take_outputs() == []
    execution.require_settled()


@pytest.mark.parametrize("code", [ev.ACTIVITY_COMPLETED, ev.SIGNAL_DELIVERED, ev.TIMER_FIRED])
def test_a_wait_is_over_by_its_own_result_alone(code: int) -> None:
    """K3: not by what resolves another kind of command with the same number, nor by another's."""

    async def sleeps() -> None:
        await durable.sleep(5)

    number = 2 if code == ev.TIMER_FIRED else 1
    error = mismatch(sleeps, [*history_of(sleeps)[:2], [code, START_US, number, encode("x"), 1]])
    assert (error.seq, error.asked) == (3, "nothing") and error.line.endswith("sleeps")


@pytest.mark.parametrize("wait", [lambda: charge("a"), lambda: durable.sleep(5)], ids=["activity", "sleep"])
def test_a_wait_behind_a_command_that_history_lacks_does_not_hide_it(wait: Any) -> None:
    """K3: the command was asked for where history has another stimulus, and is told with what stands in its place."""

    def code(cancelling: bool) -> Any:
        async def order() -> None:
            child = await durable.start_child(delivery, "p", id="c")
            await approval.receive()
            if cancelling:
                child.cancel()
            await approval.receive()
            await wait()

        return order

    play = Play(aion.workflow(name="order")(code(False)), known=[charge, delivery])
    play.start().signal("approval", True).signal("approval", True)
    play.complete(2, "x") if play.execution.pending_activities() else play.pass_time()
    error = mismatch(code(True), play.history[:-1], step_owed=True)
    recorded = play.history[4]
    assert (error.seq, error.recorded.partition(":")[0]) == (5, ev.name_of(recorded[0]))
    assert error.asked == "ChildCancelRequested (command 1)"


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("wait", [lambda: charge("a"), lambda: durable.sleep(5)], ids=["activity", "sleep"])
def test_a_sequence_goes_over_the_end_of_a_page_wherever_that_cuts_it(wait: Any, before: int) -> None:
    """Between two steps and within one."""

    async def code() -> None:
        for _ in range(before):
            durable.patched("the change")
        for _ in range(_PAGE // 2 + 3):
            await wait()

    play = Play(aion.workflow(name="order")(code), known=[charge])
    execution = play.replay(history_of(code))
    execution.require_settled()
    assert execution.finished and execution.take_outputs() == []
    play.execution.evict()


@pytest.mark.parametrize("wait", [lambda: charge("a"), lambda: durable.sleep(5)], ids=["activity", "sleep"])
def test_a_command_under_another_number_is_found_out_though_its_result_is_here(wait: Any) -> None:
    """K3."""

    async def code() -> None:
        await wait()

    start, asked, *rest = history_of(code)
    error = mismatch(code, [start, [*asked[:2], 2, *asked[3:]], *rest])
    assert (error.seq, error.ordinal) == (2, 1) and error.recorded.endswith("(command 2)")


def test_what_history_goes_on_with_is_not_given_to_the_cleanup_of_a_run_that_is_dropped() -> None:
    """K3, K6: its code did not match, and has nothing more to ask for."""
    asked: list[str] = []

    async def sleeps() -> None:
        await durable.sleep(5)

    async def waits() -> None:
        try:
            await approval.receive()
        finally:
            with durable.CancelScope(shield=True):
                try:
                    await durable.sleep(5)
                except BaseException as exc:
                    asked.append(type(exc).__name__)

    assert mismatch(waits, history_of(sleeps)).seq == 2
    assert asked == ["Evicted"]
