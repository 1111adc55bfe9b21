"""The operations of API version 1: a table from which routes, scopes and the OpenAPI description are made.

Each `run` is a function of the engine, the parameters and the body, and runs in the engine's Trio loop. What it gives back
is a wire model, or a function that makes one: that is called in the gateway's thread, so that turning a page of events into
JSON holds up nobody's workflows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..engine import Engine
from ..protocol import models
from . import engine_calls, workflow_calls

Reply = models.Model | Callable[[], models.Model]
Run = Callable[[Engine, Any, Any], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name, where it is, what it takes and gives, and the kinds of error that it has of its own.

    An operation with a `body` writes: it needs the operator's scope. `waits` is true where the answer may take as long as
    the parameters say. `answer` is the wire model, or the media type of a stream.
    """

    name: str
    path: str
    run: Run
    params: type[models.Request]
    answer: type[models.Model]
    body: type[models.Request] | None = None
    errors: tuple[str, ...] = ()
    waits: bool = False

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "GET" if self.body is None else "POST"

    @property
    def doc(self) -> str:
        """What the operation does, in a sentence."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]


_MISSING = ("workflow_not_found", "invalid_input")
_CLOSED = (*_MISSING, "workflow_closed")
_FULL = ("journal_full", "payload_too_large")

OPERATIONS: tuple[Operation, ...] = (
    Operation("start", "/workflows", workflow_calls.start, models.NoParams, models.Started, models.StartRequest,
              ("invalid_input", "workflow_not_registered", "workflow_already_started", "workflow_quarantined", *_FULL)),
    Operation("list", "/workflows", engine_calls.list_workflows, models.ListParams, models.Listing, errors=("invalid_input",)),
    Operation("count", "/workflows:count", engine_calls.count_workflows, models.FilterParams, models.Count, errors=("invalid_input",)),
    Operation("import", "/workflows:import", engine_calls.import_history, models.NoParams, models.Imported, models.ImportRequest,
              ("invalid_input", "unknown_event", "workflow_already_started", "broken_chain", "workflow_quarantined", *_FULL)),
    Operation("describe", "/workflows/{id}", workflow_calls.describe, models.IdParams, models.Description, errors=_MISSING),
    Operation("result", "/workflows/{id}/result", workflow_calls.result, models.ResultParams, models.Outcome,
              errors=(*_MISSING, "workflow_quarantined"), waits=True),
    Operation("history", "/workflows/{id}/history", workflow_calls.history, models.HistoryParams, models.HistoryPage, errors=_MISSING),
    Operation("stack", "/workflows/{id}/stack", workflow_calls.stack, models.IdParams, models.Text,
              errors=(*_CLOSED, "workflow_quarantined")),
    Operation("query", "/workflows/{id}/queries/{name}", workflow_calls.query, models.NamedParams, models.Answer,
              errors=(*_MISSING, "query_not_served", "query_failed", "workflow_quarantined", "workflow_not_registered")),
    Operation("signal", "/workflows/{id}/signals/{name}", workflow_calls.signal, models.NamedParams, models.Acknowledged,
              models.SignalRequest, (*_CLOSED, "workflow_quarantined", *_FULL)),
    Operation("cancel", "/workflows/{id}/cancel", workflow_calls.cancel, models.IdParams, models.Acknowledged, models.CancelRequest,
              (*_CLOSED, "workflow_quarantined", "journal_full")),
    Operation("terminate", "/workflows/{id}/terminate", workflow_calls.terminate, models.IdParams, models.Acknowledged,
              models.TerminateRequest, (*_CLOSED, "workflow_quarantined", "journal_full")),
    Operation("release", "/workflows/{id}/release", engine_calls.release, models.IdParams, models.Acknowledged, models.ReleaseRequest,
              errors=_MISSING),
    Operation("recovery", "/recovery", engine_calls.recovery, models.NoParams, models.Recovery),
    Operation("tree", "/tree", engine_calls.tree, models.NoParams, models.TreeNode),
    Operation("definitions", "/definitions", engine_calls.definitions, models.NoParams, models.Definitions),
    Operation("errors", "/errors", engine_calls.error_kinds, models.NoParams, models.ErrorKinds),
)  # fmt: skip
"""Every operation that answers with one JSON object."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An operation that answers with a stream."""

    name: str
    path: str
    params: type[models.Request]
    media_type: str
    doc: str
    errors: tuple[str, ...] = _MISSING


STREAMS: tuple[Stream, ...] = (
    Stream("events", "/workflows/{id}/events", models.FollowParams, "text/event-stream",
           "Follow a history: each server-sent event has an event's `seq` as its id and its JSON line as data."),
    Stream("status", "/workflows/{id}/status", models.FollowParams, "text/event-stream",
           "Follow a status: the present one, and each change; the id is the `seq` at which it was seen."),
    Stream("export", "/workflows/{id}/export", models.IdParams, "application/x-ndjson",
           "The history of all runs of the id, one JSON line an event; an import takes it back exactly."),
)  # fmt: skip
"""Every operation that answers with a stream."""
