"""Where a journal keeps its records: one contract, and the backends that pass its suite.

    from aion_trio.stores import LmdbStore, MemoryStore

    store = LmdbStore.open("orders.aion")     # one directory, one writer, durable when `apply` returns
    store = MemoryStore()                     # the same semantics, for tests and simulation
    store = FaultyStore(MemoryStore())        # any store, made to fail where you say

`Store` is the contract; its module says what each call promises. A store knows bytes and index rows but no event
types, no clock and no event loop: its calls are synchronous, and `blocking` says whether `apply` belongs in a thread.
LMDB is loaded when `LmdbStore` is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .contract import (
    Append,
    AttributeValue,
    Close,
    CorruptRecord,
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
    RecordTooLarge,
    Remedy,
    RunRow,
    SequenceConflict,
    Store,
    StoreClosed,
    StoreError,
    StoreFailed,
    StoreFormatError,
    StoreFull,
    StoreLocked,
    StoreNotWritable,
    StoreStats,
    Summary,
    SummaryEntry,
    SummaryFilter,
    SummaryPage,
    WorkflowKey,
)
from .dump import WorkflowRecords, appends_of, copy_records, dump, each_frame, each_key, records_of, write_records
from .faulty import Fault, FaultyStore, SimulatedCrash
from .memory import MemoryStore

if TYPE_CHECKING:
    from .lmdb_store import LmdbStore

__all__ = [
    # backends
    "FaultyStore",
    "LmdbStore",
    "MemoryStore",
    # what goes in
    "Append",
    "AttributeValue",
    "Close",
    "Mark",
    "ObligationKind",
    "Open",
    "RunRow",
    "Summary",
    "WorkflowKey",
    # what comes out
    "Damage",
    "Finding",
    "Frame",
    "HistoryPage",
    "KeyPage",
    "Obligation",
    "Outcome",
    "Remedy",
    "Store",
    "StoreStats",
    "SummaryEntry",
    "SummaryFilter",
    "SummaryPage",
    # every record
    "WorkflowRecords",
    "appends_of",
    "copy_records",
    "dump",
    "each_frame",
    "each_key",
    "records_of",
    "write_records",
    # faults on purpose
    "Fault",
    "SimulatedCrash",
    # errors
    "CorruptRecord",
    "InvalidRecord",
    "ObligationGone",
    "RecordTooLarge",
    "SequenceConflict",
    "StoreClosed",
    "StoreError",
    "StoreFailed",
    "StoreFormatError",
    "StoreFull",
    "StoreLocked",
    "StoreNotWritable",
]


def __getattr__(name: str) -> object:
    if name == "LmdbStore":
        from .lmdb_store import LmdbStore

        return LmdbStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
