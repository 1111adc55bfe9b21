"""The rows of the two index trees that follow from a row: written from here, and checked by `verify` from here."""

from __future__ import annotations

from collections.abc import Callable

from ..contract import Summary
from .layout import ATTRIBUTE_PREFIX, BY_ATTRIBUTE, BY_STATUS, DUE_KEY, SERIAL, STATUS_KEY, indexed


def due_key(kind: int, queue: int, due_us: int, serial: int, row: bytes) -> bytes:
    """Where an open row stands among those of its kind and queue."""
    return DUE_KEY.pack(kind, queue, due_us, serial) + row


def visible_keys(summary: Summary, serial: int, namespace: int, number: Callable[[str], int]) -> set[bytes]:
    """The rows under which a listing finds a workflow. `number` gives the number of a name."""
    keys = {STATUS_KEY.pack(BY_STATUS, namespace, summary.status, number(summary.type), serial)}
    for name, value in summary.attributes.items():
        keys.add(ATTRIBUTE_PREFIX.pack(BY_ATTRIBUTE, namespace, number(name)) + indexed(value) + SERIAL.pack(serial))
    return keys
