"""Time taken: by the clock on the wall, and by this process's threads on a processor."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds that one piece took."""

    wall_s: float
    cpu_s: float

    def __truediv__(self, pieces: float) -> Taken:
        return Taken(self.wall_s / pieces, self.cpu_s / pieces)


class Stopwatch:
    """Runs from the beginning of its block; `taken` is what has passed, until the block ends."""

    __slots__ = ("_cpu", "_taken", "_wall")

    def __enter__(self) -> Self:
        gc.collect()
        self._taken: Taken | None = None
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._taken = self._now()

    @property
    def taken(self) -> Taken:
        """What has passed."""
        return self._now() if self._taken is None else self._taken

    def _now(self) -> Taken:
        return Taken(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def timed(run: Callable[[], object], pieces: int) -> Taken:
    """What a piece takes when `run` does so many of them."""
    with Stopwatch() as watch:
        run()
    return watch.taken / pieces


def alternate(rounds: int, runs: Mapping[str, Callable[[], Taken]]) -> dict[str, list[Taken]]:
    """So many rounds of each, one after the other, so that whatever disturbs the machine disturbs all of them."""
    found: dict[str, list[Taken]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found
