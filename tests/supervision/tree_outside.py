"""What is done to a simulated tree from outside: messages, orders, cancellations, and looking at it."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import trio

from aion_trio.supervision import (
    ActorStopped,
    Budget,
    Exit,
    Handle,
    Instrument,
    LinkBroken,
    Node,
    StartFailed,
    Supervisor,
    linked,
    open_supervisor,
    watch,
)

from .tree_world import ROOT, TreeWorld
from .world import LATE, TICK, WINDOW, Boom


class Outside:
    """The body of the outermost block, and the tasks in it."""

    def __init__(self, world: TreeWorld) -> None:
        self._world = world
        self._note = world.note
        self.log = world.log

    async def main(self) -> None:
        try:
            await self._block()
        except BaseException as error:
            self._world.outcome = error
        self._note("left", ROOT)

    async def _block(self) -> None:
        world, root = self._world, self._world.root
        # Budgets on two levels may be such that the outer one is never spent: then the tree goes up and down for ever.
        end = world.cut_at = {"cancel": world.end_at, "wait": 2 * LATE}.get(world.ending, math.inf)
        with trio.move_on_at(end) as whole:
            async with open_supervisor(
                *[world.declare(each) for each in root.children],
                name=ROOT,
                strategy=root.strategy,
                budget=Budget(root.budget, WINDOW),
                auto_shutdown=root.auto,
                instruments=[Reporter(world)],
            ) as supervisor:
                world.supervisors[ROOT] = supervisor
                self._note("is up", ROOT)
                try:
                    await self._body(supervisor, whole)
                finally:
                    self._note("body left", ROOT)

    async def _body(self, supervisor: Supervisor, whole: trio.CancelScope) -> None:
        world = self._world
        async with trio.open_nursery() as nursery:
            for index, task in enumerate([self._client, self._operator, self._surveyor, self._follower, self._follower]):
                nursery.start_soon(task, Random(f"{world.seed}/outside {index}"))
            await trio.sleep_until(max(world.end_at, trio.current_time()) if world.ending != "cancel" else math.inf)
            nursery.cancel_scope.cancel()
        self._survey(supervisor)
        self._note("end", ROOT, world.ending)
        if world.ending in {"stop", "hurry"}:
            supervisor.stop()
            if world.ending == "hurry":
                whole.deadline = world.hurried_at = trio.current_time() + world.rng.randint(0, 4) * TICK
        elif world.ending == "raise":
            error = Boom("body")
            world.raised.append(error)
            raise error

    async def _client(self, rng: Random) -> None:
        """Send to the mailboxes of the tree."""
        world = self._world
        while True:
            await trio.sleep(rng.randint(0, 3) * TICK)
            boxes = [(path, box) for path, box in sorted(world.boxes.items()) if box is not None]
            if boxes:
                path, box = rng.choice(boxes)
                world.number += 1
                try:
                    box.address.send_nowait(world.number)
                    self._note("sends", path, world.number)
                except (ActorStopped, trio.WouldBlock):
                    self._note("is refused", path)

    async def _operator(self, rng: Random) -> None:
        """Change one of the supervisors by hand, stop it, or cancel the block it is."""
        if rng.random() < 0.5:
            return
        while True:
            await trio.sleep(rng.randint(2, 30) * TICK)
            act = rng.choice(["remove", "restart", "restart", "stop", "cancel", "cancel"])
            with trio.move_on_after(rng.choice([TICK, math.inf])):
                try:
                    await self._operate(act, rng)
                except (StartFailed, ActorStopped, KeyError) as error:
                    self._note("order fails", "", error)

    async def _operate(self, act: str, rng: Random) -> None:
        world = self._world
        if act == "cancel":
            if world.scopes:
                path = rng.choice(sorted(world.scopes))
                self._note("cancels", path)
                world.scopes[path].cancel()
            return
        path = rng.choice(sorted(world.supervisors))
        supervisor = world.supervisors[path]
        if act == "stop" and path != ROOT:
            self._note("stops", path)
            supervisor.stop()
        elif act != "stop" and (names := list(supervisor)):
            name = rng.choice(names)
            self._note("orders", f"{path}/{name}", act)
            await (supervisor.remove(name) if act == "remove" else supervisor.restart(name))
            self._note("order done", f"{path}/{name}", act)

    # Those who look.

    async def _surveyor(self, rng: Random) -> None:
        while True:
            await trio.sleep(rng.randint(1, 8) * TICK)
            self._survey(self._world.supervisors[ROOT])

    def _survey(self, root: Supervisor) -> None:
        states: list[tuple[str, str, str]] = []
        waiting = [root.snapshot()]
        while waiting:
            node: Node = waiting.pop()
            states.append((node.path, node.kind, node.state))
            waiting.extend(node.children)
        self._note("survey", ROOT, (states, frozenset(self._world.alive)))

    async def _follower(self, rng: Random) -> None:
        """Watch, await, or link to one child after the other, on whatever level."""
        while True:
            await trio.sleep(rng.randint(0, 4) * TICK)
            supervisor = self._world.supervisors[rng.choice(sorted(self._world.supervisors))]
            if names := list(supervisor):
                handle = supervisor.handle(rng.choice(names))
                self._world.number += 1
                with trio.move_on_after(rng.choice([2 * TICK, 4.0, math.inf])):
                    await rng.choice([self._watch, self._await_exit, self._link])(handle, self._world.number)

    async def _watch(self, handle: Handle, token: int) -> None:
        heard: list[Exit] = []
        self._note("watches", handle.path, token)
        ended = False
        try:
            with watch(handle) as exits:
                async for exit in exits:
                    heard.append(exit)
            ended = True
        finally:
            self._note("watched", handle.path, (token, heard, ended))

    async def _await_exit(self, handle: Handle, token: int) -> None:
        up = handle.state in {"starting", "running", "stopping"}
        self._note("awaits", handle.path, token)
        try:
            self._note("saw exit", handle.path, (token, await handle.exited(), up))
        except ActorStopped:
            self._note("never ran", handle.path, token)

    async def _link(self, handle: Handle, token: int) -> None:
        try:
            with linked(handle):
                self._note("is linked", handle.path, token)
                try:
                    await trio.sleep_forever()
                finally:
                    self._note("unlinks", handle.path, token)
        except (LinkBroken, ActorStopped) as broken:
            self._note("link broken", handle.path, (token, broken.exit if isinstance(broken, LinkBroken) else None))


class Reporter(Instrument):
    """Writes into the log what the tree says to its outermost instrument."""

    def __init__(self, world: TreeWorld) -> None:
        self._note = world.note

    def child_started(self, path: str, run: int) -> None:
        self._note("told up", path, run)

    def child_exited(self, path: str, exit: Exit) -> None:
        self._note("told exit", path, exit)

    def child_restarting(self, path: str, delay: float, streak: int) -> None:
        self._note("restarting", path, (delay, streak))

    def supervisor_gave_up(self, path: str, failures: Any) -> None:
        self._note("gave up", path, failures)

    def actor_quarantined(self, path: str, error: Exception) -> None:
        self._note("quarantined", path, error)

    def dead_letter(self, path: str, message: object) -> None:
        self._note("dead", path, message)
