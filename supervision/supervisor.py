"""The supervisor: an ``async with`` block whose children are looked after.

    async with open_supervisor(Child("store", store), Child("server", server)) as supervisor:
        ...

The block is to its children what a nursery is to its tasks: none outlives it, leaving it waits for them, errors
that go up do so in an `ExceptionGroup`. It adds that a child which fails is run again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from .chance import Random
from .control import Control
from .crew import Crew
from .exits import Exit
from .handle import Handle
from .instrument import Instrument, Instruments
from .place import here
from .policy import USUAL_BUDGET, AutoShutdown, Budget, Strategy
from .settings import Settings
from .slot import Child, Slot
from .snapshot import Node


class Supervisor:
    """A running supervisor; made by `open_supervisor`."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._crew = control.crew
        self._since = trio.current_time()

    @property
    def path(self) -> str:
        """Its name from the root down."""
        return self._crew.path

    def __iter__(self) -> Iterator[str]:
        """The names of the children, in the order of start."""
        return iter(tuple(self._crew.slots))

    def __len__(self) -> int:
        return len(self._crew.slots)

    def __contains__(self, name: object) -> bool:
        return name in self._crew.slots

    def __getitem__(self, name: str) -> Any:
        """What the child called ``name`` passed to ``task_status.started()``, last time it did."""
        return self._crew.find(name).value

    def handle(self, name: str) -> Handle:
        """The child called ``name``, to wait for, watch or link to."""
        return Handle(self._crew.find(name))

    def snapshot(self) -> Node:
        """The tree from here down, at this moment."""
        now = trio.current_time()
        children = tuple(slot.snapshot(now) for slot in self._crew.slots.values())
        name = self.path.rpartition("/")[2]
        return Node(self.path, name, "supervisor", self._state(), runs=1, up_for=now - self._since, children=children)

    def _state(self) -> str:
        if self._control.finished.is_set():
            return "done"
        return "stopping" if self._crew.stop_asked else "running"

    def stop(self) -> None:
        """Ask for an orderly end: the children in reverse order, each given its ``shutdown`` to empty its mailbox."""
        self._control.stop()

    async def stopped(self) -> None:
        """Wait until the last child has ended."""
        await self._control.finished.wait()

    async def add(self, child: Child) -> Any:
        """Start ``child`` behind the others, as if it had been declared last; returns what it passed to ``started()``.

        Raises `StartFailed` if it does not start, `ValueError` if the name is taken, `TypeError` for what is no `Child`,
        `ActorStopped` if the supervisor is stopping; then, and if this is cancelled, the child is not there.
        """
        self._refuse_starting_child()
        return await self._control.orders.add(child)

    async def remove(self, name: str) -> Exit | None:
        """Stop a child as at the end, forget it, and say how its last run ended.

        If this is cancelled the removal goes on.
        """
        self._crew.find(name)
        self._refuse_starting_child()
        return await self._control.orders.remove(name)

    async def restart(self, name: str) -> Any:
        """Stop a child if it is up and start it again, now; returns what it passed to ``started()``.

        By hand means outside the policy: no budget is spent, no sibling concerned, the back-off begins anew. Raises
        `StartFailed` if it does not start; that failure is then answered like any other. If this is cancelled the
        restart goes on.
        """
        self._crew.find(name)
        self._refuse_starting_child()
        return await self._control.orders.restart(name)

    def _refuse_starting_child(self) -> None:
        """Who is starting keeps this supervisor, and all between the two, from doing anything else: it would wait for ever."""
        caller = place = here.get()
        if not isinstance(caller, Slot) or caller.run is None or caller.run.up:
            return
        while isinstance(place, Slot):
            if self._crew.slots.get(place.child.name) is place:
                raise RuntimeError(f"{caller.path} must call task_status.started() before it changes {self.path}")
            place = place.above


@asynccontextmanager
async def open_supervisor(
    *children: Child,
    name: str = "supervisor",
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    budget: Budget = USUAL_BUDGET,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    instruments: Iterable[Instrument] | None = None,
    random: Random | None = None,
) -> AsyncGenerator[Supervisor]:
    """Start ``children`` in order and yield when the last one is ready.

    Leaving the block waits until all have ended for good, as leaving a nursery does; call `Supervisor.stop` to have
    them end. When the block is cancelled or its body raises, the body is left first, with the children still up;
    then they are cancelled in reverse order, each after the one before has ended. Once auto-shutdown has stopped
    the children, what still runs in the body is cancelled.

    Raises, in an `ExceptionGroup` as a nursery would: `StartFailed` if a child does not start at first, `GaveUp` if
    the budget is spent, a group of what children raised while they were being stopped, what the body raised.

    Before anything begins: `TypeError` for a value of the wrong kind, `ValueError` for one that makes no sense. ``strategy``
    and ``auto_shutdown`` may also be their names, as ``"one_for_all"`` from a file of settings.

    Where a child's back-off is so slow that it alone never spends the ``budget``, a warning is logged under
    ``aion_trio.supervision``, once for each opening: if that child fails again and again, it is restarted for ever.

    Inside another supervisor's child, it takes that child's path, and its ``instruments`` are told together with the
    outer ones; alone, ``None`` means `LogInstrument`. ``random`` is for the jitter of the back-offs.
    """
    place = here.get()
    path = place.path if place is not None else name
    inherited = place.instruments if place is not None else None
    crew = Crew(path, Settings(strategy, budget, auto_shutdown), Instruments(inherited, instruments), place)
    crew.declare_all(children)
    control = Control(crew, random or Random())
    supervisor = Supervisor(control)
    if place is not None:
        place.contain(supervisor)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(control.run, nursery, name=f"supervisor {path}")
            try:
                await control.ready.wait()
                yield supervisor
                control.leave()
                await control.finished.wait()
            except BaseException:
                control.abort()
                raise
    finally:
        if place is not None:
            place.release(supervisor)


async def supervise(
    *children: Child,
    name: str = "supervisor",
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    budget: Budget = USUAL_BUDGET,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    instruments: Iterable[Instrument] | None = None,
    random: Random | None = None,
    task_status: trio.TaskStatus[Supervisor] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Be a supervisor, as a task; made for the ``fn`` of a `Child`, so that supervisors nest.

    It has started when all its children have. It raises what it gives up with as itself, not in a group.
    """
    alone: BaseException | None = None
    try:
        async with open_supervisor(
            *children,
            name=name,
            strategy=strategy,
            budget=budget,
            auto_shutdown=auto_shutdown,
            instruments=instruments,
            random=random,
        ) as supervisor:
            task_status.started(supervisor)
    except BaseExceptionGroup as group:
        alone, *others = group.exceptions
        if others:
            raise
    if alone is not None:  # raised out here, or it would have the group as its context, which it is in itself: a circle
        raise alone
