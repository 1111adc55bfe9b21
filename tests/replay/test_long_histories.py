"""Histories of more than one page, seen from every side of a page's end (K3, K6)."""

from __future__ import annotations

from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import encode
from aion_trio.events import Raw
from aion_trio.replay.ledger import _PAGE

from .plays import START_US, Play, is_output
from .steps import approval, charge
from .test_nondeterminism import mismatch

PAUSED: Raw = [ev.WORKFLOW_PAUSED, START_US, "a look", None]


async def counts() -> int:
    """Receive signals until one says no."""
    count = 1
    while await approval.receive():
        count += 1
    return count


def signalled(code: Any, count: int) -> Play:
    """A run that received so many signals, of which the last one says no."""
    play = Play(aion.workflow(name="order")(code), known=[charge]).start()
    for n in range(count):
        play.signal("approval", n < count - 1)
    return play


@pytest.mark.parametrize("count", [*range(_PAGE - 4, _PAGE + 4), 3 * _PAGE])
def test_signals_are_replayed_to_the_last_one(count: int) -> None:
    play = signalled(counts, count)
    assert play.result == count
    execution = play.replay()
    execution.require_settled()
    assert execution.finished and execution.take_outputs() == [] and execution.position == len(play.history)
    play.check(first=len(play.history) - 2)


@pytest.mark.parametrize("markers", [1, _PAGE - 2, _PAGE - 1, _PAGE, _PAGE + 1, 2 * _PAGE + 1])
def test_markers_are_counted_and_not_seen_however_many_there_are(markers: int) -> None:
    """K6."""

    async def code() -> int:
        await approval.receive()
        if durable.patched("the change"):
            await charge("a")
        return durable.info().history_length

    play = Play(aion.workflow(name="order")(code), known=[charge]).start().signal("approval", True).complete(1, "x")
    start, *rest = play.history
    for history in ([start, *[PAUSED] * markers, *rest], [start, rest[0], *[PAUSED] * markers, *rest[1:]]):
        execution = play.replay(history)
        execution.require_settled()
        assert execution.finished and execution.take_outputs() == [] and execution.position == len(history)
    play.check()


@pytest.mark.parametrize("before", [3, _PAGE - 3, _PAGE - 2, _PAGE - 1, _PAGE, 2 * _PAGE])
def test_a_look_ahead_into_later_pages_loses_nothing_of_what_lies_between_and_behind(before: int) -> None:
    """V3: the mark was recorded late, behind signals that had come meanwhile, and many more came later."""

    async def code() -> list[Any]:
        await approval.receive()
        return [durable.patched("the change"), await counts()]

    play = signalled(code, before + 2 * _PAGE)
    stimuli = [raw for raw in play.history if not is_output(raw)]
    marked, completed = [raw for raw in play.history if is_output(raw)]
    history = [*stimuli[: before + 1], marked, *stimuli[before + 1 :], completed]
    execution = play.replay(history)
    execution.require_settled()
    assert execution.finished and execution.take_outputs() == [] and execution.position == len(history)


@pytest.mark.parametrize("signals", range(_PAGE - 4, _PAGE + 3))
def test_a_stimulus_for_what_was_never_asked_is_told_by_its_number_beside_the_end_of_a_page(signals: int) -> None:
    """K3."""
    received: list[Raw] = [[ev.SIGNAL_RECEIVED, START_US, "approval", encode(True), None, None] for _ in range(signals)]
    start = Play(aion.workflow(name="order")(counts)).start().history[0]
    never: Raw = [ev.DEADLINE_PASSED, START_US, START_US + 5]
    error = mismatch(counts, [start, *received, never, *received])
    assert (error.seq, error.recorded.partition(":")[0], error.asked) == (signals + 2, "DeadlinePassed", "nothing")
