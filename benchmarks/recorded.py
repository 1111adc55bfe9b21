"""Histories and appends as the engine itself makes them, recorded once and written to a disk as often as wanted.

The engine runs on a store in memory, which notes every append. So what is measured later is what the engine would have
written, byte for byte, and a hundred thousand workflows are made without running each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import trio

import aion_trio as aion
from aion_trio.codec import decode_frame
from aion_trio.definitions import WorkflowDefinition
from aion_trio.events import Raw
from aion_trio.stores import Append, Frame, LmdbStore, MemoryStore, Outcome, WorkflowKey, copy_records, each_frame

from .workloads import open_engine

AnyWorkflow = WorkflowDefinition[..., Any]
Drive = Callable[[aion.Engine], Awaitable[object]]

NAME = "w0000000"
"""The id under which templates are recorded; others of the same length take its place."""
_AT_ONCE = 2000


class NotingStore(MemoryStore):
    """A store in memory that keeps every append it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.appends: list[Append] = []

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        self.appends += batch
        return super().apply(batch)


@dataclass(frozen=True, slots=True)
class Recording:
    """One workflow's history and how it was written; children's histories lie beside it in `store`."""

    workflow: AnyWorkflow
    store: NotingStore

    @property
    def key(self) -> WorkflowKey:
        """Whose history it is."""
        return WorkflowKey("default", NAME)

    @property
    def frames(self) -> list[Frame]:
        """Its frames."""
        return list(each_frame(self.store, self.key))

    @property
    def events(self) -> list[Raw]:
        """Its events."""
        frames = self.frames
        return decode_frame(b"".join(frame.data for frame in frames), sum(frame.count for frame in frames))

    @property
    def appends(self) -> list[Append]:
        """What was written for it, in order."""
        return [append for append in self.store.appends if append.key == self.key]

    def write(self, journal: Path) -> None:
        """Make a journal on a disk of everything that was recorded."""
        store = LmdbStore.open(journal)
        copy_records(self.store, store)
        store.close()


def record(workflow: AnyWorkflow, *args: Any, drive: Drive | None = None, finish: bool = True) -> Recording:
    """Run a workflow to its end, or only start it; `drive` is called meanwhile, and sends it what it waits for."""
    store = NotingStore()

    async def main() -> None:
        async with open_engine(store) as engine:
            handle = await engine.start(workflow, *args, id=NAME)
            if drive is not None:
                await drive(engine)
            if finish:
                await handle.result()

    trio.run(main)
    return Recording(workflow, store)


@dataclass(frozen=True, slots=True)
class Template:
    """The appends of one workflow, to be written again for others: ids of the same length take the place of its own."""

    appends: tuple[Append, ...]
    run_id: bytes

    @classmethod
    def of(cls, recording: Recording, count: int | None = None) -> Template:
        """The first `count` appends of a recording, or all."""
        appends = tuple(recording.appends[:count])
        return cls(appends, appends[0].runs[0].run_id)

    def of_number(self, number: int) -> list[Append]:
        """The appends of workflow `number`."""
        name, run_id = f"w{number:07}", number.to_bytes(16, "big")
        pairs = ((NAME.encode(), name.encode()), (self.run_id, run_id))
        return [self._renamed(append, WorkflowKey(append.key.namespace, name), run_id, pairs) for append in self.appends]

    def _renamed(self, append: Append, key: WorkflowKey, run_id: bytes, pairs: Iterable[tuple[bytes, bytes]]) -> Append:
        summary = None if append.summary is None else replace(append.summary, run_id=run_id)
        runs = [replace(run, run_id=run_id) for run in append.runs]
        opens = [replace(row, payload=_replaced(row.payload, pairs)) for row in append.opens]
        return replace(append, key=key, frame=_replaced(append.frame, pairs), summary=summary, runs=runs, opens=opens)


def _replaced(data: bytes, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    for old, new in pairs:
        data = data.replace(old, new)
    return data


def write_many(journal: Path, template: Template, numbers: Iterable[int]) -> None:
    """Write the template's appends for all these workflows, some thousand appends a transaction."""
    store = LmdbStore.open(journal)
    try:
        todo: Iterator[Append] = (append for number in numbers for append in template.of_number(number))
        while batch := list(islice(todo, _AT_ONCE)):
            for outcome in store.apply(batch):
                if not isinstance(outcome, int):
                    raise outcome
    finally:
        store.close()
