"""What has a meaning inside of a workflow alone: the run's time, randomness and attributes, children, signals, successors.

Everything here is reached as `durable.…`. Outside of a workflow each function raises `NotInWorkflowError`, which names it and
says what to do; only the logger works everywhere.
"""

from __future__ import annotations

import logging
import random as _random
from collections.abc import Awaitable, Generator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar
from uuid import UUID

from . import events as ev
from .arguments import attribute_values, span_us, text_of, workflow_id_of
from .errors import InvalidInputError, NotInWorkflowError
from .kernel.context import current, current_kernel, set_aside

if TYPE_CHECKING:
    from .definitions import Signal, WorkflowDefinition
    from .kernel.context import Host

R = TypeVar("R")
T = TypeVar("T")
OnParentClose = Literal["terminate", "cancel", "abandon"]


def _host(name: str) -> Host:
    host = current()
    if host is None:
        raise NotInWorkflowError(
            f"durable.{name} was called outside of workflow code, where it has no meaning; call it from an @aion.workflow function "
            "that the engine (or aion_trio.testing.run_workflow) runs"
        )
    return host


# ---- what the run knows


@dataclass(frozen=True, slots=True)
class ParentInfo:
    """The workflow that started this one as a child."""

    workflow_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """What a run knows about itself, as of the event that was applied last (K2).

    `history_length` and `history_bytes` (about) count what replay sees; when `continue_as_new_suggested` is true it is
    time to continue as new (N2). `attributes` are the run's own, without changes from outside.
    """

    workflow_id: str
    run_id: str
    type: str
    version: int
    namespace: str
    started_at: datetime
    parent: ParentInfo | None
    attributes: Mapping[str, Any]
    history_length: int
    history_bytes: int
    continue_as_new_suggested: bool


def info() -> WorkflowInfo:
    """What the run knows about itself."""
    found: WorkflowInfo = _host("info").info()
    return found


def now() -> datetime:
    """The workflow's time, aware UTC: when the event that was applied last was recorded (K2)."""
    _host("now")
    kernel = current_kernel()
    kernel.charge()
    return ev.datetime_of(kernel.time_us)


def random() -> _random.Random:
    """The run's random numbers: one stream, seeded from workflow id and run id, the same on replay."""
    stream: _random.Random = _host("random").random()
    return stream


def uuid4() -> UUID:
    """A random UUID from the run's stream."""
    stream: _random.Random = _host("uuid4").random()
    return UUID(int=stream.getrandbits(128), version=4)


def patched(name: str) -> bool:
    """Whether this run takes the new branch of the change `name` (V3).

    True in every run that gets here for the first time, which records it; false while replaying a history that passed
    this place without it. Keep the old branch until no run needs it.
    """
    host = _host("patched")
    if not text_of(name, "the name of a patch"):
        raise InvalidInputError("the name of a patch is a text that is not empty", "name")
    return host.patched(name)


def set_attributes(attributes: Mapping[str, Any] | None = None, /, **named: Any) -> None:
    """Set searchable attributes of this workflow, given as a mapping or by name (str, int, float, bool, datetime); None deletes one.

    Raises `InvalidInputError`, and sets none of them, if one cannot be stored.
    """
    host = _host("set_attributes")
    if named or attributes is None:
        attributes = {**attribute_values(attributes, deleting=True), **named}
    host.set_attributes(attributes)


class _Logger(logging.LoggerAdapter[logging.Logger]):
    """Writes live and never on replay; each record carries `workflow_id` and `run_id`."""

    def isEnabledFor(self, level: int) -> bool:
        host = current()
        if host is None:
            return super().isEnabledFor(level)
        target = host.log_target()
        return target is not None and level >= logging.DEBUG

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write one record, unless this step was run before."""
        host = current()
        if host is None:
            super().log(level, msg, *args, **kwargs)
            return
        target = host.log_target()
        if target is not None:
            logger, extra = target
            with set_aside():
                if logger.isEnabledFor(level):
                    kwargs["extra"] = {**extra, **kwargs.get("extra", {})}
                    kwargs.setdefault("stacklevel", 2)
                    logger.log(level, msg, *args, **kwargs)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


logger = _Logger(logging.getLogger("aion_trio.workflow"), {})
"""The workflow's log: live only, silent on replay; outside of a workflow a plain logger."""


# ---- other workflows


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How a child is started. `id` None derives one from the parent's run and the ordinal; `on_parent_close` is a number of `events`."""

    id: str | None = None
    on_parent_close: int = ev.ON_CLOSE_TERMINATE
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    timeout_us: int | None = None


class _Done:
    """Can be awaited, and waits for nothing."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


_DONE = _Done()


class ChildHandle(Generic[R]):
    """A child that was started; it is recorded, and starts even if this workflow crashes at once (C1)."""

    def __init__(self, child: Any) -> None:
        self._child = child

    @property
    def id(self) -> str:
        """The child's workflow id."""
        found: str = self._child.id
        return found

    async def result(self) -> R:
        """Wait for the child's end: its result, or `ChildWorkflowFailedError`. Giving up the wait does not cancel the child."""
        value: R = await self._child.result()
        return value

    async def signal(self, signal: Signal[T] | str, value: T) -> None:
        """Signal the child; returns when it has recorded the signal."""
        await signal_workflow(self.id, signal, value)

    def cancel(self) -> Awaitable[None]:
        """Ask the child to cancel; does nothing if it has ended or was asked before. It is done at once: there is no need to await it."""
        self._child.cancel("cancelled by its parent")
        return _DONE


async def start_child(
    workflow: WorkflowDefinition[..., R] | str,
    *args: Any,
    id: str | None = None,
    on_parent_close: OnParentClose = "terminate",
    attributes: Mapping[str, Any] | None = None,
    timeout: float | timedelta | None = None,
) -> ChildHandle[R]:
    """Start a workflow as a child and go on; `await workflow(...)` starts one and waits for its result.

    An id that is taken shows as `ChildWorkflowFailedError` (kind `already_started`) where the result is awaited.
    """
    host = _host("start_child")
    if on_parent_close not in ev.ON_PARENT_CLOSE:
        expected = ", ".join(ev.ON_PARENT_CLOSE)
        raise InvalidInputError(f"on_parent_close: expected one of {expected}, found {on_parent_close!r}", "on_parent_close")
    if timeout is None:
        timeout_us: int | None = None if isinstance(workflow, str) else workflow.timeout_us
    else:
        timeout_us = span_us(timeout)
    child_id = None if id is None else workflow_id_of(id)
    options = ChildOptions(child_id, ev.ON_PARENT_CLOSE.index(on_parent_close), dict(attribute_values(attributes)), timeout_us)
    return ChildHandle(await host.start_child(workflow, args, options))


async def signal_workflow(id: str, signal: Signal[T] | str, value: T) -> None:
    """Signal another workflow, exactly once (S2); `SignalNotDeliveredError` if it is closed or missing."""
    host = _host("signal_workflow")
    if not isinstance(signal, str) and not hasattr(signal, "encode"):
        raise InvalidInputError(f"signal: expected an aion.Signal or its name, found {signal!r}", "signal")
    await host.signal_workflow(workflow_id_of(id), signal, value)


def continue_as_new(*args: Any, workflow: WorkflowDefinition[..., Any] | str | None = None) -> NoReturn:
    """End this run and begin its successor under the same id, on the latest version, with these arguments (N1).

    It does not return; what it raises passes through every nursery. Signals that were not received go along, and so does
    a cancel request that was not answered.
    """
    _host("continue_as_new").continue_as_new(args, workflow)
