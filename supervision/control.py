"""The control loop of one supervisor: a single task that starts, restarts and stops its children.

Theory of operation. Everything that happens to a supervisor is either the end of a run or an order (add, remove,
restart, stop). Both are queued and the loop is woken; it takes them one at a time, ends first. Being one task, it
needs no locks, and at most one child is starting or stopping at any moment, which is what 'the next child starts
only after ``started()``' and 'in reverse order' mean.

The loop runs in a shield, and so does every run. A cancellation from further out therefore reaches the *body* of
the block alone; when the body has left, it calls `abort`, and the loop stops the children in reverse order. An end
that the loop brings about itself is no news and is taken out of the queue; all others stay there until they are
answered, so that no error is lost between two waits. From the moment the stop begins no end is answered any more,
and every failure goes up.
"""

from __future__ import annotations

import math
from collections import deque

import trio
from trio.lowlevel import enable_ki_protection

from .chance import Random
from .crew import Crew
from .errors import GaveUp, StartFailed
from .exits import Exit
from .orders import Orders
from .policy import AutoShutdown, Ledger, Restart
from .slot import Slot


class Control:
    """The loop that looks after a crew."""

    def __init__(self, crew: Crew, random: Random) -> None:
        self.crew = crew
        self.orders = Orders(crew)
        self.ready = trio.Event()
        self.finished = trio.Event()
        self._random = random
        self._ledger = Ledger(crew.settings.budget)
        self._failures: deque[tuple[float, Exception]] = deque()
        self._body_left = False
        self._over = False  # auto-shutdown: the block is to be left

    def stop(self) -> None:
        """Stop all children in order. Safe to call again."""
        self.crew.halt(drains=True)

    def abort(self) -> None:
        """Stop, and let nobody finish what is in its mailbox."""
        self.crew.halt(drains=False)

    def leave(self) -> None:
        """The body of the block is done: end when the last child has ended."""
        self._body_left = True
        self.crew.wake()

    @enable_ki_protection
    async def run(self, nursery: trio.Nursery) -> None:
        """Be the loop, until the supervisor has ended; raises what is to go on up."""
        self.crew.nursery = nursery
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

    # From the first start to the last end.

    async def _start_all(self) -> None:
        for slot in tuple(self.crew.slots.values()):
            if not self.crew.halted and not await self.crew.start(slot) and not self.crew.halted:
                exit = self.crew.settle(slot)
                raise StartFailed(f"{slot.path} did not start") from (exit.error if exit is not None else None)
        self.ready.set()

    async def _look_after(self) -> None:
        crew = self.crew
        while not crew.stop_asked and self._more_to_come():
            await crew.news()
            while crew.ends and not crew.halted:
                slot = next(iter(crew.ends))
                await self._answer(slot, crew.take_end(slot))
            await self._start_due()
            await self.orders.obey()

    def _more_to_come(self) -> bool:
        return not self._body_left or bool(self.orders) or any(slot.pending for slot in self.crew.slots.values())

    async def _start_due(self) -> None:
        now = trio.current_time()
        for slot in [each for each in self.crew.slots.values() if each.due <= now]:
            if self.crew.halted or not await self.crew.start(slot):
                return  # how that one ended is to be answered before the next is started

    async def _stop_all(self, *, drain: bool) -> list[Exception]:
        """Stop all in reverse order; returns what was raised and found no answer any more."""
        self.crew.stop_asked = True
        for slot in reversed(tuple(self.crew.slots.values())):
            await self.crew.dismiss(slot, drain=drain)
        return [exit.failure for exit in self.crew.ends.values() if exit.failure is not None]

    def _finish(self) -> None:
        for slot in self.crew.slots.values():
            slot.forget_watchers()
        self.orders.refuse()
        self.finished.set()

    def _escalate(self, trouble: GaveUp | StartFailed | None, late: list[Exception]) -> None:
        """Raise ``trouble``, and lose none of the errors of the stopping that followed it."""
        if trouble is None:
            if late:
                raise ExceptionGroup(f"{self.crew.path}: children failed while they were stopped", late)
        elif isinstance(trouble, GaveUp):
            raise GaveUp(str(trouble), [*trouble.failures, *late]) if late else trouble
        elif late:
            before = [trouble.__cause__] if isinstance(trouble.__cause__, Exception) else []
            raise trouble from ExceptionGroup("the failures were", [*before, *late])
        else:
            raise trouble

    # Answers to ends.

    async def _answer(self, slot: Slot, exit: Exit) -> None:
        """Act on an end that was not brought about by this loop."""
        if slot.child.restart.applies(exit):
            await self._restart(slot, exit)
        elif slot.child.significant and self._is_over():
            self._over = True
            self.stop()

    def _is_over(self) -> bool:
        if self.crew.settings.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            return True
        return not any(slot.pending for slot in self.crew.slots.values() if slot.child.significant)

    async def _restart(self, slot: Slot, exit: Exit) -> None:
        """Have ``slot`` and those who share its fate run again after the back-off, if the budget allows it."""
        now = trio.current_time()
        self._note(exit)
        if not self._ledger.spend(now):
            self._give_up()
        slot.streak = 1 if exit.ran_for >= slot.child.backoff.reset_after else slot.streak + 1
        delay = slot.child.backoff.delay(slot.streak, self._random)
        self.crew.instruments.tell(lambda each: each.child_restarting(slot.path, delay, slot.streak))
        # Those of the group that were waiting already keep their back-off; all wait for the longest, to start in order.
        group = self._group(slot)
        slot.due = max([now + delay, *(each.due for each in group if each.due < math.inf)])
        for sibling in reversed(group):
            if self.crew.halted:
                return  # nobody of the group will be run again, so those still up may empty their mailboxes
            if sibling is not slot:
                await self._take_along(sibling, slot.due)

    def _group(self, slot: Slot) -> list[Slot]:
        """Those that are restarted with ``slot``, itself included, in the order of start."""
        slots = list(self.crew.slots.values())
        return [slots[index] for index in self.crew.settings.strategy.group(slots.index(slot), len(slots))]

    async def _take_along(self, sibling: Slot, due: float) -> None:
        if sibling.run is None and sibling.child.restart is Restart.TEMPORARY:
            return  # if it has ended of itself meanwhile, that end is for good, and may be what auto-shutdown waits for
        await self.crew.stop(sibling, drain=False)
        self._note(self.crew.settle(sibling))  # of itself at the same time, or by our stopping it: one restart does for all
        if sibling.child.restart is not Restart.TEMPORARY:
            sibling.due = due  # also one that had returned: the fall may have undone what it did

    def _note(self, exit: Exit | None) -> None:
        """Remember a failure for as long as the restart that it led to counts against the budget."""
        now = trio.current_time()
        while self._failures and self._failures[0][0] <= now - self.crew.settings.budget.per:
            self._failures.popleft()
        if exit is not None and exit.failure is not None:
            self._failures.append((now, exit.failure))

    def _give_up(self) -> None:
        failures = tuple(error for _, error in self._failures)
        path, budget = self.crew.path, self.crew.settings.budget
        self.crew.instruments.tell(lambda each: each.supervisor_gave_up(path, failures))
        raise GaveUp(f"{path}: more than {budget.restarts} restarts in {budget.per:g} s", failures)
