"""What histories owe each other, compared: rows that may be gone only because another history holds their effect (R2).

A child that was started, a signal that was delivered and a closing that was told leave no row. So each cause without its row
is held against the other history: where the effect is not there either, it was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

from ..history import WorkflowStatus
from ..stores.contract import CorruptRecord, Finding, ObligationKind, Store, Summary, WorkflowKey
from .folding import Folded
from .rows import fields_of, row_of, run_and_ordinal, sender_mark

_OVER = frozenset(status.number for status in WorkflowStatus if status.over)


class _Request(NamedTuple):
    """A request to an open child, that is not owed any more. Whether it was lost is known when the child's history was read, too."""

    owner: WorkflowKey
    child: WorkflowKey
    row: bytes
    parent: list[Any]
    terminates: bool


class Kin:
    """Looks from each history at those that it concerns. What only a later one can tell is said by `faults`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: list[Finding] = []
        self._seen: set[WorkflowKey] = set()
        self._asked: set[WorkflowKey] = set()  # open workflows that have a request to cancel on record
        self._parents: dict[WorkflowKey, list[Any]] = {}  # of open workflows, as their newest start names them
        self._requests: list[_Request] = []

    def note(self, fold: Folded) -> None:
        """Take a workflow whose history could be read; they come in the order in which the ids were first seen."""
        projection = fold.projection
        if projection.open and projection.parent is not None:
            self._parents[fold.key] = projection.parent
            if projection.cancel_requested is not None:
                self._asked.add(fold.key)
        for (kind, row), cause in fold.opens.items():
            settled, fields = self._SETTLED.get(kind), fields_of(cause.payload)
            if settled is not None and self._store_lacks(fold.key, kind, row) and not settled(self, fold, row, fields):
                self._lost(fold.key, f"{kind.name} {row.hex()} is not owed, and {fields[1]!r} has no record of it")
        if projection.open:
            for ordinal in projection.children:
                self._closing_of(fold, ordinal)
        self._seen.add(fold.key)

    def faults(self) -> Iterator[Finding]:
        """What was lost between histories."""
        yield from self._found
        for request in self._requests:
            owner, child = request.owner, request.child
            is_its_parent = self._parents.get(child, request.parent) == request.parent  # else a later run's child has the id by now
            if is_its_parent and (request.terminates or child not in self._asked):
                what = f"CANCEL_REQUEST {request.row.hex()} is not owed, and {child.workflow_id!r} has no record of it"
                yield Finding(what, owner.workflow_id, namespace=owner.namespace)

    # ---- whether the effect of a cause is on record elsewhere

    def _child_started(self, fold: Folded, row: bytes, fields: list[Any]) -> bool:
        return self._summary(fold.key, fields[1]) is not None

    def _signal_settled(self, fold: Folded, row: bytes, fields: list[Any]) -> bool:
        run_no, ordinal = run_and_ordinal(row)
        if fold.projection.open and fold.projection.current.run_no == run_no:
            return False  # an open run records what became of its signals
        target = self._summary(fold.key, fields[1])
        if target is None or target.status in _OVER or not self._was_there_before(fold.key, str(fields[1]), target):
            return True
        name = sender_mark([fold.key.workflow_id, fields[2], ordinal])
        return self._store_remembers(WorkflowKey(fold.key.namespace, str(fields[1])), name)

    def _was_there_before(self, sender: WorkflowKey, target_id: str, target: Summary) -> bool:
        """Whether a target was known before its sender and is in its first run: else a signal may have been refused.

        A sender that has closed records no refusal. The order in which ids were first seen decides, since clocks go back.
        """
        return target.run_no == 1 and WorkflowKey(sender.namespace, target_id) in self._seen

    def _cancel_settled(self, fold: Folded, row: bytes, fields: list[Any]) -> bool:
        child = self._summary(fold.key, fields[1])
        if child is None or child.closed_us or child.parent_id != fold.key.workflow_id or child.run_no > 1:
            return True
        child_key, parent = WorkflowKey(fold.key.namespace, str(fields[1])), [fold.key.workflow_id, fields[2], run_and_ordinal(row)[1]]
        self._requests.append(_Request(fold.key, child_key, row, parent, bool(fields[3])))
        return True

    def _closing_of(self, fold: Folded, ordinal: int) -> None:
        """A child that an open run waits for is open, or owes its closing."""
        child = fold.projection.children[ordinal]
        summary = self._summary(fold.key, child.child_id)
        if summary is None or summary.status not in _OVER or summary.parent_id != fold.key.workflow_id:
            return
        key = WorkflowKey(fold.key.namespace, child.child_id)
        owed = self._store.obligations_of(key, lambda damage: None)
        if any(row.kind is ObligationKind.CHILD_CLOSED and fields_of(row.payload)[1] == fold.key.workflow_id for row in owed):
            return
        if self._store_lacks(fold.key, ObligationKind.CHILD_START, row_of(fold.projection.current.run_no, ordinal)):
            self._lost(key, f"CHILD_CLOSED is not owed, and its parent {fold.key.workflow_id!r} has no record of it")

    _SETTLED: ClassVar[dict[ObligationKind, Callable[[Kin, Folded, bytes, list[Any]], bool]]] = {
        ObligationKind.CHILD_START: _child_started,
        ObligationKind.SIGNAL: _signal_settled,
        ObligationKind.CANCEL_REQUEST: _cancel_settled,
    }

    # ---- inside

    def _store_lacks(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> bool:
        """Whether a row is not there; one that is damaged is there."""
        try:
            return self._store.obligation(key, kind, row) is None
        except CorruptRecord:
            return False

    def _store_remembers(self, key: WorkflowKey, name: bytes) -> bool:
        """Whether a mark is there; one that is damaged is."""
        try:
            return self._store.mark(key, name) is not None
        except CorruptRecord:
            return True

    def _summary(self, key: WorkflowKey, workflow_id: object) -> Summary | None:
        """The projection of another workflow; one that is damaged is somewhere on its way, and open."""
        try:
            return self._store.summary(WorkflowKey(key.namespace, str(workflow_id)))
        except CorruptRecord:
            return _UNKNOWN

    def _lost(self, key: WorkflowKey, what: str) -> None:
        self._found.append(Finding(what, key.workflow_id, namespace=key.namespace))


_UNKNOWN = Summary("", 0, WorkflowStatus.RUNNING.number, b"", 2, 0, 0)
