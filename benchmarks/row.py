"""Rows of the table: what one measurement found, what it must hold against, and whether it does."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .clock import Taken


class Verdict(enum.Enum):
    """What became of a target."""

    HOLDS = "holds"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """The most that a row's median may be: so many times the median of the row `against`, or so much where there is none.

    `allowed_over` is an amount over `against` that is good enough too, where `against` is less than `where_below`.
    """

    text: str
    most: float
    against: str = ""
    allowed_over: float = 0.0
    where_below: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: the cost of `each` piece in `unit` ("s" or "bytes"), one value a round; less is better.

    `cpu` is the processor time of each round's pieces, where it was taken. Where nothing waits for a disk, the row stands for
    that (`by_cpu`): on a quiet machine it is the same time, on a shared one it is the truer. `floor` names the row that says
    what the machine itself takes. `role` is "measured", "floor" or "peer".
    """

    name: str
    what: str
    each: str
    values: tuple[float, ...]
    cpu: tuple[float, ...] = ()
    by_cpu: bool = False
    unit: str = "s"
    role: str = "measured"
    floor: str = ""
    targets: tuple[Target, ...] = ()
    note: str = ""

    @property
    def costs(self) -> tuple[float, ...]:
        """What the row stands for, one value a round."""
        return self.cpu if self.by_cpu else self.values

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.costs)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most; of seven rounds or more, the quartiles."""
        if len(self.costs) < 7:
            return min(self.costs), max(self.costs)
        low, _, high = statistics.quantiles(self.costs, n=4)
        return low, high

    @property
    def cpu_median(self) -> float | None:
        """The middle round's processor time."""
        return statistics.median(self.cpu) if self.cpu else None


Rows = Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class About:
    """What a row says besides its figures."""

    name: str
    what: str
    each: str
    role: str = "measured"
    floor: str = ""
    targets: tuple[Target, ...] = ()
    note: str = ""
    by_cpu: bool = False


def timed_row(about: About, rounds: Sequence[Taken]) -> Row:
    """A row of times."""
    wall, cpu = tuple(taken.wall_s for taken in rounds), tuple(taken.cpu_s for taken in rounds)
    return Row(about.name, about.what, about.each, wall, cpu, about.by_cpu, "s", about.role, about.floor, about.targets, about.note)


def sized_row(about: About, sizes: Sequence[float]) -> Row:
    """A row of bytes."""
    return Row(about.name, about.what, about.each, tuple(sizes), (), False, "bytes", about.role, about.floor, about.targets, about.note)


def ratio(row: Row, rows: Rows, against: str) -> float | None:
    """How many times the row `against` this one costs; None where it was not measured or costs nothing."""
    other = rows.get(against)
    return None if other is None or other.unit != row.unit or other.median <= 0 else row.median / other.median


def verdict(row: Row, target: Target, rows: Rows) -> Verdict:
    """Whether a row meets its target in this run."""
    if not target.against:
        return Verdict.HOLDS if row.median <= target.most else Verdict.MISSED
    times = ratio(row, rows, target.against)
    if times is None:
        return Verdict.UNKNOWN
    other = rows[target.against].median
    if times <= target.most or (other < target.where_below and row.median - other <= target.allowed_over):
        return Verdict.HOLDS
    return Verdict.MISSED
