"""Workflow and activity definitions: functions with a durable name, typed arguments and options.

A definition is called as the function that it wraps. Inside a workflow the call is a durable command; outside it runs
the function itself, so that definitions can be tested as plain functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar

from aion_trio.definitions.policies import ActivityOptions, RetryPolicy, Seconds, microseconds, require_queue, require_retry
from aion_trio.definitions.signatures import AnyFunction, Signature, UnresolvedError, place_of, positional, signature_of
from aion_trio.kernel import context
from aion_trio.kernel.static_look import Problem, problems

P = ParamSpec("P")
R = TypeVar("R")


class TypedFunction:
    """A function and the converters of its arguments and result.

    The converters are made at once; if an annotation names something that is defined further down in the module, they are made when the
    definition is registered, or first used.
    """

    def __init__(self, fn: AnyFunction, local_names: Mapping[str, Any] | None = None) -> None:
        self.fn = fn
        self._local_names = local_names
        with suppress(UnresolvedError):
            _ = self.signature

    @cached_property
    def signature(self) -> Signature:
        """The typed signature; UnsupportedTypeError for an annotation that cannot be resolved or stored."""
        return signature_of(self.fn, self._local_names)


class WorkflowDefinition(Generic[P, R]):
    """A workflow: its durable type name, its version and its function. Made by `workflow`.

    Calling it inside a workflow starts a child and waits for it; outside it runs the function.
    """

    fn: Callable[P, Coroutine[Any, Any, R]]

    def __init__(self, typed: TypedFunction, name: str, version: int = 1, timeout_us: int | None = None) -> None:
        self.typed = typed
        self.fn = typed.fn
        self.name, self.version, self.timeout_us = name, version, timeout_us
        _look_like(self, typed.fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        host = context.current()
        if host is None:
            return self.fn(*args, **kwargs)
        return host.call_child(self, positional(self.fn, args, kwargs) if kwargs else args)

    def __repr__(self) -> str:
        return f"<workflow {self.name} version {self.version}, {place_of(self.fn)}>"

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What the static look finds in the function (K7); it looks once, however many engines load the definition."""
        return tuple(problems(self.fn))

    def with_options(self, *, timeout: Seconds | None = None) -> WorkflowDefinition[P, R]:
        """A copy for one call, with another run time-out."""
        timeout_us = self.timeout_us if timeout is None else microseconds(timeout, f"workflow {self.name}: timeout")
        return WorkflowDefinition(self.typed, self.name, self.version, timeout_us)

    def require_resolved(self) -> None:
        """Make the converters if they are not made yet; UnsupportedTypeError if that cannot be done."""
        _ = self.typed.signature

    def encode_input(self, args: Sequence[object]) -> bytes:
        """The encoded arguments (K3: deterministic, before any payload codec); InvalidInputError names what does not fit."""
        return self.typed.signature.arguments.encode(args)

    def decode_input(self, data: bytes) -> tuple[Any, ...]:
        """The arguments of an encoding."""
        return self.typed.signature.arguments.decode(data)

    def encode_result(self, value: object) -> bytes:
        """The encoded result; InvalidInputError if it does not fit the annotation."""
        return self.typed.signature.result.encode(value)

    def decode_result(self, data: bytes) -> R:
        """The result of an encoding."""
        result: R = self.typed.signature.result.decode(data)
        return result


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """What an activity has besides its function and its name."""

    options: ActivityOptions = field(default_factory=ActivityOptions)
    queue: str = "default"
    raises: tuple[type[Exception], ...] = ()


class ActivityDefinition(Generic[P, R]):
    """An activity: its durable type name, its function and how the engine is to run it. Made by `activity`.

    Calling it inside a workflow records it and waits for its result; outside it runs the function, a `def` function
    in a worker thread.
    """

    fn: Callable[P, Any]

    def __init__(self, typed: TypedFunction, name: str, settings: ActivitySettings | None = None) -> None:
        settings = ActivitySettings() if settings is None else settings
        self.typed, self._settings = typed, settings
        self.fn = typed.fn
        self.name = name
        self.queue, self.raises = settings.queue, settings.raises
        self.activity_options = settings.options
        self.is_async = inspect.iscoroutinefunction(typed.fn)
        self.options: list[Any] = settings.options.raw()
        """The durable form of the options, as `ActivityScheduled` holds it."""
        _look_like(self, typed.fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        host = context.current()
        if host is not None:
            return host.call_activity(self, positional(self.fn, args, kwargs) if kwargs else args)
        if self.is_async:
            coroutine: Coroutine[Any, Any, R] = self.fn(*args, **kwargs)
            return coroutine
        return _run_in_thread(self.fn, positional(self.fn, args, kwargs) if kwargs else args)

    def __repr__(self) -> str:
        return f"<activity {self.name}, {place_of(self.fn)}>"

    @property
    def retry(self) -> RetryPolicy | None:
        """The retry policy, None for one attempt."""
        return self.activity_options.retry

    @property
    def runs_in(self) -> str:
        """Where the function runs: "task", "thread" or "process"."""
        return self.activity_options.runs_in

    def with_options(
        self, *, timeout: Seconds | None = None, retry: RetryPolicy | None = None, queue: str | None = None
    ) -> ActivityDefinition[P, R]:
        """A copy for one call; what is not given stays as it is."""
        options = self.activity_options
        if timeout is not None:
            options = replace(options, start_to_close_us=microseconds(timeout, f"activity {self.name}: timeout"))
        if retry is not None:
            require_retry(retry, f"activity {self.name}")
            options = replace(options, retry=retry)
        chosen = self.queue if queue is None else require_queue(queue, f"activity {self.name}")
        settings = replace(self._settings, options=options, queue=chosen)
        return ActivityDefinition(self.typed, self.name, settings)

    def require_resolved(self) -> None:
        """Make the converters if they are not made yet; UnsupportedTypeError if that cannot be done."""
        _ = self.typed.signature

    def encode_input(self, args: Sequence[object]) -> bytes:
        """The encoded arguments (K3: deterministic, before any payload codec); InvalidInputError names what does not fit."""
        return self.typed.signature.arguments.encode(args)

    def decode_input(self, data: bytes) -> tuple[Any, ...]:
        """The arguments of an encoding."""
        return self.typed.signature.arguments.decode(data)

    def encode_result(self, value: object) -> bytes:
        """The encoded result; InvalidInputError if it does not fit the annotation."""
        return self.typed.signature.result.encode(value)

    def decode_result(self, data: bytes) -> R:
        """The result of an encoding."""
        result: R = self.typed.signature.result.decode(data)
        return result


def _run_in_thread(fn: AnyFunction, args: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
    from aion_trio import durable  # it names Trio, which a definition needs for this alone

    coroutine: Coroutine[Any, Any, Any] = durable.run_plain(fn, args)
    return coroutine


def _look_like(definition: Any, fn: AnyFunction) -> None:
    """Give a definition the name, the documentation and the module of its function, as `functools.wraps` does."""
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(definition, attribute, getattr(fn, attribute))
    definition.__wrapped__ = fn
