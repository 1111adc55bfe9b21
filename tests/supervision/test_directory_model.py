"""Random programs on a directory against a model of it, run as in `tests.supervision.test_mailbox_model`.

The actors do what a message says: 'fail', 'hold' (until let on), or nothing. Time goes on only when the program says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from outcome import Error, capture
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import ActorStopped, Backoff, Budget, Directory, Mailbox, open_directory

IDLE_AFTER = 10.0
CAPACITY = 2
BUDGET = Budget(2, 8.0)
BACKOFF = Backoff(initial=1, factor=2, maximum=2, jitter=0)
KEYS = "abc"
Message = tuple[int, str]  # number, what to do


@dataclass
class Actor:
    """The actor of one key, as the model sees it."""

    urgent: list[Message] = field(default_factory=list[Message])
    normal: list[Message] = field(default_factory=list[Message])
    state: str = "ready"  # ready, held, idle, resting
    since: float = 0.0
    due: float = math.inf


@dataclass
class Model:
    """What a directory is: actors by key, and what their messages did."""

    limit: float
    now: float = 0.0
    actors: dict[str, Actor] = field(default_factory=dict[str, Actor])
    failures: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    streaks: dict[str, int] = field(default_factory=dict[str, int])
    aside: set[str] = field(default_factory=set[str])
    received: dict[str, list[int]] = field(default_factory=lambda: {key: [] for key in KEYS})

    def seen(self) -> tuple[Any, ...]:
        return sorted(self.actors), sorted(self.aside), {key: tuple(numbers) for key, numbers in self.received.items()}

    def send(self, key: str, message: Message, *, urgent: bool) -> type[Exception] | None:
        if key in self.aside:
            return ActorStopped
        actor = self.actors.get(key)
        if actor is None:
            actor = self.actors[key] = Actor()
            self.trim()
        if not urgent and len(actor.normal) >= CAPACITY:
            return trio.WouldBlock
        (actor.urgent if urgent else actor.normal).append(message)
        if actor.state == "idle":
            actor.state = "ready"
        self.work(key)
        return None

    def work(self, key: str) -> None:
        actor = self.actors[key]
        while actor.state == "ready":
            if not actor.urgent and not actor.normal:
                actor.state, actor.since = "idle", self.now
                self.trim()
                return
            number, what = (actor.urgent or actor.normal).pop(0)
            self.received[key].append(number)
            if what == "fail":
                self.fail(key, actor)
            elif what == "hold":
                actor.state = "held"

    def fail(self, key: str, actor: Actor) -> None:
        spent = self.failures[key] = [at for at in self.failures.get(key, []) if at > self.now - BUDGET.per]
        spent.append(self.now)
        self.streaks[key] = self.streaks.get(key, 0) + 1
        if len(spent) > BUDGET.restarts:
            self.aside.add(key)
            del self.actors[key]
            actor.state = "gone"
        else:
            actor.state, actor.due = "resting", self.now + min(2.0, 2.0 ** (self.streaks[key] - 1))

    def trim(self) -> None:
        while len(self.actors) > self.limit:
            idle = [key for key, actor in self.actors.items() if actor.state == "idle"]
            if not idle:
                return
            del self.actors[min(idle, key=lambda key: self.actors[key].since)]

    def next_moment(self, end: float) -> float:
        """When something happens by itself, at the latest ``end``."""
        moments = [actor.due for actor in self.actors.values() if actor.state == "resting"]
        moments += [actor.since + IDLE_AFTER for actor in self.actors.values() if actor.state == "idle"]
        return min([end, *moments])

    def advance(self, now: float) -> None:
        self.now = now
        for key, actor in tuple(self.actors.items()):
            if actor.state == "idle" and actor.since + IDLE_AFTER <= now:
                del self.actors[key]
            elif actor.state == "resting" and actor.due <= now:
                actor.state = "ready"
                self.work(key)


class Real:
    """A real directory and what its actors do."""

    def __init__(self, clock: MockClock) -> None:
        self.clock = clock
        self.directory: Directory[str, Message]
        self.received: dict[str, list[int]] = {key: [] for key in KEYS}
        self.gates: dict[str, trio.Event] = {}

    def seen(self) -> tuple[Any, ...]:
        quarantined = sorted(self.directory.quarantined)
        return sorted(self.directory.keys()), quarantined, {key: tuple(numbers) for key, numbers in self.received.items()}

    async def activate(self, key: str, mailbox: Mailbox[Message]) -> None:
        async for number, what in mailbox:
            self.received[key].append(number)
            if what == "fail":
                raise ValueError(number)
            if what == "hold":
                self.gates[key] = trio.Event()
                await self.gates[key].wait()


def jump_to(then: float) -> Callable[[Real], None]:
    return lambda real: real.clock.jump(then - real.clock.current_time())


class DirectoryMachine(RuleBasedStateMachine):
    @initialize(limit=st.sampled_from([1, 2, math.inf]))
    def begin(self, limit: float) -> None:
        self.model = Model(limit)
        self.program: list[tuple[Callable[[Real], Any], Any]] = []
        self.expected: list[tuple[Any, ...]] = []
        self.number = 0

    def step(self, act: Callable[[Real], Any], result: Any = None) -> None:
        self.program.append((act, result))
        self.expected.append(self.model.seen())
        self.advance(1 / 64)  # so that no two things that are ordered happen at one time

    @rule(key=st.sampled_from(KEYS), what=st.sampled_from(["", "", "hold", "fail"]), urgent=st.booleans())
    def send(self, key: str, what: str, urgent: bool) -> None:
        if what == "fail" and self.model.limit < math.inf:
            what = ""  # who rests and who is idle would end at one time, in no order
        self.number += 1
        message = (self.number, what)
        result = self.model.send(key, message, urgent=urgent)
        self.step(lambda real: real.directory.send_nowait(key, message, urgent=urgent), result)

    @precondition(lambda self: any(actor.state == "held" for actor in self.model.actors.values()))
    @rule(data=st.data())
    def let_on(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(key for key, actor in self.model.actors.items() if actor.state == "held")))
        self.model.actors[key].state = "ready"
        self.model.work(key)
        self.step(lambda real: real.gates[key].set())

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0]))
    def pass_time(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        end = self.model.now + seconds
        while self.model.now < end:
            then = self.model.next_moment(end)
            self.model.advance(then)
            self.program.append((jump_to(then), None))
            self.expected.append(self.model.seen())

    @rule(key=st.sampled_from(KEYS))
    def release(self, key: str) -> None:
        result = key in self.model.aside
        self.model.aside.discard(key)
        if result:
            self.model.failures.pop(key, None)
            self.model.streaks.pop(key, None)
            self.step(lambda real: real.directory.release(key), True)

    def teardown(self) -> None:
        clock = MockClock()
        trio.run(self.compare, clock, clock=clock)

    async def compare(self, clock: MockClock) -> None:
        real = Real(clock)
        rules: dict[str, Any] = {"idle_after": IDLE_AFTER, "capacity": CAPACITY, "budget": BUDGET, "backoff": BACKOFF}
        with trio.CancelScope() as scope:
            async with open_directory(real.activate, limit=self.model.limit, instruments=[], **rules) as real.directory:
                for (act, result), expected in zip(self.program, self.expected, strict=True):
                    outcome = capture(act, real)
                    assert (type(outcome.error) if isinstance(outcome, Error) else outcome.value) == result
                    await wait_all_tasks_blocked()
                    assert real.seen() == expected
                scope.cancel()
                await trio.sleep_forever()


TestDirectory = DirectoryMachine.TestCase
TestDirectory.settings = settings(max_examples=400, stateful_step_count=30, deadline=None)
