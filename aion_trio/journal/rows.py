"""How index rows of the engine are keyed and what they carry.

A row of a run is keyed by the run's number and the command's ordinal. Each obligation's payload begins with the seq of
the event that caused it, so that whoever acts on a row reads its cause first.
A row that is owed to another workflow goes on with that workflow's id and the id of the run that owes it.
"""

from __future__ import annotations

import struct
from typing import Any

import cbor2

_ROW = struct.Struct(">II")
_AT_CLOSE = b"\x01"

START_MARK = b"start:"
SIGNAL_MARK = b"signal:"
CANCEL_MARK = b"cancel:"


def row_of(run_no: int, ordinal: int) -> bytes:
    """The key of a row that belongs to one command of one run."""
    return _ROW.pack(run_no, ordinal)


def at_close(row: bytes) -> bytes:
    """The key of what a run owes to a child because it closed, beside what it owed to it before.

    The two must not share a key: whoever carries out the first closes its row, perhaps after the second was opened.
    """
    return row + _AT_CLOSE


def command_of(row: bytes) -> bytes:
    """The key of the row's command, whatever the row is for."""
    return row[: _ROW.size]


def run_and_ordinal(row: bytes) -> tuple[int, int]:
    """The run number and ordinal in a row's key."""
    run_no, ordinal = _ROW.unpack_from(row)
    return run_no, ordinal


def payload_of(*fields: Any) -> bytes:
    """An obligation's payload: the seq of its cause, then what its kind needs."""
    return cbor2.dumps(fields)


def fields_of(payload: bytes) -> list[Any]:
    """The fields of an obligation's payload."""
    return list(cbor2.loads(payload))


def sender_mark(sender: list[Any]) -> bytes:
    """The name under which a receiver remembers a signal of another workflow (S2)."""
    return b"sender:" + cbor2.dumps(sender)
