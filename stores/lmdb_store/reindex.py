"""The index trees made anew from `rows`: names, ids, the due order, listings and counts (H2).

Only for a copy of a journal that nobody else has open: it takes several transactions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..contract import CorruptRecord, WorkflowKey
from .environment import Environment, View
from .format import sign
from .index import due_key, visible_keys
from .layout import COUNT_KEY, EVENTS, IDENTITY, META_COUNT, META_SERIAL, OBLIGATION, OBLIGATION_KEY, ROW, SERIAL, SERIALS
from .lookup import Names, Owners, find_head, id_key, last_serial
from .records import seal, unseal, unseal_frame, unseal_number
from .rows import decode_identity, due_of, encode_identity
from .scan import items_under

_WORKFLOWS_A_TRANSACTION = 2000


def reindex(environment: Environment, written_by: str) -> None:
    """Drop every index tree and write it again.

    An identity row that is damaged is made anew, without a summary, where the id leads to it and its history is whole. An id
    whose rows are gone is kept, so that what is lost is not begun afresh.
    """
    with environment.view() as view:
        known = Owners().all(view)
        following = _next_serial(view, known)
    tables = environment.tables
    with environment.begin() as txn:
        for table in (tables.meta, tables.names, tables.ids, tables.due, tables.vis):
            txn.drop(table, delete=False)
        sign(View(txn, tables), written_by)
    index = _Index(known)
    start: int | None = 0
    while start is not None:
        with environment.begin() as txn:
            start = index.make(View(txn, tables), start)
    with environment.begin() as txn:
        index.finish(View(txn, tables), following)


def _next_serial(view: View, known: dict[int, WorkflowKey]) -> int:
    record = view.txn.get(META_SERIAL, db=view.tables.meta)
    try:
        given = unseal_number(SERIAL, META_SERIAL, record) if record is not None else 1
    except CorruptRecord:
        given = 1
    return max([given, last_serial(view) + 1, *(serial + 1 for serial in known)])


class _Index:
    """What goes into the index trees, workflow by workflow."""

    def __init__(self, known: dict[int, WorkflowKey]) -> None:
        self._known = known
        self._names = Names()
        self._counts = Counter[tuple[int, int]]()

    def make(self, view: View, start: int) -> int | None:
        """Index some workflows from a serial on; where to go on."""
        cursor = view.txn.cursor(db=view.tables.rows)
        for _ in range(_WORKFLOWS_A_TRANSACTION):
            if not cursor.set_range(SERIAL.pack(start)):
                return None
            key = cursor.key()
            serial = int.from_bytes(key[: SERIAL.size])
            if serial >= SERIALS:
                return None
            if len(key) > SERIAL.size:
                self._workflow(view, serial)
            start = serial + 1
        return start

    def finish(self, view: View, following: int) -> None:
        """Write the counts, the next serial, and the ids whose rows are gone."""
        for serial, key in self._known.items():
            at = id_key(self._names.intern(view, key.namespace), key.workflow_id.encode())
            view.txn.put(at, seal(at, SERIAL.pack(serial)), db=view.tables.ids, overwrite=False)
        for (namespace, status), count in self._counts.items():
            at = COUNT_KEY.pack(META_COUNT, namespace, status)
            view.txn.put(at, seal(at, SERIAL.pack(count)), db=view.tables.meta)
        view.txn.put(META_SERIAL, seal(META_SERIAL, SERIAL.pack(following)), db=view.tables.meta)

    def _workflow(self, view: View, serial: int) -> None:
        at = ROW.pack(serial, IDENTITY)
        record = view.txn.get(at, db=view.tables.rows)
        try:
            key, summary = decode_identity(unseal(at, record or b""))
        except CorruptRecord:
            found = self._known.get(serial)
            if found is None:
                return
            key, summary = found, None
            if _history_is_whole(view, serial):
                view.txn.put(at, seal(at, encode_identity(key, None)), db=view.tables.rows)
        self._known.pop(serial, None)
        namespace = self._number(view, key.namespace)
        place = id_key(namespace, key.workflow_id.encode())
        view.txn.put(place, seal(place, SERIAL.pack(serial)), db=view.tables.ids)
        if summary is not None:
            self._counts[namespace, summary.status] += 1
            for row in visible_keys(summary, serial, namespace, lambda name: self._number(view, name)):
                view.txn.put(row, b"", db=view.tables.vis)
        for due in list(self._due(view, serial)):
            view.txn.put(due, b"", db=view.tables.due)

    def _due(self, view: View, serial: int) -> Iterator[bytes]:
        for at, record in items_under(view.txn.cursor(db=view.tables.rows), ROW.pack(serial, OBLIGATION)):
            try:
                due_us, queue = due_of(unseal(at, record))
            except CorruptRecord:
                continue
            yield due_key(at[ROW.size], self._number(view, queue), due_us, serial, at[OBLIGATION_KEY.size :])

    def _number(self, view: View, name: str) -> int:
        return self._names.intern(view, name)


def _history_is_whole(view: View, serial: int) -> bool:
    """Whether every event record of a workflow is there and sound."""
    head = 0
    try:
        for at, record in items_under(view.txn.cursor(db=view.tables.rows), ROW.pack(serial, EVENTS)):
            last = int.from_bytes(at[ROW.size :])
            count, _ = unseal_frame(at, record, "", last)
            if last - count != head:
                return False
            head = last
        return find_head(view, serial, "") == head
    except CorruptRecord:
        return False
