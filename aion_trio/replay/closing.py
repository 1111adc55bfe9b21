"""How a run ends: the closing event that follows from how the workflow function ended."""

from __future__ import annotations

from typing import Any

from .. import events as ev
from ..codec import failure_of
from ..errors import AionError
from ..events import Raw
from ..kernel.scopes import split_group
from .state import RunState


class ContinueAsNew(BaseException):
    """Leaves the workflow function by way of every nursery; the run collects it at the root. `type` None: the run's own."""

    def __init__(self, payload: bytes, type_name: str | None) -> None:
        super().__init__("the workflow continues as new; let this exception pass")
        self.payload, self.type_name = payload, type_name


def closing_event(run: RunState, value: Any, exc: BaseException | None, cancel_reason: str | None, signals: list[list[Any]]) -> Raw:
    """The closing event: any exception besides cancellation wins over continue-as-new, which wins over cancellation."""
    time_us = run.kernel.time_us
    if exc is None:
        return _completed(run, value)
    other = _without(exc, (ContinueAsNew, run.kernel.errors.cancelled))
    successor = _successor(exc)
    if other is None and successor is not None:
        fields = [run.run_id, successor.payload, successor.type_name, signals, cancel_reason]
        return [ev.WORKFLOW_CONTINUED_AS_NEW, time_us, *fields]
    if other is None and cancel_reason is not None:
        return [ev.WORKFLOW_CANCELLED, time_us, cancel_reason]
    return [ev.WORKFLOW_FAILED, time_us, failure_of(exc if other is None else other, run.codec)]


def _completed(run: RunState, value: Any) -> Raw:
    time_us = run.kernel.time_us
    try:
        return [ev.WORKFLOW_COMPLETED, time_us, run.codec.wrap(run.definition.encode_result(value))]
    except AionError as error:
        error.add_note("raised for the result of the workflow function")
        return [ev.WORKFLOW_FAILED, time_us, failure_of(error, run.codec)]


def _without(exc: BaseException, types: tuple[type[BaseException], ...]) -> BaseException | None:
    if isinstance(exc, BaseExceptionGroup):
        return split_group(exc, types)[1]
    return None if isinstance(exc, types) else exc


def _successor(exc: Any) -> ContinueAsNew | None:
    """The first continue-as-new in an exception."""
    if isinstance(exc, ContinueAsNew):
        return exc
    parts: tuple[Any, ...] = getattr(exc, "exceptions", ())
    return next((found for part in parts if (found := _successor(part)) is not None), None)
