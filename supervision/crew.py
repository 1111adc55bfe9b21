"""The children of one supervisor: who there is, and how one of them is started and stopped.

Only the control loop starts and stops, so at most one child is starting or stopping at any moment. Everybody else
leaves word: a run that has ended is put into `ends`, and `halt` cuts short whatever the loop is waiting for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import trio
from trio.lowlevel import enable_ki_protection

from .exits import Exit
from .instrument import Instruments, log
from .place import Place
from .policy import Strategy
from .settings import Settings
from .slot import Child, Run, Slot
from .snapshot import await_stack

LONGEST_PATIENCE = 60.0


class Crew:
    """The places of the children, in the order of start, and the ends of runs that nobody has answered yet."""

    def __init__(self, path: str, settings: Settings, instruments: Instruments, place: Place | None) -> None:
        self.path = path
        self.settings = settings
        self.instruments = instruments
        self.place = place  # where it was opened, if that is inside another tree
        self.slots: dict[str, Slot] = {}
        self.ends: dict[Slot, Exit] = {}
        self.nursery: trio.Nursery
        self.stop_asked = False
        self.doomed = False  # a child has raised what is no Exception: the nursery cancels the body, which then aborts
        self._news = trio.Event()
        self._drains = True
        self._warned = False  # of a budget that is never spent
        self._starting: trio.CancelScope | None = None
        self._draining: trio.CancelScope | None = None

    def declare(self, child: Child) -> Slot:
        """Make a place for ``child``, behind the others."""
        slot = self._place(child)
        self._warn_once([child])
        return slot

    def _place(self, child: Child) -> Slot:
        self.settings.require_sound(child)
        if child.name in self.slots:
            raise ValueError(f"{self.path} has a child named {child.name!r} already")
        slot = self.slots[child.name] = Slot(child, self.path, self.instruments, self.place)
        return slot

    def declare_all(self, children: Sequence[Child]) -> None:
        """Declare all of ``children``; if one is refused, none has been touched."""
        try:
            for child in children:
                self._place(child)
        except BaseException:
            for slot in self.slots.values():
                slot.disown()
            raise
        self._warn_once(children)

    def _warn_once(self, children: Sequence[Child]) -> None:
        """Log the first lesson that the declarations have for their author; further ones would say the same."""
        for child in children if not self._warned else ():
            lesson = self.settings.lesson(child)
            if lesson is not None:
                log.warning("%s: %s", self.path, lesson)
                self._warned = True
                return

    def find(self, name: str) -> Slot:
        """The place of the child called ``name``."""
        try:
            return self.slots[name]
        except KeyError:
            raise KeyError(f"{self.path} has no child named {name!r}; it has {list(self.slots)}") from None

    # Word for the loop, and what it knows.

    def wake(self) -> None:
        """There is something to look at."""
        self._news.set()

    async def news(self) -> None:
        """Wait for word, or until a back-off is over."""
        due = math.inf if self.doomed else min((slot.due for slot in self.slots.values()), default=math.inf)
        with trio.move_on_at(due):
            await self._news.wait()
        self._news = trio.Event()

    @enable_ki_protection
    def halt(self, *, drains: bool) -> None:
        """Start nobody any more and stop all. Called again it can only take away the time to drain."""
        if not self.stop_asked:
            self.stop_asked = True
            for slot in tuple(self.ends):
                self.take_end(slot)  # what ended before is told, and needs no answer any more; what fails from now on goes up
        if not drains:
            self._drains = False
            if self._draining is not None:
                self._draining.cancel()
        self.cut_start()

    def cut_start(self) -> None:
        """Have the loop wait no longer for a child that is starting."""
        if self._starting is not None:
            self._starting.cancel()
        self.wake()

    @property
    def halted(self) -> bool:
        """Nobody is to be started any more."""
        return self.stop_asked or self.doomed

    @property
    def group_is_down(self) -> bool:
        """Some wait to be run again, and who comes after them relies on them."""
        return self.settings.strategy is not Strategy.ONE_FOR_ONE and any(slot.due < math.inf for slot in self.slots.values())

    # One child.

    async def start(self, slot: Slot) -> bool:
        """Start a run and wait until it is ready or has ended; false if it is not ready, or the wait was cut short."""
        run = slot.begin(trio.current_time())
        self.nursery.start_soon(self._live, slot, run, name=slot.path)
        with trio.CancelScope() as self._starting:
            await run.settled.wait()
        if run.up:
            self.instruments.tell(lambda each: each.child_started(slot.path, slot.runs))
        return run.up

    async def _live(self, slot: Slot, run: Run) -> None:
        try:
            await slot.live(run)
        finally:
            if run.exit is None or (run.exit.error is not None and run.exit.failure is None):
                self.doomed = True
                self.cut_start()
            else:
                self.ends[slot] = run.exit
                slot.unanswered = not self.stop_asked
                self.wake()

    async def stop(self, slot: Slot, *, drain: bool) -> None:
        """Stop one child and wait until it has ended, however long its clean-up takes."""
        slot.due = math.inf
        run = slot.run
        if run is None:
            return
        run.stopping = True
        if drain and self._drains and run.up and slot.child.shutdown > 0:
            with trio.move_on_after(slot.child.shutdown) as self._draining:
                await slot.drain(run)
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
        assert run.task is not None  # it has not ended
        path, stack = run.slot.path, await_stack(run.task)
        self.instruments.tell(lambda each: each.child_unresponsive(path, waited, stack))

    async def dismiss(self, slot: Slot, *, drain: bool) -> None:
        """Stop one child for good: what is left in its mailbox is dead letters."""
        await self.stop(slot, drain=drain)
        slot.bury_mailbox()

    # Ends.

    def settle(self, slot: Slot) -> Exit | None:
        """Take the end of ``slot`` for answered; not once the stop has begun, which is to hear of every failure."""
        return self.take_end(slot) if slot in self.ends and not self.stop_asked else None

    def take_end(self, slot: Slot) -> Exit:
        """Take an end out of those that wait for an answer."""
        slot.unanswered = False
        return self.ends.pop(slot)
