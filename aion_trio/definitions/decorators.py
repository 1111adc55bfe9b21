"""`workflow` and `activity`: from a function to a definition. What is malformed is refused here, with file and line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from aion_trio.codec.narrow import is_sequence
from aion_trio.definitions.functions import ActivityDefinition, ActivitySettings, TypedFunction, WorkflowDefinition
from aion_trio.definitions.policies import (
    ActivityOptions,
    RetryPolicy,
    RunsIn,
    Seconds,
    microseconds,
    require_queue,
    require_retry,
    require_runs_in,
)
from aion_trio.definitions.signatures import AnyFunction, place_of, require_function
from aion_trio.errors import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")

_NAME_CHARACTERS = 200


class ActivityDecorator(Protocol):
    """What `activity(...)` gives: it takes an `async def` or a `def` function."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> ActivityDefinition[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> ActivityDefinition[P, R]: ...


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, R]], /) -> WorkflowDefinition[P, R]: ...
@overload
def workflow(
    *, name: str | None = None, version: int = 1, timeout: Seconds | None = None
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], WorkflowDefinition[P, R]]: ...
def workflow(fn: AnyFunction | None = None, /, *, name: str | None = None, version: int = 1, timeout: Seconds | None = None) -> Any:
    """Make a workflow of an `async def` function, bare (`@workflow`) or with arguments.

    `name` is the durable type name (the function's name by default), `version` tells versions of one type apart (V1), `timeout` ends a run
    that takes longer, in seconds or as a timedelta (T4). DefinitionError for a function that cannot be one,
    UnsupportedTypeError for an annotation that cannot be stored.
    """
    names = _caller_names()

    def define(fn: AnyFunction) -> WorkflowDefinition[Any, Any]:
        require_function(fn, "workflow")
        if not inspect.iscoroutinefunction(fn):
            raise DefinitionError(
                f"@workflow: {place_of(fn)}: `{fn.__qualname__}` is a plain `def`; a workflow is an `async def`, blocking code an activity"
            )
        _require_version(version, fn)
        timeout_us = microseconds(timeout, f"@workflow: {place_of(fn)}: timeout")
        return WorkflowDefinition(TypedFunction(fn, _local_names(fn, names)), _name(fn, name), version, timeout_us)

    return define if fn is None else define(fn)


@overload
def activity(fn: Callable[P, Coroutine[Any, Any, R]], /) -> ActivityDefinition[P, R]: ...
@overload
def activity(fn: Callable[P, R], /) -> ActivityDefinition[P, R]: ...
@overload
def activity(
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    timeout: Seconds | None = None,
    schedule_to_close: Seconds | None = None,
    schedule_to_start: Seconds | None = None,
    heartbeat_timeout: Seconds | None = None,
    runs_in: RunsIn | None = None,
    queue: str = "default",
    raises: Sequence[type[Exception]] = (),
) -> ActivityDecorator: ...
def activity(
    fn: AnyFunction | None = None,
    /,
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    timeout: Seconds | None = None,
    schedule_to_close: Seconds | None = None,
    schedule_to_start: Seconds | None = None,
    heartbeat_timeout: Seconds | None = None,
    runs_in: RunsIn | None = None,
    queue: str = "default",
    raises: Sequence[type[Exception]] = (),
) -> Any:
    """Make an activity of a function, bare (`@activity`) or with arguments.

    It runs at least once per call, so it should be idempotent or use its idempotency key (A1). `timeout` bounds one attempt (start to
    close), `schedule_to_close` all of them, `schedule_to_start` the wait for a worker, `heartbeat_timeout` the silence between two
    heartbeats (A4); seconds or timedelta. Without `retry` there is one attempt (A3). An `async def` function runs as a Trio task, a
    `def` function in a thread or, with `runs_in="process"`, in a worker process (A6). Exceptions of the classes in `raises` come back to
    the workflow as themselves, others as ActivityFailedError.

    DefinitionError for what is malformed, UnsupportedTypeError for an annotation that cannot be stored.
    """
    names = _caller_names()

    def define(fn: AnyFunction) -> ActivityDefinition[Any, Any]:
        require_function(fn, "activity")
        what = f"@activity: {place_of(fn)}"
        require_retry(retry, what)
        options = ActivityOptions(
            start_to_close_us=microseconds(timeout, f"{what}: timeout"),
            heartbeat_us=microseconds(heartbeat_timeout, f"{what}: heartbeat_timeout"),
            schedule_to_close_us=microseconds(schedule_to_close, f"{what}: schedule_to_close"),
            schedule_to_start_us=microseconds(schedule_to_start, f"{what}: schedule_to_start"),
            retry=retry,
            runs_in=_place_to_run(fn, runs_in, what),
        )
        settings = ActivitySettings(options, require_queue(queue, what), _exception_classes(raises, what))
        return ActivityDefinition(TypedFunction(fn, _local_names(fn, names)), _name(fn, name), settings)

    return define if fn is None else define(fn)


def _require_version(version: object, fn: AnyFunction) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DefinitionError(f"@workflow: {place_of(fn)}: version: expected an int of at least 1, found {version!r}")


def _name(fn: AnyFunction, name: object) -> str:
    chosen: object = fn.__name__ if name is None else name
    if not isinstance(chosen, str) or not chosen.strip() or len(chosen) > _NAME_CHARACTERS or not chosen.isprintable():
        raise DefinitionError(f"{place_of(fn)}: name: expected printable text of 1 to {_NAME_CHARACTERS} characters, found {chosen!r}")
    return chosen


def _place_to_run(fn: AnyFunction, runs_in: RunsIn | None, what: str) -> RunsIn:
    is_async = inspect.iscoroutinefunction(fn)
    place = require_runs_in(("task" if is_async else "thread") if runs_in is None else runs_in, is_async=is_async, name=what)
    if place == "process" and "<locals>" in fn.__qualname__:
        raise DefinitionError(f"{what}: a worker process imports the function by name: define `{fn.__name__}` at the top of its module")
    return place


def _exception_classes(raises: object, what: str) -> tuple[type[Exception], ...]:
    if not is_sequence(raises):
        raise DefinitionError(f"{what}: raises: expected a sequence of exception classes, found {raises!r}")
    for cls in raises:
        if not isinstance(cls, type) or not issubclass(cls, Exception):
            raise DefinitionError(f"{what}: raises: expected subclasses of Exception, found {cls!r}")
    return tuple(raises)


def _caller_names() -> Mapping[str, Any]:
    """The names that the caller of a decorator sees: annotations of a nested function may mean them."""
    return sys._getframe(2).f_locals


def _local_names(fn: AnyFunction, names: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return dict(names) if "<locals>" in fn.__qualname__ else None
