"""A store that fails on purpose: wrap any store, say which call fails and how, count the calls.

    store = FaultyStore(MemoryStore())
    store.plan(Fault("apply", nth=3, error=StoreFull("no space")))                  # before it takes effect
    store.plan(Fault("apply", nth=5, error=StoreFailed("?"), after=True))           # it took effect, nobody was told
    store.plan(Fault("apply", nth=7, crash=True, after=True))                       # the process died behind the commit

'Fail the n-th call until the program passes untouched' is a loop over `nth` that ends when the fault is not met
(`store.pending` is then not empty). With no fault planned the wrapper is the store that it wraps.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .contract import (
    Append,
    Damage,
    Finding,
    HistoryPage,
    KeyPage,
    Mark,
    Obligation,
    ObligationKind,
    Outcome,
    RunRow,
    Store,
    StoreStats,
    Summary,
    SummaryFilter,
    SummaryPage,
    WorkflowKey,
)

T = TypeVar("T")

ANY = "*"
"""As a fault's operation: any call counts, whatever it is."""

WRITES = "writes"
"""As a fault's operation: `apply` and `purge` count."""

_WRITES = ("apply", "purge")

OPERATIONS = tuple(name for name, value in vars(Store).items() if callable(value) and not name.startswith("_"))
"""What a fault's operation may be, beside `ANY` and `WRITES`: each method of the contract."""


class SimulatedCrash(BaseException):
    """The process is dead as far as the store is concerned: every later call raises this, too.

    Not an `Exception`, since no boundary that turns failures into results may survive what stands for `kill -9`.
    """


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at the `nth` call of `operation` (counted from when it is planned, 1 is the next one).

    Exactly one call is hit, or every call from it on where `lasting`. The call takes effect first if `after`. `wait`
    is called in its place in that order and may block, to hold a call while a test looks; then `error` is raised, or
    `SimulatedCrash` if `crash`. A fault with neither only delays. ValueError for an operation that is none, or an `nth` below 1:
    no call would ever meet them.
    """

    operation: str
    nth: int = 1
    error: Exception | None = None
    after: bool = False
    crash: bool = False
    lasting: bool = False
    wait: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        if self.operation not in (*OPERATIONS, ANY, WRITES):
            known = ", ".join(OPERATIONS)
            raise ValueError(f"a store has no operation {self.operation!r} to fail; it has {known}, and {WRITES!r} and {ANY!r} for several")
        if self.nth < 1:
            raise ValueError(f"nth counts calls from 1, the next one; found {self.nth!r}")

    def concerns(self, operation: str) -> bool:
        """Whether a call of `operation` counts for this fault."""
        return self.operation in (operation, ANY) or (self.operation == WRITES and operation in _WRITES)


class _Planned:
    """A fault and how many calls are still to come before it; `left` is 0 at the call that is hit."""

    __slots__ = ("fault", "left")

    def __init__(self, fault: Fault) -> None:
        self.fault, self.left = fault, fault.nth

    def meets(self, operation: str) -> bool:
        """Count one call; whether it is hit."""
        if not self.fault.concerns(operation):
            return False
        self.left -= 1
        return self.left == 0 or (self.left < 0 and self.fault.lasting)


class FaultyStore:
    """A `Store` around another: the same answers, but for the calls that a `Fault` concerns.

    After a simulated crash only `inner` still answers; close it to release its files, as the end of a process would.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.blocking = inner.blocking
        self.crashed = False
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._planned: list[_Planned] = []

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each operation was called, the calls that failed included."""
        with self._lock:
            return dict(self._calls)

    @property
    def pending(self) -> list[Fault]:
        """The faults that no call has met yet."""
        with self._lock:
            return [planned.fault for planned in self._planned if planned.left > 0]

    def plan(self, *faults: Fault) -> None:
        """From the next call on, these faults stand beside those that were planned before."""
        with self._lock:
            self._planned.extend(_Planned(fault) for fault in faults)

    def heal(self) -> None:
        """Forget every fault. A crash is not healed: the process is gone."""
        with self._lock:
            self._planned.clear()

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        return self._call("apply", lambda: self.inner.apply(batch))

    def head(self, key: WorkflowKey) -> int:
        return self._call("head", lambda: self.inner.head(key))

    def history(self, key: WorkflowKey, from_seq: int = 1, max_bytes: int = 1 << 20) -> HistoryPage:
        return self._call("history", lambda: self.inner.history(key, from_seq, max_bytes))

    def summary(self, key: WorkflowKey) -> Summary | None:
        return self._call("summary", lambda: self.inner.summary(key))

    def summaries(
        self, where: SummaryFilter, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None
    ) -> SummaryPage:
        return self._call("summaries", lambda: self.inner.summaries(where, after, limit, on_damage))

    def keys(self, after: bytes | None = None, limit: int = 1000, on_damage: Damage | None = None) -> KeyPage:
        return self._call("keys", lambda: self.inner.keys(after, limit, on_damage))

    def counts(self, namespace: str) -> Mapping[int, int]:
        return self._call("counts", lambda: self.inner.counts(namespace))

    def runs(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[RunRow]:
        return self._call("runs", lambda: self.inner.runs(key, on_damage))

    def mark(self, key: WorkflowKey, name: bytes) -> bytes | None:
        return self._call("mark", lambda: self.inner.mark(key, name))

    def marks(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Mark]:
        return self._call("marks", lambda: self.inner.marks(key, on_damage))

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
        inner = self.inner
        return self._call(
            "obligations",
            lambda: inner.obligations(kind, until_us=until_us, queue=queue, after=after, limit=limit, on_damage=on_damage),
        )

    def obligations_of(self, key: WorkflowKey, on_damage: Damage | None = None) -> list[Obligation]:
        return self._call("obligations_of", lambda: self.inner.obligations_of(key, on_damage))

    def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
        return self._call("obligation", lambda: self.inner.obligation(key, kind, row))

    def purge(self, keys: Sequence[WorkflowKey]) -> int:
        return self._call("purge", lambda: self.inner.purge(keys))

    def backup(self, destination: Path) -> None:
        return self._call("backup", lambda: self.inner.backup(destination))

    def verify(self) -> list[Finding]:
        return self._call("verify", lambda: self.inner.verify())

    def stats(self) -> StoreStats:
        return self._call("stats", lambda: self.inner.stats())

    def reopen(self) -> None:
        return self._call("reopen", lambda: self.inner.reopen())

    def close(self) -> None:
        return self._call("close", lambda: self.inner.close())

    def _call(self, operation: str, call: Callable[[], T]) -> T:
        hits = self._count(operation)
        for fault in hits:
            if not fault.after:
                self._strike(fault, operation)
        answer = call()
        for fault in hits:
            if fault.after:
                self._strike(fault, operation)
        return answer

    def _count(self, operation: str) -> list[Fault]:
        with self._lock:
            if self.crashed:
                raise SimulatedCrash(f"{operation} after the crash")
            self._calls[operation] += 1
            return [planned.fault for planned in self._planned if planned.meets(operation)]

    def _strike(self, fault: Fault, operation: str) -> None:
        if fault.wait is not None:
            fault.wait()
        if fault.crash:
            self.crashed = True
            raise SimulatedCrash(f"{'after' if fault.after else 'before'} {operation} number {self._calls[operation]}")
        if fault.error is not None:
            raise fault.error
