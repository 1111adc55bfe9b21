"""The index trees: each of their rows must follow from a row of a workflow."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable

import lmdb

from ..contract import CorruptRecord, WorkflowKey
from .environment import View
from .index import visible_keys
from .layout import (
    BY_STATUS,
    COUNT_KEY,
    DUE_KEY,
    META_COUNT,
    META_FORMAT,
    META_SERIAL,
    META_WRITER,
    NUMBER,
    OBLIGATION,
    OBLIGATION_KEY,
    SERIAL,
    STATUS_KEY,
    STATUS_PREFIX,
)
from .lookup import id_key, identity_of, last_serial
from .records import unseal, unseal_number
from .rows import decode_identity, decode_key, due_of
from .scan import items_under, keys_under, walk
from .verifying import Verifying, is_found

_RowCheck = Callable[[View, Verifying, bytes, bytes], str | None]
"""What is wrong with one index row, None if it is right."""

_Owner = Callable[[View, Verifying, bytes], WorkflowKey | None]
"""Whose an index row is, as far as its key tells."""


def check_names(view: View, verifying: Verifying, start: bytes, limit: int) -> bytes | None:
    """The names: they have the numbers from 1 on, each its own."""
    numbers: set[int] = set()

    def check(view: View, verifying: Verifying, key: bytes, record: bytes) -> str | None:
        number = unseal_number(NUMBER, key, record)
        taken = number in numbers
        numbers.add(number)
        return f"the name {key!r} has the number of another" if taken else None

    _check_rows(view.tables.names, view, verifying, check, (start, 1 << 62))
    missing = [str(number) for number in range(1, max(numbers, default=0)) if number not in numbers]
    if missing:
        verifying.find(f"the names with the numbers {', '.join(missing[:10])} are missing ({len(missing)} in all)")
    return None


def check_meta(view: View, verifying: Verifying, start: bytes, limit: int) -> bytes | None:
    """What the journal says of itself."""
    return _check_rows(view.tables.meta, view, verifying, _meta_fault, (start, limit))


def check_ids(view: View, verifying: Verifying, start: bytes, limit: int) -> bytes | None:
    """Each id leads to rows that are its own."""
    return _check_rows(view.tables.ids, view, verifying, _id_fault, (start, limit))


def check_due(view: View, verifying: Verifying, start: bytes, limit: int) -> bytes | None:
    """Each place in the due order belongs to an open row."""
    return _check_rows(view.tables.due, view, verifying, _due_fault, (start, limit), _due_owner)


def check_visible(view: View, verifying: Verifying, start: bytes, limit: int) -> bytes | None:
    """Each row of a listing's index agrees with the projection of its workflow."""
    return _check_rows(view.tables.vis, view, verifying, _visible_fault, (start, limit), _visible_owner)


def check_counts(view: View, verifying: Verifying, start: bytes, limit: int) -> bytes | None:
    """The counts by status are those of the index, and no serial was given that is still to be given."""
    counted = Counter[tuple[int, int]]()
    prefix = bytes([BY_STATUS])
    for key in keys_under(view.txn.cursor(db=view.tables.vis), prefix):
        if len(key) == STATUS_KEY.size:
            counted[STATUS_PREFIX.unpack_from(key)[1], key[STATUS_PREFIX.size]] += 1
    stored = Counter[tuple[int, int]]()
    for key, record in items_under(view.txn.cursor(db=view.tables.meta), META_COUNT):
        try:
            _, namespace, status = COUNT_KEY.unpack(key)
            stored[namespace, status] = unseal_number(SERIAL, key, record)
        except (CorruptRecord, struct.error) as damage:
            verifying.find(f"a count cannot be read: {damage}")
    if +stored != +counted:
        verifying.find(f"the counts by status are {dict(+stored)}, the listings have {dict(+counted)}")
    _check_next_serial(view, verifying)
    return None


def _check_next_serial(view: View, verifying: Verifying) -> None:
    last = last_serial(view)
    record = view.txn.get(META_SERIAL, db=view.tables.meta)
    try:
        following = unseal_number(SERIAL, META_SERIAL, record) if record is not None else 1
    except CorruptRecord as damage:
        verifying.find(str(damage))
        return
    if following <= last:
        verifying.find(f"the next workflow would get number {following}, and {last} is taken")


def _nobody(view: View, verifying: Verifying, key: bytes) -> WorkflowKey | None:
    return None


def _check_rows(
    table: lmdb._Database,
    view: View,
    verifying: Verifying,
    check: _RowCheck,
    part: tuple[bytes, int],
    owner: _Owner = _nobody,
) -> bytes | None:
    """Check up to a number of rows from a key on, and more until there is one to go on from; its key."""
    start, limit = part
    for checked, (key, record, in_order) in enumerate(walk(view.txn.cursor(db=table), start)):
        if checked >= limit and in_order and is_found(view, table, key, record):
            return key
        if not in_order:
            verifying.find(f"the index row {key.hex()} is out of order")
        try:
            fault = check(view, verifying, key, record)
        except CorruptRecord as damage:
            fault = f"the index row {key.hex()}: {damage}"
        except (ValueError, IndexError, struct.error, lmdb.BadValsizeError):
            fault = f"the index row {key.hex()} cannot be decoded"
        if fault is not None:
            verifying.find(fault, owner(view, verifying, key))
    return None


def _meta_fault(view: View, verifying: Verifying, key: bytes, record: bytes) -> str | None:
    unseal(key, record)
    known = key in (META_FORMAT, META_WRITER, META_SERIAL) or (key.startswith(META_COUNT) and len(key) == COUNT_KEY.size)
    return None if known else f"the journal's own row {key!r} is of no kind that is known"


def _id_fault(view: View, verifying: Verifying, key: bytes, record: bytes) -> str | None:
    serial = unseal_number(SERIAL, key, record)
    owner = decode_key(identity_of(view, serial))
    if id_key(verifying.names.find(view, owner.namespace) or 0, owner.workflow_id.encode()) == key:
        return None
    return f"the id {key[NUMBER.size :]!r} leads to the rows of {owner.workflow_id!r}"


def _due_fault(view: View, verifying: Verifying, key: bytes, record: bytes) -> str | None:
    kind, queue, due_us, serial = _unpack_due(key)
    row = key[DUE_KEY.size :]
    at = OBLIGATION_KEY.pack(serial, OBLIGATION, kind) + row
    found = view.txn.get(at, db=view.tables.rows)
    if found is None:
        return f"the row {row!r} of kind {kind} is due but is not open"
    due, name = due_of(unseal(at, found))
    if due != due_us or verifying.names.find(view, name) != queue:
        return f"the open row {row!r} of kind {kind} is due at another time or place"
    return None


def _visible_fault(view: View, verifying: Verifying, key: bytes, record: bytes) -> str | None:
    serial: int = SERIAL.unpack(key[-SERIAL.size :])[0]
    owner, summary = decode_identity(identity_of(view, serial))
    namespace = verifying.names.find(view, owner.namespace) or 0
    if summary is not None and key in visible_keys(summary, serial, namespace, lambda name: verifying.names.find(view, name) or 0):
        return None
    return f"the index row {key.hex()} does not agree with the workflow's summary"


def _unpack_due(key: bytes) -> tuple[int, int, int, int]:
    kind, queue, due_us, serial = DUE_KEY.unpack_from(key)
    return kind, queue, due_us, serial


def _due_owner(view: View, verifying: Verifying, key: bytes) -> WorkflowKey | None:
    return verifying.owner(view, _unpack_due(key)[3]) if len(key) >= DUE_KEY.size else None


def _visible_owner(view: View, verifying: Verifying, key: bytes) -> WorkflowKey | None:
    return verifying.owner(view, int.from_bytes(key[-SERIAL.size :]))
