"""The law that random programs keep, and the count of those that break it.

A life is one run of one program. However it is cut off and replayed, whole, from a prefix, in the middle of one step's
outputs, or with steps that were recorded late, the code must do the same again and ask for the same; and Trio's own objects,
told the same, must do the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .lives import Life, OnAnyIO, OnKernel, live, replayed, replayed_with_owed_steps

DIGESTS = Path(__file__).with_name("digests.txt")
"""One line per program: its digest on the kernel and on AnyIO. A changed line is a change of the durable format."""


def breaches(seed: int, cuts: int | None = 3, env: type[OnKernel] = OnKernel) -> Iterator[str]:
    """What is wrong with the program of a seed; `cuts` prefixes are tried, None for every one."""
    life = live(seed, env)
    rng = random.Random(f"check {seed}")
    length = len(life.history)
    places = range(1, length + 1) if cuts is None else sorted(rng.sample(range(1, length + 1), min(cuts, length)))
    for cut in [length, *places]:
        _stir(rng)
        yield from _compared(life, cut)
    try:
        if replayed_with_owed_steps(life, rng) != life.trace:
            yield f"program {seed}: with steps recorded late it went another way"
    except Exception as error:
        yield f"program {seed}: with steps recorded late: {error}"


def _compared(life: Life, cut: int) -> Iterator[str]:
    try:
        again = replayed(life, cut)
    except Exception as error:
        yield f"program {life.seed}, replayed from event {cut}: {error}"
        return
    if again.summary() != life.summary():
        yield f"program {life.seed}, replayed from event {cut}, went another way"


_ballast: list[Any] = []


def _stir(rng: random.Random) -> None:
    """Let the next objects have other addresses than the last ones had."""
    _ballast.extend([object() for _ in range(rng.randrange(40))] for _ in range(rng.randrange(20)))
    if len(_ballast) > 300:
        rng.shuffle(_ballast)
        del _ballast[:200]


def digest_lines(seeds: Iterable[int]) -> list[str]:
    """The lines of these programs for the file of digests."""
    return [f"{seed} {live(seed).digest()} {live(seed, OnAnyIO).digest()}" for seed in seeds]


def recorded_digests() -> list[str]:
    """The lines of the committed file."""
    return [line for line in DIGESTS.read_text().splitlines() if not line.startswith("#")]
