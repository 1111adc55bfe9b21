"""The rows of each workflow: checksums, contiguity, heads, and the index rows that should follow from them."""

from __future__ import annotations

from collections.abc import Callable

from ..contract import CorruptRecord, ObligationKind, Remedy, Summary, WorkflowKey
from .environment import View
from .index import due_key, visible_keys
from .layout import EVENTS, IDENTITY, MARK, OBLIGATION, ROW, RUN, SERIAL
from .lookup import id_key
from .records import unseal, unseal_frame
from .rows import decode_identity, decode_run, due_of
from .scan import walk
from .verifying import Verifying, is_found

_TAG = SERIAL.size
_TITLES = {IDENTITY: "identity and summary:", RUN: "run row:", OBLIGATION: "open row:", MARK: "mark:"}
_KINDS = frozenset(map(int, ObligationKind))


def check_workflows(view: View, verifying: Verifying, start: bytes, limit: int) -> bytes | None:
    """Check some workflows whole, from the first row at or behind `start`; where to go on."""
    workflow: _Workflow | None = None
    for checked, (key, record, in_order) in enumerate(walk(view.txn.cursor(db=view.tables.rows), start)):
        if workflow is None or key[:_TAG] != workflow.serial_key:
            if workflow is not None:
                workflow.finish()
            if checked >= limit and in_order and is_found(view, view.tables.rows, key, record):
                return key
            workflow = _Workflow(view, verifying, key[:_TAG])
        workflow.check(key, record, in_order)
    if workflow is not None:
        workflow.finish()
    return None


class _Workflow:
    """One workflow as it is walked through: its identity comes first, then its runs, events, obligations and marks."""

    def __init__(self, view: View, verifying: Verifying, serial_key: bytes) -> None:
        self.serial_key = serial_key
        self._serial = int.from_bytes(serial_key)
        self._view, self._verifying, self._names = view, verifying, verifying.names
        self._key: WorkflowKey | None = verifying.owner(view, self._serial)
        self._identified = False
        self._summary: Summary | None = None
        self._head = 0
        self._checks: dict[int, Callable[[bytes, bytes], None]] = {
            IDENTITY: self._check_identity,
            RUN: self._check_run,
            EVENTS: self._check_frame,
            OBLIGATION: self._check_obligation,
            MARK: self._check_mark,
        }

    def check(self, key: bytes, record: bytes, in_order: bool) -> None:
        """Check one row by itself and against its index row."""
        if not in_order:
            self._find(f"the row {key.hex()} is out of order")
        elif not is_found(self._view, self._view.tables.rows, key, record):
            self._find(f"the row {key.hex()} cannot be found by its key")
        check = self._checks.get(key[_TAG]) if len(key) > _TAG else None
        if check is None:
            self._find(f"the row {key.hex()} is of no kind that is known")
            return
        try:
            check(key, record)
        except CorruptRecord as damage:
            events = key[_TAG] == EVENTS
            what = f"the events up to {damage.seq} fail their checksum" if events else f"its {_TITLES[key[_TAG]]} {damage}"
            self._find(what, damage.seq, Remedy.RESTORE if events else Remedy.REPAIR)
        except IndexError:
            self._find(f"the row {key.hex()} cannot be decoded")

    def finish(self) -> None:
        """Check what concerns the workflow as a whole."""
        if not self._identified:
            self._find(f"the rows of workflow number {self._serial} do not say whose they are")
        if self._key is None:
            return
        try:
            self._check_whole(self._key)
        except CorruptRecord as damage:
            self._find(str(damage))

    def _check_whole(self, key: WorkflowKey) -> None:
        if self._summary is not None:
            if self._summary.head not in (0, self._head):
                self._find_end(self._summary.head)
            self._check_visible(key, self._summary)
        self._check_id(key)

    def _find_end(self, head: int) -> None:
        remedy = Remedy.RESTORE if head > self._head else Remedy.REPAIR
        self._find(f"the summary says that the history ends at {head}, it ends at {self._head}", self._head, remedy)

    def _check_identity(self, key: bytes, record: bytes) -> None:
        self._identified = True
        self._key, self._summary = decode_identity(unseal(key, record))

    def _check_run(self, key: bytes, record: bytes) -> None:
        run = decode_run(unseal(key, record))
        if run.run_no != int.from_bytes(key[ROW.size :]):
            self._find(f"run {run.run_no} lies where another belongs")

    def _check_frame(self, key: bytes, record: bytes) -> None:
        last_seq = int.from_bytes(key[ROW.size :])
        expected = self._head + 1
        self._head = last_seq
        count, _ = unseal_frame(key, record, "", last_seq)
        if last_seq - count + 1 != expected:
            what = f"event {expected} is missing" if last_seq - count >= expected else f"the events up to {last_seq} overlap"
            self._find(what, expected, Remedy.RESTORE)

    def _check_obligation(self, key: bytes, record: bytes) -> None:
        due_us, queue = due_of(unseal(key, record))
        number = self._names.find(self._view, queue)
        kind, row = key[ROW.size], key[ROW.size + 1 :]
        if kind not in _KINDS:
            self._find(f"the open row {row!r} is of kind {kind}, which is not known")
        if number is None or self._view.txn.get(due_key(kind, number, due_us, self._serial, row), db=self._view.tables.due) is None:
            self._find(f"the open row {row!r} of kind {kind} is not in the due order")

    def _check_mark(self, key: bytes, record: bytes) -> None:
        unseal(key, record)

    def _check_visible(self, key: WorkflowKey, summary: Summary) -> None:
        namespace = self._names.find(self._view, key.namespace)
        if namespace is None:
            self._find(f"the namespace {key.namespace!r} is not among the names")
            return
        for row in visible_keys(summary, self._serial, namespace, lambda name: self._names.find(self._view, name) or 0):
            if self._view.txn.get(row, db=self._view.tables.vis) is None:
                self._find(f"the index row {row.hex()} is missing")

    def _check_id(self, key: WorkflowKey) -> None:
        at = id_key(self._names.find(self._view, key.namespace) or 0, key.workflow_id.encode())
        record = self._view.txn.get(at, db=self._view.tables.ids)
        if record is None or record[4:] != self.serial_key:
            self._find("the id does not lead to its rows")

    def _find(self, what: str, seq: int = 0, remedy: Remedy = Remedy.REPAIR) -> None:
        self._verifying.find(what, self._key, seq, remedy)
