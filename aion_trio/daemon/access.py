"""Who may call: tokens and their scopes, the names of the daemon, and what a browser may not do for another site.

A daemon that anybody could reach, and that asks for nothing, does not start (`require_safe`).
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import ipaddress
import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..protocol import ConfigurationError, refused
from .settings import DaemonConfig

_SHORTEST_TOKEN = 16
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
Headers = Mapping[str, str]


class Scope(enum.Enum):
    """What a caller may do."""

    READ = "read-only"
    OPERATE = "operator"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a daemon listens: a host and port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def of(cls, text: str) -> Address:
        """The address of `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. Raises `ConfigurationError`."""
        if text.startswith("unix:"):
            path = text.removeprefix("unix:")
            if not path:
                raise ConfigurationError("listen: 'unix:' needs the path of a socket", "configuration")
            return cls(path=path)
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ConfigurationError(f"listen: expected HOST:PORT or unix:PATH, found {text!r}", "configuration")
        return cls(host=host.strip("[]") or "0.0.0.0", port=int(port))

    @property
    def local(self) -> bool:
        """Whether only this machine can connect. A name other than `localhost` may be anybody's."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class Gate:
    """Decides on each request, from its headers alone.

    Tokens are kept as digests and compared in constant time, all of them each time, so that time tells nothing.
    """

    def __init__(self, config: DaemonConfig) -> None:
        address = Address.of(config.listen)
        self._tokens = _tokens(config)
        named = f"[{address.host}]" if ":" in address.host else address.host
        self._hosts = {name.lower() for name in (*_LOOPBACK_NAMES, named, *config.hosts) if name}

    @property
    def asks_for_tokens(self) -> bool:
        """Whether a caller must show a token."""
        return bool(self._tokens)

    def require_host(self, headers: Headers) -> None:
        """Refuse a request for a name that is not ours: a web page that rebinds its name to this address sends its own."""
        host = _without_port(headers.get("host", ""))
        if host not in self._hosts and "*" not in self._hosts:
            raise refused("host_not_allowed", f"this daemon is not {host!r}")

    def require_scope(self, headers: Headers, wanted: Scope) -> None:
        """Refuse a caller without a token that suffices."""
        if not self._tokens:
            return
        scope = self._scope_of(headers.get("authorization", ""))
        if scope is None:
            raise refused("unauthorized", "this daemon asks for a token, and none that it knows was sent")
        if wanted is Scope.OPERATE and scope is not Scope.OPERATE:
            raise refused("forbidden", "this token may only read")

    def require_same_site(self, headers: Headers) -> None:
        """Refuse a write that a browser sends for another site, and any that a plain web form could send."""
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise refused("cross_site", f"a request from another site ({headers['sec-fetch-site']}) may not write")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            raise refused("cross_site", f"the origin {origin!r} is not this daemon's")
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise refused("unsupported_media_type", f"a body is application/json, found {media_type or 'no Content-Type'!r}")

    def _scope_of(self, authorization: str) -> Scope | None:
        scheme, _, token = authorization.partition(" ")
        sent = _digest(token.strip())
        found: Scope | None = None
        for digest, scope in self._tokens.items():
            if hmac.compare_digest(sent, digest):
                found = scope
        return found if scheme.lower() == "bearer" else None


def require_safe(config: DaemonConfig) -> None:
    """Refuse settings that would let anybody in. Raises `ConfigurationError` that says what to set."""
    address = Address.of(config.listen)
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise ConfigurationError("tls_certificate and tls_key belong together; one of them is missing", "configuration")
    if config.tls_client_ca and not config.tls_certificate:
        raise ConfigurationError("tls_client_ca needs tls_certificate and tls_key", "configuration")
    _require_readable(config)
    if address.local or _tokens(config) or config.tls_client_ca:
        if address.local or config.hosts or not _is_wildcard(address):
            return
        raise ConfigurationError(f"listen {config.listen!r} names no host: say in `hosts` by which names clients call", "configuration")
    raise ConfigurationError(
        f"listen {config.listen!r} can be reached from other machines, and nobody would have to show anything: set token_file or "
        "tls_client_ca, or listen on 127.0.0.1 or a Unix socket",
        "configuration",
    )


def _require_readable(config: DaemonConfig) -> None:
    """Load the TLS files once, so that a wrong one is told before anything is opened."""
    if not config.tls_certificate:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(config.tls_certificate, config.tls_key)
        if config.tls_client_ca:
            context.load_verify_locations(config.tls_client_ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the TLS files cannot be used: {error}", "configuration") from None


def _is_wildcard(address: Address) -> bool:
    try:
        return ipaddress.ip_address(address.host).is_unspecified
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _tokens(config: DaemonConfig) -> dict[bytes, Scope]:
    """Digests of all tokens."""
    found: list[tuple[str, str, str]] = []
    if config.token_file:
        found += _lines(Path(config.token_file))
    found += [
        (scope.value, token, f"the environment variable for {name}")
        for scope, name, token in (
            (Scope.OPERATE, "operator_token", config.operator_token),
            (Scope.READ, "read_only_token", config.read_only_token),
        )
        if token
    ]
    return {_digest(token): _scope(scope, token, where) for scope, token, where in found}


def _scope(scope: str, token: str, where: str) -> Scope:
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigurationError(f"{where}: a token has at least {_SHORTEST_TOKEN} characters", "configuration")
    try:
        return Scope(scope)
    except ValueError:
        raise ConfigurationError(f"{where}: expected 'operator TOKEN' or 'read-only TOKEN'", "configuration") from None


def _lines(file: Path) -> list[tuple[str, str, str]]:
    try:
        with file.open() as opened:
            if os.fstat(opened.fileno()).st_mode & stat.S_IRWXO:
                raise ConfigurationError(f"{file} can be used by everybody on this machine: chmod o-rwx {file}", "configuration")
            lines = opened.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"token_file {file} cannot be read: {error}", "configuration") from None
    found: list[tuple[str, str, str]] = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        found.append((words[0], words[1] if len(words) == 2 else "", f"{file}, line {number}"))
    if not found:
        raise ConfigurationError(f"token_file {file} holds no token", "configuration")
    return found
