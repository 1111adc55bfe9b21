"""What is owed, in the order in which it is due: a merge over the queues of one kind (R2)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from ..contract import CorruptRecord, Damage, Obligation, ObligationKind, WorkflowKey
from .environment import Environment, View
from .layout import DUE_KEY, DUE_QUEUE, NUMBER, OBLIGATION, OBLIGATION_KEY, SERIAL
from .lookup import Names, find_serial, identity_of
from .records import unseal
from .rows import decode_key, decode_obligation
from .scan import distinct_under, keys_under

_Due = tuple[int, int, bytes, int]
"""A place in the due order: due, serial, row, queue number."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rows are asked for."""

    kind: ObligationKind
    until_us: int | None
    queue: str | None
    after: Obligation | None
    limit: int
    on_damage: Damage | None

    def report(self, damage: CorruptRecord) -> None:
        """Leave a damaged row out and say so, or raise."""
        if self.on_damage is None:
            raise damage
        self.on_damage(damage)


class Owed:
    """The due order, each page from one short snapshot."""

    def __init__(self, environment: Environment, names: Names) -> None:
        self._environment, self._names = environment, names

    def obligations(self, sought: Sought) -> list[Obligation]:
        """What `Store.obligations` says."""
        rows: list[Obligation] = []
        keys: dict[int, WorkflowKey] = {}
        with self._environment.view() as view:
            for due in heapq.merge(*(self._queue(view, sought, number) for number in self._queues(view, sought))):
                if len(rows) >= sought.limit:
                    break
                try:
                    rows.append(self._row(view, sought.kind, due, keys))
                except CorruptRecord as damage:
                    sought.report(damage)
        return rows

    def _queues(self, view: View, sought: Sought) -> list[int]:
        if sought.queue is None:
            cursor = view.txn.cursor(db=view.tables.due)
            return [int.from_bytes(number) for number in distinct_under(cursor, bytes([sought.kind]), NUMBER.size)]
        number = self._names.find(view, sought.queue)
        return [] if number is None else [number]

    def _queue(self, view: View, sought: Sought, number: int) -> Iterator[_Due]:
        """The due order of one queue, behind the last row of the page before."""
        prefix = DUE_QUEUE.pack(sought.kind, number)
        start = self._start(view, sought)
        for key in keys_under(view.txn.cursor(db=view.tables.due), prefix, start):
            if len(key) < DUE_KEY.size:
                sought.report(CorruptRecord(f"the place {key.hex()} in the due order is cut off"))
                continue
            due_us, serial = DUE_KEY.unpack_from(key)[2:]
            if sought.until_us is not None and due_us > sought.until_us:
                return
            if key[len(prefix) :] != start:
                yield due_us, serial, key[DUE_KEY.size :], number

    def _start(self, view: View, sought: Sought) -> bytes:
        after = sought.after
        if after is None:
            return b""
        serial = find_serial(view, self._names, after.key) or 0
        return SERIAL.pack(after.due_us) + SERIAL.pack(serial) + after.row

    def _owner(self, view: View, serial: int) -> WorkflowKey:
        """Whose row it is. Raises `CorruptRecord` unless its id leads there: it could not be told, and no page would follow."""
        key = decode_key(identity_of(view, serial))
        if find_serial(view, self._names, key) != serial:
            raise CorruptRecord(f"workflow {key.workflow_id!r}: the id does not lead to its rows", key.workflow_id)
        return key

    def _row(self, view: View, kind: ObligationKind, due: _Due, keys: dict[int, WorkflowKey]) -> Obligation:
        """The row that the due order names. Raises `CorruptRecord` unless the two agree."""
        due_us, serial, row, number = due
        key = keys.get(serial)
        if key is None:
            key = keys[serial] = self._owner(view, serial)
        at = OBLIGATION_KEY.pack(serial, OBLIGATION, kind) + row
        record = view.txn.get(at, db=view.tables.rows)
        if record is None:
            raise CorruptRecord(f"workflow {key.workflow_id!r}: {kind.name} {row!r} is due but is not open", key.workflow_id)
        owed = decode_obligation(key, kind, row, unseal(at, record, key.workflow_id))
        if owed.due_us != due_us or self._names.find(view, owed.queue) != number:
            raise CorruptRecord(f"workflow {key.workflow_id!r}: {kind.name} {row!r} is due at another time or place", key.workflow_id)
        return owed
