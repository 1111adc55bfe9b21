"""Which workflow this thread steps right now.

A kernel steps workflow code synchronously, so 'the current workflow' is one thread-local pair: the kernel, and the
host that turns what the code asks for into durable commands. Outside of a step both are None: that is how the
public functions tell workflow code from all other code.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from .scheduler import Kernel
    from .tasks import Task


class Host(Protocol):
    """What durable functions ask of the run that they are called in; see `replay.Execution`."""

    def call_activity(self, definition: Any, args: tuple[Any, ...], /) -> Coroutine[Any, Any, Any]: ...
    def call_child(self, definition: Any, args: tuple[Any, ...], /) -> Coroutine[Any, Any, Any]: ...
    def receive_signal(self, definition: Any, /) -> Coroutine[Any, Any, Any]: ...
    def serve_query(self, definition: Any, fn: Callable[..., Any], /) -> None: ...
    def serve_update(self, definition: Any, fn: Callable[..., Any], validate: Callable[..., Any] | None, /) -> None: ...
    def sleep_until_us(self, fire_at_us: int, /) -> Coroutine[Any, Any, None]: ...
    def start_child(self, workflow: Any, args: tuple[Any, ...], options: Any, /) -> Coroutine[Any, Any, Any]: ...
    def signal_workflow(self, target: str, signal: Any, value: Any, /) -> Coroutine[Any, Any, None]: ...
    def continue_as_new(self, args: tuple[Any, ...], workflow: Any, /) -> NoReturn: ...
    def patched(self, name: str, /) -> bool: ...
    def set_attributes(self, attributes: Mapping[str, Any], /) -> None: ...
    def random(self) -> Any: ...
    def info(self) -> Any: ...
    def log_target(self) -> Any: ...


class _Local(threading.local):
    kernel: Kernel | None = None
    host: Host | None = None
    guarded: Any = None  # what the guard must give back when the stretch of workflow code ends
    collection: Any = None  # what gives the step back when the collector, which interrupted it, has done


local = _Local()


def current() -> Host | None:
    """The run whose code this thread steps, None outside of workflow code."""
    return local.host


def current_kernel() -> Kernel:
    """The kernel that this thread steps; RuntimeError outside of workflow code."""
    kernel = local.kernel
    if kernel is None:
        raise RuntimeError("this object belongs to a workflow and works in that workflow's code alone")
    return kernel


def current_task() -> Task:
    """The task that runs; RuntimeError outside of one (a query's function is outside of one too)."""
    task = current_kernel().current
    if task is None:
        raise RuntimeError("no task of the workflow is running: queries and validators cannot wait or start anything")
    return task


@contextmanager
def set_aside() -> Iterator[None]:
    """The world outside, from inside of a step: for what we do on the workflow's behalf, such as writing its log."""
    kernel, host, guarded = local.kernel, local.host, local.guarded
    local.kernel = local.host = None
    if kernel is not None:
        kernel.guard.leave(guarded)
    try:
        yield
    finally:
        if kernel is not None:
            local.guarded = kernel.guard.enter()
        local.kernel, local.host = kernel, host
