"""Hearing about what happens in a tree, without a way to disturb it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from .exits import Exit

log = logging.getLogger("aion_trio.supervision")
log.addHandler(logging.NullHandler())


class Instrument:
    """Override what you want to hear about.

    Methods are called in the middle of things, synchronously: note, count, log, and return. One that raises an
    `Exception` is logged and not called again. ``path`` names a child from the root down, as in ``engine/journal``.
    """

    def child_started(self, path: str, run: int) -> None:
        """Run number ``run`` (from 1) of a child is ready."""

    def child_exited(self, path: str, exit: Exit) -> None:
        """A run has ended, for whatever reason."""

    def child_restarting(self, path: str, delay: float, streak: int) -> None:
        """A child will be run again in ``delay`` seconds, the ``streak``-th time in a row."""

    def child_unresponsive(self, path: str, waited: float, stack: str) -> None:
        """A child was cancelled ``waited`` seconds ago and has not ended; said again for as long as that is so."""

    def supervisor_gave_up(self, path: str, failures: Sequence[Exception]) -> None:
        """A supervisor's budget is spent."""

    def actor_quarantined(self, path: str, error: Exception) -> None:
        """The budget of a keyed actor is spent; it lives no more until it is released."""

    def dead_letter(self, path: str, message: object) -> None:
        """A message was accepted and will never be received."""


class LogInstrument(Instrument):
    """Log failures, unresponsive children and dead letters under ``aion_trio.supervision``."""

    def child_exited(self, path: str, exit: Exit) -> None:
        if exit.error is not None:
            log.error("%s failed after %.3f s", path, exit.ran_for, exc_info=exit.error)

    def child_unresponsive(self, path: str, waited: float, stack: str) -> None:
        log.error("%s was cancelled %.1f s ago and has not ended; it waits here:\n%s", path, waited, stack)

    def actor_quarantined(self, path: str, error: Exception) -> None:
        log.error("%s is quarantined: it failed too often, last with %r", path, error)

    def dead_letter(self, path: str, message: object) -> None:
        log.warning("%s will never receive %r", path, message)


class Instruments:
    """The instruments of one supervisor or directory: those of its parent, then its own."""

    __slots__ = ("members",)

    def __init__(self, inherited: Instruments | None, own: Iterable[Instrument] | None) -> None:
        if own is None:
            own = () if inherited is not None else (LogInstrument(),)
        self.members: list[Instrument] = [*(inherited.members if inherited is not None else ()), *own]

    def tell(self, about: Callable[[Instrument], None]) -> None:
        """Let each hear ``about``; one that raises is dropped, for it must not decide what the tree does."""
        for instrument in tuple(self.members):
            try:
                about(instrument)
            except Exception:
                self.members.remove(instrument)
                log.exception("%r failed and will not be called again", instrument)
