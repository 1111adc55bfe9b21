"""Records as they lie on disk: sealed with a checksum over key and value, unsealed with the check.

A frame's record is `crc flags count events`, every other record is `crc body`; to the checksum all behind it is one
body. The checksum covers the key, so that
a record that was found in another's place is as damaged as one whose bits have turned.
"""

from __future__ import annotations

import struct
import zlib

from ..contract import CorruptRecord
from .layout import EVENTS, EVENTS_KEY

_CRC = struct.Struct(">I")
_FRAME = struct.Struct(">IBI")  # crc, flags, count
_FRAME_SEED = struct.Struct(">QBIBI")  # the key, flags, count
_FRAME_BYTES = _FRAME.size
_KEY_BYTES = EVENTS_KEY.size

PLAIN, DEFLATED = 0, 1

DEFLATE_FROM_BYTES = 1900
"""Frames from here on are compressed: beyond about half a page LMDB gives a record whole pages of its own."""


def seal(key: bytes, body: bytes) -> bytes:
    """The record of `body` under `key`."""
    return _CRC.pack(zlib.crc32(body, zlib.crc32(key))) + body


def unseal(key: bytes, record: bytes, workflow_id: str = "", seq: int = 0) -> bytes:
    """The body of a record, or `CorruptRecord` if a bit of key or body has changed."""
    body = record[4:]
    if record[:4] != _CRC.pack(zlib.crc32(body, zlib.crc32(key))):
        raise CorruptRecord(f"{_named(workflow_id)}: the record {key.hex()} fails its checksum", workflow_id, seq)
    return body


def unseal_number(form: struct.Struct, key: bytes, record: bytes, workflow_id: str = "") -> int:
    """The number that is all of a record's body, or `CorruptRecord`."""
    body = unseal(key, record, workflow_id)
    if len(body) != form.size:
        raise CorruptRecord(f"{_named(workflow_id)}: the record {key.hex()} cannot be decoded", workflow_id)
    number: int = form.unpack(body)[0]
    return number


def seal_frame(serial: int, last_seq: int, count: int, data: bytes) -> tuple[bytes, bytes]:
    """The key and the record of one append's events."""
    flags = PLAIN
    if len(data) >= DEFLATE_FROM_BYTES:
        deflated = zlib.compress(data, 1)
        if len(deflated) < len(data) * 7 // 8:
            data, flags = deflated, DEFLATED
    seed = _FRAME_SEED.pack(serial, EVENTS, last_seq, flags, count)
    return seed[:_KEY_BYTES], _FRAME.pack(zlib.crc32(data, zlib.crc32(seed)), flags, count) + data


def unseal_frame(key: bytes, record: bytes, workflow_id: str, seq: int) -> tuple[int, bytes]:
    """How many events a frame has and its bytes, or `CorruptRecord`."""
    if len(record) < _FRAME_BYTES:
        raise _frame_damage(workflow_id, seq)
    crc, flags, count = _FRAME.unpack_from(record)
    if zlib.crc32(record[4:], zlib.crc32(key)) != crc:
        raise _frame_damage(workflow_id, seq)
    data = record[_FRAME_BYTES:]
    return count, (data if flags == PLAIN else _inflate(data, workflow_id, seq))


def is_next_frame(record: bytes, serial: int, head: int) -> bool:
    """Whether a record that lies under another key is the frame that belongs behind `head`."""
    if len(record) < _FRAME_BYTES:
        return False
    crc, _, count = _FRAME.unpack_from(record)
    last_seq = head + count
    if last_seq >> 32:
        return False
    at = EVENTS_KEY.pack(serial, EVENTS, last_seq)
    matches: bool = zlib.crc32(record[4:], zlib.crc32(at)) == crc
    return matches


def _inflate(data: bytes, workflow_id: str, seq: int) -> bytes:
    try:
        return zlib.decompress(data, bufsize=4 * len(data))
    except zlib.error:
        raise _frame_damage(workflow_id, seq) from None


def _frame_damage(workflow_id: str, seq: int) -> CorruptRecord:
    return CorruptRecord(f"{_named(workflow_id)}: the events up to {seq} fail their checksum", workflow_id, seq)


def _named(workflow_id: str) -> str:
    return f"workflow {workflow_id!r}" if workflow_id else "the journal's index"
