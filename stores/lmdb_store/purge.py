"""Purge: delete everything of one workflow, its index rows with it."""

from __future__ import annotations

from ..contract import WorkflowKey
from .batch import Batch
from .layout import OBLIGATION, SERIAL
from .lookup import id_key, identity_of
from .rows import decode_identity


def purge_workflow(batch: Batch, key: WorkflowKey) -> bool:
    """Delete all rows of `key`; whether there were any. Its serial is not given again. Raises `CorruptRecord`."""
    serial, _ = batch.place(key)
    if not serial:
        return False
    txn, tables = batch.view.txn, batch.view.tables
    namespace = batch.memo.names.intern(batch.view, key.namespace)
    summary = decode_identity(identity_of(batch.view, serial))[1]
    for row in batch.visible(serial, namespace, summary):
        txn.delete(row, db=tables.vis)
    if summary is not None:
        batch.count(key.namespace, summary.status, -1)
    for row in _rows_of(batch, serial):
        if row[8] == OBLIGATION and (owed := batch.open_row(serial, row[9], row[10:])) is not None:
            txn.delete(owed[1], db=tables.due)
        txn.delete(row, db=tables.rows)
    txn.delete(id_key(namespace, key.workflow_id.encode()), db=tables.ids)
    batch.memo.forget(key)
    return True


def _rows_of(batch: Batch, serial: int) -> list[bytes]:
    prefix = SERIAL.pack(serial)
    cursor = batch.view.txn.cursor(db=batch.view.tables.rows)
    rows: list[bytes] = []
    if cursor.set_range(prefix):
        for row in cursor.iternext(keys=True, values=False):
            if not row.startswith(prefix):
                break
            rows.append(row)
    return rows
