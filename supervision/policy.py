"""What to do about a child that has ended: values and arithmetic, no Trio."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from itertools import accumulate

from .chance import Random
from .exits import Exit
from .given import require_numbers

MANY = 10_000  # restarts; how long more of them take at least is not computed


class Restart(enum.Enum):
    """When a child that has ended is run again."""

    PERMANENT = "permanent"  #: always
    TRANSIENT = "transient"  #: when it failed
    TEMPORARY = "temporary"  #: never

    def applies(self, exit: Exit) -> bool:
        """Whether a child of this kind is run again after ``exit``."""
        return self is Restart.PERMANENT or (self is Restart.TRANSIENT and exit.how == "raised")


class Strategy(enum.Enum):
    """Which siblings share the fate of a child that is restarted."""

    ONE_FOR_ONE = "one_for_one"  #: none
    ONE_FOR_ALL = "one_for_all"  #: all
    REST_FOR_ONE = "rest_for_one"  #: those that were started after it

    def group(self, index: int, count: int) -> range:
        """The places, out of ``count``, that are restarted with the one at ``index``."""
        if self is Strategy.ONE_FOR_ONE:
            return range(index, index + 1)
        return range(0 if self is Strategy.ONE_FOR_ALL else index, count)


class AutoShutdown(enum.Enum):
    """Whether a supervisor stops by itself once its significant children have ended for good."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential delay before a restart.

    The n-th restart in a row waits ``initial * factor ** (n - 1)`` seconds, at most ``maximum``, give or take the
    share ``jitter``. A run that lasted ``reset_after`` seconds breaks the row.

    Raises `TypeError` for what is no number, `ValueError` for numbers that make no sense.
    """

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.2
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        require_numbers(
            "Backoff",
            initial=self.initial,
            factor=self.factor,
            maximum=self.maximum,
            jitter=self.jitter,
            reset_after=self.reset_after,
        )
        if not (0 <= self.initial <= self.maximum and self.factor >= 1 and self.reset_after >= 0):  # nor is any of them not a number
            raise ValueError(f"expected 0 <= initial <= maximum, factor >= 1 and reset_after >= 0, found {self}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is a share between 0 and 1, found {self.jitter}")

    def delay(self, streak: int, random: Random) -> float:
        """Seconds to wait before restart number ``streak`` (from 1) in a row."""
        return self._bare(streak - 1) * random.uniform(1 - self.jitter, 1 + self.jitter)

    def shortest(self, restarts: int) -> float:
        """The least time that ``restarts`` restarts of one child can take, be they one row or several."""
        row = list(accumulate((self._bare(n) for n in range(restarts)), initial=0.0))

        def spread(rows: int) -> float:  # delays only grow, so rows of equal length take the least
            length, longer = divmod(restarts, rows)
            return (rows - 1) * self.reset_after + (rows * row[length] + longer * self._bare(length)) * (1 - self.jitter)

        return min(map(spread, range(1, restarts + 1)), default=0.0)

    def _bare(self, doublings: int) -> float:
        try:
            return min(self.maximum, self.initial * self.factor**doublings)
        except OverflowError:
            return self.maximum


@dataclass(frozen=True, slots=True)
class Budget:
    """At most ``restarts`` restarts within any ``per`` seconds; one more is a failure of the supervisor itself.

    It is spent only if the back-offs let as many restarts fall into that time; where they do not, opening logs a warning.
    Raises `TypeError` for what is no number, `ValueError` for numbers that make no sense.
    """

    restarts: int = 3
    per: float = 5.0

    def __post_init__(self) -> None:
        require_numbers("Budget", restarts=self.restarts, per=self.per)
        if not (self.restarts >= 0 and self.restarts % 1 == 0 and self.per > 0):
            raise ValueError(f"expected restarts, a whole number from 0, and per > 0, found {self}")

    def lesson(self, who: str, backoff: Backoff) -> str | None:
        """What to tell the author if ``backoff`` is so slow that ``who`` alone never spends this budget, and flaps for ever."""
        least = backoff.shortest(min(int(self.restarts), MANY))
        if least < self.per:
            return None
        return (
            f"a budget of {self.restarts} restarts in {self.per:g} s is never spent by {who} alone, whose backoff spreads as many "
            f"over at least {least:.3g} s: if it fails again and again it is restarted for ever; to have that end, "
            f"make the budget's per longer or its restarts fewer, or the backoff shorter"
        )


USUAL_BACKOFF = Backoff()
USUAL_BUDGET = Budget()


class Ledger:
    """The restarts that were spent against one `Budget`, as a sliding window."""

    __slots__ = ("_times", "budget")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._times: deque[float] = deque()

    def spend(self, now: float) -> bool:
        """Note a restart at ``now``; false if it is one too many."""
        self.expire(now)
        self._times.append(now)
        return len(self._times) <= self.budget.restarts

    def expire(self, now: float) -> bool:
        """Forget what has left the window; true if nothing is left in it."""
        while self._times and self._times[0] <= now - self.budget.per:
            self._times.popleft()
        return not self._times
