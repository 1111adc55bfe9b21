"""A store in memory: the contract without a disk, for tests, simulation and virtual time.

It refuses what the durable backend refuses and orders what it orders, so that a program that is right here is
right there. What it does not do is survive its process.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .contract import (
    Append,
    Close,
    Damage,
    Finding,
    Frame,
    HistoryPage,
    InvalidRecord,
    KeyPage,
    Mark,
    Obligation,
    ObligationGone,
    ObligationKind,
    Open,
    Outcome,
    RunRow,
    SequenceConflict,
    StoreClosed,
    StoreStats,
    Summary,
    SummaryEntry,
    SummaryFilter,
    SummaryPage,
    WorkflowKey,
)
from .dump import write_records
from .filtering import Condition
from .held import HeldWorkflow, check_held
from .limits import require_id, require_name, require_storable

_SERIAL_BYTES = 8


class _Due(NamedTuple):
    """Where an open row stands among those of its kind."""

    due_us: int
    serial: int
    row: bytes


class MemoryStore:
    """A `Store` that holds everything in memory. One lock makes each call atomic, so reads may come from any thread."""

    blocking = False

    def __init__(self, *, written_by: str = "memory") -> None:
        self._written_by = written_by
        self._lock = threading.Lock()
        self._workflows: dict[WorkflowKey, HeldWorkflow] = {}
        self._by_serial: dict[int, HeldWorkflow] = {}
        self._due: dict[ObligationKind, list[_Due]] = {kind: [] for kind in ObligationKind}
        self._next_serial = 1
        self._closed = False

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        """Each append in order; nothing here can fail half-way, because all of an append is checked before any of it is kept."""
        with self._lock:
            self._require_open()
            return [self._append(append) for append in batch]

    def head(self, key: WorkflowKey) -> int:
        with self._lock:
            workflow = self._find(key)
            return workflow.head if workflow else 0

    def history(self, key: WorkflowKey, from_seq: int = 1, max_bytes: int = 1 << 20) -> HistoryPage:
        with self._lock:
            workflow = self._find(key)
            if workflow is None:
                return HistoryPage((), None)
            frames: list[Frame] = []
            size = 0
            for frame in workflow.frames[bisect_left(workflow.ends, from_seq) :]:
                if frames and size + len(frame.data) > max_bytes:
                    return HistoryPage(frames, frame.first_seq)
                frames.append(frame)
                size += len(frame.data)
            return HistoryPage(frames, None)

    def summary(self, key: WorkflowKey) -> Summary | None:
        with self._lock:
            workflow = self._find(key)
            return workflow.summary if workflow else None

    def summaries(
        self, where: SummaryFilter, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None
    ) -> SummaryPage:
        with self._lock:
            self._require_open()
            condition = Condition(where)
            entries: list[SummaryEntry] = []
            for workflow in self._later_than(after):
                if workflow.summary is None or workflow.key.namespace != where.namespace or not condition.holds(workflow.summary):
                    continue
                if len(entries) >= limit:
                    return SummaryPage(entries, _before(workflow))
                entries.append(SummaryEntry(workflow.key, workflow.summary))
            return SummaryPage(entries, None)

    def keys(self, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None) -> KeyPage:
        with self._lock:
            self._require_open()
            later = self._later_than(after)
            more = _before(later[limit]) if len(later) > limit else None
            return KeyPage([workflow.key for workflow in later[:limit]], more)

    def counts(self, namespace: str) -> Mapping[int, int]:
        with self._lock:
            self._require_open()
            found = (w.summary.status for w in self._workflows.values() if w.summary and w.key.namespace == namespace)
            return dict(Counter(found))

    def runs(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[RunRow]:
        with self._lock:
            workflow = self._find(key)
            return list(workflow.sorted_runs()) if workflow else []

    def mark(self, key: WorkflowKey, name: bytes) -> bytes | None:
        with self._lock:
            workflow = self._find(key)
            return workflow.marks.get(name) if workflow else None

    def marks(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Mark]:
        with self._lock:
            workflow = self._find(key)
            return list(workflow.sorted_marks()) if workflow else []

    def obligations(
        self,
        kind: ObligationKind,
        *,
        until_us: int | None = None,
        queue: str | None = None,
        after: Obligation | None = None,
        limit: int = 1000,
        on_damage: Damage | None = None,
    ) -> list[Obligation]:
        with self._lock:
            self._require_open()
            rows: list[Obligation] = []
            for due in self._due[kind][self._first_behind(kind, after) :]:
                if len(rows) >= limit or (until_us is not None and due.due_us > until_us):
                    break
                row = self._by_serial[due.serial].opens[kind, due.row]
                if queue is None or row.queue == queue:
                    rows.append(row)
            return rows

    def obligations_of(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Obligation]:
        with self._lock:
            workflow = self._find(key)
            return list(workflow.sorted_rows()) if workflow else []

    def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
        with self._lock:
            workflow = self._find(key)
            return workflow.opens.get((kind, row)) if workflow else None

    def purge(self, keys: Sequence[WorkflowKey]) -> int:
        with self._lock:
            self._require_open()
            return sum(self._forget(key) for key in keys)

    def backup(self, destination: Path) -> None:
        """Write what is held now to a journal on disk."""
        from .lmdb_store import LmdbStore

        with self._lock:
            self._require_open()
            workflows = [(workflow.key, workflow.records()) for workflow in self._workflows.values()]
        target = LmdbStore.create(destination, written_by=self._written_by)
        try:
            write_records(target, workflows)
        finally:
            target.close()

    def verify(self) -> list[Finding]:
        """Check the histories and the due order against the rows; there are no checksums, since there is no disk."""
        with self._lock:
            self._require_open()
            findings = [finding for workflow in self._workflows.values() for finding in check_held(workflow)]
            open_rows = sum(len(workflow.opens) for workflow in self._workflows.values())
            if open_rows != sum(map(len, self._due.values())):
                findings.append(Finding("the due order and the open rows differ"))
            return findings

    def stats(self) -> StoreStats:
        with self._lock:
            self._require_open()
            size = sum(len(frame.data) for workflow in self._workflows.values() for frame in workflow.frames)
            owed = {kind.name.lower(): len(rows) for kind, rows in self._due.items() if rows}
            return StoreStats(len(self._workflows), owed, size, 0, 0, 0, self._written_by)

    def reopen(self) -> None:
        """Nothing can have failed."""
        with self._lock:
            self._require_open()

    def close(self) -> None:
        with self._lock:
            self._closed = True

    def _append(self, append: Append) -> Outcome:
        known = self._workflows.get(append.key)
        head = known.head if known else 0
        if append.expected_seq != head:
            return SequenceConflict(append.key, append.expected_seq, head)
        try:
            require_storable(append)
            if known is None:
                require_name(append.key.namespace)
                require_id(append.key.workflow_id)
        except InvalidRecord as refusal:
            return refusal
        for close in append.closes:
            if close.required and not self._is_open(append, close):
                whose = (close.owner or append.key).workflow_id
                return ObligationGone(f"workflow {whose!r}: the obligation {close.kind.name} {close.row!r} is not open")
        if known is None and (append.count or append.summary or append.runs or append.opens or append.marks):
            known = self._begin(append.key)
        return head if known is None else self._keep(known, append)

    def _keep(self, workflow: HeldWorkflow, append: Append) -> int:
        if append.count:
            workflow.frames.append(Frame(workflow.head + 1, append.count, bytes(append.frame)))
            workflow.ends.append(workflow.head + append.count)
        if append.summary is not None:
            workflow.summary = replace(append.summary, attributes=dict(append.summary.attributes))
        workflow.runs.update((run.run_no, run) for run in append.runs)
        for close in append.closes:
            owner = workflow if close.owner is None else self._workflows.get(close.owner)
            if owner is not None:
                self._close_row(owner, close.kind, close.row)
        for opened in append.opens:
            self._open_row(workflow, opened)
        workflow.marks.update((mark.name, mark.value) for mark in append.marks)
        return workflow.head

    def _begin(self, key: WorkflowKey) -> HeldWorkflow:
        workflow = HeldWorkflow(key, self._next_serial)
        self._next_serial += 1
        self._workflows[key] = self._by_serial[workflow.serial] = workflow
        return workflow

    def _forget(self, key: WorkflowKey) -> bool:
        workflow = self._workflows.pop(key, None)
        if workflow is None:
            return False
        for kind, row in list(workflow.opens):
            self._close_row(workflow, kind, row)
        del self._by_serial[workflow.serial]
        return True

    def _is_open(self, append: Append, close: Close) -> bool:
        owner = self._workflows.get(close.owner or append.key)
        return owner is not None and (close.kind, close.row) in owner.opens

    def _open_row(self, workflow: HeldWorkflow, opened: Open) -> None:
        self._close_row(workflow, opened.kind, opened.row)
        row = Obligation(workflow.key, opened.kind, opened.row, opened.due_us, opened.queue, opened.payload)
        workflow.opens[opened.kind, opened.row] = row
        insort(self._due[opened.kind], _Due(opened.due_us, workflow.serial, opened.row))

    def _close_row(self, workflow: HeldWorkflow, kind: ObligationKind, row: bytes) -> None:
        gone = workflow.opens.pop((kind, row), None)
        if gone is not None:
            rows = self._due[kind]
            del rows[bisect_left(rows, _Due(gone.due_us, workflow.serial, row))]

    def _first_behind(self, kind: ObligationKind, after: Obligation | None) -> int:
        if after is None:
            return 0
        workflow = self._workflows.get(after.key)
        return bisect_right(self._due[kind], _Due(after.due_us, workflow.serial if workflow else 0, after.row))

    def _later_than(self, after: bytes | None) -> list[HeldWorkflow]:
        serial = int.from_bytes(after) if after is not None else 0
        return [workflow for workflow in self._workflows.values() if workflow.serial > serial]

    def _find(self, key: WorkflowKey) -> HeldWorkflow | None:
        self._require_open()
        return self._workflows.get(key)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreClosed("this store was closed")


def _before(workflow: HeldWorkflow) -> bytes:
    """Where a listing goes on whose next row is this workflow's."""
    return (workflow.serial - 1).to_bytes(_SERIAL_BYTES)
