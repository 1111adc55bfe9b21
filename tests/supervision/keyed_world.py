"""A simulated directory: keyed actors that fail, rest, ask each other and are let go, and clients that do not wait.

As in `tests.supervision.world`, everything is drawn from one seed, and the log is written by the actors and the
clients themselves.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import trio

from aion_trio.supervision import (
    ActorStopped,
    AskCycle,
    Backoff,
    Budget,
    Directory,
    Exit,
    Instrument,
    Mailbox,
    NotAnswered,
    Request,
    open_directory,
)

from .world import TICK, Boom, Event

BACKOFF = Backoff(initial=TICK, maximum=4 * TICK, jitter=0, reset_after=4.0)
WINDOW = 5.0
GRACE = 2.0
CLEANUP = 3 * TICK
NAME = "keyed"


class Question(Request[int]):
    """A request whose right answer is its number."""

    def __init__(self, number: int) -> None:
        self.number = number


@dataclass
class KeyedWorld:
    """What one seed means, and what came of it."""

    seed: int
    rng: Random = field(init=False)
    keys: int = field(init=False)
    idle_after: float = field(init=False)
    limit: float = field(init=False)
    capacity: float = field(init=False)
    budget: int = field(init=False)
    ending: str = field(init=False)
    end_at: float = field(init=False)
    chatty: bool = field(init=False)  # actors ask each other
    frail: float = field(init=False)
    log: list[Event] = field(default_factory=list[Event])
    raised: list[BaseException] = field(default_factory=list[BaseException])
    asking: dict[int, int] = field(default_factory=dict[int, int])  # who waits for whom, and with which request
    asked: dict[int, int] = field(default_factory=dict[int, int])
    outcome: BaseException | None = None
    left_at: float = 0.0
    number: int = 0

    def __post_init__(self) -> None:
        self.rng = rng = Random(self.seed)
        self.keys = rng.randint(1, 4)
        self.idle_after = rng.choice([2 * TICK, 8 * TICK, math.inf])
        self.limit = rng.choice([1, 2, math.inf])
        self.capacity = rng.choice([1, 2, 8])
        self.budget = rng.randint(0, 4)
        self.ending = rng.choice(["leave", "leave", "cancel", "raise"])
        self.end_at = rng.randint(1, 100) * TICK
        self.chatty = rng.random() < 0.4
        self.frail = rng.choice([0.0, 0.03, 0.2])

    def note(self, what: str, who: int = -1, detail: Any = None) -> None:
        self.log.append(Event(trio.current_time(), what, who, detail))

    # The actors.

    async def activate(self, key: int, mailbox: Mailbox[Any]) -> None:
        rng = Random(f"{self.seed}/{key}/{len(self.log)}")
        self.note("begins", key)
        try:
            await self._serve(key, mailbox, rng)
        except trio.Cancelled:
            self.note("is cancelled", key)
            raise
        finally:
            try:
                await self._clean_up(key, rng)
            finally:
                self.note("ends", key)

    async def _serve(self, key: int, mailbox: Mailbox[Any], rng: Random) -> None:
        if rng.random() < 0.2:
            await trio.sleep(rng.randint(0, 2) * TICK)
        while True:
            picks = rng.random() < 0.1
            self.note("picks" if picks else "waits", key)
            try:
                message = await (mailbox.receive(lambda each: number_of(each) % 3 == 0) if picks else mailbox.receive())
            except trio.EndOfChannel:
                self.note("is let go", key)
                if rng.random() < 0.1:
                    await trio.sleep(rng.choice([TICK, 1000.0]))
                return
            await self._handle(key, message, rng)
            while rng.random() < 0.5:
                try:
                    message = mailbox.receive_nowait()
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
                await self._handle(key, message, rng)
            if rng.random() < 0.02:
                self.note("returns", key)
                return

    async def _handle(self, key: int, message: Any, rng: Random) -> None:
        self.note("receives", key, number_of(message))
        if rng.random() < 0.4:
            await trio.sleep(rng.randint(0, 3) * TICK)
        if rng.random() < self.frail:
            raise self.boom(key)
        if self.chatty and rng.random() < 0.3:
            await self._ask(rng.randrange(self.keys), asker=key)
        if isinstance(message, Question):
            message.reply(message.number)

    def boom(self, key: int) -> Boom:
        error = Boom(key, len(self.raised))
        self.raised.append(error)
        self.note("raises", key, error)
        return error

    async def _clean_up(self, key: int, rng: Random) -> None:
        if rng.random() < 0.3:
            with trio.CancelScope(shield=True):
                await trio.sleep(rng.randint(1, 3) * TICK)
        if rng.random() < self.frail / 4:
            raise self.boom(key)

    # Those who write to them.

    async def client(self, rng: Random) -> None:
        while True:
            await trio.sleep(rng.randint(0, 6) * TICK)
            key = rng.randrange(self.keys)
            with trio.move_on_after(rng.choice([TICK, 3 * TICK, math.inf])):
                try:
                    await self._write(key, rng.choice(["send", "ask", "nowait", "urgent"]))
                except ActorStopped:
                    self.note("is refused", key)
                except trio.WouldBlock:
                    self.note("is full", key)

    async def _write(self, key: int, how: str) -> None:
        if how == "ask":
            await self._ask(key)
            return
        self.number += 1
        number = self.number
        self.note("offers urgent" if how == "urgent" else "offers", key, number)
        if how == "send":
            await self.directory.send(key, number)
        else:
            self.directory.send_nowait(key, number, urgent=how == "urgent")
        self.note("sends", key, number)

    async def _ask(self, key: int, asker: int | None = None) -> None:
        self.number += 1
        number = self.number
        self.note("offers", key, number)
        async with self._waiting(asker, key):
            try:
                answer = await self.directory.ask(key, Question(number))
            except AskCycle as error:
                self.note("would wait for itself", asker if asker is not None else -1, (error.path, dict(self.asking)))
            except NotAnswered:
                self.note("is not answered", key, number)
            except ActorStopped:
                self.note("is refused", key, number)
            else:
                self.note("is answered", key, (number, answer))

    @asynccontextmanager
    async def _waiting(self, asker: int | None, key: int) -> AsyncIterator[None]:
        if asker is not None:
            self.asking[asker], self.asked[asker] = key, self.number
        try:
            yield
        finally:
            if asker is not None:
                del self.asking[asker]

    async def warden(self, rng: Random) -> None:
        """Release quarantined keys now and then, and look for circles of actors that wait for each other."""
        before: set[int] = set()
        while True:
            await trio.sleep(2 * TICK)
            now = {number for start in self.asking for number in self._circle(start)}
            if now & before:
                self.note("deadlock", -1, dict(self.asking))
            before = now
            for key in tuple(self.directory.quarantined):
                if rng.random() < 0.1:
                    self.note("releases", key)
                    assert self.directory.release(key)

    def _circle(self, start: int) -> list[int]:
        """The requests by which the actor of ``start`` waits for itself, if it does."""
        numbers: list[int] = []
        at: int | None = start
        while at in self.asking and len(numbers) <= self.keys:
            numbers.append(self.asked[at])
            at = self.asking[at]
            if at == start:
                return numbers
        return []

    # The whole.

    async def main(self) -> None:
        try:
            await self._block()
        except BaseException as error:
            self.outcome = error
        self.left_at = trio.current_time()
        self.note("left")

    async def _block(self) -> None:
        with trio.move_on_at(self.end_at if self.ending == "cancel" else math.inf):
            async with open_directory(
                self.activate,
                name=NAME,
                idle_after=self.idle_after,
                limit=self.limit,
                capacity=self.capacity,
                budget=Budget(self.budget, WINDOW),
                backoff=BACKOFF,
                on_failed=lambda key, error: self.note("told failed", key, error),
                grace=GRACE,
                instruments=[Reporter(self)],
                random=self.rng,
            ) as directory:
                self.directory: Directory[int, Any] = directory
                try:
                    await self._body()
                finally:
                    if self.rng.random() < 0.3:
                        with trio.CancelScope(shield=True):
                            await trio.sleep(TICK)
                    self.note("body left")

    async def _body(self) -> None:
        async with trio.open_nursery() as nursery:
            for index in range(self.rng.randint(1, 4)):
                nursery.start_soon(self.client, Random(f"{self.seed}/client {index}"))
            nursery.start_soon(self.warden, Random(f"{self.seed}/warden"))
            await trio.sleep_until(self.end_at if self.ending != "cancel" else math.inf)
            nursery.cancel_scope.cancel()
        if self.ending == "raise":
            error = Boom("body")
            self.raised.append(error)
            raise error


def number_of(message: Any) -> int:
    return message.number if isinstance(message, Question) else message


class Reporter(Instrument):
    """Writes into the log what the directory says."""

    def __init__(self, world: KeyedWorld) -> None:
        self._world = world

    def _note(self, what: str, path: str, detail: Any) -> None:
        self._world.note(what, int(path.rpartition("/")[2]), detail)

    def child_exited(self, path: str, exit: Exit) -> None:
        self._note("told exit", path, exit)

    def child_restarting(self, path: str, delay: float, streak: int) -> None:
        self._note("restarting", path, (delay, streak))

    def actor_quarantined(self, path: str, error: Exception) -> None:
        self._note("quarantined", path, error)

    def dead_letter(self, path: str, message: object) -> None:
        self._note("dead", path, number_of(message))
