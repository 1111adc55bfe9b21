"""A simulated tree: supervisors in supervisors, with actors, directories and links between the levels.

As in `tests.supervision.world`, everything is drawn from one seed, and the log is written by those who live in the
tree. A place is named by its path from the root down, as the instruments name it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import trio

from aion_trio.supervision import (
    ActorStopped,
    AutoShutdown,
    Budget,
    Child,
    Directory,
    LinkBroken,
    Mailbox,
    Restart,
    Strategy,
    Supervisor,
    linked,
    open_directory,
    open_supervisor,
    supervise,
)

from .world import BACKOFF, LATE, TICK, WINDOW, Boom

ROOT = "root"
SHUTDOWNS = [0.0, TICK, 1.0, 4.0]
KINDS = ["leaf", "leaf", "leaf", "server", "server", "linker", "directory"]


class Line(NamedTuple):
    """One line of the log: what happened to whom, when, with what."""

    at: float
    what: str
    who: str = ""
    detail: Any = None


@dataclass
class Spot:
    """One place of the tree, and what lives there."""

    path: str
    kind: str  # one of KINDS, or team: a supervisor
    rng: Random
    restart: Restart = Restart.TRANSIENT
    shutdown: float = 0.0
    significant: bool = False
    children: list[Spot] = field(default_factory=list["Spot"])
    strategy: Strategy = Strategy.ONE_FOR_ONE
    budget: int = 0
    auto: AutoShutdown = AutoShutdown.NEVER
    body: str = ""  # what a team does inside its block; nothing: it is `supervise`

    @property
    def parent(self) -> str:
        return self.path.rpartition("/")[0]

    def walk(self) -> Iterator[Spot]:
        """This place and all below it, from the top down, in the order of start."""
        yield self
        for each in self.children:
            yield from each.walk()


@dataclass
class TreeWorld:
    """What one seed means, and what came of it."""

    seed: int
    rng: Random = field(init=False)
    root: Spot = field(init=False)
    spots: dict[str, Spot] = field(init=False)
    fatal: float = field(init=False)  # how likely a fate is an interrupt
    ending: str = field(init=False)  # as in `world.World`
    end_at: float = field(init=False)
    hurried_at: float = math.inf
    cut_at: float = math.inf  # when all of it is cancelled, unless it has ended before
    log: list[Line] = field(default_factory=list[Line])
    raised: list[BaseException] = field(default_factory=list[BaseException])
    alive: set[str] = field(default_factory=set[str])
    boxes: dict[str, Mailbox[int]] = field(default_factory=dict[str, Mailbox[int]])
    supervisors: dict[str, Supervisor] = field(default_factory=dict[str, Supervisor])
    scopes: dict[str, trio.CancelScope] = field(default_factory=dict[str, trio.CancelScope])
    outcome: BaseException | None = None
    number: int = 0

    def __post_init__(self) -> None:
        self.rng = rng = Random(self.seed)
        self.fatal = rng.choice([0.0, 0.0, 0.03])
        self.ending = rng.choice(["cancel", "stop", "hurry", "raise", "wait"])
        self.end_at = rng.randint(0, 60) * TICK
        self.root = self._make_team(ROOT, 0)
        self.spots = {spot.path: spot for spot in self.root.walk()}

    def _make_team(self, path: str, level: int) -> Spot:
        rng = self.rng
        team = Spot(path, "team", Random(f"{self.seed}/{path}"))
        team.strategy = rng.choice(list(Strategy))
        team.budget = rng.randint(0, 3)
        team.auto = rng.choice([AutoShutdown.NEVER, AutoShutdown.NEVER, *AutoShutdown])
        team.body = rng.choice(["", "leave", "stay", "live", "link"])
        count = rng.randint(1, 3)
        deep = rng.randrange(count) if level == 0 else -1
        for index in range(count):
            below = f"{path}/{index}"
            if level < 2 and (index == deep or rng.random() < 0.35):
                child = self._make_team(below, level + 1)
            else:
                child = Spot(below, rng.choice(KINDS), Random(f"{self.seed}/{below}"))
            child.restart, child.shutdown = rng.choice(list(Restart)), rng.choice(SHUTDOWNS)
            significant = team.auto is not AutoShutdown.NEVER and child.restart is not Restart.PERMANENT
            child.significant = significant and rng.random() < 0.5
            team.children.append(child)
        return team

    def note(self, what: str, who: str = "", detail: Any = None) -> None:
        self.log.append(Line(trio.current_time(), what, who, detail))

    def boom(self, who: str, error: BaseException | None = None) -> BaseException:
        error = error if error is not None else Boom(who, len(self.raised))
        self.raised.append(error)
        self.note("raises", who, error)
        return error

    # Those who live in the tree.

    def declare(self, spot: Spot) -> Child:
        box = self.boxes[spot.path] = Mailbox[int](4) if spot.kind == "server" else None  # a new one for each run of the team
        return Child(
            spot.path.rpartition("/")[2],
            self.live,
            (spot, box),
            restart=spot.restart,
            shutdown=spot.shutdown,
            backoff=BACKOFF,
            significant=spot.significant,
            mailbox=box,
        )

    async def live(self, spot: Spot, box: Mailbox[int] | None, *, task_status: trio.TaskStatus[Any]) -> None:
        self.note("begins", spot.path)
        self.alive.add(spot.path)
        status = Herald(self, spot, task_status)
        try:
            await self._be(spot, box, status)
            self.note("returns", spot.path)
        except trio.Cancelled:
            self.note("is cancelled", spot.path, box is not None and box.closed)
            raise
        finally:
            try:
                await self._clean_up(spot.path, spot.rng)
            finally:
                self.supervisors.pop(spot.path, None)
                self.alive.discard(spot.path)
                self.note("ends", spot.path)

    async def _be(self, spot: Spot, box: Mailbox[int] | None, status: Herald) -> None:
        if spot.kind == "team":
            return await self._lead(spot, status)
        if spot.rng.random() < 0.3:
            await trio.sleep(spot.rng.randint(0, 2) * TICK)
        if spot.rng.random() < 0.03:
            raise self.boom(spot.path)
        if spot.kind == "directory":
            return await self._keep_directory(spot, status)
        status.started(spot.path)
        if box is not None:
            await self._serve(spot, box)
        elif spot.kind == "linker":
            await self._follow(spot)
        else:
            await self._work(spot)

    async def _lead(self, spot: Spot, status: Herald) -> None:
        children = [self.declare(each) for each in spot.children]
        policy: Any = {"strategy": spot.strategy, "budget": Budget(spot.budget, WINDOW), "auto_shutdown": spot.auto, "name": ROOT}
        if not spot.body:
            return await supervise(*children, **policy, task_status=status)
        with trio.CancelScope() as scope:
            self.scopes[spot.path] = scope
            try:
                async with open_supervisor(*children, **policy) as inner:
                    status.started(inner)
                    try:
                        await self._lead_from_within(spot, inner)
                    finally:
                        await self._linger(spot.rng)
                        self.note("body left", spot.path)
            finally:
                del self.scopes[spot.path]

    async def _lead_from_within(self, spot: Spot, inner: Supervisor) -> None:
        if spot.body == "stay":
            await trio.sleep_until(max(LATE, trio.current_time()))
        elif spot.body == "live":
            await self._work(spot, 0.03)
        elif spot.body == "link" and (names := list(inner)):
            await self._link(spot.path, inner, spot.rng.choice(names))

    async def _work(self, spot: Spot, frail: float = 0.1) -> None:
        while True:
            await trio.sleep(spot.rng.randint(1, 4) * TICK)
            if self._fate(spot, frail):
                return

    def _fate(self, spot: Spot, frail: float = 0.1) -> bool:
        """Fail, or end (true), or go on (false)."""
        late = trio.current_time() > LATE
        chance = spot.rng.random()
        if chance < (0.6 if late else frail):
            raise self.boom(spot.path)
        if chance > 1 - self.fatal:
            raise self.boom(spot.path, KeyboardInterrupt(spot.path))
        return 0.6 < chance < 0.64 or (late and spot.restart is not Restart.PERMANENT)

    async def _serve(self, spot: Spot, box: Mailbox[int]) -> None:
        with trio.CancelScope(deadline=max(LATE, trio.current_time() + TICK)):
            async for message in box:
                self.note("receives", spot.path, message)
                if spot.rng.random() < 0.5:
                    await trio.sleep(spot.rng.randint(0, 2) * TICK)
                if self._fate(spot):
                    return
            if spot.rng.random() < 0.2:
                await trio.sleep(1000)  # it goes on after its mailbox was closed
            return
        await self._work(spot)

    async def _follow(self, spot: Spot) -> None:
        """Live as long as somebody elsewhere in the tree."""
        await trio.sleep(TICK)
        owner = spot.rng.choice(sorted(self.supervisors) or [""])
        if owner and (names := list(self.supervisors[owner])):
            await self._link(spot.path, self.supervisors[owner], spot.rng.choice(names))

    async def _link(self, who: str, supervisor: Supervisor, name: str) -> None:
        self.number += 1
        token = self.number
        handle = supervisor.handle(name)
        try:
            with linked(handle):
                self.note("is linked", handle.path, token)
                try:
                    await trio.sleep_until(max(LATE, trio.current_time()))
                finally:
                    self.note("unlinks", handle.path, token)
        except LinkBroken as broken:
            self.note("link broken", handle.path, (token, broken.exit))
            raise self.boom(who) from broken
        except ActorStopped as stopped:
            raise self.boom(who) from stopped

    # Keyed actors.

    async def _keep_directory(self, spot: Spot, status: Herald) -> None:
        async def activate(key: int, box: Mailbox[int]) -> None:
            await self._act(f"{spot.path}/{key}", spot, box)

        policy: Any = {"idle_after": 4 * TICK, "limit": 2, "budget": Budget(1, WINDOW), "backoff": BACKOFF, "grace": 1.0, "name": ROOT}
        async with open_directory(activate, **policy) as directory:
            status.started(directory)
            await self._write_to(spot, directory)

    async def _write_to(self, spot: Spot, directory: Directory[int, int]) -> None:
        while True:
            await trio.sleep(spot.rng.randint(0, 3) * TICK)
            try:
                directory.send_nowait(spot.rng.randrange(4), 0)
            except (ActorStopped, trio.WouldBlock):
                self.note("is refused", spot.path)
            if self._fate(spot, 0.03):
                return

    async def _act(self, path: str, spot: Spot, box: Mailbox[int]) -> None:
        self.note("begins", path)
        self.alive.add(path)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._assist, path, spot)
                async for _ in box:
                    await trio.sleep(spot.rng.randint(0, 2) * TICK)
                    if spot.rng.random() < 0.2:
                        raise self.boom(path)
                    if spot.rng.random() < self.fatal:
                        raise self.boom(path, KeyboardInterrupt(path))
                nursery.cancel_scope.cancel()
        finally:
            self.alive.discard(path)
            self.note("ends", path)

    async def _assist(self, path: str, spot: Spot) -> None:
        """A task beside the actor's loop, whose clean-up may fail while the loop is being cancelled."""
        try:
            await trio.sleep_forever()
        finally:
            await self._clean_up(path, spot.rng)

    async def _clean_up(self, path: str, rng: Random) -> None:
        if rng.random() < 0.3:
            with trio.CancelScope(shield=True):
                await trio.sleep(rng.randint(1, 3) * TICK)
        if rng.random() < 0.05 and not holds_interrupt(sys.exception()):
            raise self.boom(path)

    async def _linger(self, rng: Random) -> None:
        if rng.random() < 0.3:
            with trio.CancelScope(shield=True):
                await trio.sleep(TICK)


def holds_interrupt(error: BaseException | None) -> bool:
    """Whether it is one, or a group with one in it."""
    if isinstance(error, BaseExceptionGroup):
        return any(holds_interrupt(each) for each in error.exceptions)
    return isinstance(error, KeyboardInterrupt)


class Herald:
    """The ``task_status`` of a child, which notes that it was used."""

    def __init__(self, world: TreeWorld, spot: Spot, status: trio.TaskStatus[Any]) -> None:
        self._world, self._spot, self._status = world, spot, status

    def started(self, value: Any = None) -> None:
        self._world.note("is up", self._spot.path)
        if isinstance(value, Supervisor):
            self._world.supervisors[self._spot.path] = value
        self._status.started(value)
