"""`workflow` and `activity` accept functions that can be one, and refuse the rest where they stand."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aion_trio.definitions import ActivityDefinition, ActivityOptions, RetryPolicy, WorkflowDefinition, activity, workflow
from aion_trio.errors import DefinitionError, UnsupportedTypeError

if TYPE_CHECKING:
    from decimal import Decimal as Hidden


@dataclass
class Order:
    id: str


class Opaque:
    pass


@workflow
async def checkout(order: Order, cents: int = 5) -> str:
    """Charge an order."""
    return f"{order.id}:{cents}"


@activity
async def charge(order: Order) -> str:
    return order.id


@activity(timeout=30)
def blocking(order: Order) -> str:
    return order.id


@activity(runs_in="process")
def crunch(n: int) -> int:
    return n


@workflow
async def early(order: Later) -> Later:
    return order


@dataclass
class Later:
    x: int


def test_a_bare_decorator_names_the_definition_after_the_function() -> None:
    assert isinstance(checkout, WorkflowDefinition)
    assert isinstance(charge, ActivityDefinition)
    assert (checkout.name, checkout.version, checkout.timeout_us) == ("checkout", 1, None)
    assert (charge.name, charge.queue, charge.raises, charge.runs_in) == ("charge", "default", (), "task")


def test_a_decorator_takes_arguments() -> None:
    @workflow(name="orders.checkout", version=3, timeout=timedelta(minutes=1))
    async def renamed() -> None: ...

    assert (renamed.name, renamed.version, renamed.timeout_us) == ("orders.checkout", 3, 60_000_000)


def test_a_definition_looks_like_its_function() -> None:
    assert checkout.__name__ == "checkout"
    assert checkout.__doc__ == "Charge an order."
    assert checkout.__module__ == __name__
    assert checkout.__wrapped__ is checkout.fn  # type: ignore[attr-defined]
    assert repr(checkout).startswith(f"<workflow checkout version 1, {__file__}:")


def test_a_plain_function_runs_in_a_thread_unless_it_says_otherwise() -> None:
    """A6."""
    assert blocking.runs_in == "thread"
    assert crunch.runs_in == "process"


def test_the_options_of_an_activity_are_in_its_durable_form() -> None:
    @activity(
        retry=RetryPolicy(max_attempts=3, non_retryable=(ValueError, "Declined")),
        timeout=1.5,
        schedule_to_close=timedelta(hours=1),
        schedule_to_start=60,
        heartbeat_timeout=5,
        queue="gpu",
        raises=[KeyError],
    )
    async def full() -> None: ...

    assert full.options == [1_500_000, 5_000_000, 3_600_000_000, 60_000_000, [3, 1, 2, 60, 0, ["ValueError", "Declined"]], "task"]
    assert ActivityOptions.from_raw(full.options) == full.activity_options
    assert (full.queue, full.raises) == ("gpu", (KeyError,))


def test_options_of_a_later_version_that_are_missing_have_their_defaults() -> None:
    """H7."""
    assert ActivityOptions.from_raw([5]) == ActivityOptions(start_to_close_us=5)


async def _generator() -> AsyncIterator[int]:
    yield 1


def _plain_generator() -> Iterator[int]:
    yield 1


async def _keyword_only(a: int, *, b: int) -> None: ...
async def _any_args(*args: int) -> None: ...
async def _any_keywords(**kwargs: int) -> None: ...


@pytest.mark.parametrize("decorator", [workflow, activity])
@pytest.mark.parametrize(
    ("fn", "says"),
    [
        (Order, "found the class Order"),
        (functools.partial(print, 1), "found partial"),
        (lambda: None, "a lambda has no name"),
        (5, "found int 5"),
        (_generator, "is a generator"),
        (_plain_generator, "is a generator"),
        (_keyword_only, "parameter `b` is keyword-only"),
        (_any_args, "parameter `args` takes any number"),
        (_any_keywords, "parameter `kwargs` takes any keywords"),
        (charge, "found ActivityDefinition"),
    ],
    ids=str,
)
def test_what_cannot_be_a_definition_is_refused(decorator: Any, fn: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        decorator(fn)


def test_a_workflow_on_a_plain_function_is_refused() -> None:
    with pytest.raises(DefinitionError, match=rf"{__file__}:\d+: `.*plain` is a plain `def`; a workflow is an `async def`"):

        @workflow  # type: ignore[arg-type]
        def plain() -> None: ...


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": ""}, "name: expected printable text"),
        ({"name": "a\nb"}, "name: expected printable text"),
        ({"version": 0}, "version: expected an int of at least 1, found 0"),
        ({"version": "1"}, "version: expected an int"),
        ({"version": True}, "version: expected an int"),
        ({"timeout": 0}, "timeout: expected a positive number of seconds"),
        ({"timeout": "5"}, "timeout: expected a positive number of seconds"),
        ({"timeout": float("inf")}, "timeout: expected a positive"),
        ({"timeout": timedelta(0)}, "timeout: expected a positive"),
    ],
)
def test_a_malformed_workflow_option_is_refused(options: dict[str, Any], says: str) -> None:
    async def some() -> None: ...

    with pytest.raises(DefinitionError, match=says):
        workflow(**options)(some)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"retry": 3}, "retry: expected a RetryPolicy, found 3"),
        ({"timeout": -1}, "timeout: expected a positive"),
        ({"heartbeat_timeout": 0}, "heartbeat_timeout: expected"),
        ({"schedule_to_close": "x"}, "schedule_to_close: expected"),
        ({"schedule_to_start": float("nan")}, "schedule_to_start: expected"),
        ({"queue": " "}, "queue: expected a name"),
        ({"runs_in": "gpu"}, "runs_in: expected 'task', 'thread' or 'process', found 'gpu'"),
        ({"runs_in": "thread"}, "`async def` function runs in 'task', not in 'thread'"),
        ({"raises": ValueError}, "raises: expected a sequence"),
        ({"raises": [KeyboardInterrupt]}, "raises: expected subclasses of Exception"),
        ({"raises": ["ValueError"]}, "raises: expected subclasses of Exception"),
    ],
)
def test_a_malformed_activity_option_is_refused(options: dict[str, Any], says: str) -> None:
    async def some() -> None: ...

    with pytest.raises(DefinitionError, match=says):
        activity(**options)(some)


def test_a_process_activity_must_be_importable() -> None:
    """A6."""
    with pytest.raises(DefinitionError, match="top of its module"):

        @activity(runs_in="process")
        def nested() -> None: ...


def test_an_annotation_that_cannot_be_stored_names_function_parameter_and_type() -> None:
    with pytest.raises(UnsupportedTypeError, match=rf"takes \({__file__}:\d+\): parameter `it`: `Opaque` cannot be stored; use"):

        @activity
        async def takes(it: Opaque) -> None: ...

    with pytest.raises(UnsupportedTypeError, match="result: `Opaque` cannot be stored"):

        @workflow
        async def gives() -> list[Opaque]: ...


def test_an_annotation_may_name_what_is_defined_further_down() -> None:
    assert early.decode_input(early.encode_input((Later(3),))) == (Later(3),)


def test_an_annotation_may_name_what_is_local_to_the_caller() -> None:
    @dataclass
    class Local:
        x: int

    @workflow
    async def local(value: Local) -> Local:
        return value

    @activity(timeout=5)
    async def with_arguments(value: Local) -> Local:
        return value

    assert local.decode_result(local.encode_result(Local(1))) == Local(1)
    assert with_arguments.decode_result(with_arguments.encode_result(Local(1))) == Local(1)


def test_a_name_under_type_checking_is_refused_when_it_is_needed() -> None:
    @workflow
    async def hidden(value: Hidden) -> None: ...

    with pytest.raises(UnsupportedTypeError, match=r"'Hidden' is not defined; .* not under TYPE_CHECKING"):
        hidden.require_resolved()
    with pytest.raises(UnsupportedTypeError, match="Hidden"):
        hidden.encode_input((1,))
