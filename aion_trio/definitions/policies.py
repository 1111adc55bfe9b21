"""Retry policies and activity options, and their durable forms inside `ActivityScheduled`.

What is malformed is refused where it is declared (A3), never when an attempt has failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, Literal, TypeGuard

from aion_trio.codec import short_name, type_name_of
from aion_trio.codec.narrow import is_group, is_sequence
from aion_trio.errors import DefinitionError, NonRetryableError

RunsIn = Literal["task", "thread", "process"]
Seconds = float | timedelta

_A_MINUTE = float(60)
"""The very object that stands for a longest delay that was not given."""

_PLACES: tuple[RunsIn, ...] = ("task", "thread", "process")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after which delays, an activity that failed is tried again (A3).

    Attempt n + 1 follows attempt n after `initial * factor ** (n - 1)` seconds, at most `maximum` (a minute unless given, or `initial`
    where that is longer); `jitter` (0 to 1) takes a random
    part of up to that share off. Any `Exception` is worth another attempt, unless it is a `NonRetryableError` or an
    instance of a class in `non_retryable` (classes, or names of classes). DefinitionError if a value makes no sense.
    """

    max_attempts: int = 1
    initial: float = 1
    factor: float = 2
    maximum: float = _A_MINUTE
    jitter: float = 0
    non_retryable: Sequence[type[BaseException] | str] = ()

    def __post_init__(self) -> None:
        _require(_is_int(self.max_attempts) and self.max_attempts >= 1, "max_attempts", "an int of at least 1", self.max_attempts)
        for name, least in (("initial", 0), ("factor", 1), ("maximum", 0)):
            value = getattr(self, name)
            _require(_is_finite(value) and value >= least, name, f"a number of at least {least}", value)
        _require(_is_finite(self.jitter) and 0 <= self.jitter <= 1, "jitter", "a number from 0 to 1", self.jitter)
        if self.maximum is _A_MINUTE:
            object.__setattr__(self, "maximum", max(60, self.initial))
        _require(self.maximum >= self.initial, "maximum", f"at least initial ({self.initial})", self.maximum)
        object.__setattr__(self, "non_retryable", _type_names(self.non_retryable))

    def next_delay(self, attempt: int, rng: Random) -> float | None:
        """Seconds to wait after attempt `attempt` (from 1) has failed; None when there is no further one."""
        return self.delay(attempt, rng) if attempt < self.max_attempts else None

    def delay(self, attempt: int, rng: Random) -> float:
        """Seconds between the failure of attempt `attempt` (from 1) and the next one."""
        try:
            delay = min(self.initial * self.factor ** (attempt - 1), self.maximum)
        except OverflowError:
            delay = self.maximum
        return delay * (1 - self.jitter * rng.random()) if self.jitter else delay

    def allows(self, exc: BaseException, attempt: int) -> bool:
        """Whether another attempt follows after `attempt` failed with `exc`."""
        return attempt < self.max_attempts and not self.forbids(exc)

    def forbids(self, exc: BaseException) -> bool:
        """Whether `exc` makes further attempts useless: by its class, a base of it, or a part of its group."""
        if is_group(exc):
            return any(self.forbids(part) for part in exc.exceptions)
        if isinstance(exc, NonRetryableError) or not isinstance(exc, Exception):
            return True
        refused = self.non_retryable
        return bool(refused) and any(cls.__name__ in refused or type_name_of(cls) in refused for cls in type(exc).__mro__)

    def forbids_type(self, type_name: str) -> bool:
        """As `forbids`, where the name of the exception's class is all that is known (a remote worker)."""
        return type_name in self.non_retryable or short_name(type_name) in self.non_retryable

    def raw(self) -> list[Any]:
        """The durable form."""
        return [self.max_attempts, self.initial, self.factor, self.maximum, self.jitter, list(self.non_retryable)]

    @classmethod
    def from_raw(cls, raw: Sequence[Any] | None) -> RetryPolicy:
        """The policy of a durable form; None is the policy of one attempt."""
        return cls() if raw is None else cls(*raw)


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """What the engine is told of one call of an activity, as recorded when it was scheduled. Times in microseconds."""

    start_to_close_us: int | None = None
    heartbeat_us: int | None = None
    schedule_to_close_us: int | None = None
    schedule_to_start_us: int | None = None
    retry: RetryPolicy | None = None
    runs_in: RunsIn = "task"

    def raw(self) -> list[Any]:
        """The durable form."""
        return [
            self.start_to_close_us,
            self.heartbeat_us,
            self.schedule_to_close_us,
            self.schedule_to_start_us,
            None if self.retry is None else self.retry.raw(),
            self.runs_in,
        ]

    @classmethod
    def from_raw(cls, raw: Sequence[Any]) -> ActivityOptions:
        """The options of a durable form; options that were added later have their defaults."""
        options = list(raw)
        if len(options) > 4 and options[4] is not None:
            options[4] = RetryPolicy.from_raw(options[4])
        return cls(*options)

    @property
    def policy(self) -> RetryPolicy:
        """The retry policy that holds: no policy is one attempt."""
        return NO_RETRY if self.retry is None else self.retry


def microseconds(value: object, name: str) -> int | None:
    """A time span in microseconds; DefinitionError if it is not a positive, finite number of seconds or a timedelta."""
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not _is_finite(seconds) or seconds <= 0:
        raise DefinitionError(f"{name}: expected a positive number of seconds or a timedelta, found {value!r}")
    return max(1, round(seconds * 1_000_000))


def require_runs_in(value: object, *, is_async: bool, name: str) -> RunsIn:
    """`value` if it is a place where such a function can run."""
    known: RunsIn | None = next((place for place in _PLACES if place == value), None)
    if known is None:
        raise DefinitionError(f"{name}: runs_in: expected 'task', 'thread' or 'process', found {value!r}")
    if is_async != (value == "task"):
        kind, places = ("async def", "'task'") if is_async else ("def", "'thread' or 'process'")
        raise DefinitionError(f"{name}: runs_in: a `{kind}` function runs in {places}, not in {value!r}")
    return known


def require_retry(retry: object, what: str) -> None:
    """Refuse what is neither a policy nor None."""
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise DefinitionError(f"{what}: retry: expected a RetryPolicy, found {retry!r}")


def require_queue(queue: object, what: str) -> str:
    """`queue` if it can be the name of one."""
    if not isinstance(queue, str) or not queue.strip():
        raise DefinitionError(f"{what}: queue: expected a name, found {queue!r}")
    return queue


def _type_names(types: object) -> tuple[str, ...]:
    if isinstance(types, str) or not is_sequence(types):
        raise DefinitionError(f"RetryPolicy: non_retryable: expected a sequence of exception classes or names, found {types!r}")
    names: list[str] = []
    for item in types:
        if isinstance(item, type) and issubclass(item, BaseException):
            names.append(type_name_of(item))
        elif isinstance(item, str) and item:
            names.append(item)
        else:
            raise DefinitionError(f"RetryPolicy: non_retryable: {item!r} is no exception class and no name of one")
    return tuple(names)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _require(holds: bool, name: str, expected: str, found: object) -> None:
    if not holds:
        raise DefinitionError(f"RetryPolicy: {name}: expected {expected}, found {found!r}")


NO_RETRY = RetryPolicy()
"""One attempt."""
