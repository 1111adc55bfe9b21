"""Where each record lies: the keys of the six trees.

Everything of one workflow lies together in the tree `rows`, so that an append dirties few pages, and a history is
read in one sweep. A workflow is known there by its *serial*, a number that is never given twice.

    meta   name                                        -> format version, writer, next serial
           '#' namespace status                        -> how many workflows
    names  text                                        -> number        (namespaces, types, queues, attribute names)
    ids    namespace id                                -> serial
    rows   serial 0                                    -> identity and summary
           serial 1 run number                         -> run
           serial 2 last seq of the append             -> its events
           serial 3 kind row                           -> obligation
           serial 4 name                               -> mark
    due    kind queue due serial row                   -> nothing
    vis    1 namespace status type serial              -> nothing
           2 namespace attribute value serial          -> nothing

Numbers are big-endian, so that keys sort as they do. A value begins with a checksum over key and value; the index
trees `due` and `vis` have none, because each of their rows repeats what a row of `rows` says, and is compared with it.
"""

from __future__ import annotations

import struct

from ..attributes import encode_value
from ..contract import AttributeValue

FORMAT_VERSION = 1
"""Raised by any change to what lies on disk that an older program would misread."""

TABLES = (b"meta", b"names", b"ids", b"rows", b"due", b"vis")

IDENTITY, RUN, EVENTS, OBLIGATION, MARK = 0, 1, 2, 3, 4
BY_STATUS, BY_ATTRIBUTE = 1, 2

META_FORMAT, META_WRITER, META_SERIAL, META_COUNT = b"format", b"written_by", b"next_serial", b"#"

SERIAL = struct.Struct(">Q")
NUMBER = struct.Struct(">I")
ROW = struct.Struct(">QB")  # serial, tag
RUN_KEY = struct.Struct(">QBI")  # serial, tag, run number
EVENTS_KEY = struct.Struct(">QBI")  # serial, tag, last seq
OBLIGATION_KEY = struct.Struct(">QBB")  # serial, tag, kind; then the row
DUE_KEY = struct.Struct(">BIQQ")  # kind, queue, due, serial; then the row
DUE_QUEUE = struct.Struct(">BI")  # kind, queue
STATUS_KEY = struct.Struct(">BIBIQ")  # tag, namespace, status, type, serial
STATUS_PREFIX = struct.Struct(">BI")  # tag, namespace
ATTRIBUTE_PREFIX = struct.Struct(">BII")  # tag, namespace, attribute; then the value and the serial
COUNT_KEY = struct.Struct(">cIB")  # '#', namespace, status

SERIALS = 1 << 63
"""Serials are below. Where a key has a greater one, it is damaged."""

NO_NAME = 0
"""The number of the empty text, which is not among the names."""

_INDEXED_BYTES = 200


def indexed(value: AttributeValue) -> bytes:
    """An attribute's value inside an index key.

    A long one is cut, and a short one ends in a zero that a longer one with the same beginning may also have there:
    what is found by it must be compared again.
    """
    encoded = encode_value(value)
    return encoded + b"\0" if len(encoded) < _INDEXED_BYTES else encoded[:_INDEXED_BYTES]
