"""The engine as a program sees it: start workflows, find them, list them, move their histories."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast, overload

import trio

from .. import codec
from ..arguments import attribute_values
from ..codec import Codec
from ..definitions import Registry, WorkflowDefinition
from ..errors import InvalidInputError, WorkflowNotFoundError, WorkflowNotRegisteredError
from ..history import WorkflowStatus
from ..journal import Journal
from ..journal.transfer import export_lines, read_lines
from ..journal.writer import reading
from ..recovery import Recovery, RecoveryReport
from ..runs import Runs
from ..runs.messages import IfExists, Import, Start
from ..stores.contract import AttributeValue, SummaryFilter, WorkflowKey
from ..supervision import Node, Supervisor
from .arguments import attributes_of, moment_us, request_id_of, span_us, statuses_of, text_of, workflow_id_of
from .config import EngineConfig
from .descriptions import WorkflowSummary, summary_of
from .handle import WorkflowHandle
from .results import Results

R = TypeVar("R")
Ts = TypeVarTuple("Ts")
AnyWorkflow = WorkflowDefinition[..., Any]
Statuses = WorkflowStatus | Iterable[WorkflowStatus] | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of; `assembly` makes them."""

    config: EngineConfig
    registry: Registry
    payloads: Codec
    journal: Journal
    runs: Runs
    recovery: Recovery
    quarantined: dict[str, str]


class Engine:
    """A running engine, made by `open_engine`; good inside of its block.

    Every call is durable when it returns. Whatever is cancelled while it waits has either happened or not: asking again
    with the same id, or request id, finds out which (S6).
    """

    def __init__(self, parts: Parts) -> None:
        self.config, self.registry, self.payloads = parts.config, parts.registry, parts.payloads
        self.journal, self.runs, self.quarantined = parts.journal, parts.runs, parts.quarantined
        self.results = Results(parts.journal, parts.registry, parts.payloads, parts.quarantined)
        self._recovery = parts.recovery
        self._supervisor: Supervisor | None = None

    def key(self, workflow_id: str) -> WorkflowKey:
        """The journal's key of a workflow id."""
        return WorkflowKey(self.config.namespace, workflow_id)

    # ---- starting

    @overload
    async def start(
        self, workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]], *args: *Ts, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> WorkflowHandle[R]: ...  # fmt: skip
    @overload
    async def start(
        self, workflow: Callable[..., Coroutine[Any, Any, R]], *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> WorkflowHandle[R]: ...  # fmt: skip
    @overload
    async def start(
        self, workflow: str, *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> WorkflowHandle[Any]: ...  # fmt: skip
    async def start(  # type: ignore[misc]  # mypy cannot relate Unpack[Ts] to *args
        self, workflow: Callable[..., Any] | str, *args: Any, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> WorkflowHandle[Any]:  # fmt: skip
        """Start a workflow; the start is durable when this returns (J2).

        `workflow` is a definition, or the name of one (then its latest version). `id` names the execution; without one it
        is derived from `request_id`, or made up. If the id exists, "use" gives its chain back when it was started with the
        same type and input, open or closed, and raises `WorkflowAlreadyStartedError` when not; "fail" always raises;
        "new_run" begins a new chain once the last is closed. `timeout` (seconds) bounds each run. A repeated `request_id`
        finds the first call's run before anything else is looked at (S6).

        Raises `WorkflowNotRegisteredError`, `InvalidInputError` (with the path to the field), `PayloadTooLargeError`,
        `JournalFullError`; then nothing was started.
        """
        definition = self._definition(workflow)
        data = definition.encode_input(args)
        request_id = request_id_of(request_id)
        workflow_id = self._workflow_id(definition, id, request_id)
        if if_exists not in ("use", "fail", "new_run"):
            raise InvalidInputError(f"if_exists is 'use', 'fail' or 'new_run', found {if_exists!r}", "if_exists")
        request = Start(
            definition, self.payloads.wrap(data), codec.digest(data), if_exists, span_us(timeout), attributes_of(attributes), request_id
        )
        run_id = await self.runs.ask(workflow_id, request)
        return WorkflowHandle(self, workflow_id, chain=run_id)

    @overload
    async def execute(
        self, workflow: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]], *args: *Ts, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    async def execute(
        self, workflow: Callable[..., Coroutine[Any, Any, R]], *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    async def execute(
        self, workflow: str, *args: Any, id: str | None = None,
        if_exists: IfExists = "use", timeout: float | timedelta | None = None,
        attributes: Mapping[str, AttributeValue] | None = None, request_id: str | None = None,
    ) -> Any: ...  # fmt: skip
    async def execute(  # type: ignore[misc]  # mypy cannot relate Unpack[Ts] to *args
        self, workflow: Callable[..., Any] | str, *args: Any, id: str | None = None, if_exists: IfExists = "use",
        timeout: float | timedelta | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        request_id: str | None = None,
    ) -> Any:  # fmt: skip
        """`start` and wait for the result; cancelling the wait does not cancel the workflow."""
        handle: WorkflowHandle[Any] = await self.start(
            workflow, *args, id=id, if_exists=if_exists, timeout=timeout, attributes=attributes, request_id=request_id
        )
        return await handle.result()

    def _definition(self, workflow: Any) -> AnyWorkflow:
        if isinstance(workflow, str):
            return self.registry.workflow(workflow, None)
        if not isinstance(workflow, WorkflowDefinition):
            raise InvalidInputError(f"expected a workflow definition or the name of one, found {workflow!r}", "workflow")
        definition = self.registry.workflow(workflow.name, workflow.version)
        if definition.fn is not workflow.fn:
            raise WorkflowNotRegisteredError(
                f"another workflow {workflow.name!r} of version {workflow.version} is loaded than the one given: {workflow!r}; give "
                "open_engine this one, or another version number"
            )
        return cast("AnyWorkflow", workflow)

    def _workflow_id(self, definition: AnyWorkflow, workflow_id: str | None, request_id: str | None) -> str:
        if workflow_id is not None:
            return workflow_id_of(workflow_id)
        if request_id is None:
            return self.config.ids.workflow_id()
        digest = hashlib.blake2b(request_id.encode(), digest_size=12, person=b"request").hexdigest()
        return f"{definition.name}-{digest}"

    # ---- finding

    def handle(self, id: str, run_id: str | None = None) -> WorkflowHandle[Any]:
        """A handle to a workflow id: its newest run at each call, or one run. Looks for nothing."""
        try:
            bound = None if run_id is None else bytes.fromhex(run_id)
        except ValueError:
            raise InvalidInputError(f"a run id is 32 hexadecimal digits, found {run_id!r}", "run_id") from None
        return WorkflowHandle(self, text_of(id, "id"), bound=bound)

    async def list_workflows(
        self, *, status: Statuses = None, type: str | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> AsyncIterator[WorkflowSummary]:  # fmt: skip
        """Every workflow id that matches, one line each (its newest run), children included; paged inside.

        All conditions must hold; times are aware datetimes, after is inclusive and before exclusive.
        """
        where = self._filter(status, type, attributes, (started_after, started_before, closed_after, closed_before))
        after: bytes | None = None
        while True:
            with reading():
                page = self.journal.store.summaries(where, after)
            await trio.lowlevel.checkpoint()
            for entry in page.entries:
                yield summary_of(entry.key, entry.summary)
            after = page.after
            if after is None:
                return

    async def count_workflows(
        self, *, status: Statuses = None, type: str | None = None, attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> int:  # fmt: skip
        """How many workflows match, as `list_workflows` takes them."""
        times = (started_after, started_before, closed_after, closed_before)
        where = self._filter(status, type, attributes, times)
        if type is None and not attributes and times == (None, None, None, None):
            await trio.lowlevel.checkpoint()
            with reading():
                counts = self.journal.store.counts(self.config.namespace)
            return sum(count for number, count in counts.items() if where.statuses is None or number in where.statuses)
        matching = self.list_workflows(
            status=status, type=type, attributes=attributes, started_after=started_after, started_before=started_before,
            closed_after=closed_after, closed_before=closed_before,
        )  # fmt: skip
        count = 0
        async for _ in matching:
            count += 1
        return count

    def _filter(
        self, status: Statuses, type_name: str | None, attributes: Mapping[str, AttributeValue] | None,
        times: tuple[datetime | None, datetime | None, datetime | None, datetime | None],
    ) -> SummaryFilter:  # fmt: skip
        return SummaryFilter(
            self.config.namespace,
            statuses_of(status),
            None if type_name is None else text_of(type_name, "type"),
            {name: value for name, value in attribute_values(attributes).items() if value is not None},
            *(moment_us(at, "a time of a filter") for at in times),
        )

    # ---- moving histories

    async def export_history(self, id: str) -> list[str]:
        """The history of all runs of the id as JSON lines, one event each; `import_history` takes them back exactly."""
        await trio.lowlevel.checkpoint()
        with reading():
            lines = list(export_lines(self.journal.store, self.key(id)))
        if not lines:
            raise WorkflowNotFoundError(f"there is no workflow {id!r} in namespace {self.config.namespace!r}")
        return lines

    async def import_history(self, lines: Iterable[str]) -> str:
        """Take over an exported history, whole or a prefix of it; its workflow id.

        Every index row and obligation is made from the events. The next open of the engine recovers what the history
        owes. Raises `WorkflowAlreadyStartedError` if the id exists, `InvalidInputError` if the lines are not a history.
        """
        key, raws = read_lines(lines)
        await self.runs.ask(key.workflow_id, Import(raws))
        return key.workflow_id

    # ---- looking at the engine

    @property
    def recovery(self) -> RecoveryReport:
        """What the boot's recovery found and did (R9)."""
        return self._recovery.report

    def tree(self) -> Node:
        """The tree of actors as it is now."""
        assert self._supervisor is not None
        return self._supervisor.snapshot()

    def release(self, id: str) -> None:
        """Let a quarantined workflow try again, with the next thing that happens to it (R8)."""
        self.runs.release(id)
        self.runs.tell_wake(id)

    def attach(self, supervisor: Supervisor) -> None:
        """Know the tree that this engine stands on; `open_engine` calls it."""
        self._supervisor = supervisor
