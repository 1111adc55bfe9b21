"""Purge: delete everything of one workflow, its index rows with it."""

from __future__ import annotations

from ..contract import CorruptRecord, WorkflowKey
from .batch import Batch
from .layout import BY_STATUS, DUE_KEY, OBLIGATION, SERIAL, STATUS_KEY
from .lookup import find_serial, id_key, identity_of
from .rows import decode_identity
from .scan import keys_under


def purge_workflow(batch: Batch, key: WorkflowKey) -> bool:
    """Delete all rows of `key`; whether there were any. Its serial is not given again.

    What its rows say is where its index rows are; where they are damaged, the index trees are searched instead.
    Raises `CorruptRecord` if the id itself is damaged, so that it is not known whose rows these would be.
    """
    serial = find_serial(batch.view, batch.memo.names, key)
    if serial is None:
        return False
    view = batch.view
    rows = list(keys_under(view.txn.cursor(db=view.tables.rows), SERIAL.pack(serial)))
    try:
        visible, due = _index_rows(batch, key, serial, rows)
    except CorruptRecord:
        visible, due = _searched(batch, serial)
    for row in visible:
        view.txn.delete(row, db=view.tables.vis)
        if row[0] == BY_STATUS:
            _, namespace, status, _, _ = STATUS_KEY.unpack(row)
            batch.count(namespace, status, -1)
    for row in due:
        view.txn.delete(row, db=view.tables.due)
    for row in rows:
        view.txn.delete(row, db=view.tables.rows)
    namespace = batch.memo.names.intern(view, key.namespace)
    view.txn.delete(id_key(namespace, key.workflow_id.encode()), db=view.tables.ids)
    batch.memo.forget(key)
    return True


def _index_rows(batch: Batch, key: WorkflowKey, serial: int, rows: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The rows of `vis` and of `due` that follow from the rows of a workflow. Raises `CorruptRecord`."""
    namespace = batch.memo.names.intern(batch.view, key.namespace)
    summary = decode_identity(identity_of(batch.view, serial))[1]
    owed = (batch.open_row(serial, row[9], row[10:]) for row in rows if row[8] == OBLIGATION)
    return list(batch.visible(serial, namespace, summary)), [places[1] for places in owed if places is not None]


def _searched(batch: Batch, serial: int) -> tuple[list[bytes], list[bytes]]:
    """The same, found by going through both trees."""
    tables, end = batch.view.tables, SERIAL.pack(serial)
    cursors = batch.view.txn.cursor(db=tables.vis), batch.view.txn.cursor(db=tables.due)
    visible = [row for row in keys_under(cursors[0], b"") if row.endswith(end)]
    due = [row for row in keys_under(cursors[1], b"") if row[DUE_KEY.size - SERIAL.size : DUE_KEY.size] == end]
    return visible, due
