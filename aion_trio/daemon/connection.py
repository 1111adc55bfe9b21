"""One connection of the gateway, with the limits that uvicorn leaves out.

A client that sends no request, or reads no answer, is cut off; so is one connection too many. Only the gateway's thread
ever waits for a client, and no longer than these limits say.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(slots=True)
class Connections:
    """The open connections of a gateway, and what each may do."""

    most: int
    header_timeout: float
    write_timeout: float
    idle_timeout: float
    open: set[GuardedProtocol] = field(default_factory=lambda: set())
    cut: int = 0
    """How many were cut off, for any of the limits."""

    async def abort(self) -> None:
        """Close what is still open, at once, in the loop."""
        for connection in tuple(self.open):
            connection.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # a transport is closed in the turn after it lost its connection

    def hang_up(self) -> None:
        """End what is still open, from whichever thread: the loop that should have done it has stopped, or hangs."""
        for connection in tuple(self.open):
            connection.hang_up()

    def protocol(self) -> type[H11Protocol]:
        """The protocol class for these connections, as uvicorn wants it."""
        connections = self

        class Guarded(GuardedProtocol):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.guard = connections

        return Guarded


class GuardedProtocol(H11Protocol):
    """An HTTP/1.1 connection with a deadline for whatever it waits for from its client.

    Invariant: while no request is being answered, a timer runs; while the client does not read, another one does.
    """

    guard: Connections
    _requests: asyncio.TimerHandle | None = None
    _writes: asyncio.TimerHandle | None = None
    _raw: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and give it a deadline for its first request."""
        self._raw = transport
        super().connection_made(transport)
        if len(self.guard.open) >= self.guard.most:
            self._cut()
            return
        self.guard.open.add(self)
        self._await_request(self.guard.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.guard.open.discard(self)
        self._await_request(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take data; the deadline stands until it has made a whole head of a request."""
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self._await_request(self.guard.header_timeout)
        super().data_received(data)
        if self.conn.our_state is h11.SEND_RESPONSE:
            self._await_request(None)

    def on_response_complete(self) -> None:
        """The answer is out; the next request may take the idle time to come."""
        super().on_response_complete()
        self._await_request(self.guard.idle_timeout if self.cycle.response_complete else None)

    def pause_writing(self) -> None:
        """The client does not read fast enough."""
        super().pause_writing()
        self._writes = self.loop.call_later(self.guard.write_timeout, self._cut)

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._writes is not None:
            self._writes.cancel()
            self._writes = None
        super().resume_writing()

    def abort(self) -> None:
        """Close the connection, whatever waits to be sent."""
        self._raw.abort()

    def hang_up(self) -> None:
        """Let the client see the end, without the loop."""
        with suppress(OSError):  # it is closed already
            self._raw.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _await_request(self, seconds: float | None) -> None:
        if self._requests is not None:
            self._requests.cancel()
            self._requests = None
        if seconds is not None:
            self._requests = self.loop.call_later(seconds, self._cut)

    def _cut(self) -> None:
        self.guard.cut += 1
        self._raw.abort()
