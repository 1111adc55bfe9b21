"""Operations on one workflow, as they run in the engine's loop.

They take and give plain data: arguments are checked by the definition that is loaded, results and answers are told as they
were recorded, so that a client which has the definition makes the typed value of it.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import trio

from ..codec import encode, to_line
from ..engine import Engine, WorkflowHandle
from ..engine.results import Results, is_open
from ..errors import (
    AionError,
    InvalidInputError,
    WorkflowCancelledError,
    WorkflowContinuedAsNewError,
    WorkflowFailedError,
    WorkflowNotFoundError,
    WorkflowTerminatedError,
    WorkflowTimedOutError,
)
from ..events import Raw
from ..history import WorkflowStatus
from ..protocol import models, problem_of, refused, value_from_json, value_to_json
from ..protocol.translate import attributes_from_json, description_to_wire
from ..runs.messages import Stack
from ..stores.contract import RunRow

_ENDED = (
    WorkflowFailedError,
    WorkflowCancelledError,
    WorkflowTerminatedError,
    WorkflowTimedOutError,
    WorkflowContinuedAsNewError,
)


def plain_view(engine: Engine) -> Engine:
    """The same engine, whose results are plain data: it decodes them by no definition."""
    view = copy.copy(engine)
    view.results = Results(engine.journal, engine.registry, engine.payloads, engine.quarantined, plain=True)
    return view


def run_id_of(text: str | None) -> bytes | None:
    """A run id from its text. Raises `InvalidInputError`."""
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise InvalidInputError(f"a run id is 32 hexadecimal digits, found {text!r}", "run_id") from None


async def start(engine: Engine, _: models.NoParams, body: models.StartRequest) -> models.Started:
    """Start a workflow; durable when answered. A repeated request id finds the run of the first."""
    definition = engine.registry.workflow(body.workflow, body.version)
    args = definition.decode_input(encode(value_from_json(body.args, "args")))
    handle = await engine.start(
        definition,
        *args,
        id=body.id,
        if_exists=body.if_exists,
        timeout=body.timeout,
        attributes=attributes_from_json(body.attributes),
        request_id=body.request_id,
    )
    assert handle.run_id is not None
    return models.Started(id=handle.id, run_id=handle.run_id)


async def describe(engine: Engine, params: models.IdParams, _: None) -> models.Description:
    """Everything that is known of a workflow's newest run."""
    return description_to_wire(await engine.handle(params.id).describe())


async def result(engine: Engine, params: models.ResultParams, _: None) -> models.Outcome:
    """Wait for the end of a chain of runs, or of one run; tells that it is open when `wait` seconds are over."""
    chain, bound = run_id_of(params.chain), run_id_of(params.run_id)
    handle: WorkflowHandle[Any] = WorkflowHandle(plain_view(engine), params.id, chain=chain, bound=bound)
    try:
        if _ended(engine, params.id, chain, bound) is None:
            with trio.move_on_after(params.wait):
                await handle.result()
        run = _ended(engine, params.id, chain, bound)
        if run is None:
            return models.Outcome(state="open")
        value = value_to_json(await handle.result())
        return models.Outcome(state="completed", result=value, workflow=run.type, version=run.version)
    except _ENDED as error:
        return models.Outcome(state="closed", problem=problem_of(error))


def _ended(engine: Engine, workflow_id: str, chain: bytes | None, bound: bytes | None) -> RunRow | None:
    """The run whose outcome is the answer, if it has one already."""
    key = engine.key(workflow_id)
    if bound is None:
        run = engine.results.newest_run(key, chain)
        return None if is_open(run) else run
    run, successor = engine.results.run(key, bound)
    return run if not WorkflowStatus.of_number(run.status).open and (successor is not None or not is_open(run)) else None


async def history(engine: Engine, params: models.HistoryParams, _: None) -> Any:
    """A page of events of all runs of an id, oldest first."""
    await trio.lowlevel.checkpoint()
    key = engine.key(params.id)
    head = engine.journal.head(key)
    if not head:
        raise WorkflowNotFoundError(f"there is no workflow {params.id!r} in namespace {key.namespace!r}")
    found = events_from(engine, params.id, params.from_seq, params.limit)
    next_seq = params.from_seq + len(found)
    namespace = key.namespace

    def page() -> models.HistoryPage:
        events = [msgspec.Raw(to_line(params.id, namespace, seq, raw).encode()) for seq, raw in found]
        return models.HistoryPage(events=events, next_seq=next_seq if found and next_seq <= head else None, head=head)

    return page


def events_from(engine: Engine, workflow_id: str, from_seq: int, limit: int) -> list[tuple[int, Raw]]:
    """At most `limit` events from a seq on."""
    found: list[tuple[int, Raw]] = []
    for first_seq, raws, _ in engine.journal.pages(engine.key(workflow_id), from_seq):
        found += [(seq, raw) for seq, raw in enumerate(raws, first_seq) if seq >= from_seq]
        if len(found) >= limit:
            break
    return found[:limit]


async def stack(engine: Engine, params: models.IdParams, _: None) -> models.Text:
    """Where each task of an open run waits, with files and lines; nothing is recorded."""
    return models.Text(text=await engine.runs.ask(params.id, Stack()))


async def query(engine: Engine, params: models.NamedParams, _: None) -> models.Answer:
    """Ask a workflow; nothing is recorded."""
    handle = engine.handle(params.id, params.run_id)
    try:
        return models.Answer(value=value_to_json(await handle.query(params.name)))
    except AionError:
        raise
    except Exception as error:  # what the user's query function raised is the caller's answer
        raise refused("query_failed", f"the query {params.name!r} of {params.id!r} raised {error!r}") from error


async def signal(engine: Engine, params: models.NamedParams, body: models.SignalRequest) -> models.Acknowledged:
    """Send a signal; durable when answered. With the same request id it is received once."""
    handle = engine.handle(params.id, body.run_id or params.run_id)
    await handle.signal(params.name, value_from_json(body.value), request_id=body.request_id)
    return models.Acknowledged()


async def cancel(engine: Engine, params: models.IdParams, body: models.CancelRequest) -> models.Acknowledged:
    """Request cancellation; durable when answered."""
    await engine.handle(params.id, body.run_id).cancel(body.reason, request_id=body.request_id)
    return models.Acknowledged()


async def terminate(engine: Engine, params: models.IdParams, body: models.TerminateRequest) -> models.Acknowledged:
    """End a run at once, without its code; durable when answered."""
    await engine.handle(params.id, body.run_id).terminate(body.reason)
    return models.Acknowledged()
