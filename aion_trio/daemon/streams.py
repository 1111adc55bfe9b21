"""Streams: histories and statuses as server-sent events, exports as lines.

A stream *pulls*: the gateway asks the engine for what comes next, sends it, and asks again. A client that does not read
so leaves nothing waiting in the engine, and one that leaves cancels the pull.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from functools import partial
from typing import Any, NamedTuple

import msgspec
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..codec import to_line
from ..engine import Engine
from ..errors import WorkflowNotFoundError
from ..events import Raw
from ..history import WorkflowStatus
from ..protocol import models
from ..protocol.translate import status_name
from .bridge import Bridge, until_client_leaves
from .sharing import Shared
from .workflow_calls import events_from

_BATCH = 500
PING = b": still here\n\n"
Chunks = AsyncGenerator[bytes, None]


class Piece(NamedTuple):
    """What a pull gave, ready to be sent, and where the stream stands behind it."""

    data: bytes
    position: Hashable


class Streamed(Response):
    """An answer that is sent chunk by chunk, and dropped when its client leaves."""

    def __init__(self, request: Request, chunks: Chunks, media_type: str) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._request, self._chunks = request, chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there is no more, or nobody to send it to."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await until_client_leaves(self._request, self._send_all(send))

    async def _send_all(self, send: Send) -> None:
        try:
            async for chunk in self._chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            await self._chunks.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Streams:
    """Makes the chunks of each stream, with signs of life in between; all end when the daemon drains."""

    def __init__(self, engine: Engine, bridge: Bridge, ping_interval: float, draining: asyncio.Event) -> None:
        self._engine, self._bridge, self._ping_interval, self._draining = engine, bridge, ping_interval, draining
        self.pulls: Shared[Piece] = Shared()

    async def events(self, workflow_id: str, after: int) -> Chunks:
        """A history from the event after `after` on, and what comes later. Raises `WorkflowNotFoundError`."""
        await self._bridge.call(_require_exists, self._engine, workflow_id)
        return self._events(workflow_id, after)

    async def statuses(self, workflow_id: str, after: int) -> Chunks:
        """The status, unless it was seen at `after` already, and each change. Raises `WorkflowNotFoundError`."""
        await self._bridge.call(_require_exists, self._engine, workflow_id)
        return self._statuses(workflow_id, after)

    async def export(self, workflow_id: str) -> Chunks:
        """A whole history as lines. Raises `WorkflowNotFoundError`."""
        head = await self._bridge.call(_require_exists, self._engine, workflow_id)
        return self._export(workflow_id, head)

    def _events(self, workflow_id: str, after: int) -> Chunks:
        namespace = self._engine.config.namespace

        async def pull(position: Any) -> Piece:
            batch = await self._bridge.call(_next_events, self._engine, workflow_id, position)
            return Piece(b"".join(_frame(seq, to_line(workflow_id, namespace, seq, raw).encode()) for seq, raw in batch), batch[-1][0])

        return self._pieces(("events", workflow_id), after, pull)

    def _statuses(self, workflow_id: str, after: int) -> Chunks:
        async def pull(position: Any) -> Piece:
            change = await self._bridge.call(_next_status, self._engine, workflow_id, *position)
            return Piece(_frame(change.seq, msgspec.json.encode(change)), (change.seq, change.run_id, change.status))

        return self._pieces(("status", workflow_id), (after, "", ""), pull)

    async def _export(self, workflow_id: str, head: int) -> Chunks:
        namespace, next_seq = self._engine.config.namespace, 1
        while next_seq <= head:
            batch = await self._bridge.call(_events_of, self._engine, workflow_id, next_seq, min(_BATCH, head - next_seq + 1))
            yield b"".join(to_line(workflow_id, namespace, seq, raw).encode() + b"\n" for seq, raw in batch)
            next_seq = batch[-1][0] + 1

    async def _pieces(self, name: tuple[str, str], position: Hashable, pull: Callable[[Hashable], Awaitable[Piece]]) -> Chunks:
        """What each pull gives, and a sign of life where it takes longer than the ping interval; ends when the daemon drains.

        Streams of one name at one position share a pull, so that many followers are one call to the engine.
        """
        drained = asyncio.create_task(self._draining.wait())
        task: asyncio.Future[Piece] | None = None
        try:
            while not drained.done():
                if task is None:
                    task = self.pulls.join((name, position), partial(pull, position))
                await asyncio.wait((task, drained), timeout=self._ping_interval, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    self.pulls.leave((name, position), task)
                    piece, task = task.result(), None
                    position = piece.position
                    yield piece.data
                elif not drained.done():
                    yield PING
        finally:
            drained.cancel()
            if task is not None:
                self.pulls.leave((name, position), task)


def _frame(seq: int, data: bytes) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (seq, data)


# ---- in the engine's loop


async def _require_exists(engine: Engine, workflow_id: str) -> int:
    """The head of a history, which there must be."""
    await trio.lowlevel.checkpoint()
    key = engine.key(workflow_id)
    head = engine.journal.head(key)
    if not head:
        raise WorkflowNotFoundError(f"there is no workflow {workflow_id!r} in namespace {key.namespace!r}")
    return head


async def _events_of(engine: Engine, workflow_id: str, from_seq: int, limit: int) -> list[tuple[int, Raw]]:
    await trio.lowlevel.checkpoint()
    return events_from(engine, workflow_id, from_seq, limit)


async def _next_events(engine: Engine, workflow_id: str, after: int) -> list[tuple[int, Raw]]:
    """The events behind `after`, as soon as there is one."""
    await trio.lowlevel.checkpoint()
    while engine.journal.head(engine.key(workflow_id)) <= after:
        await engine.runs.waiters.changed(workflow_id)
    return events_from(engine, workflow_id, after + 1, _BATCH)


async def _next_status(engine: Engine, workflow_id: str, after: int, run_id: str, status: str) -> models.StatusChange:
    """The status, as soon as it differs from what was told last; where nothing was told, at once, unless it was seen at `after`."""
    await trio.lowlevel.checkpoint()
    told, key = (run_id, status), engine.key(workflow_id)
    while True:
        summary = engine.journal.summary(key)
        if summary is not None:
            name = status_name(WorkflowStatus.of_number(summary.status))
            now = models.StatusChange(seq=engine.journal.head(key), run_id=summary.run_id.hex(), status=name)
            if told == ("", "") and now.seq == after:
                told = (now.run_id, now.status)
            if (now.run_id, now.status) != told:
                return now
        await engine.runs.waiters.changed(workflow_id)
