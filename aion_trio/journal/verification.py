"""Does a journal say one thing? Its records against their checksums, its index rows against the histories (H2, R2).

The store checks what it can without knowing events: checksums, contiguity, rows against rows. Here every history is
folded into the rows that it should have, by the same `Projection` that the live path uses, and those are compared with
the rows that are there.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..codec import decode_frame
from ..errors import AionError
from ..history import chains
from ..stores import StoreError
from ..stores.contract import CorruptRecord, Finding, Obligation, ObligationKind, Open, RunRow, Store, WorkflowKey
from ..stores.dump import WorkflowRecords, each_key, records_of
from .projection import Projection

BEYOND_EVENTS = frozenset({ObligationKind.WAKE_UP, ObligationKind.STEP})
"""Rows that only a replay can tell; they are checked for having an open run."""

OUTLIVE = frozenset({ObligationKind.CHILD_START, ObligationKind.CANCEL_REQUEST, ObligationKind.SIGNAL, ObligationKind.CHILD_CLOSED})
"""Rows whose effect may be recorded in another history, which closes them there: they may be gone, but not be wrong."""


def verify_journal(store: Store) -> list[Finding]:
    """Everything that is wrong with a journal; empty for a sound one. Changes nothing.

    Reads workflow by workflow, so a journal that is being written meanwhile should be verified by way of a backup.
    """
    findings = store.verify()
    damaged = {finding.workflow_id for finding in findings}
    try:
        for key in each_key(store, leave_out):
            if key.workflow_id not in damaged:
                findings += [Finding(what, key.workflow_id) for what in faults_of(store, key)]
    except CorruptRecord as damage:  # a page: the store has told of it, and what lies behind it is out of reach
        findings.append(Finding(f"some workflows could not be looked at: {damage}"))
    return findings


def leave_out(damage: CorruptRecord) -> None:
    """Pass over an id whose own record is damaged: `Store.verify` has told of it."""


def faults_of(store: Store, key: WorkflowKey) -> Iterator[str]:
    """What is wrong with one workflow's index rows, in sentences."""
    try:
        records = records_of(store, key)
        projection = Projection()
        expected: dict[tuple[ObligationKind, bytes], Open] = {}
        runs: dict[int, RunRow] = {}
        for frame in records.frames:
            for raw in decode_frame(frame.data, frame.count):
                projection.apply(raw)
            changes = projection.take()
            for closed in changes.closes:
                expected.pop((closed.kind, closed.row), None)
            expected.update({(opened.kind, opened.row): opened for opened in changes.opens})
            runs.update({run.run_no: run for run in changes.runs})
        chains(list(runs.values()), key.workflow_id)
    except (AionError, StoreError) as error:
        yield f"{type(error).__name__}: {error}"
        return
    yield from _projection_faults(records, projection, runs)
    yield from _obligation_faults(records, projection, expected)


def _projection_faults(records: WorkflowRecords, projection: Projection, runs: dict[int, RunRow]) -> Iterator[str]:
    if projection.run is None:
        yield "its history does not begin with a start"
        return
    if records.summary != projection.summary():
        yield f"its summary says {records.summary}, its events {projection.summary()}"
    if list(records.runs) != list(runs.values()):
        yield f"its run rows are {list(records.runs)}, its events say {list(runs.values())}"


def _obligation_faults(
    records: WorkflowRecords, projection: Projection, expected: dict[tuple[ObligationKind, bytes], Open]
) -> Iterator[str]:
    found: dict[tuple[ObligationKind, bytes], Obligation] = {(row.kind, row.row): row for row in records.obligations}
    for (kind, row), there in found.items():
        if kind in BEYOND_EVENTS:
            if not projection.open:
                yield f"{kind.name} is owed to a run that is closed"
        elif (kind, row) not in expected:
            yield f"{kind.name} {row.hex()} is owed without a cause in its history"
        elif (there.due_us, there.queue, there.payload) != (
            expected[kind, row].due_us,
            expected[kind, row].queue,
            expected[kind, row].payload,
        ):
            yield f"{kind.name} {row.hex()} says {there}, its cause {expected[kind, row]}"
    for kind, row in expected.keys() - found.keys():
        if kind not in OUTLIVE and kind not in BEYOND_EVENTS:
            yield f"{kind.name} {row.hex()} has a cause in the history and is not owed"
