"""A batch inside its transaction: each append is checked whole before any of it is written.

So an append that is refused leaves no trace and its neighbours stand, without a transaction of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from ..contract import (
    Append,
    Close,
    CorruptRecord,
    InvalidRecord,
    Mark,
    ObligationGone,
    Open,
    Outcome,
    RunRow,
    SequenceConflict,
    Summary,
    WorkflowKey,
)
from ..limits import require_id, require_name, require_storable
from .environment import View
from .index import due_key, visible_keys
from .layout import COUNT_KEY, IDENTITY, MARK, META_COUNT, META_SERIAL, OBLIGATION, OBLIGATION_KEY, ROW, RUN, RUN_KEY, SERIAL
from .lookup import find_head, find_serial, id_key, identity_of
from .memo import Memo, Place
from .records import seal, seal_frame, unseal, unseal_number
from .rows import decode_identity, due_of, encode_identity, encode_obligation, encode_run

_NOWHERE: Place = (0, 0)

Row = tuple[bytes, bytes]
"""An open row that goes: its key, and its key in the due order."""


class Batch:
    """One write transaction. `finish` writes what is counted once for the whole batch; then it can be committed."""

    def __init__(self, view: View, memo: Memo) -> None:
        self.view, self.memo = view, memo
        self._first_serial = memo.next_serial
        self._counted: Counter[tuple[int, int]] = Counter()

    def append(self, append: Append) -> Outcome:
        """Write one append, or say why not."""
        try:
            return self._append(append)
        except (SequenceConflict, ObligationGone, InvalidRecord, CorruptRecord) as refusal:
            return refusal

    def finish(self) -> None:
        """Write the next serial and the counts by status, if they have changed."""
        put, meta = self.view.txn.put, self.view.tables.meta
        if self.memo.next_serial != self._first_serial:
            put(META_SERIAL, seal(META_SERIAL, SERIAL.pack(self.memo.next_serial)), db=meta)
        for (namespace, status), change in self._counted.items():
            if not change:
                continue
            key = COUNT_KEY.pack(META_COUNT, namespace, status)
            with suppress(CorruptRecord):  # a damaged count stays as it is, and whoever reads it is told; that stops nobody's work
                record = self.view.txn.get(key, db=meta)
                count = unseal_number(SERIAL, key, record) if record else 0
                put(key, seal(key, SERIAL.pack(max(count + change, 0))), db=meta)

    def place(self, key: WorkflowKey) -> Place:
        """The serial and head of a workflow, (0, 0) for an unknown id. Raises `CorruptRecord`."""
        place = self.memo.place(key)
        if place is not None:
            return place
        serial = find_serial(self.view, self.memo.names, key)
        if serial is None:
            return _NOWHERE
        place = (serial, find_head(self.view, serial, key.workflow_id))
        self.memo.keep(key, place)
        return place

    def count(self, namespace: int, status: int, change: int) -> None:
        """There are `change` workflows more of a status in a namespace."""
        self._counted[namespace, status] += change

    def delete_rows(self, rows: Sequence[Row]) -> None:
        """Delete open rows and their places in the due order."""
        delete, tables = self.view.txn.delete, self.view.tables
        for key, due in rows:
            delete(key, db=tables.rows)
            delete(due, db=tables.due)

    def open_row(self, serial: int, kind: int, row: bytes) -> Row | None:
        """An open row as it is to be deleted, or None. Raises `CorruptRecord`."""
        key = OBLIGATION_KEY.pack(serial, OBLIGATION, kind) + row
        record = self.view.txn.get(key, db=self.view.tables.rows)
        if record is None:
            return None
        due_us, queue = due_of(unseal(key, record))
        return key, due_key(kind, self._number(queue), due_us, serial, row)

    def visible(self, serial: int, namespace: int, summary: Summary | None) -> set[bytes]:
        """The rows under which a listing finds a workflow."""
        return set[bytes]() if summary is None else visible_keys(summary, serial, namespace, self._number)

    def _append(self, append: Append) -> int:
        key = append.key
        serial, head = self.place(key)
        if append.expected_seq != head:
            raise SequenceConflict(key, append.expected_seq, head)
        require_storable(append)
        gone = [row for close in append.closes if (row := self._closed(append, close, serial)) is not None]
        replaced = [row for opened in append.opens if (row := self.open_row(serial, opened.kind, opened.row)) is not None]
        old = self._summary(serial) if append.summary is not None else None
        if not serial:
            if not _holds_anything(append):
                return head
            serial = self._begin(append)
        elif append.summary is not None:
            self._put_summary(serial, key, old, append.summary)
        self.delete_rows(gone)
        self.delete_rows(replaced)
        return self._write(append, serial, head)

    def _write(self, append: Append, serial: int, head: int) -> int:
        rows = self.view.tables.rows
        if append.count:
            head += append.count
            at, record = seal_frame(serial, head, append.count, append.frame)
            self.view.txn.put(at, record, db=rows)
            self.memo.keep(append.key, (serial, head))
        for opened in _last_of_each(append.opens):
            self._open(serial, opened)
        for run in append.runs:
            self._put_run(serial, run)
        for mark in append.marks:
            self._put_mark(serial, mark)
        return head

    def _closed(self, append: Append, close: Close, serial: int) -> Row | None:
        """The row that a close names, or None where it is not open. Raises `ObligationGone` if it is required."""
        owner = serial if close.owner is None else self.place(close.owner)[0]
        row = self.open_row(owner, close.kind, close.row)
        if row is None and close.required:
            whose = (close.owner or append.key).workflow_id
            raise ObligationGone(f"workflow {whose!r}: the obligation {close.kind.name} {close.row!r} is not open")
        return row

    def _open(self, serial: int, opened: Open) -> None:
        put, tables = self.view.txn.put, self.view.tables
        key = OBLIGATION_KEY.pack(serial, OBLIGATION, opened.kind) + opened.row
        put(key, seal(key, encode_obligation(opened)), db=tables.rows)
        queue = self._number(opened.queue) if opened.queue else 0
        put(due_key(opened.kind, queue, opened.due_us, serial, opened.row), b"", db=tables.due)

    def _put_run(self, serial: int, run: RunRow) -> None:
        key = RUN_KEY.pack(serial, RUN, run.run_no)
        self.view.txn.put(key, seal(key, encode_run(run)), db=self.view.tables.rows)

    def _put_mark(self, serial: int, mark: Mark) -> None:
        key = ROW.pack(serial, MARK) + mark.name
        self.view.txn.put(key, seal(key, mark.value), db=self.view.tables.rows)

    def _begin(self, append: Append) -> int:
        """Give a new workflow its serial and write whose it is."""
        namespace, workflow_id = append.key
        require_name(namespace)
        at = id_key(self._number(namespace), require_id(workflow_id))
        serial = self.memo.next_serial
        self.memo.next_serial = serial + 1
        self.view.txn.put(at, seal(at, SERIAL.pack(serial)), db=self.view.tables.ids)
        self.memo.keep(append.key, (serial, 0))
        self._put_summary(serial, append.key, None, append.summary)
        return serial

    def _summary(self, serial: int) -> Summary | None:
        return decode_identity(identity_of(self.view, serial))[1] if serial else None

    def _put_summary(self, serial: int, key: WorkflowKey, old: Summary | None, new: Summary | None) -> None:
        """Write the identity row and the index rows in which the old and the new projection differ."""
        txn, tables = self.view.txn, self.view.tables
        at = ROW.pack(serial, IDENTITY)
        txn.put(at, seal(at, encode_identity(key, new)), db=tables.rows)
        namespace = self._number(key.namespace)
        before, now = self.visible(serial, namespace, old), self.visible(serial, namespace, new)
        for row in before - now:
            txn.delete(row, db=tables.vis)
        for row in now - before:
            txn.put(row, b"", db=tables.vis)
        if old is not None:
            self.count(namespace, old.status, -1)
        if new is not None:
            self.count(namespace, new.status, 1)

    def _number(self, name: str) -> int:
        return self.memo.names.intern(self.view, name)


def _last_of_each(opens: Sequence[Open]) -> Sequence[Open]:
    """Without those that a later one of the same append replaces."""
    return opens if len(opens) < 2 else list({(opened.kind, opened.row): opened for opened in opens}.values())


def _holds_anything(append: Append) -> bool:
    return bool(append.count or append.summary or append.runs or append.opens or append.marks)
