"""The writer: a batch of appends becomes one durable transaction, or nothing.

A failed write tells whether there was no room. Then nothing was written, and a retry may succeed (`StoreFull`, J6).
After any other failure the outcome is unknown and nothing is written any more until the journal is opened again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import lmdb

from ..contract import Append, Outcome, StoreError, StoreFailed, StoreFull, StoreNotWritable, WorkflowKey
from .batch import Batch
from .directory import FULL
from .environment import SLACK_BYTES, Environment, View
from .layout import META_SERIAL, SERIAL
from .memo import Memo
from .purge import purge_workflow
from .records import unseal_number

T = TypeVar("T")

_TRANSACTIONS_PER_CHECK = 1024


class Writer:
    """The one writer of an environment. Its invariant: what it remembers is what is committed."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._failure = ""
        self._memo: Memo | None = None
        self._transactions = 0

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        """What `Store.apply` says."""

        def write(view: View, memo: Memo) -> list[Outcome]:
            writing = Batch(view, memo)
            outcomes = [writing.append(append) for append in batch]
            writing.finish()
            return outcomes

        return self._transact(write, sum(len(append.frame) for append in batch))

    def purge(self, keys: Sequence[WorkflowKey]) -> int:
        """What `Store.purge` says."""

        def write(view: View, memo: Memo) -> int:
            writing = Batch(view, memo)
            purged = sum(purge_workflow(writing, key) for key in keys)
            writing.finish()
            return purged

        return self._transact(write, 0)

    def _transact(self, write: Callable[[View, Memo], T], size_bytes: int) -> T:
        """Run `write` in one transaction and commit it; on any failure nothing of it is believed."""
        if self._failure:
            raise StoreFailed(f"{self._failure}; reopen the journal before writing to it")
        self._clear_readers()
        txn = self._begin()
        try:
            answer = write(View(txn, self._environment.tables), self._remembered(txn))
            txn.commit()
        except lmdb.Error as error:
            txn.abort()
            self._memo = None
            raise self._failed(error, size_bytes) from error
        except BaseException:
            txn.abort()
            self._memo = None
            raise
        return answer

    def _begin(self) -> lmdb.Transaction[bytes]:
        if self._environment.settings.read_only:
            raise StoreNotWritable(f"the journal {self._environment.path} was opened for reading only")
        try:
            return self._environment.begin()
        except lmdb.Error as error:
            raise self._failed(error, 0) from error

    def _remembered(self, txn: lmdb.Transaction[bytes]) -> Memo:
        if self._memo is None:
            record = txn.get(META_SERIAL, db=self._environment.tables.meta)
            self._memo = Memo(unseal_number(SERIAL, META_SERIAL, record) if record else 1)
        return self._memo

    def _failed(self, error: lmdb.Error, size_bytes: int) -> StoreError:
        """Tell a full disk from a failing one: LMDB reports a short write as an I/O error, so the file system is asked."""
        path = self._environment.path
        if isinstance(error, (lmdb.MapFullError, lmdb.TxnFullError)):
            limit = self._environment.settings.map_bytes
            return StoreFull(f"the journal {path} has reached its limit of {limit} bytes; purge closed workflows or raise the limit")
        if error.code in FULL or self._environment.room_bytes() < SLACK_BYTES + 4 * size_bytes:
            return StoreFull(f"no space for the journal {path}: {error}; nothing was written, free some space and try again")
        self._failure = f"a write to the journal {path} failed and its outcome is unknown: {error}"
        return StoreFailed(f"{self._failure}; reopen the journal before writing to it")

    def _clear_readers(self) -> None:
        """Now and then let go of the snapshots of dead readers, which would keep freed pages from being used again (J5)."""
        if self._transactions % _TRANSACTIONS_PER_CHECK == 0:
            self._environment.handle.reader_check()
        self._transactions += 1
