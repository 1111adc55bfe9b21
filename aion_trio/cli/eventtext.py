"""An event in one line, for people: what happened, to what, and with which data."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from aion_trio.codec import PLAIN, decode, short_name
from aion_trio.codec.narrow import is_list
from aion_trio.errors import AionError
from aion_trio.events import Event, datetime_of
from aion_trio.protocol.values import value_to_json

_NOT_SHOWN = frozenset(
    {"seq", "recorded_at", "input_digest", "payload_digest", "kernel_version", "parent_run_id", "trace_context", "options", "origin"}
)
_LONGEST_VALUE = 200


def value_text(payload: bytes) -> str:
    """A payload as JSON on one line; what it is where it cannot be read here."""
    try:
        return json.dumps(value_to_json(decode(PLAIN.unwrap(payload))), ensure_ascii=False)
    except AionError:
        return f"<{len(payload)} bytes>"


def failure_text(failure: list[Any]) -> str:
    """A recorded failure: its type's name and its message."""
    kind, name, message = failure[:3]
    return f"{short_name(name)}: {message}" if name else f"{kind}: {message}"


def event_text(event: Event) -> str:
    """The fields of an event that say something, as `name=value`."""
    parts = ((field.name, getattr(event, field.name)) for field in fields(event) if field.name not in _NOT_SHOWN)
    return " ".join(f"{name}={_shortened(_text(name, value))}" for name, value in parts if value not in (None, [], {}, "", b""))


def _text(name: str, value: Any) -> str:
    if name.endswith("run_id"):
        return str(value.hex()[:8])
    if isinstance(value, bytes):
        return value_text(value)
    if name == "failure":
        return failure_text(value)
    if name.endswith("_us") and name not in ("timeout_us",):
        return datetime_of(value).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if name == "parent":
        return f"{value[0]}#{value[2]}"
    if name == "sender":
        return str(value[0])
    if name == "outcome":
        return value_text(value[1]) if value[0] else failure_text(value[1])
    if is_list(value):
        return f"{len(value)}"
    return str(value)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
