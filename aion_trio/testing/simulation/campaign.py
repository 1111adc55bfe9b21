"""Many seeds: how they went, which rare states were reached, and a failing one made smaller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from .lawbook import Breach, Law
from .rare import POINTS
from .world import Size, Verdict, simulate

Fails = Callable[[Size], bool]


@dataclass(slots=True)
class Campaign:
    """What many simulations came to."""

    seeds: int = 0
    workflows: int = 0
    events: int = 0
    lives: int = 0
    commits: int = 0
    failures: list[Verdict] = field(default_factory=list[Verdict])
    reached: Counter[str] = field(default_factory=Counter[str])

    def add(self, verdict: Verdict) -> None:
        """Count one more."""
        self.seeds += 1
        self.workflows += verdict.workflows
        self.events += verdict.events
        self.lives += verdict.lives
        self.commits += verdict.commits
        self.reached.update(verdict.points)
        if verdict.faults:
            self.failures.append(verdict)

    def include(self, other: Campaign) -> None:
        """Count what another campaign came to."""
        for name in ("seeds", "workflows", "events", "lives", "commits"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reached.update(other.reached)
        self.failures += other.failures

    @property
    def not_reached(self) -> list[str]:
        """Rare states that no seed met."""
        return [point for point in POINTS if not self.reached[point]]


def judged(seed: int, size: Size) -> Verdict:
    """As `simulate`; an error that comes out of the simulation itself is a fault as well."""
    try:
        return simulate(seed, size)
    except Exception as error:
        return Verdict(seed, [Breach(Law.SOUNDNESS, f"the simulation raised {type(error).__name__}: {error}")])


def reproduce(seed: int, size: Size) -> str:
    """The command that runs one seed again."""
    parts = [f"python -m aion_trio.testing.simulate --seeds {seed}"]
    for name in ("operations", "lives"):
        numbers: frozenset[int] = getattr(size, f"without_{name}")
        if numbers:
            parts.append(f"--without-{name} {','.join(map(str, sorted(numbers)))}")
    return " ".join(parts)


def shrunk(seed: int, size: Size) -> Size:
    """The smallest size that still fails: operations and lives are left out as long as that changes nothing."""

    def fails(smaller: Size) -> bool:
        return bool(judged(seed, smaller).faults)

    size = _without("without_lives", range(1, size.lives + 1), size, fails)
    return _without("without_operations", range(1, size.clients * size.operations + 1), size, fails)


def _without(name: str, numbers: Iterable[int], size: Size, fails: Fails) -> Size:
    for number in numbers:
        smaller = replace(size, **{name: getattr(size, name) | {number}})
        if fails(smaller):
            size = smaller
    return size
