"""Every record of a store as plain values, through its public reads; and a copy of every record to another store.

Two dumps are equal when the stores hold the same histories, projections, runs, obligations and marks, so 'running
recovery twice leaves every record equal' (R7) is one comparison, on any backend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .contract import Append, Damage, Frame, Mark, Obligation, Open, RunRow, Store, Summary, WorkflowKey

_APPENDS_A_TRANSACTION = 2000


@dataclass(frozen=True, slots=True)
class WorkflowRecords:
    """All that a store keeps of one workflow."""

    frames: tuple[Frame, ...]
    summary: Summary | None
    runs: tuple[RunRow, ...]
    obligations: tuple[Obligation, ...]
    marks: tuple[Mark, ...]


def dump(store: Store) -> Mapping[WorkflowKey, WorkflowRecords]:
    """Every record by key, in the order in which the ids were first seen. Raises `CorruptRecord`.

    Each workflow is read by several short reads; for one moment's picture of a store that is being written, dump a backup.
    """
    return {key: records_of(store, key) for key in each_key(store)}


def records_of(store: Store, key: WorkflowKey) -> WorkflowRecords:
    """All that is kept of one workflow. Raises `CorruptRecord`."""
    return WorkflowRecords(
        tuple(each_frame(store, key)),
        store.summary(key),
        tuple(store.runs(key)),
        tuple(store.obligations_of(key)),
        tuple(store.marks(key)),
    )


def each_key(store: Store, on_damage: Damage | None = None) -> Iterator[WorkflowKey]:
    """The keys of all namespaces, page by page. Raises `CorruptRecord` for one that cannot be read, unless `on_damage` takes it."""
    page = store.keys(on_damage=on_damage)
    yield from page.keys
    while page.after is not None:
        page = store.keys(page.after, on_damage=on_damage)
        yield from page.keys


def each_frame(store: Store, key: WorkflowKey) -> Iterator[Frame]:
    """The frames of one history from its beginning, page by page. Raises `CorruptRecord`."""
    next_seq: int | None = 1
    while next_seq is not None:
        page = store.history(key, next_seq)
        yield from page.frames
        next_seq = page.next_seq


def copy_records(source: Store, target: Store) -> int:
    """Write every record of `source` to `target`, which knows none of its ids; how many workflows there were."""
    return write_records(target, ((key, records_of(source, key)) for key in each_key(source)))


def write_records(target: Store, workflows: Iterable[tuple[WorkflowKey, WorkflowRecords]]) -> int:
    """Write these records, some thousand appends a transaction; how many workflows there were. Raises what refuses one."""
    written = 0
    batch: list[Append] = []
    for key, records in workflows:
        batch += appends_of(key, records)
        written += 1
        if len(batch) >= _APPENDS_A_TRANSACTION:
            apply_all(target, batch)
            batch = []
    apply_all(target, batch)
    return written


def appends_of(key: WorkflowKey, records: WorkflowRecords) -> list[Append]:
    """The appends that make these records in a store that does not know `key`: the frames, then the rows."""
    appends = [Append(key, frame.first_seq - 1, frame.data, frame.count) for frame in records.frames]
    head = records.frames[-1].first_seq + records.frames[-1].count - 1 if records.frames else 0
    opens = [Open(row.kind, row.row, row.due_us, row.queue, row.payload) for row in records.obligations]
    appends.append(Append(key, head, b"", 0, records.summary, records.runs, opens, (), records.marks))
    return appends


def apply_all(target: Store, batch: Sequence[Append]) -> None:
    """Apply a batch of which all is to be taken. Raises what refuses an append; those beside it are written then."""
    for outcome in target.apply(batch):
        if not isinstance(outcome, int):
            raise outcome
