"""Errors that exist only where a daemon stands between a program and an engine.

AionError
└── DaemonError                  `code` names the kind, `hint` says what to do
    ├── RequestRefusedError      the request itself was refused: malformed, unauthorised, too large…
    ├── DaemonUnavailableError   nobody answers, or the daemon drains or is overloaded: try again later
    ├── DaemonFaultError         a fault of the daemon or its engine; its log says more
    └── ConfigurationError       settings that are unknown, malformed or not safe; the daemon did not start
"""

from __future__ import annotations

from ..errors import AionError


class DaemonError(AionError):
    """The root of what only a daemon or its client raises. `code` is the kind in the table of error codes."""

    def __init__(self, message: str, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


class RequestRefusedError(DaemonError):
    """The daemon refused the request as it stands; sending it again changes nothing."""


class DaemonUnavailableError(DaemonError):
    """The daemon cannot be reached, is draining, or is overloaded. What was asked may be asked again."""


class DaemonFaultError(DaemonError):
    """The daemon or its engine failed on this request."""


class ConfigurationError(DaemonError):
    """A setting is unknown, malformed or not safe; nothing was opened."""
