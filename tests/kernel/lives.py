"""Random programs on the real `Execution`: lived once with random completions, then replayed in every way a crash allows."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import decode, encode, failure_of
from aion_trio.definitions import Registry
from aion_trio.events import Raw
from aion_trio.kernel import KERNEL_VERSION
from aion_trio.kernel.context import current_kernel
from aion_trio.replay import Execution, RunIdentity, World

from .interpreter import AnyIONames, DurableNames, Interpreter, OpFailed, Trace
from .programs import Node, generate

_RUN_ID = bytes(range(16))
_START_US = 1_700_000_000_000_000
_MOST_STIMULI = 2_000


@aion.activity(raises=[OpFailed])
async def op(label: str) -> int:
    """An operation whose outcome the test decides."""
    raise AssertionError(label)


@aion.workflow
async def child(label: str) -> int:
    """A child whose outcome the test decides."""
    raise AssertionError(label)


signal = aion.Signal("signal", int)


class OnKernel:
    """The environment of a program inside of a workflow."""

    names: Any = DurableNames

    def now_us(self) -> int:
        return current_kernel().time_us

    async def op(self, label: str) -> int:
        return await op(label)

    async def child(self, label: str) -> int:
        return await child(label)

    async def sleep(self, seconds: float) -> None:
        await durable.sleep(seconds)

    async def signal(self) -> int:
        return await signal.receive()

    def event(self) -> Any:
        return durable.Event()


class OnAnyIO(OnKernel):
    """The same with AnyIO's vocabulary."""

    names: Any = AnyIONames

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def event(self) -> Any:
        return anyio.Event()


@dataclass
class Life:
    """One run: its history, the trace that the code wrote and how it ended."""

    seed: int
    env: type[OnKernel] = OnKernel
    history: list[Raw] = field(default_factory=list[Raw])
    trace: Trace = field(default_factory=Trace)
    given: Node | None = None

    @property
    def program(self) -> Node:
        """The program that was given, else the seed's."""
        return generate(self.seed) if self.given is None else self.given

    def summary(self) -> Any:
        """What must be equal, whatever happened in between."""
        return self.trace, self.history

    def digest(self) -> str:
        """A short name for everything about order in this life."""
        return hashlib.sha256(repr(self.summary()).encode()).hexdigest()[:12]


def new_execution(life: Life) -> Execution:
    """An execution of the program of a life that writes into its trace."""
    seed, trace = life.seed, life.trace
    program = life.program

    async def run_program() -> list[int]:
        return await Interpreter(life.env(), trace).main(program)

    definition = aion.workflow(name=f"program {seed}")(run_program)
    return Execution(definition, RunIdentity(f"w{seed}", _RUN_ID), World(Registry([child, definition], [op])))


def start_event(seed: int) -> Raw:
    """The WorkflowStarted of a program's run."""
    fields = [f"program {seed}", 1, _RUN_ID, b"", 0, encode([]), [], None, 0, None, {}, KERNEL_VERSION, None, None]
    return [ev.WORKFLOW_STARTED, _START_US, *fields]


def live(seed: int, env: type[OnKernel] = OnKernel) -> Life:
    """Run the program of a seed; the completions and the clock are random, and decided by the seed."""
    life = Life(seed, env)
    with _evicting(new_execution(life)) as execution:
        actor = Actor(execution, life, random.Random(f"live {seed}"))
        actor.feed(start_event(seed))
        while not execution.finished and actor.stimuli < _MOST_STIMULI:
            actor.act()
    return life


class Actor:
    """Decides what happens next, as the run's actor would find it."""

    def __init__(self, execution: Execution, life: Life, rng: random.Random) -> None:
        self.execution, self.life, self.rng = execution, life, rng
        self.clock_us, self.stimuli, self.idle = _START_US, 0, 0

    def feed(self, raw: Raw) -> None:
        self.stimuli += 1
        self.life.history.append(raw)
        self.execution.feed(raw)
        self.life.history.extend(self.execution.take_outputs())

    def act(self) -> None:
        rng, execution = self.rng, self.execution
        self.clock_us += rng.choice([0, 0, 1000, 1000, 2000, 5000])
        due = execution.due(self.clock_us, self.clock_us)
        if due is not None and rng.random() < 0.9:  # else it is told late, as in a history that was recorded elsewhere
            self.feed(due)
            return
        pending = [*execution.pending_activities(), *execution._host.children.open]
        next_due = execution.next_due()
        if pending and (next_due is None or rng.random() < 0.85):
            self.feed(self._outcome(rng.choice(pending)))
        elif rng.random() < 0.2:
            self.feed([ev.SIGNAL_RECEIVED, self.clock_us, "signal", encode(rng.randrange(10)), None, None])
        elif next_due is not None:
            self.clock_us = max(self.clock_us, next_due)
        else:
            self.idle += 1
            assert self.idle < 50, f"program {self.life.seed} is stuck:\n{execution.stack()}"
            self.feed([ev.CANCEL_REQUESTED, self.clock_us, "the test gives up", None])

    def _outcome(self, ordinal: int) -> Raw:
        rng, at = self.rng, self.clock_us
        scheduled = self.execution.pending_activities().get(ordinal)
        if scheduled is None:
            return [ev.CHILD_WORKFLOW_COMPLETED, at, ordinal, encode(rng.randrange(10))]
        (label,) = decode(scheduled[4])
        if (label.startswith("fail") and rng.random() < 0.6) or rng.random() < 0.02:
            return [ev.ACTIVITY_FAILED, at, ordinal, failure_of(OpFailed(label), raises=[OpFailed]), 1]
        return [ev.ACTIVITY_COMPLETED, at, ordinal, encode(rng.randrange(10)), 1]


def replayed(life: Life, cut: int | None = None) -> Life:
    """The same life after a crash at `cut`: the prefix is replayed, the rest happens again as it was recorded."""
    cut = len(life.history) if cut is None else cut
    again = Life(life.seed, life.env, list(life.history[:cut]), given=life.given)
    rest = life.history[cut:]
    with _evicting(new_execution(again)) as execution:
        execution.replay(again.history[:], step_owed=bool(rest) and rest[0][0] in ev.OUTPUTS)
        again.history += execution.take_outputs()
        for raw in rest:
            if raw[0] not in ev.OUTPUTS:
                again.history.append(raw)
                execution.feed(raw)
                again.history += execution.take_outputs()
    return again


@contextmanager
def _evicting(execution: Execution) -> Iterator[Execution]:
    try:
        yield execution
    finally:
        execution.evict()


def replayed_with_owed_steps(life: Life, rng: random.Random) -> Trace:
    """The trace of a replay in which some steps were recorded late."""
    again = Life(life.seed, life.env, given=life.given)
    with _evicting(new_execution(again)) as execution:
        execution.replay(with_owed_steps(life, rng))
        execution.require_settled()
    return again.trace


def with_owed_steps(life: Life, rng: random.Random) -> list[Raw]:
    """The history as it would be if some steps had been recorded late: S1 S2 C1 C2, where S2 does not depend on C1."""
    delayed: list[Raw] = []
    waiting: list[Raw] = []
    for raw in life.history:
        if raw[0] in ev.OUTPUTS:
            waiting.append(raw)
            continue
        if not _may_precede(raw, waiting) or rng.random() < 0.5:
            delayed += waiting
            waiting = []
        delayed.append(raw)
    return delayed + waiting


def _may_precede(stimulus: Raw, outputs: list[Raw]) -> bool:
    if stimulus[0] == ev.DEADLINE_PASSED:
        return False
    issued = {raw[2] for raw in outputs if raw[0] in (ev.ACTIVITY_SCHEDULED, ev.TIMER_STARTED, ev.CHILD_WORKFLOW_STARTED)}
    return stimulus[0] in (ev.SIGNAL_RECEIVED, ev.CANCEL_REQUESTED) or stimulus[2] not in issued
