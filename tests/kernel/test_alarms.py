"""Timers and deadlines against a model: a plain list of what is set, searched from its beginning for what is due first."""

from __future__ import annotations

from math import inf
from time import process_time
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from aion_trio.kernel.alarms import Alarms
from aion_trio.kernel.scopes import CancelScope, us_of

from .budget import budget

TIMES = st.integers(0, 6) | st.integers(0, 2**62)


class AlarmsModel(RuleBasedStateMachine):
    """What is set, in the order of setting: `(due, owner)`. Ties are due in that order, whatever was cleared in between."""

    numbers: Bundle[Any] = Bundle("numbers")

    def __init__(self) -> None:
        super().__init__()
        self.alarms = Alarms()
        self.set: dict[int, tuple[int, Any]] = {}
        self.ordinal = 0

    @rule(target=numbers, due=TIMES)
    def set_timer(self, due: int) -> int:
        self.ordinal += 1
        return self._note(self.alarms.set_timer(due, self.ordinal), due, self.ordinal)

    @rule(target=numbers, due=TIMES)
    def set_deadline(self, due: int) -> int:
        scope = CancelScope()
        return self._note(self.alarms.set_deadline(due, scope), due, scope)

    def _note(self, number: int, due: int, owner: Any) -> int:
        assert number not in self.set
        self.set[number] = due, owner
        return number

    @rule(number=consumes(numbers))
    def clear(self, number: int) -> None:
        due, owner = self.set.pop(number, (0, 0))
        if isinstance(owner, int):
            self.alarms.clear_timer(number)
        else:
            self.alarms.clear_deadline(due, number)

    @rule(due=TIMES)
    def pass_deadline(self, due: int) -> None:
        """K5: what has exactly this deadline fires, and nothing else."""
        passed = [number for number, (at, owner) in self.set.items() if at == due and isinstance(owner, CancelScope)]
        assert self.alarms.take_deadlines(due) == [self.set[number][1] for number in passed]
        for number in passed:
            del self.set[number]

    @rule(due=TIMES, count=st.integers(60, 90))
    def come_and_go(self, due: int, count: int) -> None:
        """Many time-outs that end in time: what they leave in the heap is swept out, and nothing else is."""
        for step in range(count):
            self.alarms.clear_timer(self.alarms.set_timer(due + step, 1))
        assert len(self.alarms._heap) <= 65 + 2 * (len(self.set) + 1) + count

    @rule()
    def forget(self) -> None:
        self.alarms.clear()
        self.set.clear()

    @invariant()
    def the_first_is_the_earliest_and_of_these_the_first_that_was_set(self) -> None:
        """T1, K1."""
        first = min(self.set.items(), key=lambda item: (item[1][0], item[0]), default=None)
        assert self.alarms.first() == (None if first is None else first[1])


TestAlarms = AlarmsModel.TestCase
TestAlarms.settings = settings(budget(40), stateful_step_count=30)


def test_what_was_cleared_leaves_the_heap_before_it_fills_the_memory() -> None:
    alarms = Alarms()
    kept = alarms.set_timer(10**9, 7)
    for due in range(10_000):
        alarms.clear_timer(alarms.set_timer(due, 1))
    assert len(alarms._heap) <= 64 + 2 * 2 + 1
    assert alarms.first() == (10**9, 7)
    alarms.clear_timer(kept)
    alarms.clear_timer(kept)
    assert alarms.first() is None


def test_what_is_left_when_most_were_cleared_is_due_in_order() -> None:
    """T1."""
    alarms = Alarms()
    dues = [(7919 * n) % 1009 for n in range(300)]
    numbers = [alarms.set_timer(due, ordinal) for ordinal, due in enumerate(dues, 1)]
    kept = range(0, 300, 7)
    for n in range(300):
        if n not in kept:
            alarms.clear_timer(numbers[n])
    alarms.clear_timer(alarms.set_timer(2000, 1000))
    seen: list[Any] = []
    while (first := alarms.first()) is not None:
        seen.append(first)
        alarms.clear_timer(numbers[seen[-1][1] - 1])
    assert seen == sorted((dues[n], n + 1) for n in kept)


def test_many_alarms_that_all_are_set_cost_no_sweeps() -> None:
    alarms, begun = Alarms(), process_time()
    for due in range(10_000):
        alarms.set_timer(due, 1)
    assert process_time() - begun < 1
    assert alarms.first() == (0, 1)


def test_the_deadline_of_a_scope_that_ends_after_its_run_was_dropped_is_no_error() -> None:
    alarms, scope = Alarms(), CancelScope()
    number = alarms.set_deadline(5, scope)
    alarms.clear()
    alarms.clear_deadline(5, number)
    assert alarms.first() is None and alarms.take_deadlines(5) == []


@pytest.mark.parametrize(
    ("seconds", "us"), [(0.0, 0), (1.0, 1_000_000), (1e-6, 1), (4e-7, 0), (6e-7, 1), (-1.0, -1_000_000), (inf, None), (-inf, -1)]
)
def test_seconds_are_whole_microseconds_to_the_nearest(seconds: float, us: int | None) -> None:
    assert us_of(seconds) == us


def test_scopes_with_one_deadline_are_cleared_one_by_one() -> None:
    alarms, first, second = Alarms(), CancelScope(), CancelScope()
    numbers = [alarms.set_deadline(5, scope) for scope in (first, second)]
    alarms.clear_deadline(5, numbers[0])
    assert alarms.first() == (5, second)
    assert alarms.take_deadlines(5) == [second]
