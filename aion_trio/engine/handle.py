"""A handle: how a program talks to one workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import trio

from .. import codec
from ..codec import event_of
from ..definitions import Query, Signal
from ..errors import WorkflowNotFoundError
from ..events import Event
from ..history import WorkflowStatus
from ..runs.messages import Ask, Cancel, Deliver, Terminate
from ..stores.contract import WorkflowKey
from .arguments import message_name, request_id_of, text_of
from .descriptions import WorkflowDescription, description_of, description_of_run
from .results import is_open

if TYPE_CHECKING:
    from .engine import Engine

PLAIN_VALUE = codec.Value(Any, "signal")
"""What a signal holds that is named by a string: plain data."""

R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")


class WorkflowHandle(Generic[R]):
    """One workflow, by id: its chain of runs where `start` gave the handle, its newest run where `engine.handle` did.

    A handle made with a `run_id` is bound to that run. Handles are plain values: they hold nothing, check nothing when
    made, and stay good over restarts of the engine. Each call raises `WorkflowNotFoundError` where there is nothing to
    talk to.
    """

    __slots__ = ("_bound", "_chain", "_engine", "id")

    def __init__(self, engine: Engine, workflow_id: str, *, chain: bytes | None = None, bound: bytes | None = None) -> None:
        self._engine, self.id, self._chain, self._bound = engine, workflow_id, chain, bound

    def __repr__(self) -> str:
        run = f", run_id={self.run_id!r}" if self.run_id else ""
        return f"<WorkflowHandle {self.id!r}{run}>"

    @property
    def run_id(self) -> str | None:
        """The run that this handle is bound to, or the first run of its chain; None for the newest run at each call."""
        run_id = self._bound or self._chain
        return None if run_id is None else run_id.hex()

    async def result(self) -> R:
        """Wait for the end of the chain and give its result (H6).

        Follows continue-as-new to the chain's end; a handle bound to a run raises `WorkflowContinuedAsNewError` instead.
        Raises `WorkflowFailedError` (its `__cause__` is what left the workflow), `WorkflowCancelledError`,
        `WorkflowTerminatedError`, `WorkflowTimedOutError`, or `WorkflowQuarantinedError` while the run cannot go on with
        the code that is loaded. Cancelling the wait has no effect on the workflow.
        """
        results, key = self._engine.results, self._engine.key(self.id)
        chain, successor = self._chain, None
        while True:
            if self._bound is not None:
                run, successor = results.run(key, self._bound)
            else:
                run = results.newest_run(key, chain)
                chain = run.run_id  # a later chain of the same id is not what was asked for
            if successor is not None or not is_open(run):
                await trio.lowlevel.checkpoint()
                outcome: R = results.outcome(key, run, successor)
                return outcome
            results.require_running(key, run)
            ending = await self._engine.runs.waiters.ended(self.id)
            if ending is not None and ending.run.run_id == run.run_id:
                outcome = results.outcome_of(key, run, ending.closing)
                return outcome

    async def describe(self) -> WorkflowDescription:
        """Everything that is known of the newest run, or of the one that the handle is bound to, from what is durable."""
        await trio.lowlevel.checkpoint()
        engine, key = self._engine, self._engine.key(self.id)
        summary = engine.journal.summary(key)
        if summary is None:
            raise WorkflowNotFoundError(f"there is no workflow {self.id!r} in namespace {key.namespace!r}")
        if self._bound is not None and self._bound != summary.run_id:
            return description_of_run(engine.journal, key, engine.results.run(key, self._bound)[0])
        served = frozenset(definition.name for definition in engine.registry.activities)
        return description_of(engine.journal, key, summary, served, engine.results.quarantine_of(self.id, summary))

    async def history(self, *, follow: bool = False) -> AsyncIterator[Event]:
        """The events of all runs of the id, oldest first, up to the head found at the call; with `follow`, what comes later too.

        Following does not end by itself: an id that is closed may begin anew. Leave the loop at a closing event, or cancel it.
        """
        engine, key = self._engine, self._engine.key(self.id)
        head = engine.journal.head(key)
        if not head:
            raise WorkflowNotFoundError(f"there is no workflow {self.id!r} in namespace {key.namespace!r}")
        next_seq = 1
        while True:
            for first_seq, raws, _ in engine.journal.pages(key, next_seq):
                await trio.lowlevel.checkpoint()
                if first_seq > head and not follow:
                    return
                for seq, raw in enumerate(raws, first_seq):
                    if next_seq <= seq and (follow or seq <= head):
                        yield event_of(raw, seq)
                        next_seq = seq + 1
            if not follow:
                return
            while engine.journal.head(key) < next_seq:
                await engine.runs.waiters.changed(self.id)

    @overload
    async def signal(self, signal: Signal[T], value: T, *, request_id: str | None = None) -> None: ...
    @overload
    async def signal(self, signal: str, value: Any = None, *, request_id: str | None = None) -> None: ...
    async def signal(self, signal: Signal[Any] | str, value: Any = None, *, request_id: str | None = None) -> None:
        """Send a signal; durable when this returns (S1). With the same `request_id` it is received once (S6).

        Raises `WorkflowClosedError` if the run is closed, `InvalidInputError` if the value does not fit.
        """
        name = message_name(signal, Signal)
        data = PLAIN_VALUE.encode(value) if isinstance(signal, str) else signal.encode(value)
        payload = self._engine.payloads.wrap(data)
        await self._engine.runs.ask(self.id, Deliver(name, payload, self._bound, request_id_of(request_id)))

    @overload
    async def query(self, query: Query[A]) -> A: ...
    @overload
    async def query(self, query: str) -> Any: ...
    async def query(self, query: Query[Any] | str) -> Any:
        """Ask the workflow; reads live state (or a closed run's last), and records nothing (S4).

        Raises `QueryNotServedError`, or what the query's function raises.
        """
        name = message_name(query, Query)
        data = await self._engine.runs.ask(self.id, Ask(name, self._bound))
        return codec.decode(data) if isinstance(query, str) else query.decode(data)

    @overload
    def watch(self, query: Query[A]) -> AsyncIterator[A]: ...
    @overload
    def watch(self, query: str) -> AsyncIterator[Any]: ...
    async def watch(self, query: Query[Any] | str) -> AsyncIterator[Any]:
        """The answer to a query, and each one that differs from the answer before, until the run is closed: that one's is the last.

        Asked after each change of the workflow, so that answers that were true in between only are not seen; follows
        continue-as-new unless the handle is bound to a run. Records nothing. Raises what `query` raises, and
        `WorkflowQuarantinedError` once the run cannot go on.
        """
        engine, key, name = self._engine, self._engine.key(self.id), message_name(query, Query)
        last: bytes | None = None
        while True:
            head, is_over = engine.journal.head(key), self._is_over(key)
            data = await engine.runs.ask(self.id, Ask(name, self._bound))
            if data != last:
                last = data
                yield codec.decode(data) if isinstance(query, str) else query.decode(data)
            if is_over:
                return
            while engine.journal.head(key) == head:
                engine.results.require_running(key, engine.results.newest_run(key, None))
                await engine.runs.waiters.changed(self.id)

    def _is_over(self, key: WorkflowKey) -> bool:
        """Whether nothing more can happen to the newest run, or to the one that this handle is bound to."""
        summary = self._engine.journal.summary(key)
        if summary is None:
            return False
        return WorkflowStatus.of_number(summary.status).over or self._bound not in (None, summary.run_id)

    async def cancel(self, reason: str = "cancelled by a caller", *, request_id: str | None = None) -> None:
        """Request cancellation; durable when this returns. The workflow may clean up, or decline by going on (L1).

        Works on runs that are parked, quarantined or were never in memory. Raises `WorkflowClosedError`.
        """
        await self._engine.runs.ask(self.id, Cancel(text_of(reason, "reason"), self._bound, request_id_of(request_id)))

    async def terminate(self, reason: str = "terminated by a caller") -> None:
        """End the run at once, without its code; durable when this returns (L1). Raises `WorkflowClosedError`."""
        await self._engine.runs.ask(self.id, Terminate(text_of(reason, "reason"), self._bound))
