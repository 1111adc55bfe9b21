"""The kernel against Trio, step by step: Hypothesis writes the program, decides what happens next and when the engine crashes.

The model is Trio itself: told the same in the same order, its own nurseries, scopes, locks and channels must let the program
write the same trace (K8). A crash drops the run and replays its history; the run that goes on is the replayed one, so whatever a
replay got wrong shows in what follows (K1). A failure comes out as the smallest program and the fewest steps that show it.
"""

from __future__ import annotations

import random
from itertools import count
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aion_trio import events as ev
from aion_trio.codec import encode, failure_of
from aion_trio.replay import Execution

from .budget import budget
from .interpreter import OpFailed
from .lives import Actor, Life, new_execution, replayed, start_event
from .oracle import lived_on_trio
from .programs import Node

_MOST_STEPS = 3_000
_PLAIN = [
    "op", "shared", "branch", "yield", "fail_op", "set_event", "locked", "semaphore", "limited", "generator", "channel",
    "condition", "signal", "child", "broken_lock", "raise",
]  # fmt: skip
_SECONDS = st.sampled_from([0.001, 0.004, 0.01, 0.03])
_LEAVES = (
    st.tuples(st.sampled_from(_PLAIN), st.integers(0, 3))
    | st.tuples(st.just("sleep"), st.sampled_from([0, 0.001, 0.005, 0.02]))
    | st.tuples(st.just("consumers"), st.sampled_from([0, 1, 3]), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3))
)


def _structures(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(parts, min_size=1, max_size=4)
    return (
        st.tuples(st.sampled_from(["sequence", "fan", "race", "cancel_child"]), several)
        | st.tuples(st.sampled_from(["timeout", "fail_after", "move_deadline"]), _SECONDS, parts)
        | st.tuples(st.sampled_from(["shielded", "catch", "start", "start_late", "wait_event", "unshield"]), parts)
    )


def _numbered(node: Any, numbers: Any) -> Any:
    """The tree with a number in each node, by which the trace names it."""
    if isinstance(node, list):
        return [_numbered(part, numbers) for part in node]
    if isinstance(node, tuple):
        kind, *rest = node
        return kind, next(numbers), *(_numbered(part, numbers) for part in rest)
    return node


PROGRAMS: st.SearchStrategy[Node] = st.lists(st.recursive(_LEAVES, _structures, max_leaves=12), min_size=1, max_size=4).map(
    lambda trees: ("catch", 0, ("fan", -1, _numbered(trees, count(1))))
)


class KernelModel(RuleBasedStateMachine):
    """One run of one program. `self.actor` tells the execution what happens, and keeps its history."""

    life: Life
    execution: Execution
    actor: Actor

    @initialize(program=PROGRAMS)
    def start(self, program: Node) -> None:
        self.life = Life(0, given=program)
        self._go_on_with(new_execution(self.life))
        self.actor.feed(start_event(0))

    def _go_on_with(self, execution: Execution) -> None:
        self.execution, self.actor = execution, Actor(execution, self.life, random.Random(0))
        self.actor.clock_us = self.life.history[-1][1] if self.life.history else self.actor.clock_us

    def _goes_on(self) -> bool:
        return not self.execution.finished

    def _pending(self) -> list[int]:
        return [*self.execution.pending_activities(), *self.execution._host.children.open]

    # ---- what happens

    @precondition(_goes_on)
    @precondition(lambda self: bool(self._pending()))
    @rule(which=st.integers(0, 50), value=st.integers(0, 9), fails=st.booleans())
    def resolve(self, which: int, value: int, fails: bool) -> None:
        """An activity or a child comes to its end, in any order."""
        pending, at = self._pending(), self.actor.clock_us
        ordinal = pending[which % len(pending)]
        if ordinal not in self.execution.pending_activities():
            self.actor.feed([ev.CHILD_WORKFLOW_COMPLETED, at, ordinal, encode(value)])
        elif fails:
            self.actor.feed([ev.ACTIVITY_FAILED, at, ordinal, failure_of(OpFailed(f"op {ordinal}"), raises=[OpFailed]), 1])
        else:
            self.actor.feed([ev.ACTIVITY_COMPLETED, at, ordinal, encode(value), 1])

    @precondition(_goes_on)
    @rule(value=st.integers(0, 9))
    def send_signal(self, value: int) -> None:
        self.actor.feed([ev.SIGNAL_RECEIVED, self.actor.clock_us, "signal", encode(value), None, None])

    @rule(us=st.sampled_from([1, 1000, 5000, 50_000]))
    def let_time_pass(self, us: int) -> None:
        """Nothing fires by itself: that a deadline has passed is told (K5)."""
        self.actor.clock_us += us

    @precondition(_goes_on)
    @precondition(lambda self: self.execution.next_due() is not None)
    @rule()
    def fire_what_is_due_first(self) -> None:
        """T1."""
        due = self.execution.next_due()
        assert due is not None
        self.actor.clock_us = max(self.actor.clock_us, due)
        raw = self.execution.due(self.actor.clock_us, self.actor.clock_us)
        assert raw is not None
        self.actor.feed(raw)

    @precondition(_goes_on)
    @rule()
    def ask_to_cancel(self) -> None:
        self.actor.feed([ev.CANCEL_REQUESTED, self.actor.clock_us, "enough", None])

    @rule()
    def crash(self) -> None:
        """K1: what is replayed writes the same trace, asks for nothing else, and goes on as the run."""
        before, finished = list(self.life.trace), self.execution.finished
        due, pending, stack = self.execution.next_due(), self._pending(), self.execution.stack()
        self.execution.evict()
        self.life.trace.clear()
        clock_us = self.actor.clock_us
        self._go_on_with(new_execution(self.life))
        self.actor.clock_us = clock_us
        self.execution.replay(self.life.history[:])
        self.execution.require_settled()
        assert self.life.trace == before
        assert (self.execution.finished, self.execution.next_due(), self._pending()) == (finished, due, pending)
        assert self.execution.stack() == stack

    # ---- what holds

    @invariant()
    def the_cursor_stands_at_the_end_of_the_history(self) -> None:
        if hasattr(self, "execution"):
            assert self.execution.position == len(self.life.history)

    def teardown(self) -> None:
        """Bring the program to its end, then ask Trio; and replay it from a cut in its middle."""
        if not hasattr(self, "execution"):
            return
        for _ in range(_MOST_STEPS):
            if self.execution.finished:
                break
            self.actor.act()
        assert self.execution.finished, self.execution.stack()
        self.execution.evict()
        assert lived_on_trio(self.life) == self.life.trace
        again = replayed(self.life, len(self.life.history) // 2)
        assert again.summary() == self.life.summary()


TestKernel = KernelModel.TestCase
TestKernel.settings = settings(budget(60), stateful_step_count=25)
