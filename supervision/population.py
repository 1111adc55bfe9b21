"""The actors of one directory: who lives, who is idle, who is to go next, who is set aside."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio
from trio.lowlevel import enable_ki_protection

from .cell import Cell
from .chance import Random
from .errors import ActorStopped
from .given import require_callable, require_kind, require_numbers
from .instrument import Instruments, log
from .mailbox import Mailbox, require_capacity
from .policy import Backoff, Budget, Ledger
from .snapshot import Node, await_stack

BATCH = 500  # how many actors one sweep lets go before others get a turn


@dataclass(frozen=True, slots=True)
class Rules:
    """How the actors of one directory live."""

    idle_after: float
    limit: float
    capacity: float
    budget: Budget
    backoff: Backoff
    on_failed: Callable[[Any, Exception], None] | None

    def __post_init__(self) -> None:
        require_numbers("directory", idle_after=self.idle_after, limit=self.limit)
        require_kind("budget", self.budget, Budget, "a Budget")
        require_kind("backoff", self.backoff, Backoff, "a Backoff")
        if self.on_failed is not None:
            require_callable("on_failed", self.on_failed, "a function of a key and an error, or None")
        if not self.idle_after > 0 or not self.limit >= 1:
            raise ValueError(f"expected idle_after > 0 and limit >= 1, found {self.idle_after!r} and {self.limit!r}")
        require_capacity(self.capacity)


@dataclass(slots=True)
class Record:
    """What is remembered of a key that has failed; it outlives the actor, or flapping would go unnoticed."""

    ledger: Ledger
    streak: int
    at: float


class Population:
    """The cells of a directory.

    ``idle`` holds exactly the cells whose actor waits for any message with an empty mailbox, longest idle first. So
    the one to let go next is always the first, and a message to an idle actor takes it out: it cannot be let go
    with a message in its mailbox.
    """

    def __init__(
        self, path: str, activate: Callable[[Any, Mailbox[Any]], Awaitable[object]], rules: Rules, instruments: Instruments, random: Random
    ) -> None:
        self.path = path
        self.activate = activate
        self.rules = rules
        self.instruments = instruments
        self.nursery: trio.Nursery
        self.cells: dict[Hashable, Cell] = {}
        self.idle: OrderedDict[Cell, None] = OrderedDict()
        self.quarantined: dict[Any, Exception] = {}
        self.closed = False
        self.emptied = trio.Event()
        self._random = random
        self._context = copy_context()  # of who opened the directory: an actor has nothing of who happened to write first
        self._records: OrderedDict[Hashable, Record] = OrderedDict()
        self._closing = 0
        self._stir: trio.Event | None = None

    @enable_ki_protection
    def mailbox(self, key: Hashable) -> Mailbox[Any]:
        """Where a message to ``key`` goes now; its actor is made if there is none."""
        cell = self.cells.get(key)
        if cell is None:
            return self._make(key).mailbox
        return cell.succeed() if cell.mailbox.closed else cell.mailbox

    def _make(self, key: Hashable) -> Cell:
        if self.closed:
            raise ActorStopped(f"{self.path} is closed")
        if key in self.quarantined:
            error = self.quarantined[key]
            raise ActorStopped(f"{self.path}/{key} is quarantined after {error!r}; release it to let it live again") from error
        cell = self.cells[key] = Cell(key, self)
        self._context.run(partial(self.nursery.start_soon, cell.live, name=f"actor {key}"))
        self._trim()
        return cell

    def release(self, key: Hashable) -> bool:
        """Let a quarantined key live again."""
        self._records.pop(key, None)
        return self.quarantined.pop(key, None) is not None

    # What cells report.

    def idled(self, cell: Cell) -> None:
        """Its actor waits for any message, and there is none."""
        cell.since = trio.current_time()
        self.idle[cell] = None
        if self._stir is not None:
            self._stir.set()
        self._trim()

    def woken(self, cell: Cell) -> None:
        """It waits no more."""
        self.idle.pop(cell, None)

    def reprieve(self, cell: Cell) -> None:
        """Somebody has written to a cell that was let go: it is to live on."""
        if self.closed:
            raise ActorStopped(f"{self.path} is closed")
        if cell.closing:
            cell.closing = False
            self._closing -= 1
            self._trim()

    @enable_ki_protection
    def failed(self, cell: Cell, error: Exception) -> float | None:
        """Seconds to wait before the next run; None if the budget is spent and the key is set aside."""
        now = trio.current_time()
        record = self._record(cell, now)
        affordable = record.ledger.spend(now)
        if not affordable:
            self.quarantined[cell.key] = error
        self._report(cell, error)
        if not affordable:
            self.instruments.tell(lambda each: each.actor_quarantined(cell.path, error))
            return None
        delay = self.rules.backoff.delay(record.streak, self._random)
        self.instruments.tell(lambda each: each.child_restarting(cell.path, delay, record.streak))
        return delay

    def _report(self, cell: Cell, error: Exception) -> None:
        if self.rules.on_failed is not None:
            try:
                self.rules.on_failed(cell.key, error)
            except Exception:
                log.exception("on_failed of %s failed", self.path)

    def _record(self, cell: Cell, now: float) -> Record:
        backoff = self.rules.backoff
        kept = max(self.rules.budget.per, backoff.reset_after) + backoff.maximum * (1 + backoff.jitter)
        while self._records and next(iter(self._records.values())).at < now - kept:
            self._records.popitem(last=False)
        record = self._records.pop(cell.key, None) or Record(Ledger(self.rules.budget), 0, now)
        rested = cell.exit is not None and cell.exit.ran_for >= backoff.reset_after
        record.streak, record.at = (1 if rested else record.streak + 1), now
        self._records[cell.key] = record
        return record

    @enable_ki_protection
    def gone(self, cell: Cell) -> None:
        """The cell's task ends, now: from here on the key is free."""
        del self.cells[cell.key]
        if cell.closing:
            self._closing -= 1
        for message in cell.mailbox.bury():
            self._dead_letter(cell, message)
        del cell.mailbox  # or the two keep each other until the collector comes
        if self.closed and not self.cells:
            self.emptied.set()

    def _dead_letter(self, cell: Cell, message: object) -> None:
        self.instruments.tell(lambda each: each.dead_letter(cell.path, message))

    # Letting go.

    def let_go(self, cell: Cell) -> None:
        """Close an idle cell: its actor's iteration ends."""
        self.idle.pop(cell, None)
        cell.closing = True
        self._closing += 1
        cell.mailbox.close()

    def _trim(self) -> None:
        while self.idle and len(self.cells) - self._closing > self.rules.limit:
            self.let_go(next(iter(self.idle)))

    @enable_ki_protection
    async def sweep(self) -> None:
        """Let go, for ever, of those that have been idle for long enough."""
        while True:
            while not self.idle:  # also again, for who was idle may have been written to at once
                self._stir = trio.Event()
                await self._stir.wait()
                self._stir = None
            await trio.sleep_until(self._due(next(iter(self.idle))))
            self._let_go_due(trio.current_time())

    def _due(self, cell: Cell) -> float:
        return cell.since + self.rules.idle_after

    def _let_go_due(self, now: float) -> None:
        for _ in range(BATCH):
            if not self.idle or self._due(next(iter(self.idle))) > now:
                return
            self.let_go(next(iter(self.idle)))

    # The end.

    @enable_ki_protection
    def close(self) -> None:
        """Accept nothing more; let the actors finish what is in their mailboxes."""
        self.closed = True
        for cell in tuple(self.cells.values()):
            cell.mailbox.close()
            if cell.resting and not cell.mailbox.queued:
                cell.scope.cancel()
        if not self.cells:
            self.emptied.set()

    @enable_ki_protection
    async def cut(self, patience: float) -> None:
        """Cancel all that still live and wait for their clean-up, naming those that do not end."""
        self.close()
        asked = trio.current_time()
        for cell in tuple(self.cells.values()):
            cell.scope.cancel()
        while not self.emptied.is_set():
            with trio.move_on_after(patience):
                await self.emptied.wait()
            for cell in tuple(self.cells.values()):
                self._report_unresponsive(cell, trio.current_time() - asked)

    def _report_unresponsive(self, cell: Cell, waited: float) -> None:
        assert cell.task is not None  # it has not ended
        stack = await_stack(cell.task)
        self.instruments.tell(lambda each: each.child_unresponsive(cell.path, waited, stack))

    def snapshot(self) -> Node:
        """All who live, and all who are set aside."""
        now = trio.current_time()
        children = [cell.snapshot(now) for cell in self.cells.values()]
        children += [Node(f"{self.path}/{key}", str(key), "actor", "quarantined") for key in self.quarantined]
        state = "running" if not self.closed else "stopping" if self.cells else "done"
        return Node(self.path, self.path.rpartition("/")[2], "directory", state, runs=1, children=tuple(children))
