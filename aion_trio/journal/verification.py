"""Does a journal say one thing? Its records against their checksums, its index rows against the histories (H2, R2).

The store checks what it can without knowing events: pages, checksums, contiguity, rows against rows. Here every history is
folded into the rows that it should have, by the same `Projection` that the live path uses, and those are compared with
the rows that are there; then the histories are compared with each other (`kin`). One fault never hides another, but that
rows cannot be judged by events that cannot be read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from ..errors import AionError, JournalCorruptedError
from ..stores import LmdbStore, StoreError
from ..stores.contract import CorruptRecord, Finding, Mark, Obligation, ObligationKind, Open, Remedy, RunRow, Store, WorkflowKey
from ..stores.dump import each_frame, each_key
from .folding import Folded, Row
from .kin import Kin

T = TypeVar("T")

BEYOND_EVENTS = frozenset({ObligationKind.WAKE_UP, ObligationKind.STEP})
"""Rows that only a replay can tell; they are checked for having an open run, and for the timers on record."""

OUTLIVE = frozenset({ObligationKind.CHILD_START, ObligationKind.CANCEL_REQUEST, ObligationKind.SIGNAL, ObligationKind.CHILD_CLOSED})
"""Rows whose effect may be recorded in another history, which closes them there: `kin` says whether they may be gone."""


def verify_journal(store: Store) -> list[Finding]:
    """Everything that is wrong with a journal; empty for a sound one. Changes nothing.

    Reads workflow by workflow, so a journal that is being written meanwhile should be verified by way of a backup. Where
    pages are torn, what can be read is copied to a temporary directory and looked at there.
    """
    findings = store.verify()
    if isinstance(store, LmdbStore) and any(finding.remedy is Remedy.SALVAGE for finding in findings):
        with tempfile.TemporaryDirectory(prefix="aion-verify-") as place:
            store.salvage(Path(place))
            with closing(LmdbStore.open(place, read_only=True)) as copy:
                return [*findings, *_against_events(copy, findings)]
    return [*findings, *_against_events(store, findings)]


def _against_events(store: Store, found: Iterable[Finding]) -> list[Finding]:
    """What is wrong with the rows of workflows whose events were not found fault with."""
    unreadable = {(finding.namespace, finding.workflow_id) for finding in found if finding.remedy is Remedy.RESTORE}
    findings: list[Finding] = []
    kin = Kin(store)
    for key in each_key(store, leave_out):
        if key not in unreadable:
            findings += faults_of(store, key, kin)
    return [*findings, *kin.faults()]


def leave_out(damage: CorruptRecord) -> None:
    """Pass over a record that is damaged: `Store.verify` has told of it."""


def faults_of(store: Store, key: WorkflowKey, kin: Kin) -> Iterator[Finding]:
    """What is wrong with one workflow's rows, but for records that the store cannot read and has told of; `kin` hears of it."""
    fold = Folded(key)
    try:
        for frame in each_frame(store, key):
            fold.take(frame)
        if not fold.projection.head and store.summary(key) is None:
            return  # the id does not lead here
        fold.require_history()
    except CorruptRecord:
        return
    except (AionError, StoreError) as error:
        seq = error.seq if isinstance(error, JournalCorruptedError) else fold.projection.head + 1
        yield Finding(f"{type(error).__name__}: {error}", key.workflow_id, seq, key.namespace, Remedy.RESTORE)
        return
    kin.note(fold)
    for what in (*_summary_faults(store, fold), *_run_faults(store, fold), *_mark_faults(store, fold), *_obligation_faults(store, fold)):
        yield Finding(what, key.workflow_id, namespace=key.namespace)


def _summary_faults(store: Store, fold: Folded) -> Iterator[str]:
    summary = store.summary(fold.key)
    if summary != fold.projection.summary():
        yield f"its summary says {summary}, its events {fold.projection.summary()}"


def _run_faults(store: Store, fold: Folded) -> Iterator[str]:
    damages: list[CorruptRecord] = []
    found: dict[int, RunRow] = {run.run_no: run for run in store.runs(fold.key, damages.append)}
    for number, run, expected in _differences(found, fold.runs, len(damages)):
        yield f"its run row {number} says {run}, its events {expected}"


def _mark_faults(store: Store, fold: Folded) -> Iterator[str]:
    damages: list[CorruptRecord] = []
    found: dict[bytes, Mark] = {mark.name: mark for mark in store.marks(fold.key, damages.append)}
    for name, mark, expected in _differences(found, fold.marks, len(damages)):
        yield f"its mark {name!r} says {mark}, its events {expected}"


def _differences(found: Mapping[T, object], expected: Mapping[T, object], damaged: int) -> Iterator[tuple[T, object, object]]:
    """Where rows differ. Those that are not there may be the ones that are damaged, which the store has told of."""
    for name, row in found.items():
        if row != expected.get(name):
            yield name, row, expected.get(name, "nothing")
    missing = [name for name in expected if name not in found]
    if len(missing) > damaged:
        for name in missing:
            yield name, "nothing", expected[name]


def _obligation_faults(store: Store, fold: Folded) -> Iterator[str]:
    damages: list[CorruptRecord] = []
    found: dict[Row, Obligation] = {(row.kind, row.row): row for row in store.obligations_of(fold.key, damages.append)}
    for (kind, row), there in found.items():
        if kind in BEYOND_EVENTS:
            if not fold.projection.open:
                yield f"{kind.name} is owed to a run that is closed"
        elif (kind, row) not in fold.opens:
            yield f"{kind.name} {row.hex()} is owed without a cause in its history"
        elif not _same(there, fold.opens[kind, row]):
            yield f"{kind.name} {row.hex()} says {there}, its cause {fold.opens[kind, row]}"
    if damages:  # what is missing may be what is damaged
        return
    for kind, row in fold.opens.keys() - found.keys():
        if kind not in OUTLIVE:
            yield f"{kind.name} {row.hex()} has a cause in the history and is not owed"
    yield from _wake_up_faults(found, fold)


def _same(there: Obligation, cause: Open) -> bool:
    return (there.due_us, there.queue, there.payload) == (cause.due_us, cause.queue, cause.payload)


def _wake_up_faults(found: Mapping[Row, Obligation], fold: Folded) -> Iterator[str]:
    """A wake-up may come earlier than the events say, for the deadline of a scope; unless a step is owed it may not come later."""
    wake_us = fold.wake_us
    if not fold.projection.open or wake_us is None or (ObligationKind.STEP, b"") in found:
        return
    there = found.get((ObligationKind.WAKE_UP, b""))
    if there is None:
        yield f"WAKE_UP is not owed, and a timer or the time-out of its run is due at {wake_us}"
    elif there.due_us > wake_us:
        yield f"WAKE_UP is due at {there.due_us}, after a timer or the time-out of its run at {wake_us}"
