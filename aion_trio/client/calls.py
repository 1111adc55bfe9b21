"""What is asked of a daemon, without asking it: each call as a request to send and a way to read its answer.

The client for Trio and asyncio and the one for threads send these, each in its own way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

import msgspec

from ..codec import encode, event_of, from_line, plain_data
from ..definitions import Query, Registry, Signal, WorkflowDefinition
from ..engine import WorkflowDescription, WorkflowSummary
from ..engine.arguments import attributes_of, span_us
from ..errors import AionError, InvalidInputError
from ..events import (
    Event,
    WorkflowCancelled,
    WorkflowCompleted,
    WorkflowContinuedAsNew,
    WorkflowFailed,
    WorkflowTerminated,
    WorkflowTimedOut,
)
from ..history import WorkflowStatus
from ..protocol import API, error_of, models, payload_to_json, value_from_json
from ..protocol.problems import raised_by_query
from ..protocol.translate import attributes_to_json, description_from_wire, node_from_wire, recovery_from_wire, summary_from_wire
from ..recovery import RecoveryReport
from ..runs.messages import IfExists
from ..seams import Ids, RandomIds
from ..stores.contract import AttributeValue
from ..supervision import Node

T = TypeVar("T")
AnyWorkflow = WorkflowDefinition[..., Any]
Statuses = WorkflowStatus | Iterable[WorkflowStatus] | None
POLL_SECONDS = 25.0
_ENDS = (WorkflowCompleted, WorkflowFailed, WorkflowCancelled, WorkflowTerminated, WorkflowTimedOut)
PAGE = 500


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read. `repeatable` says that sending it twice has one effect."""

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    repeatable: bool = True
    waits: float = 0.0


@dataclass(frozen=True, slots=True)
class Address:
    """One workflow, as a handle knows it: its newest run, the chain of a run, or one run."""

    id: str
    chain: str | None = None
    bound: str | None = None

    def __post_init__(self) -> None:
        if self.bound is not None and not re.fullmatch("[0-9a-f]{32}", self.bound):
            raise InvalidInputError(f"a run id is 32 hexadecimal digits, found {self.bound!r}", "run_id")

    @property
    def path(self) -> str:
        """Where the workflow is. An id is one part of the path, whatever it holds."""
        name = quote(self.id, safe="")
        return f"{API}/workflows/{name.replace('.', '%2E') if name in ('.', '..') else name}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which workflows a listing holds, as `Engine.list_workflows` takes it."""

    status: Statuses = None
    type: str | None = None
    attributes: Mapping[str, AttributeValue] | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    closed_after: datetime | None = None
    closed_before: datetime | None = None

    def params(self) -> dict[str, str]:
        """The filter as query parameters."""
        wanted = [self.status] if isinstance(self.status, WorkflowStatus) else self.status
        times = {name: getattr(self, name) for name in ("started_after", "started_before", "closed_after", "closed_before")}
        params = {name: at.isoformat() for name, at in times.items() if at is not None}
        if wanted is not None:
            params["status"] = ",".join(each.value for each in wanted)
        if self.type is not None:
            params["type"] = self.type
        if self.attributes:
            params["attributes"] = msgspec.json.encode(attributes_to_json(attributes_of(self.attributes))).decode()
        return params


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The options of a start, as `Engine.start` takes them."""

    id: str | None = None
    if_exists: IfExists = "use"
    timeout: float | timedelta | None = None
    attributes: Mapping[str, AttributeValue] | None = None
    request_id: str | None = None


class Calls:
    """Makes the calls of one client, and knows the definitions by which answers are typed."""

    def __init__(self, registry: Registry, ids: Ids | None = None) -> None:
        self._known = {(each.name, each.version): each for each in registry.workflows}
        self._ids = ids or RandomIds()

    # ---- workflows

    def start(self, workflow: object, args: tuple[Any, ...], options: StartOptions) -> Call[models.Started]:
        """Start a workflow. Without a request id it is given one, so that it can be repeated."""
        if isinstance(workflow, str):
            name, version, data = workflow, None, encode(list(plain_data(list(args))))
        elif isinstance(workflow, WorkflowDefinition):
            definition = cast("AnyWorkflow", workflow)
            name, version, data = definition.name, definition.version, definition.encode_input(args)
            self._known[name, definition.version] = definition
        else:
            raise InvalidInputError(f"expected a workflow definition or the name of one, found {workflow!r}", "workflow")
        timeout_us = span_us(options.timeout)
        body = models.StartRequest(
            workflow=name,
            version=version,
            args=payload_to_json(data),
            id=options.id,
            if_exists=options.if_exists,
            timeout=None if timeout_us is None else timeout_us / 1e6,
            attributes=attributes_to_json(attributes_of(options.attributes)),
            request_id=options.request_id or self._ids.workflow_id(),
        )
        return Call("POST", f"{API}/workflows", _reader(models.Started), body=msgspec.json.encode(body))

    def result(self, address: Address) -> Call[models.Outcome]:
        """Ask for the outcome, and wait a while for it."""
        params = {"wait": f"{POLL_SECONDS:g}", **_given(chain=address.chain, run_id=address.bound)}
        return Call("GET", f"{address.path}/result", _reader(models.Outcome), params, waits=POLL_SECONDS)

    def value_of(self, outcome: models.Outcome) -> Any:
        """The result of a completed run, typed where its definition is known; raises what another ended with."""
        if outcome.problem is not None:
            raise error_of(outcome.problem)
        plain = value_from_json(outcome.result, "result")
        definition = self._known.get((outcome.workflow, outcome.version))
        return plain if definition is None else definition.decode_result(encode(plain))

    def describe(self, address: Address) -> Call[WorkflowDescription]:
        """Describe a workflow."""
        return Call("GET", address.path, lambda data: description_from_wire(_read(models.Description, data)))

    def history(self, address: Address, from_seq: int) -> Call[models.HistoryPage]:
        """A page of a history."""
        return Call("GET", f"{address.path}/history", _reader(models.HistoryPage), {"from_seq": str(from_seq), "limit": str(PAGE)})

    def signal(self, address: Address, signal: Signal[Any] | str, value: Any, request_id: str | None) -> Call[None]:
        """Send a signal. Without a request id it is given one, so that it can be repeated."""
        name = signal if isinstance(signal, str) else signal.name
        data = encode(plain_data(value)) if isinstance(signal, str) else signal.encode(value)
        body = models.SignalRequest(value=payload_to_json(data), run_id=address.bound, request_id=request_id or self._ids.workflow_id())
        return Call("POST", f"{address.path}/signals/{quote(name, safe='')}", _nothing, body=msgspec.json.encode(body))

    def query(self, address: Address, query: Query[Any] | str) -> Call[Any]:
        """Ask a query."""
        name = query if isinstance(query, str) else query.name

        def read(data: bytes) -> Any:
            plain = value_from_json(_read(models.Answer, data).value)
            return plain if isinstance(query, str) else query.decode(encode(plain))

        return Call("GET", f"{address.path}/queries/{quote(name, safe='')}", read, _given(run_id=address.bound))

    def cancel(self, address: Address, reason: str, request_id: str | None) -> Call[None]:
        """Request cancellation. Without a request id it is given one, so that it can be repeated."""
        body = models.CancelRequest(reason=reason, run_id=address.bound, request_id=request_id or self._ids.workflow_id())
        return Call("POST", f"{address.path}/cancel", _nothing, body=msgspec.json.encode(body))

    def terminate(self, address: Address, reason: str) -> Call[None]:
        """Terminate a workflow. A repeated call would find it closed, and not know by whom."""
        body = models.TerminateRequest(reason=reason, run_id=address.bound)
        return Call("POST", f"{address.path}/terminate", _nothing, body=msgspec.json.encode(body), repeatable=False)

    def stack(self, address: Address) -> Call[str]:
        """The await stack of a run."""
        return Call("GET", f"{address.path}/stack", lambda data: _read(models.Text, data).text)

    # ---- the engine

    def page(self, where: Filter, after: str | None) -> Call[models.Listing]:
        """A page of a listing."""
        return Call("GET", f"{API}/workflows", _reader(models.Listing), {**where.params(), "limit": str(PAGE), **_given(after=after)})

    def count(self, where: Filter) -> Call[int]:
        """How many workflows match."""
        return Call("GET", f"{API}/workflows:count", lambda data: _read(models.Count, data).count, where.params())

    def export(self, address: Address) -> Call[list[str]]:
        """A history as lines."""
        return Call("GET", f"{address.path}/export", lambda data: data.decode().splitlines())

    def import_history(self, lines: Iterable[str]) -> Call[str]:
        """Take over a history. A repeated call would find the id taken, and not know by whom."""
        body = msgspec.json.encode(models.ImportRequest(lines=list(lines)))
        return Call("POST", f"{API}/workflows:import", lambda data: _read(models.Imported, data).id, body=body, repeatable=False)

    def release(self, address: Address) -> Call[None]:
        """Let a quarantined workflow try again."""
        return Call("POST", f"{address.path}/release", _nothing, body=b"{}")

    def recovery(self) -> Call[RecoveryReport]:
        """The recovery report."""
        return Call("GET", f"{API}/recovery", lambda data: recovery_from_wire(_read(models.Recovery, data)))

    def tree(self) -> Call[Node]:
        """The tree of actors."""
        return Call("GET", f"{API}/tree", lambda data: node_from_wire(_read(models.TreeNode, data)))


def summaries(listing: models.Listing) -> list[WorkflowSummary]:
    """The lines of a page."""
    return [summary_from_wire(each) for each in listing.workflows]


def events(page: models.HistoryPage) -> list[Event]:
    """The events of a page."""
    return [event_of_line(bytes(line)) for line in page.events]


def closes(event: Event, bound: str | None) -> bool:
    """Whether nothing more can happen to a chain after this event, or to the run that a handle is `bound` to."""
    return isinstance(event, _ENDS) or (bound is not None and isinstance(event, WorkflowContinuedAsNew))


def event_of_line(line: bytes | str) -> Event:
    """The event of a JSON line."""
    _, _, seq, raw = from_line(line if isinstance(line, str) else line.decode())
    return event_of(raw, seq)


def status_of_line(line: str) -> WorkflowStatus:
    """The status that a status stream tells."""
    return WorkflowStatus(json.loads(line)["status"])


def error_of_answer(status: int, data: bytes, path: str) -> Exception:
    """What an answer that is no success tells: the same error that the engine raised."""
    try:
        problem = msgspec.json.decode(data, type=models.Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = data[:200].decode(errors="replace")
        return AionError(f"{path}: expected an aion-trio daemon, found an answer with status {status}: {text!r}")
    return raised_by_query(problem) or error_of(problem)


def _read(model: type[T], data: bytes) -> T:
    return msgspec.json.decode(data, type=model)


def _reader(model: type[T]) -> Callable[[bytes], T]:
    return lambda data: msgspec.json.decode(data, type=model)


def _nothing(_: bytes) -> None:
    return None


def _given(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}
