"""Settings of a daemon: one table, and how a file, the environment and flags fill it.

A later source wins: defaults, then the TOML file, then the environment (`AION_TRIO_DAEMON_` and the name in capitals), then
flags (`--` and the name with dashes). A key that is not in the table is refused, with the nearest one that is.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from ..codec.narrow import is_list
from ..protocol import ConfigurationError

ENVIRONMENT_PREFIX = "AION_TRIO_DAEMON_"
Values = tuple[str, ...]
Limit = int


def setting(default: Any, doc: str, *, secret: bool = False) -> Any:
    """A row of the table. A secret one is taken from the environment alone, since files are copied and flags are seen by all."""
    return field(default=default, metadata={"doc": doc, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """Everything that can be set; each field is a row of the table in `docs/daemon.md`."""

    modules: Values = setting((), "modules to import and to search for workflows and activities")
    journal: str = setting("aion-journal", "the journal's directory, made if it is not there")
    listen: str = setting("127.0.0.1:8420", "`HOST:PORT`, or `unix:PATH` for a Unix socket that only this user may use")
    hosts: Values = setting((), "names by which clients may address the daemon; loopback names and the host of `listen` always may")
    token_file: str = setting("", "a file with one `operator TOKEN` or `read-only TOKEN` a line, not readable by others")
    operator_token: str = setting("", "a token with the operator's scope", secret=True)
    read_only_token: str = setting("", "a token that may only read", secret=True)
    tls_certificate: str = setting("", "a PEM file with the server's certificate chain")
    tls_key: str = setting("", "a PEM file with the certificate's key")
    tls_client_ca: str = setting("", "a PEM file with the authorities of client certificates; each client must then show one (mTLS)")
    grace: float = setting(20.0, "seconds that requests get to end after SIGTERM, before the engine parks")
    log_format: str = setting("json", "`json`, or `text` for people")
    log_level: str = setting("info", "`debug`, `info`, `warning` or `error`")
    body_limit_bytes: Limit = setting(4 << 20, "largest body of a request")
    import_limit_bytes: Limit = setting(64 << 20, "largest body of an import")
    header_limit_bytes: Limit = setting(32 << 10, "largest request line and headers")
    connection_limit: Limit = setting(20_000, "connections at once; one more is closed")
    request_limit: Limit = setting(1_000, "requests at once, streams and waits for results apart; one more is answered 503")
    header_timeout: float = setting(10.0, "seconds for a request's headers to arrive")
    body_timeout: float = setting(30.0, "seconds for a request's body to arrive")
    engine_timeout: float = setting(30.0, "seconds that the engine gets for a request that does not wait")
    write_timeout: float = setting(30.0, "seconds that a client may leave an answer unread, before its connection is cut")
    idle_timeout: float = setting(75.0, "seconds that a connection may stay open without a request")
    ping_interval: float = setting(15.0, "seconds between the signs of life of an idle stream")
    namespace: str = setting("default", "as in `EngineConfig`")
    task_limit: Limit = setting(1000, "as in `EngineConfig`")
    thread_limit: Limit = setting(40, "as in `EngineConfig`")
    payload_limit_bytes: Limit = setting(2 << 20, "as in `EngineConfig`")
    idle_after: float = setting(60.0, "as in `EngineConfig`")
    resident_limit: Limit = setting(10_000, "as in `EngineConfig`")
    fuel: Limit = setting(1_000_000, "as in `EngineConfig`")
    strict: bool = setting(False, "as in `EngineConfig`")

    def __post_init__(self) -> None:
        for each in SETTINGS.values():
            _require_sane(each, getattr(self, each.name))


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table, for those who print it or make flags of it."""

    name: str
    kind: str  # "text", "number", "integer", "yes/no" or "list"
    default: Any
    doc: str
    secret: bool

    @property
    def flag(self) -> str:
        """The flag of this setting; a secret has none."""
        return "" if self.secret else "--" + self.name.replace("_", "-").removesuffix("s" if self.kind == "list" else "")

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return ENVIRONMENT_PREFIX + self.name.upper()


_KINDS: dict[Any, str] = {str: "text", float: "number", int: "integer", bool: "yes/no", Values: "list"}
_CHOICES = {"log_format": ("json", "text"), "log_level": ("debug", "info", "warning", "error")}


def _table() -> dict[str, Setting]:
    kinds = get_type_hints(DaemonConfig)
    return {
        each.name: Setting(each.name, _KINDS[kinds[each.name]], each.default, each.metadata["doc"], each.metadata["secret"])
        for each in fields(DaemonConfig)
    }


SETTINGS: dict[str, Setting] = _table()
"""The table, by name."""


def load_config(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]) -> DaemonConfig:
    """The settings of a file, the environment and flags (by setting's name), the later winning.

    Raises `ConfigurationError` that names the source and the key.
    """
    chosen: dict[str, Any] = {}
    if file is not None:
        chosen.update(_from_file(file))
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            found = _known(variable.removeprefix(ENVIRONMENT_PREFIX).lower(), f"the environment variable {variable}")
            chosen[found.name] = _from_text(found, text, variable)
    for name, value in flags.items():
        found = _known(name, f"the flag --{name.replace('_', '-')}")
        chosen[found.name] = _from_text(found, value, found.flag) if isinstance(value, str) else _from_data(found, value, found.flag)
    return DaemonConfig(**chosen)


def _from_file(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}", "configuration") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is no TOML: {error}", "configuration") from None
    chosen: dict[str, Any] = {}
    for key, value in content.items():
        found = _known(key, f"{file}: the key {key!r}")
        if found.secret:
            raise ConfigurationError(f"{file}: {key!r} is a secret; use token_file, or {found.variable}", "configuration")
        chosen[key] = _from_data(found, value, f"{file}: {key}")
    return chosen


def _known(name: str, where: str) -> Setting:
    found = SETTINGS.get(name)
    if found is None:
        close = difflib.get_close_matches(name, SETTINGS, n=1)
        raise ConfigurationError(f"{where} is no setting" + (f"; did you mean {close[0]!r}?" if close else ""), "configuration")
    return found


def _from_data(found: Setting, value: object, where: str) -> Any:
    if found.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if found.kind == "list" and (is_list(value) or isinstance(value, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(value)
    wanted = {"text": str, "number": float, "integer": int, "yes/no": bool}.get(found.kind)
    if wanted is None or type(value) is not wanted:
        raise ConfigurationError(f"{where}: expected a {found.kind}, found {value!r}", "configuration")
    return value


def _from_text(found: Setting, text: str, where: str) -> Any:
    try:
        match found.kind:
            case "number":
                return float(text)
            case "integer":
                return int(text)
            case "yes/no":
                return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[text.lower()]
            case "list":
                return tuple(part.strip() for part in text.split(",") if part.strip())
            case _:
                return text
    except (ValueError, KeyError):
        raise ConfigurationError(f"{where}: expected a {found.kind}, found {text!r}", "configuration") from None


def _require_sane(found: Setting, value: Any) -> None:
    if found.kind in ("number", "integer") and not 0 < value < 1e12:
        raise ConfigurationError(f"{found.name} must be positive, found {value!r}", "configuration")
    choices = _CHOICES.get(found.name)
    if choices is not None and value not in choices:
        raise ConfigurationError(f"{found.name} is {' or '.join(map(repr, choices))}, found {value!r}", "configuration")


def secrets_in(config: DaemonConfig) -> Iterable[str]:
    """The values that must never be logged."""
    return [value for each in SETTINGS.values() if each.secret and (value := getattr(config, each.name))]
