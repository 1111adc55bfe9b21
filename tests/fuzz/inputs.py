"""Inputs to begin with, and those that were faults once; the tests try them all."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_type_hints

from aion_trio.codec import Codec, ZlibCodec, encode, encode_frame, to_line
from aion_trio.events import CLASSES, FIELD_NAMES, WORKFLOW_CONTINUED_AS_NEW, Raw
from aion_trio.stores.attributes import encode_value
from aion_trio.stores.contract import ObligationKind, Open, RunRow, Summary, WorkflowKey
from aion_trio.stores.lmdb_store import records, rows

_FAILURE = ["application", "ValueError", "seven", None, None, False]
_BY_NAME: dict[str, Any] = {
    "attributes": {"region": "eu"},
    "failure": _FAILURE,
    "carried_signals": [["go", b"\x01", None]],
    "parent": ["w", bytes(16), 1],
    "sender": None,
    "ordinals": [1, 2],
    "options": [30_000_000, None, None, None, [3, 1.0, 2.0, 60.0, 0.5, ["ValueError"]], "thread"],
    "outcome": [True, b"\x01"],
    "trace_context": None,
}
_BY_TYPE: dict[Any, Any] = {int: 1, str: "a", bytes: b"\x01", int | None: None, str | None: None}


def _event(code: int) -> Raw:
    """A raw event of one code."""
    hints = get_type_hints(CLASSES[code])
    return [code, 1_700_000_000_000_000, *(_BY_NAME[name] if name in _BY_NAME else _BY_TYPE[hints[name]] for name in FIELD_NAMES[code])]


_EVENTS = [_event(code) for code in sorted(CLASSES)]
_KEY = WorkflowKey("default", "w")
_SUMMARY = Summary("checkout", 1, 1, b"run", 1, 1, 1000, attributes={"cents": 5, "at": datetime(2026, 1, 2, tzinfo=UTC), "rate": 0.5})
_PLAIN = tuple(
    encode(value)
    for value in ({"a": [1, 2.5, None, True]}, {1, 2}, Decimal("1.5"), datetime(2026, 1, 2, tzinfo=UTC), "text", b"bytes", [1] * 40)
)
_CODED = Codec((ZlibCodec(minimum_bytes=1),)).wrap(encode("x" * 500))
_FRAME_KEY, _FRAME = records.seal_frame(1, 6, 1, b"event")


_LONE_SURROGATE = to_line("w", "default", 1, _event(WORKFLOW_CONTINUED_AS_NEW)).encode().replace(b"$cbor", b"$\xa0bor")
_NESTED_TAGS = b"\x01\x87\x07\x1b\x00\x06\x0a\x24\x18\x1e\x0a\x24" + b"\xd2" * 120 + b"\x18\x1e\x40\x00\x01\x41\x01"
_NESTED_LISTS = b"\x01\x87\x07\x0a" + b"\x81" * 390 + b"\x00\x40\x00\x01\x41\x01"


def _data_file() -> bytes:
    """Two headers and a leaf of one record, as small as pages may be."""
    tree = struct.Struct("=IHHQQQQQ")
    nothing, leaf = tree.pack(0, 0, 0, 0, 0, 0, 0, (1 << 64) - 1), tree.pack(0, 0, 1, 0, 1, 0, 1, 2)
    header = bytes(40) + nothing + leaf + struct.pack("=QQ", 2, 1)
    node = struct.pack("=HHHH", 1, 0, 0, 1) + b"kv"
    page = struct.pack("=QHHHH", 2, 0, 2, 18, 246) + struct.pack("=H", 246)
    return header.ljust(512, b"\0") + page.ljust(246, b"\0") + node


def _branch_to_itself(depth: int) -> bytes:
    """A branch with many ways, all of which lead back to it, in a tree that says it is so deep."""
    tree = struct.Struct("=IHHQQQQQ")
    header = bytes(40) + tree.pack(0, 0, 0, 0, 0, 0, 0, (1 << 64) - 1) + tree.pack(0, 0, depth, 1, 1, 0, 1, 2) + struct.pack("=QQ", 2, 1)
    places = range(160, 240, 8)
    nodes = b"".join(struct.pack("=HHHH", 2, 0, 0, 0) for _ in places).rjust(256 - 160, b"\0")
    page = struct.pack("=QHHHH", 2, 0, 1, 16 + 2 * len(places), 160) + b"".join(struct.pack("=H", at + 16) for at in places)
    return header.ljust(512, b"\0") + page.ljust(160, b"\0") + nodes


INPUTS: dict[str, tuple[bytes, ...]] = {
    "plain": _PLAIN,
    "flat": _PLAIN,
    "payload": (*_PLAIN, _CODED),
    "coded": (_CODED[5:],),
    "frame": (*(b"\x01" + encode_frame([event]) for event in _EVENTS), b"\x02" + encode_frame(_EVENTS[:2]), _NESTED_TAGS, _NESTED_LISTS),
    "line": (*(to_line("w", "default", 1, event).encode() for event in _EVENTS), _LONE_SURROGATE),
    "failure": (
        b"\0\0" + encode([["seven", 7], {}]),
        b"\1\2" + encode([[], {"x": 1}]),
        b"\0\3" + encode([["utf-8", b"x", 0, 1, "why"], {}]),
    ),
    "record": (bytes(13) + records.seal(bytes(13), b"body"), b"\xff" + bytes(40), _FRAME_KEY + _FRAME),
    "sound_record": (b"\0\0\0\0\1event", b"\1\0\0\0\1event"),
    "row": (
        b"\0" + rows.encode_identity(_KEY, _SUMMARY),
        b"\1" + rows.encode_run(RunRow(b"run", 1, b"", 1, "checkout", 1, 1, 1, 0, 1000, 0)),
        b"\2\2" + rows.encode_obligation(Open(ObligationKind.ACTIVITY, b"", 5, "gpu", b"input")),
        b"\3" + rows.encode_obligation(Open(ObligationKind.ACTIVITY, b"", 5, "gpu", b"input")),
        b"\4" + rows.encode_identity(_KEY, _SUMMARY),
        *(b"\5" + encode_value(value) for value in ("eu", True, -5, 0.5, datetime(2026, 1, 2, tzinfo=UTC))),
    ),
    "pages": (_data_file(), _branch_to_itself(30), _branch_to_itself(60_000)),
    "recording": (struct.pack("<cBQQ", b"W", 1, 5, 3) + b"abc" + struct.pack("<cBQQ", b"A", 0, 1, 0),),
}
