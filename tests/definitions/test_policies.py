"""Retry policies: delays, what is not worth another attempt, and what is refused (A3)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aion_trio.definitions import RetryPolicy
from aion_trio.definitions.policies import ActivityOptions
from aion_trio.errors import DefinitionError, NonRetryableError

RNG = random.Random(0)


class DeclinedError(Exception):
    pass


class StolenError(DeclinedError):
    pass


class FinalError(NonRetryableError):
    pass


def test_the_default_is_one_attempt() -> None:
    assert RetryPolicy().next_delay(1, RNG) is None
    assert not RetryPolicy().allows(ValueError(), 1)


def test_delays_grow_by_the_factor_up_to_the_maximum() -> None:
    policy = RetryPolicy(max_attempts=6, initial=0.5, factor=3, maximum=10)
    assert [policy.next_delay(attempt, RNG) for attempt in range(1, 7)] == [0.5, 1.5, 4.5, 10, 10, None]


def test_a_huge_number_of_attempts_does_not_overflow() -> None:
    assert RetryPolicy(max_attempts=10**9, factor=10.0).next_delay(10**6, RNG) == 60


@given(st.integers(1, 40), st.floats(0, 1), st.integers())
def test_jitter_takes_off_at_most_its_share(attempt: int, jitter: float, seed: int) -> None:
    policy = RetryPolicy(max_attempts=50, jitter=jitter)
    full = RetryPolicy(max_attempts=50).delay(attempt, RNG)
    delay = policy.delay(attempt, random.Random(seed))
    assert full * (1 - jitter) <= delay <= full
    assert delay == policy.delay(attempt, random.Random(seed))


@pytest.mark.parametrize("listed", [(DeclinedError,), ("DeclinedError",), (f"{__name__}.DeclinedError",)])
def test_listed_classes_and_their_subclasses_are_not_tried_again(listed: Any) -> None:
    policy = RetryPolicy(max_attempts=5, non_retryable=listed)
    assert not policy.allows(DeclinedError(), 1)
    assert not policy.allows(StolenError(), 1)
    assert not policy.allows(ExceptionGroup("g", [ValueError(), StolenError()]), 1)
    assert policy.allows(ValueError(), 1)
    assert policy.forbids_type(f"{__name__}.DeclinedError")


def test_non_retryable_errors_are_never_tried_again() -> None:
    policy = RetryPolicy(max_attempts=5)
    assert not policy.allows(FinalError(), 1)
    assert not policy.allows(KeyboardInterrupt(), 1)
    assert policy.allows(ValueError(), 4)
    assert not policy.allows(ValueError(), 5)


@given(
    st.builds(
        RetryPolicy,
        st.integers(1, 99),
        st.floats(0, 5),
        st.floats(1, 9),
        st.floats(5, 99),
        st.floats(0, 1),
        st.lists(st.sampled_from([ValueError, "Declined"])),
    )
)
def test_the_durable_form_gives_back_the_policy(policy: RetryPolicy) -> None:
    assert RetryPolicy.from_raw(policy.raw()) == policy


def test_no_durable_form_is_one_attempt() -> None:
    assert RetryPolicy.from_raw(None) == RetryPolicy()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"max_attempts": 0}, "max_attempts: expected an int of at least 1, found 0"),
        ({"max_attempts": 1.5}, "max_attempts: expected an int"),
        ({"max_attempts": True}, "max_attempts: expected an int"),
        ({"initial": -1}, "initial: expected a number of at least 0, found -1"),
        ({"initial": "1"}, "initial: expected a number"),
        ({"factor": 0.5}, "factor: expected a number of at least 1, found 0.5"),
        ({"maximum": float("inf")}, "maximum: expected a number"),
        ({"initial": 5, "maximum": 4}, r"maximum: expected at least initial \(5\), found 4"),
        ({"jitter": 1.5}, "jitter: expected a number from 0 to 1, found 1.5"),
        ({"jitter": float("nan")}, "jitter: expected a number from 0 to 1"),
        ({"non_retryable": ValueError}, "non_retryable: expected a sequence"),
        ({"non_retryable": "ValueError"}, "non_retryable: expected a sequence"),
        ({"non_retryable": [int]}, "non_retryable: <class 'int'> is no exception class"),
        ({"non_retryable": [""]}, "non_retryable: '' is no exception class"),
    ],
)
def test_a_malformed_policy_is_refused_where_it_is_made(values: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        RetryPolicy(**values)


def test_no_policy_is_one_attempt() -> None:
    """A3."""
    policy = RetryPolicy(max_attempts=3)
    assert ActivityOptions().policy.max_attempts == 1
    assert ActivityOptions(retry=policy).policy is policy
