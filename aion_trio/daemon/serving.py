"""A daemon from its settings to its end: bind, open and recover, listen, drain, park."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import trio

from ..engine import Engine, EngineConfig, open_engine
from ..journal.writer import reading
from ..protocol import ConfigurationError
from .access import Address, Gate, require_safe
from .binding import bound, url_of
from .gateway import Gateway
from .settings import DaemonConfig

log = logging.getLogger("aion_trio.daemon")


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running daemon: its engine, its gateway, and the address that clients connect to."""

    engine: Engine
    gateway: Gateway
    url: str


@asynccontextmanager
async def open_daemon(config: DaemonConfig, modules: Iterable[ModuleType] = ()) -> AsyncIterator[Daemon]:
    """A daemon that serves until the block is left; then it drains within the grace time, and parks (R10).

    It serves what is defined in `config.modules`, which are imported, and in `modules`. When this yields, recovery is done and
    clients can connect. Raises `ConfigurationError` for settings that are not safe, `JournalLockedError` with the pid of
    another daemon on this journal, and what `open_engine` raises.
    """
    require_safe(config)
    Gate(config)
    loaded = [*modules, *(_imported(name) for name in config.modules)]
    address = Address.of(config.listen)
    with ExitStack() as stack:
        try:
            sock = stack.enter_context(bound(address))
        except OSError as error:
            _require_free(config.journal)
            raise ConfigurationError(f"listen {config.listen}: {error.strerror or error}", "configuration") from None
        gateway = Gateway(config, sock)
        async with open_engine(config.journal, modules=loaded, config=_engine_config(config), children=[gateway.child]) as engine:
            daemon = Daemon(engine, gateway, url_of(sock, address, tls=bool(config.tls_certificate)))
            try:
                yield daemon
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + config.grace + 3):
                    await gateway.drain()


async def serve(
    config: DaemonConfig, modules: Iterable[ModuleType] = (), *, task_status: trio.TaskStatus[Daemon] = trio.TASK_STATUS_IGNORED
) -> None:
    """Be a daemon until SIGTERM or SIGINT, or until cancelled; then drain and park.

    A second signal ends the draining at once. systemd is told when it is ready and when it stops.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with open_daemon(config, modules) as daemon:
            log.info("ready: %s, journal %s, process %d, %s", daemon.url, config.journal, os.getpid(), daemon.engine.recovery)
            _notify("READY=1")
            task_status.started(daemon)
            received = await anext(aiter(signals))
            log.info("stopping: signal %s; requests get %g s", signal.Signals(received).name, config.grace)
            _notify("STOPPING=1")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cut_short, signals, daemon.gateway)
                await daemon.gateway.drain()
                nursery.cancel_scope.cancel()
    log.info("parked")


async def _cut_short(signals: AsyncIterator[int], gateway: Gateway) -> None:
    async for _ in signals:
        log.info("stopping at once: a second signal")
        gateway.hurry()


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(f"modules: there is no module {name!r} on the path", "configuration") from None
        raise


def _engine_config(config: DaemonConfig) -> EngineConfig:
    return EngineConfig(
        namespace=config.namespace,
        task_limit=config.task_limit,
        thread_limit=config.thread_limit,
        payload_limit_bytes=config.payload_limit_bytes,
        idle_after=config.idle_after,
        resident_limit=config.resident_limit,
        fuel=config.fuel,
        strict=config.strict,
    )


def _require_free(journal: str) -> None:
    """Where the address is taken, it is most likely by a daemon on this very journal: then say that."""
    if Path(journal).exists():
        from ..stores import LmdbStore

        with reading():
            LmdbStore.open(Path(journal)).close()


def _notify(state: str) -> None:
    """Tell systemd, where it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
