"""One keyed actor: its mailbox, and the task that is its life from the first message to the closing.

The task ends when the actor has returned and nobody has written in the meantime. As long as it lives the key is
taken; so a key never has two actors, and a message always finds either a mailbox that will be read or no cell.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, TypeGuard

import trio
from trio.lowlevel import enable_ki_protection

from .exits import Exit, How
from .instrument import Instruments
from .mailbox import Mailbox
from .place import here
from .requests import Slip
from .snapshot import Inspectable, Node

if TYPE_CHECKING:
    from .population import Population


class Cell:
    """The life of one key's actor, over restarts and quick successions."""

    __slots__ = (
        "_inner",
        "_population",
        "asking",
        "closing",
        "exit",
        "key",
        "mailbox",
        "resting",
        "runs",
        "scope",
        "since",
        "task",
        "up_since",
    )

    def __init__(self, key: Hashable, population: Population) -> None:
        self.key = key
        self.mailbox: Mailbox[Any] = Mailbox(population.rules.capacity, owner=self)
        self.scope = trio.CancelScope(shield=True)
        self.closing = False  # its mailbox was closed because it was idle, and nobody has written since
        self.resting = False  # it waits for its back-off
        self.since: float  # idle since
        self.up_since: float
        self.runs = 0
        self.exit: Exit | None = None
        self.task: trio.lowlevel.Task | None = None
        self.asking: Slip | None = None
        self._population = population
        self._inner: list[Inspectable] | None = None  # rare, so no list for each of many

    @property
    def path(self) -> str:
        return f"{self._population.path}/{self.key}"

    @property
    def instruments(self) -> Instruments:
        return self._population.instruments

    def contain(self, inner: Inspectable) -> None:
        self._inner = [*(self._inner or ()), inner]

    def release(self, inner: Inspectable) -> None:
        self._inner = [each for each in self._inner or () if each is not inner] or None

    def idled(self) -> None:
        self._population.idled(self)

    def woken(self) -> None:
        self._population.woken(self)

    @enable_ki_protection
    def succeed(self) -> Mailbox[Any]:
        """A mailbox for what arrives while the actor is on its way out: the next one begins with it."""
        self._population.reprieve(self)
        self.mailbox = Mailbox(self._population.rules.capacity, owner=self)
        return self.mailbox

    async def live(self) -> None:
        """Run the actor until nobody needs it; nothing but what is no `Exception` leaves this."""
        here.set(self)
        self.task = trio.lowlevel.current_task()
        try:
            with self.scope:
                while await self._run(self.mailbox):
                    await trio.lowlevel.checkpoint()  # no new run after a cancellation, and a turn for the others
        finally:
            self.task = None  # or the two keep each other until the collector comes
            self._population.gone(self)

    async def _run(self, mailbox: Mailbox[Any]) -> bool:
        """One run; true if there is to be another."""
        self._begin()
        received = mailbox.received
        how: How = "raised"
        error: BaseException | None = None
        failure: Exception | None = None
        try:
            await self._population.activate(self.key, mailbox)
            if mailbox.queued and mailbox.received == received:
                raise RuntimeError(f"{self.path} returned without receiving any of its {mailbox.queued} messages")
            how = "returned"
        except BaseException as exc:
            error = _without_cancellation(exc)
            if error is None:
                how = "stopped"
            if not isinstance(error, Exception):
                raise
            failure = error
        finally:
            self._end(mailbox, how, error)
        if failure is not None:
            return await self._recover(mailbox, failure)
        return self.mailbox.queued > 0

    def _begin(self) -> None:
        self.runs += 1
        self.up_since = trio.current_time()
        if self.instruments.members:
            self.instruments.tell(lambda each: each.child_started(self.path, self.runs))

    @enable_ki_protection
    def _end(self, mailbox: Mailbox[Any], how: How, error: BaseException | None) -> None:
        now = trio.current_time()
        mailbox.end_run()
        exit = self.exit = Exit(self.path, how, error, now, now - self.up_since)
        if self.instruments.members:
            self.instruments.tell(lambda each: each.child_exited(self.path, exit))

    async def _recover(self, mailbox: Mailbox[Any], error: Exception) -> bool:
        """Rest after a failure; false if the key is set aside, or if nobody has needed the actor meanwhile."""
        delay = self._population.failed(self, error)
        if delay is None:
            return False
        self.resting = True
        await trio.sleep(delay)
        self.resting = False
        return not mailbox.closed or self.mailbox.queued > 0

    def snapshot(self, now: float) -> Node:
        """This actor; the children of what it has opened are shown as its own."""
        state = "closing" if self.closing else "waiting" if self.resting else "running"
        return Node(
            path=self.path,
            name=str(self.key),
            kind="actor",
            state=state,
            runs=self.runs,
            up_for=now - self.up_since if self.runs and not self.resting else 0.0,
            queued=self.mailbox.queued,
            last_exit=self.exit,
            children=tuple(node for each in self._inner or () for node in each.snapshot().children),
        )


def _without_cancellation(exc: BaseException) -> BaseException | None:
    """What the actor failed with, if it did.

    Beside a cancellation a nursery may raise what failed in its clean-up. The scope would take the cancellation out of the group and let
    the rest leave the directory; it comes again at the next checkpoint, so it is not lost.
    """
    if _is_group(exc):
        return exc.split(trio.Cancelled)[1]
    return None if isinstance(exc, trio.Cancelled) else exc


def _is_group(exc: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(exc, BaseExceptionGroup)
