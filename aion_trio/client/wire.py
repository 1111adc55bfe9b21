"""How a client reaches a daemon: addresses, tokens, time-outs, and when a call is sent again."""

from __future__ import annotations

import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from ..errors import InvalidInputError
from ..protocol import DaemonUnavailableError
from .calls import Call

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 40.0
_SILENCE_SECONDS = 60.0
_AGAIN = (502, 503, 504)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a call is sent again, and after which pauses: `initial * factor ** n` seconds, at most `maximum`, half of it by chance.

    Only what may be sent twice is; a call that did not reach the daemon always may. The defaults outlast a daemon's restart.
    """

    attempts: int = 10
    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 5.0

    def pauses(self, chance: random.Random) -> list[float]:
        """The pauses between the attempts, in order."""
        bare = [min(self.maximum, self.initial * self.factor**n) for n in range(self.attempts - 1)]
        return [pause * chance.uniform(0.5, 1.0) for pause in bare]


USUAL_RETRY = Retry()


@dataclass(frozen=True, slots=True)
class Target:
    """A daemon: its URL (`http://…`, `https://…` or `unix:PATH`), a token, what TLS trusts, and when calls are repeated."""

    url: str
    token: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    retry: Retry = USUAL_RETRY

    def settings(self) -> Mapping[str, Any]:
        """The settings of an HTTP client, but for its transport. Raises `InvalidInputError` for a URL of another kind."""
        if not self.socket_path and urlsplit(self.url).scheme not in ("http", "https"):
            raise InvalidInputError(f"a daemon's address is http://…, https://… or unix:PATH, found {self.url!r}", "url")
        headers = {"accept": "application/json", "user-agent": "aion-trio"}
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        return {
            "base_url": "http://localhost" if self.socket_path else self.url.rstrip("/"),
            "headers": headers,
            "timeout": httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS, pool=None),
            "follow_redirects": False,
            "trust_env": False,
        }

    def transport(self) -> Mapping[str, Any]:
        """The settings of a transport: as many connections as there are calls, those that are idle kept for a while."""
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
        return {"uds": self.socket_path or None, "limits": limits, "verify": self.tls if self.tls is not None else True}

    @property
    def socket_path(self) -> str:
        """The path of the Unix socket, empty if the daemon is elsewhere."""
        return self.url.removeprefix("unix:") if self.url.startswith("unix:") else ""


def request_of(http: httpx2.AsyncClient | httpx2.Client, call: Call[Any]) -> httpx2.Request:
    """The request of a call."""
    headers = {"content-type": "application/json"} if call.body is not None else {}
    timeout = httpx2.Timeout(_ANSWER_SECONDS + call.waits, connect=_CONNECT_SECONDS, pool=None)
    return http.build_request(call.method, call.path, params=call.params, content=call.body, headers=headers, timeout=timeout)


def stream_request(http: httpx2.AsyncClient | httpx2.Client, path: str, last_event_id: int) -> httpx2.Request:
    """The request of a stream of events, behind the last one that was seen. A daemon that is silent for long is taken for dead."""
    headers = {"accept": "text/event-stream", "last-event-id": str(last_event_id)}
    timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS, pool=None)
    return http.build_request("GET", path, headers=headers, timeout=timeout)


def may_repeat(call: Call[Any], error: httpx2.TransportError | None, status: int) -> bool:
    """Whether a call that failed so may be sent again."""
    if error is not None:
        return call.repeatable or isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout))
    return call.repeatable and status in _AGAIN


def unreachable(target: Target, error: httpx2.TransportError) -> DaemonUnavailableError:
    """What a client raises when nobody answers."""
    reason = str(error) or type(error).__name__
    return DaemonUnavailableError(
        f"the daemon at {target.url} cannot be reached: {reason}", "unavailable", "is it running, and is this its address?"
    )
