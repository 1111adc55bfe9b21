"""The socket that a daemon listens on, bound before the journal is opened and listened on after recovery."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

from ..protocol import ConfigurationError
from .access import Address

_DEAD_AFTER_MS = 60_000


@contextmanager
def bound(address: Address) -> Iterator[socket.socket]:
    """The bound socket. A Unix socket belongs to this user alone (0600), and its file goes with the block.

    A file that a killed daemon left behind is replaced. Raises `OSError` where somebody else listens.
    """
    if address.path:
        with _bound_unix(address.path) as sock:
            yield sock
    else:
        with _bound_tcp(address) as sock:
            yield sock


def url_of(sock: socket.socket, address: Address, *, tls: bool) -> str:
    """What a client on this machine connects to."""
    if address.path:
        return f"unix:{address.path}"
    host, port = cast("tuple[str, int]", sock.getsockname()[:2])
    host = "localhost" if tls and address.local else {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _bound_tcp(address: Address) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a peer that vanished is noticed; accepted sockets inherit it
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER_MS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _DEAD_AFTER_MS // 1000)
        sock.bind(where)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def _bound_unix(path: str) -> Iterator[socket.socket]:
    _remove_dead(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)  # the file is never there with other rights, not even for a moment
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        made = os.stat(path).st_ino
        try:
            yield sock
        finally:
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == made:
                    os.unlink(path)
    finally:
        sock.close()


def _remove_dead(path: str) -> None:
    """Remove a socket file that nobody listens on; what is no socket is left alone."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"listen: {path} is there and is no socket", "configuration")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
