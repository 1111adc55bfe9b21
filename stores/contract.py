"""The storage contract of the journal: one durable call, a few reads, no knowledge of event types.

A store keeps, for each workflow (a `WorkflowKey`), an append-only history of encoded events and the index
rows derived from it. Everything that one step of a workflow changes travels in one `Append`, and `apply`
makes a batch of them durable in one transaction. What a crash could cut off is therefore never a part of
a step, only the whole of it (J1, J4).

*Obligations* are rows that say 'this is owed': they are opened in the append that holds their cause and
closed in the append that records their effect, so that recovery is a scan of what is owed (J9, R2).

*Marks* are rows that a workflow remembers until it is purged: request ids and the keys of delivered
signals, so that a repeated call finds the first one's outcome (S2, S6).

Every backend passes the same contract suite, `tests/stores/`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

AttributeValue = str | int | float | bool | datetime
"""What an attribute may hold; datetimes are aware. Values of one type are ordered in listings."""


class WorkflowKey(NamedTuple):
    """Names one history: the engine's namespace and the workflow's id."""

    namespace: str
    workflow_id: str


class ObligationKind(enum.IntEnum):
    """What can be owed. The numbers are part of the durable format."""

    WAKE_UP = 1  # a run wants to be woken at its due time
    ACTIVITY = 2  # an activity was scheduled and has no outcome yet; due = not before
    CHILD_START = 3  # a child was recorded and has no history yet
    RUN_START = 4  # a continue-as-new has no successor yet
    SIGNAL = 5  # a signal was recorded by its sender and has no delivery outcome yet
    CHILD_CLOSED = 6  # a child closed and its parent has not recorded it
    CANCEL_REQUEST = 7  # a cancel or terminate that a parent owes to a child
    SCHEDULE_TICK = 8
    RETENTION = 9
    STEP = 10  # a stimulus was recorded without the commands that it causes

    __hash__ = int.__hash__  # an enum's own is a function in Python, and kinds are keys at every append


# Rows are values, and nobody changes one. They are not frozen because a frozen one takes three times as long to make.


@dataclass(slots=True, unsafe_hash=True)
class Open:
    """Open (or replace) the obligation `kind`/`row` of the workflow that is appended to."""

    kind: ObligationKind
    row: bytes
    due_us: int = 0
    queue: str = ""
    payload: bytes = b""


@dataclass(slots=True, unsafe_hash=True)
class Close:
    """Close an obligation; of `owner`, or of the workflow that is appended to.

    A row that is not there is ignored, unless `required`: then the whole append is refused with
    `ObligationGone` and writes nothing.
    """

    kind: ObligationKind
    row: bytes
    owner: WorkflowKey | None = None
    required: bool = False


@dataclass(slots=True, unsafe_hash=True)
class Mark:
    """Remember `value` under `name` for the workflow that is appended to, until it is purged."""

    name: bytes
    value: bytes = b""


@dataclass(slots=True)
class Summary:
    """The projection row of one workflow id: its newest run (H2). Times are microseconds since the epoch, 0 = not yet."""

    type: str
    version: int
    status: int
    run_id: bytes
    run_no: int
    first_seq: int
    started_us: int
    closed_us: int = 0
    head: int = 0  # the final head once the run is closed, else 0
    parent_id: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])


@dataclass(slots=True, unsafe_hash=True)
class RunRow:
    """One run of a workflow id; `last_seq` and `closed_us` are 0 while it is open."""

    run_id: bytes
    run_no: int
    parent_run_id: bytes
    origin: int
    type: str
    version: int
    status: int
    first_seq: int
    last_seq: int
    started_us: int
    closed_us: int


@dataclass(slots=True, unsafe_hash=True)
class Append:
    """All effects of one step: the events and every index row that they change.

    `frame` is `count` encoded events, concatenated. `expected_seq` is the head that must be found; an empty
    append (`count` 0, `frame` b"") still checks it.
    """

    key: WorkflowKey
    expected_seq: int
    frame: bytes = b""
    count: int = 0
    summary: Summary | None = None
    runs: Sequence[RunRow] = ()
    opens: Sequence[Open] = ()
    closes: Sequence[Close] = ()
    marks: Sequence[Mark] = ()


@dataclass(slots=True, unsafe_hash=True)
class Frame:
    """One append's events as they were stored: `count` concatenated events, the first of which is `first_seq`."""

    first_seq: int
    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some frames in order; `next_seq` continues, None says that the head was reached."""

    frames: Sequence[Frame]
    next_seq: int | None


@dataclass(slots=True, unsafe_hash=True)
class Obligation:
    """One row that is owed, as `obligations` and `obligations_of` give it."""

    key: WorkflowKey
    kind: ObligationKind
    row: bytes
    due_us: int
    queue: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class SummaryFilter:
    """Which workflows a listing holds: all conditions that are given must be true.

    'After' includes the time given and 'before' does not; a condition on the end holds for closed ones alone.
    """

    namespace: str = "default"
    statuses: frozenset[int] | None = None
    type: str | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])
    started_after_us: int | None = None
    started_before_us: int | None = None
    closed_after_us: int | None = None
    closed_before_us: int | None = None


class SummaryEntry(NamedTuple):
    """One row of a listing."""

    key: WorkflowKey
    summary: Summary


class SummaryPage(NamedTuple):
    """Rows of a listing, in the order in which the ids were first seen; `after` continues, None says that it is complete.

    A page may hold fewer rows than were asked for, even none, and still go on: a read is short even where few match.
    """

    entries: Sequence[SummaryEntry]
    after: bytes | None


class KeyPage(NamedTuple):
    """Some of the keys, in the order in which they were first seen; `after` continues, None says that these were the last."""

    keys: Sequence[WorkflowKey]
    after: bytes | None


class Remedy(enum.StrEnum):
    """What mends a thing that `verify` found."""

    REPAIR = "repair"  # a row that follows from sound records: it can be made anew
    SALVAGE = "salvage"  # a page of the file: what lies on the others can be read, and copied
    RESTORE = "restore"  # an event: only a backup or an export has it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `verify` found wrong; whose it is and at which event, where that is known."""

    what: str
    workflow_id: str = ""
    seq: int = 0
    namespace: str = ""
    remedy: Remedy = Remedy.REPAIR


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Counts and sizes for operators: `free_bytes` is what the store may still grow by, `readers` how many snapshots are held."""

    workflows: int
    obligations: Mapping[str, int]
    size_bytes: int
    free_bytes: int
    readers: int
    format_version: int
    written_by: str


class StoreError(Exception):
    """The root of this package's errors.

    StoreError
    ├── SequenceConflict      an append expected another head
    ├── ObligationGone        an append required an obligation that is not open
    ├── InvalidRecord         an append, id or row is not of the shape that can be stored
    │   └── RecordTooLarge    it exceeds a limit
    ├── StoreFull             no space; nothing of the batch was written; reads go on
    ├── StoreFailed           the outcome of the batch is unknown; reopen the store before going on
    ├── StoreLocked           another process is the writer
    ├── StoreFormatError      the directory holds something else or another format version
    ├── StoreNotWritable      the directory cannot be created or written
    ├── StoreClosed           the store was closed
    └── CorruptRecord         a record fails its checksum or is missing
    """


class SequenceConflict(StoreError):
    """An append expected the head `expected` and found `found`; nothing of it was written."""

    def __init__(self, key: WorkflowKey, expected: int, found: int) -> None:
        super().__init__(f"workflow {key.workflow_id!r}: the append expected head {expected}, the history is at {found}")
        self.key, self.expected, self.found = key, expected, found


class ObligationGone(StoreError):
    """An append required an obligation that is not open; nothing of it was written."""


class InvalidRecord(StoreError):
    """An append, an id or a row is not of the shape that can be stored; nothing of it was written."""


class RecordTooLarge(InvalidRecord):
    """An append, an id or a row exceeds what the store can hold; nothing of it was written."""


class StoreFull(StoreError):
    """There is no space (disk or map). Nothing of the batch was written, reads go on, and a retry may succeed."""


class StoreFailed(StoreError):
    """A write failed in such a way that its outcome is unknown. Every later write fails until `reopen`."""


class StoreLocked(StoreError):
    """Another process (`pid`, 0 if unknown) is the writer of this journal."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class StoreFormatError(StoreError):
    """The directory holds something that is not a journal of this format version."""


class StoreNotWritable(StoreError):
    """The directory cannot be created, or not be written by this user."""


class StoreClosed(StoreError):
    """The store was closed, and was asked for something."""


class CorruptRecord(StoreError):
    """A record fails its checksum or is missing; `workflow_id` and `seq` where they are known."""

    def __init__(self, message: str, workflow_id: str = "", seq: int = 0) -> None:
        super().__init__(message)
        self.workflow_id, self.seq = workflow_id, seq


Outcome = int | SequenceConflict | ObligationGone | InvalidRecord | CorruptRecord
"""What `apply` says of one append: the new head, or why it was refused. A refused append wrote nothing."""

Damage = Callable[[CorruptRecord], None]
"""Told of each damaged row that a listing then leaves out, so that one damaged workflow does not hide the others (R8)."""


class Store(Protocol):
    """Where histories and their index rows live. All methods are synchronous and short.

    Writes (`apply`, `purge`, `reopen`) come from one thread at a time; reads may come from any thread meanwhile
    and see committed state only (J5). A page is at most `max_bytes` of frames or `limit` rows.
    """

    blocking: bool
    """Whether `apply` waits for a disk, and so belongs in a thread of its own."""

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        """Make the batch durable in one transaction; an append that is refused never fails its neighbours.

        Appends of one key in one batch see each other in order. Raises `StoreFull` (nothing was written) or
        `StoreFailed` (the outcome is unknown).
        """
        ...

    def head(self, key: WorkflowKey) -> int:
        """The seq of the newest event, 0 for an unknown id."""
        ...

    def history(self, key: WorkflowKey, from_seq: int = 1, max_bytes: int = 1 << 20) -> HistoryPage:
        """The frames that hold `from_seq` and what follows; at least one frame where there is one. Raises `CorruptRecord`."""
        ...

    def summary(self, key: WorkflowKey) -> Summary | None:
        """The projection row, or None for an unknown id."""
        ...

    def summaries(
        self, where: SummaryFilter, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None
    ) -> SummaryPage:
        """A page of the workflows that match. A damaged row goes to `on_damage`, or is raised where there is none."""
        ...

    def keys(self, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None) -> KeyPage:
        """A page of every id that the store knows, of all namespaces."""
        ...

    def counts(self, namespace: str) -> Mapping[int, int]:
        """How many workflows there are by status."""
        ...

    def runs(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[RunRow]:
        """Every run of the id, oldest first. A damaged row goes to `on_damage`, or is raised where there is none."""
        ...

    def mark(self, key: WorkflowKey, name: bytes) -> bytes | None:
        """The value remembered under `name`, or None."""
        ...

    def marks(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Mark]:
        """Everything that one workflow remembers, ordered by name; damage as in `runs`."""
        ...

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
        """Open rows of one kind ordered by due time, of all namespaces; of one queue or of all.

        Rows due at `until_us` are among them. Rows that are due together are ordered as their ids were first seen,
        then by row. `after` is the last row of the page before, whether or not it is still open. A damaged row goes
        to `on_damage`, or is raised as `CorruptRecord` where there is none.
        """
        ...

    def obligations_of(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Obligation]:
        """Every open row of one workflow, ordered by kind and row; damage as in `runs`."""
        ...

    def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
        """One open row, or None."""
        ...

    def purge(self, keys: Sequence[WorkflowKey]) -> int:
        """Delete everything of these ids in one transaction; how many existed."""
        ...

    def backup(self, destination: Path) -> None:
        """Write a consistent copy to an empty or new directory, while the writer works."""
        ...

    def verify(self) -> list[Finding]:
        """Check every record: checksums, contiguity, heads, index rows against each other."""
        ...

    def stats(self) -> StoreStats:
        """Counts and sizes."""
        ...

    def reopen(self) -> None:
        """After `StoreFailed`: open again, so that what is durable can be read and writes go on."""
        ...

    def close(self) -> None:
        """Release files and the lock. Closing twice is allowed."""
        ...
