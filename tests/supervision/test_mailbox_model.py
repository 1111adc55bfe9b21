"""Random programs on a mailbox against a model of it.

The rules build a program and let the model say what is to be seen after each step; at the end the program is run on
a real mailbox, and what is seen is compared step by step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from outcome import Error, capture
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import ActorStopped, Mailbox, NotAnswered, Request


class Question(Request[int]):
    def __init__(self, number: int) -> None:
        self.number = number


def is_even(message: Any) -> bool:
    return number_of(message) % 2 == 0


def number_of(message: Any) -> int:
    return message.number if isinstance(message, Question) else message


@dataclass
class Model:
    """What a mailbox is, in lists. ``fates`` says what became of each sender, asker and reader."""

    capacity: int
    urgent: list[int] = field(default_factory=list[int])
    normal: list[int] = field(default_factory=list[int])
    waiting: list[int] = field(default_factory=list[int])
    asks: set[int] = field(default_factory=set[int])
    in_hand: list[int] = field(default_factory=list[int])
    reader: tuple[int, bool] | None = None  # number, picky
    closed: bool = False
    received: list[int] = field(default_factory=list[int])
    fates: dict[int, str] = field(default_factory=dict[int, str])

    def seen(self) -> tuple[Any, ...]:
        queued = len(self.urgent) + len(self.normal)
        return queued, len(self.urgent), len(self.waiting), tuple(self.received), tuple(sorted(self.fates.items()))

    def settle(self) -> None:
        """Admit waiting senders, then let the reader have what it wants."""
        while self.waiting and len(self.normal) < self.capacity:
            self.admit()
        if self.reader is not None:
            number, picky = self.reader
            got = self.take(picky)
            if got is not None or self.closed:
                self.fates[number] = f"got {got}" if got is not None else "end"
                self.reader = None

    def admit(self) -> None:
        number = self.waiting.pop(0)
        self.normal.append(number)
        if number not in self.asks:
            self.fates[number] = "sent"

    def take(self, picky: bool) -> int | None:
        for lane in (self.urgent, self.normal):
            for number in lane:
                if not picky or number % 2 == 0:
                    lane.remove(number)
                    self.received.append(number)
                    if number in self.asks:
                        self.in_hand.append(number)
                    while self.waiting and len(self.normal) < self.capacity:
                        self.admit()
                    return number
        return None

    def send(self, number: int, *, asks: bool) -> None:
        if asks:
            self.asks.add(number)
        if self.closed:
            self.fates[number] = "stopped"
        else:
            self.waiting.append(number)
        self.settle()

    def withdraw(self, number: int) -> None:
        for queue in (self.waiting, self.normal, self.in_hand):
            if number in queue:
                queue.remove(number)
        self.fates[number] = "cancelled"
        self.settle()

    def close(self) -> None:
        self.closed = True
        for number in self.waiting:
            self.fates[number] = "stopped"
        self.waiting.clear()
        self.settle()


class Real:
    """A real mailbox and the tasks that use it."""

    def __init__(self, capacity: int, nursery: trio.Nursery) -> None:
        self.box: Mailbox[Any] = Mailbox(capacity)
        self.nursery = nursery
        self.scopes: dict[int, trio.CancelScope] = {}
        self.requests: dict[int, Question] = {}
        self.received: list[int] = []
        self.fates: dict[int, str] = {}

    def seen(self) -> tuple[Any, ...]:
        now = self.box.statistics()
        return now.queued, now.urgent, now.senders_waiting, tuple(self.received), tuple(sorted(self.fates.items()))

    def spawn(self, number: int, work: Callable[[], Awaitable[str]]) -> None:
        async def task() -> None:
            with trio.CancelScope() as self.scopes[number]:
                try:
                    self.fates[number] = await work()
                except ActorStopped:
                    self.fates[number] = "stopped"
                except NotAnswered:
                    self.fates[number] = "not answered"
                except trio.EndOfChannel:
                    self.fates[number] = "end"
            if self.scopes[number].cancelled_caught:
                self.fates[number] = "cancelled"

        self.nursery.start_soon(task)

    def take(self, message: Any) -> int:
        self.received.append(number_of(message))
        return self.received[-1]

    async def send(self, number: int) -> str:
        await self.box.address.send(number)
        return "sent"

    async def ask(self, number: int) -> str:
        self.requests[number] = Question(number)
        return f"answered {await self.box.address.ask(self.requests[number])}"

    async def receive(self, picky: bool) -> str:
        return f"got {self.take(await self.box.receive(is_even if picky else None))}"


class MailboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model(2)
        self.program: list[tuple[Callable[[Real], Any], Any]] = []
        self.expected: list[tuple[Any, ...]] = []
        self.number = 0

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def step(self, act: Callable[[Real], Any], result: Any = None) -> None:
        self.program.append((act, result))
        self.expected.append(self.model.seen())

    @rule(urgent=st.booleans())
    def send_nowait(self, urgent: bool) -> None:
        number, model = self.next_number(), self.model
        result: type[Exception] | None = None
        if model.closed:
            result = ActorStopped
        elif urgent:
            model.urgent.append(number)
        elif len(model.normal) >= model.capacity:
            result = trio.WouldBlock
        else:
            model.normal.append(number)
        model.settle()
        self.step(lambda real: real.box.address.send_nowait(number, urgent=urgent), result)

    @rule()
    def send(self) -> None:
        number = self.next_number()
        self.model.send(number, asks=False)
        self.step(lambda real: real.spawn(number, lambda: real.send(number)))

    @rule()
    def ask(self) -> None:
        number = self.next_number()
        self.model.send(number, asks=True)
        self.step(lambda real: real.spawn(number, lambda: real.ask(number)))

    @precondition(lambda self: self.model.waiting or (self.model.asks - self.model.fates.keys()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        candidates = sorted({*self.model.waiting, *(self.model.asks - self.model.fates.keys())})
        number = data.draw(st.sampled_from(candidates))
        self.model.withdraw(number)
        self.step(lambda real: real.scopes[number].cancel())

    @rule(picky=st.booleans())
    def receive_nowait(self, picky: bool) -> None:
        got = self.model.take(picky)
        self.model.settle()
        result = got if got is not None else trio.EndOfChannel if self.model.closed else trio.WouldBlock
        self.step(lambda real: real.take(real.box.receive_nowait(is_even if picky else None)), result)

    @precondition(lambda self: self.model.reader is None)
    @rule(picky=st.booleans())
    def receive(self, picky: bool) -> None:
        number = self.next_number()
        self.model.reader = (number, picky)
        self.model.settle()
        self.step(lambda real: real.spawn(number, lambda: real.receive(picky)))

    @precondition(lambda self: self.model.reader is not None)
    @rule()
    def cancel_receive(self) -> None:
        assert self.model.reader is not None
        number, _ = self.model.reader
        self.model.reader, self.model.fates[number] = None, "cancelled"
        self.step(lambda real: real.scopes[number].cancel())

    @precondition(lambda self: self.model.in_hand)
    @rule(data=st.data())
    def reply(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.model.in_hand))
        self.model.in_hand.remove(number)
        self.model.fates[number] = f"answered {number}"
        self.step(lambda real: real.requests[number].reply(number))

    @rule()
    def end_run(self) -> None:
        for number in self.model.in_hand:
            self.model.fates[number] = "not answered"
        self.model.in_hand.clear()
        self.step(lambda real: real.box.end_run())

    @rule()
    def close(self) -> None:
        self.model.close()
        self.step(lambda real: real.box.close())

    @rule()
    def bury(self) -> None:
        model = self.model
        model.closed = True
        dead = model.urgent + model.normal
        model.urgent, model.normal = [], []
        for number in model.asks & set(dead):
            model.fates[number] = "stopped"
        model.close()
        self.step(lambda real: list(map(number_of, real.box.bury())), dead)

    def teardown(self) -> None:
        trio.run(self.compare, clock=MockClock(autojump_threshold=0))

    async def compare(self) -> None:
        async with trio.open_nursery() as nursery:
            real = Real(self.model.capacity, nursery)
            for (act, result), expected in zip(self.program, self.expected, strict=True):
                outcome = capture(act, real)
                assert (type(outcome.error) if isinstance(outcome, Error) else outcome.value) == result
                await wait_all_tasks_blocked()
                assert real.seen() == expected
            nursery.cancel_scope.cancel()


TestMailbox = MailboxMachine.TestCase
TestMailbox.settings = settings(max_examples=400, stateful_step_count=30, deadline=None)
