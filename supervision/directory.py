"""Many actors of one kind, one for each key, made when they are first spoken to and let go when they are idle.

Why not a supervisor with many children? Because nobody declares these: who exists is decided by who is spoken to.
So the rules differ. A key that keeps failing is set aside, alone; it never takes the others down. An actor that
has had nothing to do is closed and costs nothing until the next message. And since that next message can come at
any moment of the closing, it is put in a mailbox for the next incarnation, which begins when the present one has
ended: no message is lost, and a key never has two actors.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Generic, TypeVar, cast

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled

from .address import ask
from .chance import Random
from .given import require_callable, require_numbers
from .instrument import Instrument, Instruments, log
from .mailbox import Mailbox
from .place import here
from .policy import USUAL_BACKOFF, USUAL_BUDGET, Backoff, Budget
from .population import Population, Rules
from .requests import Request
from .snapshot import Node

K = TypeVar("K", bound=Hashable)
M = TypeVar("M")
R = TypeVar("R")


class Directory(Generic[K, M]):
    """Keyed actors; made by `open_directory`. Its length is the number of keys whose actor is in memory."""

    __slots__ = ("_mailbox", "_population")

    def __init__(self, population: Population) -> None:
        self._population = population
        self._mailbox = population.mailbox

    @property
    def path(self) -> str:
        """Its name from the root down."""
        return self._population.path

    def __len__(self) -> int:
        return len(self._population.cells)

    def __contains__(self, key: object) -> bool:
        return key in self._population.cells

    def keys(self) -> tuple[K, ...]:
        """The keys whose actor is in memory, in the order in which they were made."""
        return cast("tuple[K, ...]", tuple(self._population.cells))

    async def send(self, key: K, message: M) -> None:
        """Queue ``message`` for the actor of ``key``, waiting for room. If this is cancelled, it was not queued.

        Raises `ActorStopped` if the key is quarantined or the directory is closed.
        """
        await checkpoint_if_cancelled()
        mailbox = self._mailbox(key)
        if mailbox.accept(message):
            await cancel_shielded_checkpoint()
        else:
            await mailbox.accept_later(message)

    def send_nowait(self, key: K, message: M, *, urgent: bool = False) -> None:
        """Queue ``message``, or raise `trio.WouldBlock` if the mailbox is full; urgent ones always fit.

        Raises `ActorStopped` if the key is quarantined or the directory is closed.
        """
        mailbox = self._mailbox(key)
        if urgent:
            mailbox.accept_urgent(message)
        elif not mailbox.accept(message):
            raise trio.WouldBlock

    async def ask(self, key: K, request: Request[R]) -> R:
        """Send ``request`` to the actor of ``key`` and wait for its answer; as `Address.ask`."""
        await checkpoint_if_cancelled()
        return await ask(self._mailbox(key), request)

    @property
    def quarantined(self) -> Mapping[K, Exception]:
        """The keys that failed too often, each with its last error. Nothing is sent to them until `release`."""
        return MappingProxyType(self._population.quarantined)

    def release(self, key: K) -> bool:
        """Let a quarantined key live again, with a whole budget; false if it is not quarantined."""
        return self._population.release(key)

    def stop(self) -> None:
        """Accept nothing more; the actors end when they have emptied their mailboxes."""
        self._population.close()

    async def stopped(self) -> None:
        """Wait until the directory has been stopped and its last actor has ended."""
        await self._population.emptied.wait()

    def snapshot(self) -> Node:
        """All actors in memory, and the quarantined keys."""
        return self._population.snapshot()


@asynccontextmanager
async def open_directory(
    activate: Callable[[K, Mailbox[M]], Awaitable[object]],
    *,
    name: str = "directory",
    idle_after: float = 60.0,
    limit: float = math.inf,
    capacity: float = 64,
    budget: Budget = USUAL_BUDGET,
    backoff: Backoff = USUAL_BACKOFF,
    on_failed: Callable[[K, Exception], None] | None = None,
    grace: float = 5.0,
    instruments: Iterable[Instrument] | None = None,
    random: Random | None = None,
) -> AsyncGenerator[Directory[K, M]]:
    """Keep one actor for each key that is spoken to: a task that runs ``activate(key, mailbox)``.

    It usually does ``async for message in mailbox`` and returns when that ends. That is when it has waited for any
    message for ``idle_after`` seconds, or when more than ``limit`` actors live and it has been idle for longest.
    Only one that waits in a plain `Mailbox.receive` with nothing queued is ever let go, so the limit is soft.

    When ``activate`` raises an `Exception`, ``on_failed(key, error)`` is called (`Directory.quarantined` tells it
    whether this was once too often), and it is run again after the ``backoff``, on the same mailbox. Over its
    ``budget`` the key is quarantined: what it was sent is dead letters, and sending raises `ActorStopped`, until
    `Directory.release`. This never concerns other keys, nor the block.

    A ``backoff`` so slow that a key never spends the ``budget`` is logged as a warning under ``aion_trio.supervision``: a
    key that fails again and again is then run again for ever, and never quarantined.

    Actors run in the context (`contextvars`) of who opened the directory, not of who wrote to them first.

    Leaving the block closes the mailboxes and lets the actors empty them, for ``grace`` seconds; then it cancels
    them. When the block is cancelled or its body raises, they are cancelled at once, after the body has left. Either
    way the block waits for their clean-up, and names those that do not end.

    Raises, before anything begins, `TypeError` for a value of the wrong kind, `ValueError` for one that makes no sense.
    """
    place = here.get()
    path = place.path if place is not None else name
    inherited = place.instruments if place is not None else None
    require_callable("activate", activate, "an async function of a key and its mailbox")
    require_numbers("directory", grace=grace)
    if not grace >= 0:
        raise ValueError(f"grace is a number of seconds from 0, found {grace!r}")
    rules = Rules(idle_after, limit, capacity, budget, backoff, on_failed)
    population = Population(path, activate, rules, Instruments(inherited, instruments), random or Random())
    lesson = budget.lesson("a key", backoff)
    if lesson is not None:
        log.warning("%s: %s", path, lesson)
    directory = Directory[K, M](population)
    if place is not None:
        place.contain(directory)
    try:
        async with trio.open_nursery() as population.nursery:
            population.nursery.start_soon(population.sweep, name=f"sweep of {path}")
            try:
                yield directory
                population.close()
                with trio.move_on_after(grace):
                    await population.emptied.wait()
            finally:
                with trio.CancelScope(shield=True):
                    await population.cut(max(1.0, grace))
                population.nursery.cancel_scope.cancel()
    finally:
        if place is not None:
            place.release(directory)
