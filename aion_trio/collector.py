"""How often Python's cyclic collector runs while an engine works.

What an engine makes is freed without it, so that it mostly walks what is there to stay: by Python's defaults that takes more than a
quarter of the time of a short workflow with a thousand in flight. A collector that the program has switched off, or set
otherwise, is left alone.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_EASY = 5000
"""New objects between two collections of the youngest; Python's default is 700, or 2000 in later versions."""


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Without automatic collections in this block, if there were any before it.

    What a sweep makes is there to stay, so walking it again and again frees nothing, and takes as long as the rest of a sweep of
    ten thousand runs. Objects that are not part of a cycle are freed as ever.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Ease:
    """How many blocks want the collector at ease, and its thresholds before the first of them; None if they are not ours to change.

    Objects are frozen once in a process. Freezing begins the counts anew by which Python finds that a full collection is due, and
    what was frozen is of the oldest generation ever after: a program that opens one engine after the other would never have one.
    """

    def __init__(self) -> None:
        self._blocks = 0
        self._has_frozen = False
        self._before: tuple[int, int, int] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if not self._blocks:
            thresholds = gc.get_threshold()
            is_default = gc.isenabled() and 0 < thresholds[0] < _EASY and not gc.get_freeze_count()
            self._before = thresholds if is_default else None
        self._blocks += 1
        if self._before is not None:
            if not self._has_frozen:
                self._has_frozen = True
                gc.freeze()
            gc.set_threshold(_EASY, *self._before[1:])
        try:
            yield
        finally:
            self._blocks -= 1
            if not self._blocks and self._before is not None:
                self._give_back(self._before)

    def _give_back(self, before: tuple[int, int, int]) -> None:
        if gc.get_threshold() == (_EASY, *before[1:]):  # else the program has taken it into its own hands meanwhile
            gc.set_threshold(*before)
            gc.unfreeze()


collector_at_ease = Ease()
"""A context manager for an engine that is open: objects from before the first block are not walked, young ones are walked more rarely.

Blocks may overlap, and the last that ends gives everything back. Nothing is changed where the program has frozen objects itself, has a
threshold of its own that is higher, or has switched the collector off.
"""
