"""The client for programs without an event loop: the methods of `aio`, each of which blocks."""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Generic, TypeVar, TypeVarTuple, Unpack, overload

import httpx2

from ..definitions import Query, Registry, Signal
from ..engine import WorkflowDescription, WorkflowSummary
from ..events import Event
from ..history import WorkflowStatus
from ..protocol import DaemonUnavailableError
from ..recovery import RecoveryReport
from ..runs.messages import IfExists
from ..stores.contract import AttributeValue
from ..supervision import Node
from .calls import (
    Address,
    Call,
    Calls,
    Filter,
    StartOptions,
    Statuses,
    closes,
    error_of_answer,
    event_of_line,
    events,
    status_of_line,
    summaries,
)
from .sse import Lines, ServerEvent
from .wire import USUAL_RETRY, Retry, Target, may_repeat, request_of, stream_request, unreachable

R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
Ts = TypeVarTuple("Ts")


@contextmanager
def open_sync_client(
    url: str, *, token: str | None = None, modules: Iterable[ModuleType] = (), tls: ssl.SSLContext | None = None, retry: Retry = USUAL_RETRY
) -> Iterator[SyncClient]:
    """A client of the daemon at `url`, for threads: all of them may use it. The arguments are those of `open_client`."""
    target = Target(url, token, tls, retry)
    with httpx2.Client(**target.settings(), transport=httpx2.HTTPTransport(**target.transport())) as http:
        client = SyncClient(target, http, Calls(Registry(modules=modules)))
        try:
            yield client
        finally:
            client.close()


class SyncClient:
    """An engine behind HTTP, for threads; made by `open_sync_client`. `Client` says what each method does."""

    def __init__(self, target: Target, http: httpx2.Client, calls: Calls) -> None:
        self._target, self._http, self.calls = target, http, calls
        self._chance = random.Random()
        self._closed = threading.Event()

    def close(self) -> None:
        """Let calls that wait for another attempt give up."""
        self._closed.set()

    def _pause(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            raise DaemonUnavailableError(f"the client of {self._target.url} was closed while the daemon was away", "unavailable")

    @overload
    def start(
        self, workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]], *args: *Ts, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> SyncHandle[R]: ...  # fmt: skip
    @overload
    def start(
        self, workflow: Callable[..., Coroutine[Any, Any, R]], *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> SyncHandle[R]: ...  # fmt: skip
    @overload
    def start(
        self, workflow: str, *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> SyncHandle[Any]: ...  # fmt: skip
    def start(  # type: ignore[misc]  # mypy cannot relate Unpack[Ts] to *args
        self, workflow: Callable[..., Any] | str, *args: Any, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> SyncHandle[Any]:  # fmt: skip
        """Start a workflow; durable when this returns. A start that got no answer is sent again, and found (S6)."""
        started = self.send(self.calls.start(workflow, args, StartOptions(id, if_exists, timeout, attributes, request_id)))
        return SyncHandle(self, Address(started.id, chain=started.run_id))

    @overload
    def execute(
        self, workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]], *args: *Ts, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    def execute(
        self, workflow: Callable[..., Coroutine[Any, Any, R]], *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    def execute(
        self, workflow: str, *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> Any: ...  # fmt: skip
    def execute(  # type: ignore[misc]  # mypy cannot relate Unpack[Ts] to *args
        self, workflow: Callable[..., Any] | str, *args: Any, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> Any:  # fmt: skip
        """`start` and wait for the result; cancelling the wait does not cancel the workflow."""
        handle: SyncHandle[Any] = self.start(
            workflow, *args, id=id, if_exists=if_exists, timeout=timeout, attributes=attributes, request_id=request_id
        )
        return handle.result()

    def handle(self, id: str, run_id: str | None = None) -> SyncHandle[Any]:
        """A handle to a workflow id: its newest run at each call, or one run. Checks nothing."""
        return SyncHandle(self, Address(id, bound=run_id))

    def list_workflows(
        self, *, status: Statuses = None, type: str | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> Iterator[WorkflowSummary]:  # fmt: skip
        """Every workflow id that matches, one line each (its newest run), children included; paged inside."""
        where = Filter(status, type, attributes, started_after, started_before, closed_after, closed_before)
        after: str | None = None
        while True:
            listing = self.send(self.calls.page(where, after))
            yield from summaries(listing)
            after = listing.next
            if after is None:
                return

    def count_workflows(
        self, *, status: Statuses = None, type: str | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> int:  # fmt: skip
        """How many workflows match, as `list_workflows` takes them."""
        where = Filter(status, type, attributes, started_after, started_before, closed_after, closed_before)
        return self.send(self.calls.count(where))

    def export_history(self, id: str) -> list[str]:
        """The history of all runs of the id as JSON lines; `import_history` takes them back exactly."""
        return self.send(self.calls.export(Address(id)))

    def import_history(self, lines: Iterable[str]) -> str:
        """Take over an exported history, whole or a prefix of it; its workflow id."""
        return self.send(self.calls.import_history(lines))

    def release(self, id: str) -> None:
        """Let a quarantined workflow try again (R8)."""
        self.send(self.calls.release(Address(id)))

    def recovery(self) -> RecoveryReport:
        """What the boot's recovery found and did (R9)."""
        return self.send(self.calls.recovery())

    def tree(self) -> Node:
        """The tree of actors as it is now."""
        return self.send(self.calls.tree())

    # ---- sending

    def send(self, call: Call[T]) -> T:
        """Send a call, again where it may be, and read its answer. Raises what the answer tells, or `DaemonUnavailableError`."""
        for pause in [*self._target.retry.pauses(self._chance), None]:
            try:
                response = self._http.send(request_of(self._http, call))
            except httpx2.TransportError as error:
                if pause is None or not may_repeat(call, error, 0):
                    raise unreachable(self._target, error) from None
            else:
                if response.is_success:
                    return call.read(response.content)
                if pause is None or not may_repeat(call, None, response.status_code):
                    raise error_of_answer(response.status_code, response.content, call.path)
            self._pause(pause)
        raise AssertionError("unreachable")

    def follow(self, path: str, after: int = 0) -> Generator[ServerEvent, None]:
        """The events of a stream, without end: when the connection breaks, another goes on behind the last event."""
        pauses = self._target.retry.pauses(self._chance)
        left = iter(pauses)
        while True:
            try:
                with closing(self._events(path, after)) as stream:
                    for event in stream:
                        after, left = event.id, iter(pauses)
                        yield event
            except httpx2.TransportError as error:
                pause = next(left, None)
                if pause is None:
                    raise unreachable(self._target, error) from None
                self._pause(pause)
            else:  # the daemon drains: its successor goes on
                self._pause(self._target.retry.initial)

    def _events(self, path: str, after: int) -> Generator[ServerEvent, None]:
        response = self._http.send(stream_request(self._http, path, after), stream=True)
        try:
            if not response.is_success:
                data = response.read()
                if response.status_code == 503:
                    raise httpx2.ReadError("the daemon is stopping")
                raise error_of_answer(response.status_code, data, path)
            lines = Lines()
            for line in response.iter_lines():
                event = lines.feed(line)
                if event is not None:
                    yield event
        finally:
            response.close()


class SyncHandle(Generic[R]):
    """One workflow of a daemon, as `WorkflowHandle` is one of an engine: a plain value that checks nothing when made."""

    __slots__ = ("_address", "_client")

    def __init__(self, client: SyncClient, address: Address) -> None:
        self._client, self._address = client, address

    def __repr__(self) -> str:
        run = f", run_id={self.run_id!r}" if self.run_id else ""
        return f"<SyncHandle {self.id!r}{run}>"

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._address.id

    @property
    def run_id(self) -> str | None:
        """The run that this handle is bound to, or the first run of its chain; None for the newest run at each call."""
        return self._address.bound or self._address.chain

    def result(self) -> R:
        """Wait for the end of the chain and give its result; raises as `WorkflowHandle.result` does (H6).

        The wait outlasts restarts of the daemon. Cancelling it has no effect on the workflow.
        """
        client = self._client
        while True:
            outcome = client.send(client.calls.result(self._address))
            if outcome.state != "open":
                value: R = client.calls.value_of(outcome)
                return value

    def describe(self) -> WorkflowDescription:
        """Everything that is known of the newest run."""
        return self._client.send(self._client.calls.describe(self._address))

    def history(self, *, follow: bool = False) -> Iterator[Event]:
        """The events of all runs of the id, oldest first, up to the head found at the call; with `follow`, what comes later too."""
        if follow:
            with closing(self._client.follow(f"{self._address.path}/events")) as stream:
                for sent in stream:
                    yield event_of_line(sent.data)
            return
        next_seq: int | None = 1
        head: int | None = None
        while next_seq is not None and (head is None or next_seq <= head):
            page = self._client.send(self._client.calls.history(self._address, next_seq))
            head = page.head if head is None else head
            for event in events(page):
                if event.seq <= head:
                    yield event
            next_seq = page.next_seq

    def statuses(self) -> Iterator[WorkflowStatus]:
        """The status now, and after each change, without end."""
        with closing(self._client.follow(f"{self._address.path}/status")) as stream:
            for event in stream:
                yield status_of_line(event.data)

    @overload
    def signal(self, signal: Signal[T], value: T, *, request_id: str | None = None) -> None: ...
    @overload
    def signal(self, signal: str, value: Any = None, *, request_id: str | None = None) -> None: ...
    def signal(self, signal: Signal[Any] | str, value: Any = None, *, request_id: str | None = None) -> None:
        """Send a signal; durable when this returns (S1), and received once, also where it had to be sent again (S6)."""
        self._client.send(self._client.calls.signal(self._address, signal, value, request_id))

    @overload
    def query(self, query: Query[A]) -> A: ...
    @overload
    def query(self, query: str) -> Any: ...
    def query(self, query: Query[Any] | str) -> Any:
        """Ask the workflow; records nothing (S4). What the query's function raised comes back if it is builtin, else as `RecordedError`."""
        return self._client.send(self._client.calls.query(self._address, query))

    @overload
    def watch(self, query: Query[A]) -> Iterator[A]: ...
    @overload
    def watch(self, query: str) -> Iterator[Any]: ...
    def watch(self, query: Query[Any] | str) -> Iterator[Any]:
        """The answer to a query, and each one that differs from the answer before, until the run is closed: that one's is the last.

        Asked after each event of the workflow; follows continue-as-new unless the handle is bound to a run. Records nothing. Raises
        what `query` raises. Leave it through `contextlib.closing`: it holds a connection.
        """
        bound = self._address.bound
        found = self.describe()
        last = self.query(query)
        yield last
        if found.status.over or (bound is not None and not found.status.open):
            return
        with closing(self._client.follow(f"{self._address.path}/events", found.history_length)) as stream:
            for sent in stream:
                answer = self.query(query)
                if answer != last:
                    last = answer
                    yield last
                if closes(event_of_line(sent.data), bound):
                    return

    def cancel(self, reason: str = "cancelled by a caller", *, request_id: str | None = None) -> None:
        """Request cancellation; durable when this returns (L1)."""
        self._client.send(self._client.calls.cancel(self._address, reason, request_id))

    def terminate(self, reason: str = "terminated by a caller") -> None:
        """End the run at once, without its code; durable when this returns (L1)."""
        self._client.send(self._client.calls.terminate(self._address, reason))

    def stack(self) -> str:
        """Where each task of the run waits, as text."""
        return self._client.send(self._client.calls.stack(self._address))
