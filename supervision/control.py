"""The control loop of one supervisor: a single task that starts, restarts and stops its children.

Theory of operation. Everything that happens to a supervisor is either the end of a run or an order (add, remove,
restart, stop). Both are queued and the loop is woken; it takes them one at a time, ends first. Being one task, it
needs no locks, and at most one child is starting or stopping at any moment, which is what 'the next child starts
only after ``started()``' and 'in reverse order' mean.

The loop runs in a shield, and so does every run. A cancellation from further out therefore reaches the *body* of
the block alone; when the body has left, it calls `abort`, and the loop stops the children in reverse order. An end
that the loop brings about itself is no news and is taken out of the queue; all others stay there until they are
answered, so that no error is lost between two waits.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio
from outcome import Error, Outcome, Value

from .chance import Random
from .errors import ActorStopped, GaveUp, StartFailed
from .exits import Exit
from .instrument import Instruments
from .policy import AutoShutdown, Budget, Ledger, Restart, Strategy
from .slot import Child, Run, Slot
from .snapshot import await_stack

LONGEST_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a supervisor answers to the ends of its children."""

    strategy: Strategy
    budget: Budget
    auto_shutdown: AutoShutdown

    def require_sound(self, child: Child) -> None:
        """Refuse a child whose declaration this supervisor could not keep."""
        if child.restart is not Restart.TEMPORARY:
            self.budget.require_reachable(child.backoff)
        if child.significant and self.auto_shutdown is AutoShutdown.NEVER:
            raise ValueError(f"{child.name!r} is significant, but this supervisor has no auto_shutdown")
        if child.significant and child.restart is Restart.PERMANENT:
            raise ValueError(f"{child.name!r} is significant and permanent: it could never end for good")


class Order:
    """Something that the loop is asked to do for a task that waits for it."""

    def __init__(self, work: Callable[[Order], Awaitable[Any]], *, adds: bool) -> None:
        self.work = work
        self.adds = adds  # a child, which is to find those before it up
        self.done = trio.Event()
        self.outcome: Outcome[Any] | None = None
        self.abandoned = False
        self.waiting: trio.CancelScope | None = None

    def abandon(self) -> None:
        """The task has gone away."""
        self.abandoned = True
        if self.waiting is not None:
            self.waiting.cancel()


class Control:
    """The children of one supervisor and the loop that looks after them."""

    def __init__(self, path: str, settings: Settings, instruments: Instruments, random: Random) -> None:
        self.path = path
        self.settings = settings
        self.instruments = instruments
        self.slots: dict[str, Slot] = {}  # in the order of start
        self.ready = trio.Event()
        self.finished = trio.Event()
        self.stop_asked = False
        self.body_left = False
        self._nursery: trio.Nursery
        self._random = random
        self._ledger = Ledger(settings.budget)
        self._failures: deque[tuple[float, Exception]] = deque()
        self._ends: dict[Slot, Exit] = {}  # not answered yet
        self._orders: list[Order] = []
        self._news = trio.Event()
        self._drains = True
        self._starting: trio.CancelScope | None = None
        self._draining: trio.CancelScope | None = None
        self._doomed = False  # a child has raised what is no Exception: the nursery cancels the body, which then aborts
        self._over = False  # auto-shutdown: the block is to be left

    # What others may do at any time.

    def stop(self) -> None:
        """Stop all children in order. Safe to call again."""
        if not self.stop_asked:
            self.stop_asked = True
            for slot in tuple(self._ends):
                self._take_end(slot)  # what ended before is told, and needs no answer any more; what fails from now on goes up
        if self._starting is not None:
            self._starting.cancel()
        self._news.set()

    def abort(self) -> None:
        """Stop, and let nobody finish what is in its mailbox."""
        self._drains = False
        if self._draining is not None:
            self._draining.cancel()
        self.stop()

    def leave(self) -> None:
        """The body of the block is done: end when the last child has ended."""
        self.body_left = True
        self._news.set()

    async def carry_out(self, work: Callable[[Order], Awaitable[Any]], *, adds: bool = False) -> Any:
        """Have the loop do ``work`` and wait for it; if this is cancelled, `Order.abandoned` tells the work so."""
        if self.stop_asked or self.finished.is_set():
            await trio.lowlevel.checkpoint()
            raise ActorStopped(f"{self.path} is stopping")
        order = Order(work, adds=adds)
        self._orders.append(order)
        self._news.set()
        try:
            await order.done.wait()
        except BaseException:
            order.abandon()
            raise
        assert order.outcome is not None
        return order.outcome.unwrap()

    def declare(self, child: Child) -> Slot:
        """Make a place for ``child``, behind the others."""
        self.settings.require_sound(child)
        if child.name in self.slots:
            raise ValueError(f"{self.path} has a child named {child.name!r} already")
        slot = self.slots[child.name] = Slot(child, self.path, self.instruments)
        return slot

    def find(self, name: str) -> Slot:
        """The place of the child called ``name``."""
        try:
            return self.slots[name]
        except KeyError:
            raise KeyError(f"{self.path} has no child named {name!r}; it has {list(self.slots)}") from None

    # The loop.

    async def run(self, nursery: trio.Nursery) -> None:
        """Be the loop, until the supervisor has ended; raises what is to go on up."""
        self._nursery = nursery
        with trio.CancelScope(shield=True):
            trouble: GaveUp | StartFailed | None = None
            try:
                await self._start_all()
                await self._look_after()
            except (GaveUp, StartFailed) as exc:
                trouble = exc
            finally:
                late = await self._stop_all(drain=not isinstance(trouble, StartFailed))
                self._finish()
            self._escalate(trouble, late)
            if self._over:
                nursery.cancel_scope.cancel()

    def _escalate(self, trouble: GaveUp | StartFailed | None, late: list[Exception]) -> None:
        """Raise ``trouble``, and lose none of the errors of the stopping that followed it."""
        if trouble is None:
            if late:
                raise ExceptionGroup(f"{self.path}: children failed while they were stopped", late)
        elif isinstance(trouble, GaveUp):
            raise GaveUp(str(trouble), [*trouble.failures, *late]) if late else trouble
        elif late:
            before = [trouble.__cause__] if isinstance(trouble.__cause__, Exception) else []
            raise trouble from ExceptionGroup("the failures were", [*before, *late])
        else:
            raise trouble

    def _finish(self) -> None:
        for slot in self.slots.values():
            slot.forget_watchers()
        for order in self._orders:
            order.outcome = Error(ActorStopped(f"{self.path} has stopped"))
            order.done.set()
        self._orders.clear()
        self.stop_asked = True
        self.finished.set()

    async def _start_all(self) -> None:
        for slot in tuple(self.slots.values()):
            if not self._halted and not await self._start(slot) and not self._halted:
                raise StartFailed(f"{slot.path} did not start") from (slot.exit.error if slot.exit else None)
        self.ready.set()

    async def _look_after(self) -> None:
        while not self.stop_asked and (self._doomed or self._more_to_come()):
            with trio.move_on_at(math.inf if self._doomed else min((slot.due for slot in self.slots.values()), default=math.inf)):
                await self._news.wait()
            self._news = trio.Event()
            while self._ends and not self._halted:
                slot = next(iter(self._ends))
                await self._answer(slot, self._take_end(slot))
            await self._start_due()
            await self._obey_all()

    @property
    def _halted(self) -> bool:
        """Nothing is to be started any more."""
        return self.stop_asked or self._doomed

    def _more_to_come(self) -> bool:
        return not self.body_left or bool(self._orders) or any(slot.pending for slot in self.slots.values())

    async def _start_due(self) -> None:
        now = trio.current_time()
        for slot in [each for each in self.slots.values() if each.due <= now]:
            if self._halted or not await self._start(slot):
                return  # how that one ended is to be answered before the next is started

    async def _obey_all(self) -> None:
        for order in tuple(self._orders):
            if not self._halted and not (order.adds and self._group_is_down()):
                self._orders.remove(order)
                await self._obey(order)

    def _group_is_down(self) -> bool:
        """Some wait to be run again, and who comes after them relies on them."""
        return self.settings.strategy is not Strategy.ONE_FOR_ONE and any(slot.due < math.inf for slot in self.slots.values())

    async def _obey(self, order: Order) -> None:
        if order.abandoned:
            return
        try:
            order.outcome = Value(await order.work(order))
        except Exception as exc:
            order.outcome = Error(exc)
        order.done.set()

    # One child.

    async def _start(self, slot: Slot, order: Order | None = None) -> bool:
        """Start a run and wait until it is ready or has ended; false if it is not ready, or the wait was cut short."""
        run = slot.begin(trio.current_time())
        self._nursery.start_soon(self._live, slot, run, name=slot.path)
        with trio.CancelScope() as self._starting:
            if order is not None:
                order.waiting = self._starting
            await run.settled.wait()
        self._starting = None
        if run.up:
            self.instruments.tell(lambda each: each.child_started(slot.path, slot.runs))
        return run.up

    async def _live(self, slot: Slot, run: Run) -> None:
        try:
            await slot.live(run)
        finally:
            if run.exit is None or (run.exit.error is not None and run.exit.failure is None):
                self._doomed = True
                if self._starting is not None:
                    self._starting.cancel()
            else:
                self._ends[slot] = run.exit
                slot.unanswered = True
            self._news.set()

    async def _stop(self, slot: Slot, *, drain: bool) -> None:
        """Stop one child and wait until it has ended, however long its clean-up takes."""
        slot.due = math.inf
        run = slot.run
        if run is None:
            return
        run.stopping = True
        if drain and self._drains and run.up and slot.child.shutdown > 0:
            with trio.move_on_after(slot.child.shutdown) as self._draining:
                await slot.drain(run)
            self._draining = None
        run.scope.cancel()
        await self._await_end(slot, run)

    async def _await_end(self, slot: Slot, run: Run) -> None:
        asked = trio.current_time()
        patience = min(max(1.0, slot.child.shutdown), LONGEST_PATIENCE)
        while not run.ended.is_set():
            with trio.move_on_after(patience):
                await run.ended.wait()
            if not run.ended.is_set():
                self._report_unresponsive(run, trio.current_time() - asked)

    def _report_unresponsive(self, run: Run, waited: float) -> None:
        path, stack = run.slot.path, await_stack(run.task)
        self.instruments.tell(lambda each: each.child_unresponsive(path, waited, stack))

    async def _stop_all(self, *, drain: bool) -> list[Exception]:
        """Stop all in reverse order; returns what was raised and found no answer any more."""
        self.stop_asked = True
        for slot in reversed(tuple(self.slots.values())):
            await self._stop(slot, drain=drain)
            slot.bury_mailbox()
        return [exit.failure for exit in self._ends.values() if exit.failure is not None]

    # Answers.

    async def _answer(self, slot: Slot, exit: Exit) -> None:
        """Act on an end that was not brought about by this loop."""
        if slot.child.restart.applies(exit):
            await self._restart(slot, exit)
        elif slot.child.significant and self._is_over():
            self._over = True
            self.stop()

    def _is_over(self) -> bool:
        if self.settings.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            return True
        return not any(slot.pending for slot in self.slots.values() if slot.child.significant)

    async def _restart(self, slot: Slot, exit: Exit) -> None:
        now = trio.current_time()
        self._note(exit)
        if not self._ledger.spend(now):
            self._give_up()
        slot.streak = 1 if exit.ran_for >= slot.child.backoff.reset_after else slot.streak + 1
        delay = slot.child.backoff.delay(slot.streak, self._random)
        self.instruments.tell(lambda each: each.child_restarting(slot.path, delay, slot.streak))
        # Those of the group that were waiting already keep their back-off; all wait for the longest, to start in order.
        slot.due = max([now + delay, *(each.due for each in self._group(slot) if each.due < math.inf)])
        await self._stop_siblings(slot)

    def _group(self, slot: Slot) -> list[Slot]:
        """Those that are restarted with ``slot``, itself included, in the order of start."""
        slots = list(self.slots.values())
        return [slots[index] for index in self.settings.strategy.group(slots.index(slot), len(slots))]

    async def _stop_siblings(self, slot: Slot) -> None:
        for sibling in reversed(self._group(slot)):
            if sibling is not slot:
                await self._stop(sibling, drain=False)
                self._note(self._settle(sibling))  # of itself at the same time, or by our stopping it: one restart does for all
                if sibling.child.restart is not Restart.TEMPORARY:
                    sibling.due = slot.due  # also one that had returned: the fall may have undone what it did

    def _settle(self, slot: Slot) -> Exit | None:
        """Take the end of ``slot`` for answered; not once the stop has begun, which is to hear of every failure."""
        return self._take_end(slot) if slot in self._ends and not self.stop_asked else None

    def _take_end(self, slot: Slot) -> Exit:
        slot.unanswered = False
        return self._ends.pop(slot)

    def _note(self, exit: Exit | None) -> None:
        """Remember a failure for as long as the restart that it led to counts against the budget."""
        now = trio.current_time()
        while self._failures and self._failures[0][0] <= now - self.settings.budget.per:
            self._failures.popleft()
        if exit is not None and exit.failure is not None:
            self._failures.append((now, exit.failure))

    def _give_up(self) -> None:
        failures = tuple(error for _, error in self._failures)
        self.instruments.tell(lambda each: each.supervisor_gave_up(self.path, failures))
        budget = self.settings.budget
        raise GaveUp(f"{self.path}: more than {budget.restarts} restarts in {budget.per:g} s", failures)

    # Orders.

    async def add(self, child: Child, order: Order) -> Any:
        """Start ``child`` behind the others; if it does not start, there is no trace of it."""
        slot = self.declare(child)
        if await self._start(slot, order) and not order.abandoned:
            return slot.value
        await self.remove(slot.child.name)
        if self._halted:
            raise ActorStopped(f"{self.path} is stopping")
        raise StartFailed(f"{slot.path} did not start") from (slot.exit.failure if slot.exit else None)

    async def remove(self, name: str) -> Exit | None:
        """Stop the child called ``name`` and forget it."""
        slot = self.find(name)
        await self._stop(slot, drain=True)
        self._settle(slot)
        slot.bury_mailbox()
        slot.forget_watchers()
        del self.slots[name]
        return slot.exit

    async def restart(self, name: str) -> Any:
        """Stop the child called ``name`` if it is up, and start it; this spends no budget and concerns no sibling."""
        slot = self.find(name)
        await self._stop(slot, drain=False)
        self._settle(slot)
        if self._halted:
            raise ActorStopped(f"{self.path} is stopping")
        slot.streak = 0
        if await self._start(slot):
            return slot.value
        raise StartFailed(f"{slot.path} did not start") from (slot.exit.failure if slot.exit else None)

