"""Settings of a daemon: one table, and how a file, the environment and flags fill it.

A later source wins: defaults, then the TOML file, then the environment (`AION_TRIO_DAEMON_` and the name in capitals), then
flags (`--` and the name with dashes). A key that is not in the table is refused, with the nearest one that is.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from ..codec.narrow import is_sequence
from ..protocol import ConfigurationError

ENVIRONMENT_PREFIX = "AION_TRIO_DAEMON_"
Values = tuple[str, ...]
SECRET = "secret"
"""Marks a setting that is taken from the environment alone: files are copied, and flags are seen by everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """Everything that can be set; each field is a row of the table in `docs/daemon.md`."""

    modules: Annotated[Values, "modules to import and to search for workflows and activities"] = ()
    journal: Annotated[str, "the journal's directory, made if it is not there"] = "aion-journal"
    listen: Annotated[str, "`HOST:PORT`, or `unix:PATH` for a Unix socket that only this user may use"] = "127.0.0.1:8420"
    hosts: Annotated[Values, "names by which clients may address the daemon; loopback names and the host of `listen` always may"] = ()
    token_file: Annotated[str, "a file with one `operator TOKEN` or `read-only TOKEN` a line, not readable by others"] = ""
    operator_token: Annotated[str, "a token with the operator's scope", SECRET] = ""
    read_only_token: Annotated[str, "a token that may only read", SECRET] = ""
    tls_certificate: Annotated[str, "a PEM file with the server's certificate chain"] = ""
    tls_key: Annotated[str, "a PEM file with the certificate's key"] = ""
    tls_client_ca: Annotated[str, "a PEM file with the authorities of client certificates; each client must then show one (mTLS)"] = ""
    grace: Annotated[float, "seconds that requests get to end after SIGTERM, before the engine parks"] = 20.0
    log_format: Annotated[str, "`json`, or `text` for people"] = "json"
    log_level: Annotated[str, "`debug`, `info`, `warning` or `error`"] = "info"
    body_limit_bytes: Annotated[int, "largest body of a request"] = 4 << 20
    import_limit_bytes: Annotated[int, "largest body of an import"] = 64 << 20
    header_limit_bytes: Annotated[int, "largest request line and headers"] = 32 << 10
    connection_limit: Annotated[int, "connections at once; one more is closed"] = 20_000
    request_limit: Annotated[int, "requests at once, streams and waits for results apart; one more is answered 503"] = 1_000
    header_timeout: Annotated[float, "seconds for a request's headers to arrive"] = 10.0
    body_timeout: Annotated[float, "seconds for a request's body to arrive"] = 30.0
    engine_timeout: Annotated[float, "seconds that the engine gets for a request that does not wait"] = 30.0
    write_timeout: Annotated[float, "seconds that a client may leave an answer unread, before its connection is cut"] = 30.0
    idle_timeout: Annotated[float, "seconds that a connection may stay open without a request"] = 75.0
    ping_interval: Annotated[float, "seconds between the signs of life of an idle stream"] = 15.0
    namespace: Annotated[str, "as in `EngineConfig`"] = "default"
    task_limit: Annotated[int, "as in `EngineConfig`"] = 1000
    thread_limit: Annotated[int, "as in `EngineConfig`"] = 40
    payload_limit_bytes: Annotated[int, "as in `EngineConfig`"] = 2 << 20
    idle_after: Annotated[float, "as in `EngineConfig`"] = 60.0
    resident_limit: Annotated[int, "as in `EngineConfig`"] = 10_000
    fuel: Annotated[int, "as in `EngineConfig`"] = 1_000_000
    strict: Annotated[bool, "as in `EngineConfig`"] = False

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
    table: dict[str, Setting] = {}
    hints = get_type_hints(DaemonConfig, include_extras=True)
    for each in fields(DaemonConfig):
        kind, doc, *marks = get_args(hints[each.name])
        table[each.name] = Setting(each.name, _KINDS[kind], each.default, doc, SECRET in marks)
    return table


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
    if found.kind == "list" and is_sequence(value) and all(isinstance(part, str) for part in value):
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
