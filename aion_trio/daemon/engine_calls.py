"""Operations on the engine as a whole, as they run in its loop."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

import msgspec
import trio

from ..codec.narrow import is_dict
from ..engine import Engine
from ..engine.arguments import attributes_of
from ..engine.descriptions import summary_of
from ..errors import InvalidInputError
from ..events import microseconds_of
from ..history import WorkflowStatus
from ..journal.writer import reading
from ..protocol import KINDS, models
from ..protocol.translate import attributes_from_json, node_to_wire, recovery_to_wire, summary_to_wire
from ..stores.contract import SummaryFilter


async def list_workflows(engine: Engine, params: models.ListParams, _: None) -> models.Listing:
    """A page of workflows, one line each (its newest run), children included."""
    await trio.lowlevel.checkpoint()
    where = filter_of(engine, params)
    try:
        with reading():
            page = engine.journal.store.summaries(where, _position(params.after), params.limit)
    except (struct.error, UnicodeDecodeError):
        raise InvalidInputError("after: expected the `next` of an earlier page", "after") from None
    lines = [summary_to_wire(summary_of(entry.key, entry.summary)) for entry in page.entries]
    return models.Listing(workflows=lines, next=None if page.after is None else base64.urlsafe_b64encode(page.after).decode())


async def count_workflows(engine: Engine, params: models.FilterParams, _: None) -> models.Count:
    """How many workflows match."""
    where = filter_of(engine, params)
    count = await engine.count_workflows(
        status=None if where.statuses is None else [WorkflowStatus.of_number(number) for number in where.statuses],
        type=where.type,
        attributes=where.attributes,
        started_after=params.started_after,
        started_before=params.started_before,
        closed_after=params.closed_after,
        closed_before=params.closed_before,
    )
    return models.Count(count=count)


def filter_of(engine: Engine, params: models.FilterParams) -> SummaryFilter:
    """The store's filter of a listing's parameters. Raises `InvalidInputError`."""
    times = {
        f"{name}_us": None if (at := getattr(params, name)) is None else _microseconds(at, name)
        for name in ("started_after", "started_before", "closed_after", "closed_before")
    }
    return SummaryFilter(
        engine.config.namespace, _statuses(params.status), params.type, attributes_of(_attributes(params.attributes)), **times
    )


def _microseconds(at: Any, name: str) -> int:
    if at.tzinfo is None:
        raise InvalidInputError(f"{name}: a time has an offset, such as 2026-01-31T12:00:00Z; found {at.isoformat()}", name)
    return microseconds_of(at)


def _statuses(text: str | None) -> frozenset[int] | None:
    if text is None:
        return None
    try:
        return frozenset(WorkflowStatus(name.strip()).number for name in text.split(","))
    except ValueError:
        known = ", ".join(status.value for status in WorkflowStatus)
        raise InvalidInputError(f"status: expected some of {known}, found {text!r}", "status") from None


def _attributes(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        found: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidInputError(f"attributes: no JSON: {error}", "attributes") from None
    if not is_dict(found):
        raise InvalidInputError("attributes: expected a JSON object of names and values", "attributes")
    return attributes_from_json(found)


def _position(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError("after: expected the `next` of an earlier page", "after") from None


async def import_history(engine: Engine, _: models.NoParams, body: models.ImportRequest) -> models.Imported:
    """Take over an exported history, whole or a prefix of it; what it owes is done at the next start of the daemon."""
    return models.Imported(id=await engine.import_history(body.lines))


async def release(engine: Engine, params: models.IdParams, _: models.ReleaseRequest) -> models.Acknowledged:
    """Let a quarantined workflow try again."""
    await engine.handle(params.id).describe()
    engine.release(params.id)
    return models.Acknowledged()


async def recovery(engine: Engine, _: models.NoParams, __: None) -> models.Recovery:
    """What the boot's recovery found and did, and what is quarantined now."""
    await trio.lowlevel.checkpoint()
    return recovery_to_wire(engine.recovery, engine.quarantined)


async def tree(engine: Engine, _: models.NoParams, __: None) -> models.TreeNode:
    """The tree of actors as it is now."""
    await trio.lowlevel.checkpoint()
    return node_to_wire(engine.tree())


async def definitions(engine: Engine, _: models.NoParams, __: None) -> models.Definitions:
    """The workflows and activities that this daemon serves."""
    await trio.lowlevel.checkpoint()
    return models.Definitions(
        workflows=[
            models.LoadedWorkflow(name=each.name, version=each.version, doc=(each.__doc__ or "").strip().partition("\n")[0])
            for each in engine.registry.workflows
        ],
        activities=[each.name for each in engine.registry.activities],
    )


async def error_kinds(engine: Engine, _: models.NoParams, __: None) -> models.ErrorKinds:
    """The table of error codes."""
    await trio.lowlevel.checkpoint()
    return models.ErrorKinds(errors=[models.ErrorKind(code=each.code, status=each.status, hint=each.hint) for each in KINDS.values()])
