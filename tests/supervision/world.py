"""A simulated supervisor: random children, clients and operators, and a log of what really happened.

Everything is drawn from one seed. Times lie on a coarse grid, so that things coincide. The log is written by the
children and the clients themselves; what the supervisor *says* it did comes from its instrument. The laws compare
the two (`tests.supervision.laws`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import trio

from aion_trio.supervision import (
    ActorStopped,
    AutoShutdown,
    Backoff,
    Budget,
    Child,
    Exit,
    Instrument,
    Mailbox,
    NotAnswered,
    Request,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
    open_supervisor,
)

TICK = 0.125  # exact in binary, so that what is to coincide does
BACKOFF = Backoff(initial=TICK, maximum=4 * TICK, jitter=0, reset_after=2.0)
WINDOW = 5.0
LATE = 40.0  # from here on whatever can fail does, so that every simulation ends
CLEANUP = 3 * TICK  # the longest clean-up of a child


class Boom(Exception):
    """A failure that the simulation made up."""


class Question(Request[int]):
    """A request whose right answer is its number."""

    def __init__(self, number: int) -> None:
        self.number = number


class Event(NamedTuple):
    """One line of the log: what happened to whom, when, with what."""

    at: float
    what: str
    who: int = -1
    detail: Any = None


@dataclass
class Kid:
    """One simulated child; its number is its place in the order of start."""

    number: int
    restart: Restart
    shutdown: float
    significant: bool
    box: Mailbox[Any] | None
    stubborn: bool  # goes on after its mailbox was closed
    rng: Random


@dataclass
class World:
    """What one seed means, and what came of it."""

    seed: int
    rng: Random = field(init=False)
    strategy: Strategy = field(init=False)
    budget: int = field(init=False)
    auto: AutoShutdown = field(init=False)
    ending: str = field(init=False)  # how the block is left: cancel, stop, hurry (stop, then cancel), raise, wait
    hurried_at: float = math.inf
    end_at: float = field(init=False)
    kids: dict[int, Kid] = field(default_factory=dict[int, Kid])
    log: list[Event] = field(default_factory=list[Event])
    raised: list[BaseException] = field(default_factory=list[BaseException])
    outcome: BaseException | None = None
    final_states: dict[int, str] | None = None  # as the snapshot told them when the end began
    left_at: float = 0.0
    asked: dict[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        self.rng = rng = Random(self.seed)
        self.strategy = rng.choice(list(Strategy))
        self.budget = rng.randint(0, 6)
        self.auto = rng.choice([AutoShutdown.NEVER, AutoShutdown.NEVER, AutoShutdown.NEVER, *list(AutoShutdown)[1:]])
        self.ending = rng.choice(["cancel", "stop", "hurry", "raise", "wait"])
        self.end_at = rng.randint(0, 60) * TICK
        for number in range(rng.randint(1, 5)):
            self.kids[number] = self.make_kid(number)

    def make_kid(self, number: int) -> Kid:
        restart = self.rng.choice(list(Restart))
        significant = self.auto is not AutoShutdown.NEVER and restart is not Restart.PERMANENT and self.rng.random() < 0.5
        box = Mailbox[Any](self.rng.choice([1, 2, 8])) if self.rng.random() < 0.6 else None
        shutdown = self.rng.choice([0.0, TICK, 0.5, 4.0])
        return Kid(number, restart, shutdown, significant, box, self.rng.random() < 0.2, Random(f"{self.seed}/{number}"))

    def note(self, what: str, who: int = -1, detail: Any = None) -> None:
        self.log.append(Event(trio.current_time(), what, who, detail))

    def boom(self, who: int) -> Boom:
        error = Boom(who, len(self.raised))
        self.raised.append(error)
        self.note("raises", who, error)
        return error

    def declare(self, kid: Kid) -> Child:
        return Child(
            str(kid.number),
            self.live,
            (kid,),
            restart=kid.restart,
            shutdown=kid.shutdown,
            backoff=BACKOFF,
            significant=kid.significant,
            mailbox=kid.box,
        )

    # The children.

    async def live(self, kid: Kid, *, task_status: trio.TaskStatus[int]) -> None:
        self.note("begins", kid.number)
        try:
            await self._start(kid, task_status)
            await (self._serve(kid, kid.box) if kid.box is not None else self._work(kid))
            self.note("returns", kid.number)
        except trio.Cancelled:
            self.note("is cancelled", kid.number)
            raise
        finally:
            try:
                await self._clean_up(kid)
            finally:
                self.note("ends", kid.number)

    async def _start(self, kid: Kid, task_status: trio.TaskStatus[int]) -> None:
        if kid.rng.random() < 0.3:
            await trio.sleep(kid.rng.randint(0, 2) * TICK)
        if kid.rng.random() < 0.05:
            raise self.boom(kid.number)
        self.note("is up", kid.number)
        task_status.started(kid.number)

    async def _work(self, kid: Kid) -> None:
        while True:
            await trio.sleep(kid.rng.randint(1, 4) * TICK)
            if self._fate(kid):
                return

    def _fate(self, kid: Kid) -> bool:
        """Fail, or end (true), or go on (false)."""
        late = trio.current_time() > LATE
        chance = kid.rng.random()
        if chance < (0.6 if late else 0.1):
            raise self.boom(kid.number)
        if chance > 0.997:
            error = KeyboardInterrupt(kid.number)
            self.raised.append(error)
            self.note("interrupts", kid.number, error)
            raise error
        return chance > 0.96 or (late and kid.restart is not Restart.PERMANENT)

    async def _serve(self, kid: Kid, box: Mailbox[Any]) -> None:
        late = trio.CancelScope(deadline=max(LATE, trio.current_time() + TICK))
        with late:
            async for message in box:
                self.note("receives", kid.number, message.number if isinstance(message, Question) else message)
                if kid.rng.random() < 0.5:
                    await trio.sleep(kid.rng.randint(0, 2) * TICK)
                if kid.rng.random() < 0.5 and self._fate(kid):
                    return
                if isinstance(message, Question):
                    message.reply(message.number)
        if late.cancelled_caught:
            await self._work(kid)
        elif kid.stubborn:
            await trio.sleep(1000)

    async def _clean_up(self, kid: Kid) -> None:
        if kid.rng.random() < 0.3:
            with trio.CancelScope(shield=True):
                await trio.sleep(kid.rng.randint(1, 3) * TICK)
        if kid.rng.random() < 0.05:
            raise self.boom(kid.number)

    # Those who deal with them.

    async def client(self, kid: Kid, box: Mailbox[Any], supply: list[int]) -> None:
        """Send to one child, ask it, and give up waiting now and then."""
        rng = Random(f"{self.seed}/client {kid.number}")
        try:
            while True:
                await trio.sleep(rng.randint(0, 4) * TICK)
                number = supply[0] = supply[0] + 1
                with trio.move_on_after(rng.choice([TICK, 3 * TICK, math.inf])):
                    if rng.random() < 0.5:
                        await self._ask(kid, box, number)
                    else:
                        self.note("offers", kid.number, number)
                        await box.address.send(number)
                        self.note("sends", kid.number, number)
        except ActorStopped:
            self.note("is refused", kid.number)

    async def _ask(self, kid: Kid, box: Mailbox[Any], number: int) -> None:
        self.note("offers", kid.number, number)
        self.asked[number] = "withdrawn"
        try:
            answer = await box.address.ask(Question(number))
        except trio.Cancelled:
            self.note("gives up", kid.number, number)
            raise
        except NotAnswered:
            self.asked[number] = "not answered"
            self.note("not answered", kid.number, number)
        except ActorStopped:
            self.asked[number] = "stopped"
            raise
        else:
            self.asked[number] = "answered"
            self.note("answered", kid.number, (number, answer))

    async def operator(self, supervisor: Supervisor, nursery: trio.Nursery, supply: list[int]) -> None:
        """Add, remove and restart children by hand."""
        while True:
            await trio.sleep(self.rng.randint(2, 12) * TICK)
            act = self.rng.choice(["add", "add", "remove", "restart"])
            with trio.move_on_after(self.rng.choice([TICK, math.inf])):
                try:
                    await self._operate(act, supervisor, nursery, supply)
                except (StartFailed, ActorStopped, KeyError) as error:  # a removal that nobody waits for any more goes on
                    self.note("order fails", -1, error)

    async def _operate(self, act: str, supervisor: Supervisor, nursery: trio.Nursery, supply: list[int]) -> None:
        if act == "add":
            kid = self.make_kid(len(self.kids))
            self.kids[kid.number] = kid
            self.note("add", kid.number)
            await supervisor.add(self.declare(kid))
            self.note("added", kid.number)
            if kid.box is not None:
                nursery.start_soon(self.client, kid, kid.box, supply)
        elif names := list(supervisor):
            number = int(self.rng.choice(names))
            self.note(act, number)
            await (supervisor.remove(str(number)) if act == "remove" else supervisor.restart(str(number)))
            self.note(f"{act} done", number)

    # The whole.

    async def main(self) -> None:
        try:
            await self._block()
        except BaseException as error:
            self.outcome = error
        self.left_at = trio.current_time()
        self.note("left")

    async def _block(self) -> None:
        kids = [self.declare(kid) for kid in self.kids.values()]
        end = self.end_at if self.ending == "cancel" else math.inf
        with trio.move_on_at(end) as whole:
            async with open_supervisor(
                *kids,
                strategy=self.strategy,
                budget=Budget(self.budget, WINDOW),
                auto_shutdown=self.auto,
                instruments=[Reporter(self)],
                random=self.rng,
            ) as supervisor:
                self.note("open")
                try:
                    await self._body(supervisor, whole)
                finally:
                    await self._linger()
                    self.note("body left")

    async def _linger(self) -> None:
        if self.rng.random() < 0.3:
            with trio.CancelScope(shield=True):
                await trio.sleep(TICK)

    async def _body(self, supervisor: Supervisor, whole: trio.CancelScope) -> None:
        supply = [0]
        async with trio.open_nursery() as nursery:
            for kid in tuple(self.kids.values()):
                if kid.box is not None:
                    nursery.start_soon(self.client, kid, kid.box, supply)
            if self.rng.random() < 0.5:
                nursery.start_soon(self.operator, supervisor, nursery, supply)
            await trio.sleep_until(max(self.end_at, trio.current_time()) if self.ending != "cancel" else math.inf)
            nursery.cancel_scope.cancel()
        self.final_states = {int(node.name): node.state for node in supervisor.snapshot().children}
        self.note("end", -1, self.ending)
        if self.ending in {"stop", "hurry"}:
            supervisor.stop()
            if self.ending == "hurry":
                whole.deadline = self.hurried_at = trio.current_time() + self.rng.randint(0, 4) * TICK
        elif self.ending == "raise":
            error = Boom("body")
            self.raised.append(error)
            raise error


class Reporter(Instrument):
    """Writes into the log what the supervisor says."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _note(self, what: str, path: str, detail: Any) -> None:
        self._world.note(what, int(path.rpartition("/")[2]), detail)

    def child_started(self, path: str, run: int) -> None:
        self._note("told started", path, run)

    def child_exited(self, path: str, exit: Exit) -> None:
        self._note("told exit", path, exit)

    def child_restarting(self, path: str, delay: float, streak: int) -> None:
        self._note("restarting", path, (delay, streak))

    def supervisor_gave_up(self, path: str, failures: Any) -> None:
        self._world.note("gave up", -1, failures)

    def dead_letter(self, path: str, message: object) -> None:
        self._note("dead", path, message.number if isinstance(message, Question) else message)
