"""The HTTP application: from a request to an operation of the engine, and back to JSON.

It lives in the gateway's thread. Whatever goes wrong with a request ends here, as a problem (RFC 9457).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope as AsgiScope, Send

import aion_trio

from ..engine import Engine
from ..errors import AionError
from ..protocol import API, MEDIA_TYPE, models, problem_of, refused
from . import metrics
from .access import Gate, Scope
from .bridge import Bridge, ClientLeft, until_client_leaves
from .openapi import document
from .operations import OPERATIONS, STREAMS, Operation, Reply, Stream
from .settings import DaemonConfig
from .streams import Streamed, Streams

log = logging.getLogger("aion_trio.daemon")
Endpoint = Callable[[Request], Awaitable[Response]]
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(slots=True)
class Api:
    """What the endpoints share. `draining` is set once, when the daemon stops: then only what is under way goes on."""

    engine: Engine
    bridge: Bridge
    gate: Gate
    config: DaemonConfig
    draining: asyncio.Event
    meters: metrics.Meters
    busy: int = 0
    streams: Streams = field(init=False)

    def __post_init__(self) -> None:
        self.streams = Streams(self.engine, self.bridge, self.config.ping_interval, self.draining)

    def application(self) -> ASGIApp:
        """The ASGI application."""
        routes = [
            *(self._route(API + each.path, each.method, each.name, self._operation(each)) for each in OPERATIONS),
            *(self._route(API + each.path, "GET", each.name, self._stream(each)) for each in STREAMS),
            self._route(f"{API}/openapi.json", "GET", "openapi", self._openapi),
            self._route("/metrics", "GET", "metrics", self._metrics),
            self._route("/health/live", "GET", "live", self._live),
            self._route("/health/ready", "GET", "ready", self._ready),
        ]
        starlette = Starlette(routes=routes, exception_handlers={HTTPException: _http_exception})
        starlette.router.redirect_slashes = False
        return Front(starlette, self.meters, self.config.header_limit_bytes)

    # ---- endpoints

    def _operation(self, operation: Operation) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            wanted = Scope.READ if operation.body is None else Scope.OPERATE
            self._admit(request, wanted)
            params = _params(request, operation.params)
            body = None
            if operation.body is not None:
                self.gate.require_same_site(request.headers)
                limit = self.config.import_limit_bytes if operation.name == "import" else self.config.body_limit_bytes
                body = _decoded(await _body(request, limit, self.config.body_timeout), operation.body)
            reply = await until_client_leaves(request, self._run(operation, params, body))
            return _json(reply if isinstance(reply, models.Model) else reply())

        return endpoint

    async def _run(self, operation: Operation, params: Any, body: Any) -> Reply:
        if operation.waits:
            return await self._unless_drained(operation, params)
        if self.busy >= self.config.request_limit:
            raise refused("unavailable", f"{self.busy} requests are under way, which is the limit")
        self.busy += 1
        try:
            return await self.bridge.call(operation.run, self.engine, params, body, within=self.config.engine_timeout)
        finally:
            self.busy -= 1

    async def _unless_drained(self, operation: Operation, params: Any) -> Reply:
        """The answer of an operation that waits, or `unavailable` when the daemon drains: the caller asks its successor."""
        within = params.wait + self.config.engine_timeout
        call = asyncio.create_task(self.bridge.call(operation.run, self.engine, params, None, within=within))
        drained = asyncio.create_task(self.draining.wait())
        try:
            await asyncio.wait((call, drained), return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise refused("unavailable", "the daemon is stopping; ask again when it is back")
            return call.result()
        finally:
            for each in (call, drained):
                each.cancel()
            await asyncio.wait((call, drained))

    def _stream(self, stream: Stream) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self._admit(request, Scope.READ)
            params = _params(request, stream.params)
            match stream.name:
                case "events":
                    chunks = await self.streams.events(params.id, _last_event_id(request, params.after))
                case "status":
                    chunks = await self.streams.statuses(params.id, _last_event_id(request, params.after))
                case _:
                    chunks = await self.streams.export(params.id)
            return Streamed(request, chunks, stream.media_type)

        return endpoint

    async def _openapi(self, request: Request) -> Response:
        self._admit(request, Scope.READ)
        return Response(document(), media_type="application/json")

    async def _metrics(self, request: Request) -> Response:
        self._admit(request, Scope.READ)
        state = await self.bridge.call(metrics.look, self.engine, within=self.config.engine_timeout)
        return Response(self.meters.text(state), media_type=metrics.MEDIA_TYPE)

    async def _live(self, request: Request) -> Response:
        self.gate.require_host(request.headers)
        return _json(models.Health(status="live", version=aion_trio.__version__))

    async def _ready(self, request: Request) -> Response:
        """A gateway exists only after recovery; so it is ready until it drains, or the engine does not answer."""
        self.gate.require_host(request.headers)
        if self.draining.is_set():
            return _json(models.Health(status="draining", version=aion_trio.__version__), 503)
        await self.bridge.call(metrics.beat, within=self.config.engine_timeout)
        return _json(models.Health(status="ready", version=aion_trio.__version__))

    # ---- what each of them does first

    def _admit(self, request: Request, wanted: Scope) -> None:
        self.gate.require_host(request.headers)
        self.gate.require_scope(request.headers, wanted)
        if self.draining.is_set():
            raise refused("unavailable", "the daemon is stopping; ask again when it is back")

    def _route(self, path: str, method: str, name: str, endpoint: Endpoint) -> Route:
        async def guarded(request: Request) -> Response:
            request.scope["aion_trio.operation"] = name
            try:
                return await endpoint(request)
            except (ClientLeft, ClientDisconnect):
                raise
            except AionError as error:
                return _problem(error)
            except Exception as error:  # the boundary of a request
                log.exception("the request %s failed", name)
                return _problem(error)

        route = Route(path, guarded, methods=[method], name=name)
        assert route.methods is not None
        route.methods.discard("HEAD")
        return route


class Front:
    """What every request passes: routing by the path as it was sent, headers for browsers, a count and a time."""

    def __init__(self, app: ASGIApp, meters: metrics.Meters, header_limit_bytes: int) -> None:
        self._app, self._meters, self._header_limit_bytes = app, meters, header_limit_bytes

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer a request. An id with a slash is sent as `%2F`, and stays one part of the path."""
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        loop = asyncio.get_running_loop()
        begun, status = loop.time(), 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        app: ASGIApp = self._app
        if (size := _head_size(scope)) > self._header_limit_bytes:  # the parser limits only what arrives in pieces
            app = _problem(refused("headers_too_large", f"a head of {size} bytes exceeds the limit of {self._header_limit_bytes}"))
        try:
            await app(scope, receive, send_on)
        except (ClientLeft, ClientDisconnect):
            pass
        finally:
            self._meters.request(scope.get("aion_trio.operation", "none"), status, loop.time() - begun)


def _head_size(scope: AsgiScope) -> int:
    return len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


# ---- requests


def _params(request: Request, kind: type[models.Request]) -> Any:
    given: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name in given:
            raise refused("malformed_request", f"the parameter {name!r} is given twice")
        given[name] = text
    try:
        for name, text in request.path_params.items():
            if name in given:
                raise refused("malformed_request", f"the parameter {name!r} belongs in the path")
            given[name] = unquote(text, errors="strict")
        return msgspec.convert(given, kind, strict=False)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise refused("malformed_request", f"parameters: {error}") from None


def _decoded(body: bytes, kind: type[models.Request]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused("malformed_request", f"body: {error}") from None


async def _body(request: Request, limit: int, seconds: float) -> bytes:
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > limit:
        raise refused("request_too_large", f"a body of {length} bytes exceeds the limit of {limit}")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise refused("request_too_large", f"a body of more than {limit} bytes exceeds the limit")
    except TimeoutError:
        raise refused("request_timed_out", f"the body did not arrive within {seconds:g} s") from None
    return bytes(body)


def _last_event_id(request: Request, after: int) -> int:
    text = request.headers.get("last-event-id")
    if text is None:
        return after
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise refused("malformed_request", f"Last-Event-ID is the id of an event, a number; found {text!r}")
    return int(text)


# ---- answers


def _json(model: models.Model, status: int = 200) -> Response:
    return Response(msgspec.json.encode(model), status, media_type="application/json")


def _problem(error: BaseException, headers: dict[str, str] | None = None) -> Response:
    problem = problem_of(error)
    headers = dict(headers or {})
    if problem.status == 401:
        headers["www-authenticate"] = 'Bearer realm="aion-trio"'
    if problem.status == 503:
        headers["retry-after"] = "1"
    if problem.status in (408, 413):
        headers["connection"] = "close"
    return Response(msgspec.json.encode(problem), problem.status, headers, MEDIA_TYPE)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        methods = {
            method
            for route in request.app.routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        return _problem(refused("method_not_allowed", "the route does not take this method"), {"allow": ", ".join(sorted(methods))})
    return _problem(refused("route_not_found", "there is no such route"))
