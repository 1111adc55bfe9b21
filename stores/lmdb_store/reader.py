"""Reads of one workflow: its history, projection, runs, obligations and marks, each from one short snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ..contract import CorruptRecord, Damage, Frame, HistoryPage, Mark, Obligation, ObligationKind, RunRow, Summary, WorkflowKey
from ..limits import MAX_SEQ
from .environment import Environment, View
from .layout import EVENTS, EVENTS_KEY, MARK, OBLIGATION, OBLIGATION_KEY, ROW, RUN
from .lookup import Names, find_head, find_serial, identity_of
from .records import unseal, unseal_frame
from .rows import decode_identity, decode_obligation, decode_run, final_head
from .scan import items_under

T = TypeVar("T")

_NOTHING = HistoryPage((), None)


class Reader:
    """Reads from any thread. Nothing is remembered but the numbers of names, which never change."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.names = Names()

    def head(self, key: WorkflowKey) -> int:
        """What `Store.head` says."""
        with self._environment.view() as view:
            serial = find_serial(view, self.names, key)
            return 0 if serial is None else find_head(view, serial, key.workflow_id)

    def history(self, key: WorkflowKey, from_seq: int, max_bytes: int) -> HistoryPage:
        """What `Store.history` says: the frames follow each other, and a closed history does not end early (J7)."""
        with self._environment.view() as view:
            serial = find_serial(view, self.names, key)
            if serial is None or from_seq > MAX_SEQ:
                return _NOTHING
            return _page(view, serial, key.workflow_id, max(from_seq, 1), max_bytes)

    def summary(self, key: WorkflowKey) -> Summary | None:
        """What `Store.summary` says."""
        with self._environment.view() as view:
            serial = find_serial(view, self.names, key)
            if serial is None:
                return None
            owner, summary = _of_identity(view, serial, key.workflow_id, decode_identity)
            return summary if owner == key else None

    def runs(self, key: WorkflowKey, on_damage: Damage | None) -> list[RunRow]:
        """What `Store.runs` says."""
        with self._environment.view() as view:
            return list(self._rows(view, key, RUN, on_damage, lambda _, body: decode_run(body)))

    def mark(self, key: WorkflowKey, name: bytes) -> bytes | None:
        """What `Store.mark` says."""
        with self._environment.view() as view:
            serial = find_serial(view, self.names, key)
            return None if serial is None else _row(view, ROW.pack(serial, MARK) + name, key)

    def marks(self, key: WorkflowKey, on_damage: Damage | None) -> list[Mark]:
        """What `Store.marks` says."""
        with self._environment.view() as view:
            return list(self._rows(view, key, MARK, on_damage, Mark))

    def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
        """What `Store.obligation` says."""
        with self._environment.view() as view:
            serial = find_serial(view, self.names, key)
            body = None if serial is None else _row(view, OBLIGATION_KEY.pack(serial, OBLIGATION, kind) + row, key)
            return None if body is None else decode_obligation(key, kind, row, body)

    def obligations_of(self, key: WorkflowKey, on_damage: Damage | None) -> list[Obligation]:
        """What `Store.obligations_of` says."""
        with self._environment.view() as view:
            return list(self._rows(view, key, OBLIGATION, on_damage, lambda at, body: decode_obligation(key, at[0], at[1:], body)))

    def _rows(self, view: View, key: WorkflowKey, tag: int, on_damage: Damage | None, decode: Callable[[bytes, bytes], T]) -> Iterator[T]:
        """Every row of one kind, made of what follows serial and tag in its key, and of its body. Raises `CorruptRecord`."""
        serial = find_serial(view, self.names, key)
        if serial is None:
            return
        cursor = view.txn.cursor(db=view.tables.rows)
        for at, record in items_under(cursor, ROW.pack(serial, tag)):
            try:
                yield decode(at[ROW.size :], unseal(at, record, key.workflow_id))
            except CorruptRecord as damage:
                told = _named(key.workflow_id, damage)
                if on_damage is None:
                    raise told from None
                on_damage(told)


def _row(view: View, at: bytes, key: WorkflowKey) -> bytes | None:
    if len(at) > 511:
        return None
    record = view.txn.get(at, db=view.tables.rows)
    return None if record is None else unseal(at, record, key.workflow_id)


def _of_identity(view: View, serial: int, workflow_id: str, decode: Callable[[bytes], T]) -> T:
    """What the row says that says whose rows these are. Raises `CorruptRecord`."""
    try:
        return decode(identity_of(view, serial))
    except CorruptRecord as damage:
        raise _named(workflow_id, damage) from None


def _named(workflow_id: str, damage: CorruptRecord) -> CorruptRecord:
    """The damage with the workflow that it concerns."""
    return damage if damage.workflow_id else CorruptRecord(f"workflow {workflow_id!r}: {damage}", workflow_id)


def _page(view: View, serial: int, workflow_id: str, from_seq: int, max_bytes: int) -> HistoryPage:
    """Frames from the one that holds `from_seq` on, each of which must begin where the one before it ended."""
    frames: list[Frame] = []
    size = 0
    expected = 0
    cursor = view.txn.cursor(db=view.tables.rows)
    prefix, width, add = ROW.pack(serial, EVENTS), ROW.size, frames.append
    items = cursor.iternext() if cursor.set_range(EVENTS_KEY.pack(serial, EVENTS, from_seq)) else ()
    for at, record in items:  # the loop of every replay: not `items_under`, whose frames cost as much as the checks
        if at[:width] != prefix:
            break
        last_seq = int.from_bytes(at[width:])
        count, data = unseal_frame(at, record, workflow_id, last_seq)
        if frames and size + len(data) > max_bytes:
            return HistoryPage(frames, expected)
        first_seq = last_seq - count + 1
        if first_seq != expected and (expected or first_seq > from_seq):
            raise _gap(workflow_id, expected or from_seq)
        add(Frame(first_seq, count, data))
        expected = last_seq + 1
        size += len(data)
    _require_end(view, serial, workflow_id, max(expected, from_seq))
    return HistoryPage(frames, None)


def _require_end(view: View, serial: int, workflow_id: str, following: int) -> None:
    """Nothing may be known of the event `following`: neither to a search for the head nor to the summary."""
    final = _of_identity(view, serial, workflow_id, final_head)
    if max(final, find_head(view, serial, workflow_id)) >= following:
        raise _gap(workflow_id, following)


def _gap(workflow_id: str, seq: int) -> CorruptRecord:
    return CorruptRecord(f"workflow {workflow_id!r}: event {seq} is missing", workflow_id, seq)
