"""Changing the children by hand: a task asks, the control loop does it, one order after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from outcome import Error, Outcome, Value
from trio.lowlevel import Abort, checkpoint, current_task, enable_ki_protection, reschedule, wait_task_rescheduled

from .crew import Crew
from .errors import ActorStopped, StartFailed
from .exits import Exit
from .slot import Child, Slot


class Order:
    """What the loop is asked to do for a task that waits for it."""

    def __init__(self, work: Callable[[Order], Awaitable[Any]], *, adds: bool) -> None:
        self.work = work
        self.adds = adds  # a child, which is to find those before it up
        self.begun = False
        self.abandoned = False
        self._task = current_task()

    def settle(self, outcome: Outcome[Any]) -> None:
        """Let the task that waits go on with ``outcome``."""
        if not self.abandoned:
            reschedule(self._task, outcome)


class Orders:
    """The orders that have not been carried out yet, and what they can be."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._waiting: list[Order] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    # What the tasks call.

    async def add(self, child: Child) -> Any:
        """Start ``child`` behind the others; if it does not start, or nobody waits any more, there is no trace of it."""
        return await self._ask_for(lambda order: self._add(child, order), adds=True)

    async def remove(self, name: str) -> Exit | None:
        """Stop the child called ``name`` and forget it."""
        exit: Exit | None = await self._ask_for(lambda _: self._remove(name))
        return exit

    async def restart(self, name: str) -> Any:
        """Stop the child called ``name`` if it is up, and start it; this spends no budget and concerns no sibling."""
        return await self._ask_for(lambda _: self._restart(name))

    @enable_ki_protection
    async def _ask_for(self, work: Callable[[Order], Awaitable[Any]], *, adds: bool = False) -> Any:
        if self._crew.stop_asked:
            await checkpoint()
            raise ActorStopped(f"{self._crew.path} is stopping")
        order = Order(work, adds=adds)
        self._waiting.append(order)
        self._crew.wake()

        def abort(_: object) -> Abort:  # in the moment of the cancellation, or the loop might be done before this task hears of it
            order.abandoned = True
            if order.begun and order.adds:
                self._crew.cut_start()
            return Abort.SUCCEEDED

        return await wait_task_rescheduled(abort)

    # What the loop calls.

    async def obey(self) -> None:
        """Carry out those that can be."""
        for order in tuple(self._waiting):
            if not self._crew.halted and not (order.adds and self._crew.group_is_down):
                self._waiting.remove(order)
                await self._obey(order)

    async def _obey(self, order: Order) -> None:
        if order.abandoned:
            return
        order.begun = True
        outcome: Outcome[Any]
        try:
            outcome = Value(await order.work(order))
        except Exception as exc:
            outcome = Error(exc)
        order.settle(outcome)

    def refuse(self) -> None:
        """There is nobody any more to carry out what waits."""
        for order in self._waiting:
            order.settle(Error(ActorStopped(f"{self._crew.path} has stopped")))

    async def _add(self, child: Child, order: Order) -> Any:
        slot = self._crew.declare(child)
        if await self._crew.start(slot) and not order.abandoned:
            return slot.value
        await self._remove(child.name)
        raise self._no_start(slot)

    async def _remove(self, name: str) -> Exit | None:
        slot = self._crew.find(name)
        await self._crew.dismiss(slot, drain=True)
        self._crew.settle(slot)
        slot.forget_watchers()
        del self._crew.slots[name]
        return slot.exit

    async def _restart(self, name: str) -> Any:
        slot = self._crew.find(name)
        await self._crew.stop(slot, drain=False)
        self._crew.settle(slot)
        slot.streak = 0
        if not self._crew.halted and await self._crew.start(slot):
            return slot.value
        raise self._no_start(slot)

    def _no_start(self, slot: Slot) -> Exception:
        if self._crew.halted:
            return ActorStopped(f"{self._crew.path} is stopping")
        error = StartFailed(f"{slot.path} did not start")
        error.__cause__ = slot.exit.failure if slot.exit is not None else None
        return error
