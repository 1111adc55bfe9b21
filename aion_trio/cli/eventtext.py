"""An event in one line, for people: what happened, to what, and with which data."""

from __future__ import annotations

import json
import textwrap
from dataclasses import fields
from datetime import UTC
from typing import Any

from aion_trio.codec import PLAIN, decode, short_name
from aion_trio.codec.narrow import is_list
from aion_trio.errors import AionError
from aion_trio.events import Event, datetime_of
from aion_trio.protocol.values import value_to_json

from .output import attributes_text, span

_NOT_SHOWN = frozenset(
    {"seq", "recorded_at", "input_digest", "payload_digest", "kernel_version", "parent_run_id", "trace_context", "options", "origin",
     "request_id", "update_id", "on_parent_close"}
)  # fmt: skip
_USUAL = {"queue": "default", "version": 1}
_LONGEST_VALUE = 200
_NARROWEST = 20


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
    """The fields of an event that say something, as `name=value`; what has its usual value is left out."""
    parts = ((field.name, getattr(event, field.name)) for field in fields(event) if field.name not in _NOT_SHOWN)
    said = ((name, value) for name, value in parts if value not in (None, [], {}, "", b"") and _USUAL.get(name) != value)
    text = " ".join(f"{name.removesuffix('_us')}={_shortened(_text(name, value))}" for name, value in said)
    return text.replace(f"{event.recorded_at:%Y-%m-%dT}", "")  # a time of the same day without its date


def _text(name: str, value: Any) -> str:
    if name.endswith("run_id"):
        return str(value.hex()[:8])
    if isinstance(value, bytes):
        return value_text(value)
    if name == "failure":
        return failure_text(value)
    if name == "timeout_us":
        return span(value / 1e6)
    if name == "attributes":
        return attributes_text(value)
    if name.endswith("_us"):
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


def event_lines(event: Event, width: int | None) -> list[str]:
    """An event as one line; where there is a width, what it says goes on below itself."""
    head = f"{event.seq:>5} {event.recorded_at.astimezone(UTC):%H:%M:%S.%f}"[:-3] + f" {type(event).__name__:<22} "
    text = event_text(event)
    if width is None or width < len(head) + _NARROWEST:
        return [(head + text).rstrip()]
    parts = textwrap.wrap(text, width - len(head), break_on_hyphens=False) or [""]
    return [(head + parts[0]).rstrip(), *(" " * len(head) + part for part in parts[1:])]
