"""The gateway: HTTP in a thread of its own, as a child of the engine's tree.

The thread runs uvicorn on an asyncio loop; what it wants of the engine goes over the bridge. If the thread crashes, or its
loop no longer turns, the gateway alone is started again, on the same bound socket; the engine does not notice.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial

import trio
import uvicorn
from anyio.from_thread import BlockingPortal

from ..engine import Engine
from ..supervision import Backoff, Budget, Child, Restart, supervise
from .access import Gate
from .api import Api
from .bridge import Bridge
from .connection import Connections
from .metrics import Meters
from .settings import DaemonConfig

log = logging.getLogger("aion_trio.daemon")
BEAT_INTERVAL, HANG_LIMIT = 5.0, 30.0
_LAST_MOMENT = 2.0


class GatewayHung(Exception):
    """The gateway's loop did not turn for too long; its thread is left behind."""


class Gateway:
    """Listens on a bound socket and serves the engine there; see `child`."""

    def __init__(
        self, config: DaemonConfig, sock: socket.socket, *, beat_interval: float = BEAT_INTERVAL, hang_limit: float = HANG_LIMIT
    ) -> None:
        self.config, self.gate = config, Gate(config)
        self._socket, self._beat_interval, self._hang_limit = sock, beat_interval, hang_limit
        self._patience = trio.CancelScope()
        self.thread: HttpThread | None = None

    def child(self, engine: Engine) -> Child:
        """The gateway as a child of the engine's tree. Its failures stay under a supervisor of its own."""
        http = Child("http", self._run, (engine,), restart=Restart.PERMANENT, shutdown=0.0, backoff=Backoff(initial=0.1, maximum=5.0))
        return Child("gateway", partial(supervise, http, budget=Budget(20, 120.0)), restart=Restart.PERMANENT, shutdown=0.0)

    async def drain(self) -> None:
        """Take no more requests, and let those under way end within the grace time; then the gateway is silent.

        Streams end at once; their clients go on elsewhere by `Last-Event-ID`.
        """
        thread = self.thread
        if thread is not None:
            with trio.move_on_after(self.config.grace + _LAST_MOMENT) as self._patience:
                self._socket.close()  # with the thread's own copy gone too, nobody is left waiting to be accepted
                thread.drain()
                await thread.ended.wait()

    def hurry(self) -> None:
        """Drain no longer."""
        self._patience.cancel()

    async def _run(self, engine: Engine, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled. Raises what the thread raised, or `GatewayHung`."""
        async with BlockingPortal() as portal:
            thread = self.thread = HttpThread(self, engine, Bridge(portal), self._socket.dup())
            thread.start()
            try:
                await thread.settled.wait()
                thread.require_alive()
                task_status.started(None)
                await self._watch(thread)
            finally:
                self.thread = None
                thread.stop()
                with trio.move_on_after(_LAST_MOMENT, shield=True):
                    await thread.ended.wait()
                thread.connections.hang_up()
                await portal.stop(cancel_remaining=True)

    async def _watch(self, thread: HttpThread) -> None:
        while not thread.ended.is_set():
            with trio.move_on_after(self._hang_limit) as patience:
                await thread.beat()
            if patience.cancelled_caught:
                raise GatewayHung(f"the gateway's loop did not turn for {self._hang_limit:g} s")
            with trio.move_on_after(self._beat_interval):
                await thread.ended.wait()
        thread.require_alive()
        await trio.sleep_forever()  # it was drained: there is nothing to watch, and nothing to start again


class HttpThread:
    """One run of the HTTP server, in a daemon thread: a thread that hangs keeps no program from ending."""

    def __init__(self, gateway: Gateway, engine: Engine, bridge: Bridge, sock: socket.socket) -> None:
        self._gateway, self._engine, self.bridge, self._socket = gateway, engine, bridge, sock
        self._token = trio.lowlevel.current_trio_token()
        self._fault: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._draining: asyncio.Event | None = None
        self._drained = False
        config = gateway.config
        self.connections = Connections(config.connection_limit, config.header_timeout, config.write_timeout, config.idle_timeout)
        self.settled, self.ended = trio.Event(), trio.Event()

    def start(self) -> None:
        """Start the thread; `settled` is set when it listens, or has ended before that."""
        threading.Thread(target=self._main, name="aion-gateway", daemon=True).start()

    def drain(self) -> None:
        """End streams and waits now, take no more, and end when the rest has been answered."""
        self._drained = True
        if self._draining is not None:
            self._soon(self._draining.set)
        self.stop()

    def stop(self) -> None:
        """End as soon as what is under way has ended."""
        if self._server is not None:
            self._server.should_exit = True

    def require_alive(self) -> None:
        """Raise what the thread raised, or that it ended without being asked to."""
        if self._fault is not None:
            raise self._fault
        if self.ended.is_set() and not self._drained:
            raise RuntimeError("the gateway's thread ended by itself")

    async def beat(self) -> None:
        """Return once the thread's loop has turned, or the thread has ended."""
        turned = trio.Event()
        self._soon(lambda: self._tell(turned))
        async with trio.open_nursery() as nursery:
            for each in (turned, self.ended):
                nursery.start_soon(_wait_and_cancel, each, nursery.cancel_scope)

    def _soon(self, fn: Callable[[], object]) -> None:
        try:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(fn)
        except RuntimeError:  # the loop is closed: `ended` is set, or about to be
            return

    def _tell(self, event: trio.Event) -> None:
        """Set an event of the engine's loop, if that is still there."""
        try:
            self._token.run_sync_soon(event.set)
        except trio.RunFinishedError:
            return

    # ---- in the thread

    def _main(self) -> None:
        try:
            with asyncio.Runner() as runner:
                try:
                    runner.run(self._serve())
                finally:
                    runner.run(self.connections.abort())
        except BaseException as error:  # the boundary of a thread: whatever it was, the gateway's child raises it
            self._fault = error if isinstance(error, Exception) else RuntimeError(f"the gateway's thread ended: {error!r}")
        finally:
            self._socket.close()
            self._tell(self.ended)
            self._tell(self.settled)

    async def _serve(self) -> None:
        config = self._gateway.config
        self._loop, self._draining = asyncio.get_running_loop(), asyncio.Event()
        connections = self.connections
        api = Api(self._engine, self.bridge, self._gateway.gate, config, self._draining, Meters(connections))
        settings = uvicorn.Config(
            api.application(),
            http=connections.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=config.header_limit_bytes,
            timeout_keep_alive=math.ceil(config.idle_timeout),
            timeout_graceful_shutdown=math.ceil(config.grace),
            ssl_certfile=config.tls_certificate or None,
            ssl_keyfile=config.tls_key or None,
            ssl_ca_certs=config.tls_client_ca or None,
            ssl_cert_reqs=ssl.CERT_REQUIRED if config.tls_client_ca else ssl.CERT_NONE,
        )
        self._server = server = _Server(settings, lambda: self._tell(self.settled))
        await server.serve(sockets=[self._socket])


class _Server(uvicorn.Server):
    """uvicorn, which says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], object]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._listening()


async def _wait_and_cancel(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
