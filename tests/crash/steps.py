"""A seeded program of a store: what each step writes, and what a store must then hold.

The steps are those of the contract, in every size that the disk sees differently: appends to many workflows in one
batch, rows that are opened and closed by others, projections that change, frames of a few bytes and of several pages,
purges that give pages back to be used again, and a store that is closed and opened in between.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from aion_trio.stores import (
    Append,
    Close,
    Mark,
    MemoryStore,
    ObligationKind,
    Open,
    RunRow,
    SequenceConflict,
    Store,
    Summary,
    WorkflowKey,
    dump,
)

RUNNING, COMPLETED = 1, 2
OPEN_AT_MOST = 12
KINDS = (ObligationKind.ACTIVITY, ObligationKind.WAKE_UP, ObligationKind.SIGNAL)


@dataclass(frozen=True, slots=True)
class Step:
    """One durable call: a batch of appends, or a purge where there are `purged` ids. `reopens`: after the store was opened again."""

    batch: Sequence[Append] = ()
    purged: Sequence[WorkflowKey] = ()
    reopens: bool = False

    def take(self, store: Store) -> None:
        """Do it. A batch may hold one append that is refused; the others must be taken."""
        if self.purged:
            assert store.purge(self.purged) == len(self.purged)
            return
        outcomes = store.apply(self.batch)
        refused = [outcome for outcome in outcomes if not isinstance(outcome, int)]
        assert len(refused) <= 1 and all(isinstance(outcome, SequenceConflict) for outcome in refused), outcomes


@dataclass(slots=True)
class _Workflow:
    """What the generator remembers of a workflow that it has begun."""

    key: WorkflowKey
    projection: Summary
    head: int = 0
    rows: list[tuple[ObligationKind, bytes]] = field(default_factory=list[tuple[ObligationKind, bytes]])


class _Author:
    """Draws one step after another."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.open: list[_Workflow] = []
        self.closed: list[_Workflow] = []
        self.begun = self.opened = 0

    def step(self, number: int) -> Step:
        reopens = number > 0 and self.chance.random() < 0.04
        if len(self.closed) > 2 and self.chance.random() < 0.3:
            gone = self.closed[:2]
            del self.closed[:2]
            return Step((), tuple(workflow.key for workflow in gone), reopens)
        batch = [self._append(number) for _ in range(self.chance.choice((1, 1, 2, 4)))]
        if self.chance.random() < 0.1:
            batch.insert(0, replace(batch[-1], expected_seq=batch[-1].expected_seq + 1000))
        return Step(batch, (), reopens)

    def _append(self, number: int) -> Append:
        if not self.open or (len(self.open) < OPEN_AT_MOST and self.chance.random() < 0.3):
            return self._begin(number)
        workflow = self.chance.choice(self.open)
        return self._close(workflow, number) if self.chance.random() < 0.15 else self._go_on(workflow, number)

    def _begin(self, number: int) -> Append:
        self.begun += 1
        run_id = b"run-%d" % self.begun
        projection = Summary("checkout", 1, RUNNING, run_id, 1, 1, 1000 + number, 0, 0, "", {"region": self.chance.choice("abc")})
        workflow = _Workflow(WorkflowKey(self.chance.choice(("default", "other")), f"order-{self.begun}"), projection)
        self.open.append(workflow)
        run = RunRow(run_id, 1, b"", 1, "checkout", 1, RUNNING, 1, 0, 1000 + number, 0)
        marks = [Mark(b"request-%d" % self.begun, run_id)]
        return Append(workflow.key, 0, *self._frame(workflow), projection, [run], [self._row(workflow)], (), marks)

    def _go_on(self, workflow: _Workflow, number: int) -> Append:
        expected = workflow.head
        closes = [self._settled(workflow)] if workflow.rows and self.chance.random() < 0.6 else []
        opens = [self._row(workflow)] if self.chance.random() < 0.6 else []
        changed = self.chance.random() < 0.3
        if changed:
            workflow.projection = replace(workflow.projection, attributes={"cents": number, "region": self.chance.choice("abc")})
        return Append(workflow.key, expected, *self._frame(workflow), workflow.projection if changed else None, (), opens, closes)

    def _close(self, workflow: _Workflow, number: int) -> Append:
        expected = workflow.head
        frame, count = self._frame(workflow)
        self.open.remove(workflow)
        self.closed.append(workflow)
        closes = [Close(kind, row, required=True) for kind, row in workflow.rows]
        projection = replace(workflow.projection, status=COMPLETED, closed_us=2000 + number, head=workflow.head)
        run = RunRow(projection.run_id, 1, b"", 1, "checkout", 1, COMPLETED, 1, workflow.head, projection.started_us, 2000 + number)
        return Append(workflow.key, expected, frame, count, projection, [run], (), closes)

    def _frame(self, workflow: _Workflow) -> tuple[bytes, int]:
        """Some events, which do not compress; now and then more than a page of them."""
        size = self.chance.choice((30, 60, 200, 900, 2500)) if self.chance.random() < 0.9 else self.chance.randint(4_000, 20_000)
        count = self.chance.randint(1, 3)
        workflow.head += count
        return self.chance.randbytes(size), count

    def _row(self, workflow: _Workflow) -> Open:
        self.opened += 1
        kind, row = self.chance.choice(KINDS), self.opened.to_bytes(4)
        workflow.rows.append((kind, row))
        return Open(kind, row, self.chance.randrange(1000), self.chance.choice(("default", "gpu")), self.chance.randbytes(20))

    def _settled(self, workflow: _Workflow) -> Close:
        kind, row = workflow.rows.pop(self.chance.randrange(len(workflow.rows)))
        return Close(kind, row)


def steps_of(seed: int, count: int) -> list[Step]:
    """The program of a seed; the first `n` steps are the same for every count."""
    author = _Author(random.Random(seed))
    return [author.step(number) for number in range(count)]


def digest_of(store: Store) -> bytes:
    """Everything that the store holds, in sixteen bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for key, records in dump(store).items():
        digest.update(repr((key, records)).encode())
    return digest.digest()


def committed(steps: Sequence[Step]) -> Iterator[bytes]:
    """The digest of what must be there after no step, after one, and so on; from the store in memory, which has no disk to fail."""
    store = MemoryStore()
    yield digest_of(store)
    for step in steps:
        step.take(store)
        yield digest_of(store)
