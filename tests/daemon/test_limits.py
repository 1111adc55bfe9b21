"""Clients that are slow, huge, broken or gone: each is cut off, and the engine does not notice."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from aion_trio.client import open_client
from aion_trio.daemon import Daemon
from tests.daemon import services
from tests.daemon.harness import connect, daemon_in, exchange, http_to, read_all

SOON = {"header_timeout": 0.2, "body_timeout": 0.2, "write_timeout": 0.3, "idle_timeout": 0.3}
HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/workflows HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def unharmed(tmp_path: Path, **settings: Any) -> AsyncIterator[Daemon]:
    """A daemon with short limits; at the end it and its engine must be as before."""
    async with daemon_in(tmp_path, **{**SOON, **settings}) as daemon:
        yield daemon
        async with open_client(daemon.url) as client:
            assert await client.execute(services.double, 21) == 42
        nodes = {child.name: child for child in daemon.engine.tree().children}
        assert all(node.runs == 1 for node in nodes.values())
        assert [http.runs for http in nodes["gateway"].children] == [1]


NO_REQUESTS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\n\r\n",
    HEAD + b"Host: other\r\n\r\n",
    HEAD + b"Content-Length: -1\r\n\r\n",
    HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    HEAD + b" folded: x\r\n: nameless\r\n\r\n",
    HEAD + b"X: \x00\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00" * 100_000,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    HEAD + b"".join(b"X%d: y\r\n" % n for n in range(20_000)) + b"\r\n",
]


async def test_what_is_no_request_is_refused(tmp_path: Path) -> None:
    async with unharmed(tmp_path) as daemon:
        for data in NO_REQUESTS:
            with trio.fail_after(5):
                answer = await exchange(daemon, data)
            assert not answer or answer.startswith(b"HTTP/1.1 4"), (data[:100], answer[:200])


NO_STARTS = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (b'{"workflow": "double", "args": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
    (b'{"workflow": "double", "args": ' + b"[" * 200 + b"]" * 200 + b"}", 422),
    (b'{"workflow": "double", "args": [1], "unknown": 2}', 400),
    (b'{"workflow": "double", "args": [{"$int": "x"}]}', 422),
    (b'{"workflow": "double", "args": [{"$nothing": "x"}]}', 422),
    (b'{"workflow": "double", "args": [1], "timeout": -1}', 400),
    (b'{"workflow": "double", "args": [1], "attributes": {"a": [1]}}', 422),
    (b'{"workflow": "double", "args": [1], "id": "a\\u0000b"}', 422),
    (b'{"workflow": "double", "args": [1], "id": "' + b"x" * 401 + b'"}', 400),
    (b'{"workflow": "double", "args": ["' + b"x" * 3_000_000 + b'"]}', 422),
    (b'{"workflow": "double", "args": ["' + b"x" * 5_000_000 + b'"]}', 413),
]


async def test_a_body_that_means_nothing_is_refused_with_a_problem(tmp_path: Path) -> None:
    async with unharmed(tmp_path, body_timeout=10.0) as daemon, http_to(daemon) as http:
        for body, status in NO_STARTS:
            answer = await http.post("/api/v1/workflows", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == status, (body[:100], answer.text)
            assert answer.headers["content-type"] == "application/problem+json" and answer.json()["hint"]


async def test_a_body_without_a_length_is_limited_too(tmp_path: Path) -> None:
    async with unharmed(tmp_path, body_limit_bytes=1000) as daemon:
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        answer = await exchange(daemon, POST + b"Transfer-Encoding: chunked\r\n\r\n" + 100 * chunk)
        assert b" 413 " in answer


NEVER_ENDING = [b"", b"G", HEAD, POST + b"Content-Length: 10\r\n\r\n{", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"]


async def test_a_request_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    """Half-open connections, slow heads, slow bodies."""

    async def begin(daemon: Daemon, head: bytes) -> None:
        async with await connect(daemon) as stream:
            if head:
                await stream.send_all(head)
            answer = await read_all(stream)
        assert not answer or b" 408 " in answer

    async with unharmed(tmp_path) as daemon:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                for head in NEVER_ENDING:
                    nursery.start_soon(begin, daemon, head)


async def test_a_head_that_drips_is_cut_off(tmp_path: Path) -> None:
    async with unharmed(tmp_path) as daemon:
        async with await connect(daemon) as stream:
            with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
                for byte in HEAD * 100:
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.01)


async def test_a_connection_without_a_request_is_closed_after_its_time(tmp_path: Path) -> None:
    async with unharmed(tmp_path) as daemon:
        async with await connect(daemon) as stream:
            await stream.send_all(HEAD + b"\r\n")
            with trio.fail_after(5):
                assert (await read_all(stream)).count(b"HTTP/1.1 200") == 1


async def test_requests_in_one_packet_are_answered_in_order(tmp_path: Path) -> None:
    async with unharmed(tmp_path) as daemon:
        async with await connect(daemon) as stream:
            await stream.send_all((HEAD + b"\r\n") * 5)
            with trio.fail_after(5):
                assert (await read_all(stream)).count(b"HTTP/1.1 200") == 5


async def test_a_client_that_stops_reading_is_cut_off(tmp_path: Path) -> None:
    """Its answer waits in the gateway alone: nothing is pulled out of the engine meanwhile."""
    async with unharmed(tmp_path) as daemon:
        async with open_client(daemon.url) as client:
            handle = await client.start(services.sums, 0, id="long")
            for _ in range(40):
                await handle.signal("note", "x" * 200_000)
        async with await connect(daemon) as stream:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await stream.send_all(b"GET /api/v1/workflows/long/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with trio.fail_after(5):
                while daemon.gateway.thread is not None and daemon.gateway.thread.connections.cut == 0:
                    await trio.sleep(0.02)
        await _until(lambda: _calls(daemon) == 0)


async def test_one_connection_too_many_is_closed(tmp_path: Path) -> None:
    async with unharmed(tmp_path, connection_limit=3, header_timeout=10.0) as daemon:
        streams = [await connect(daemon) for _ in range(3)]
        await _until(lambda: len(_thread(daemon).connections.open) == 3)
        with trio.fail_after(5):
            assert await exchange(daemon, HEAD + b"\r\n") == b""
        for stream in streams:
            await stream.aclose()
        await _until(lambda: not _thread(daemon).connections.open)


async def test_a_client_that_leaves_cancels_its_call(tmp_path: Path) -> None:
    async with unharmed(tmp_path) as daemon:
        async with open_client(daemon.url) as client:
            await client.start(services.waits, 0, id="w")
        for path in (b"/api/v1/workflows/w/result?wait=60", b"/api/v1/workflows/w/events", b"/api/v1/workflows/w/status"):
            stream = await connect(daemon)
            await stream.send_all(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
            await _until(lambda: _calls(daemon) == 1)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await stream.aclose()
            await _until(lambda: _calls(daemon) == 0)


async def test_a_fault_of_ours_is_told_without_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with daemon_in(tmp_path) as daemon, http_to(daemon) as http:
        monkeypatch.setattr(type(daemon.engine.journal), "head", property(lambda _: 1 / 0))
        answer = await http.get("/api/v1/workflows/w/history")
        monkeypatch.undo()
        assert answer.status_code == 500 and answer.json()["code"] == "internal_error"
        assert "zero" not in answer.text and "ZeroDivisionError" in caplog.text


def _thread(daemon: Daemon) -> Any:
    return daemon.gateway.thread


def _calls(daemon: Daemon) -> int:
    calls: int = _thread(daemon).bridge.calls
    return calls


async def _until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.005)
