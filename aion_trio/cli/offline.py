"""A journal directory, read beside the engine that may be writing it: what the reading verbs need of an engine.

Nothing is locked and nothing is written. What depends on loaded code is not known here: results and inputs are plain data,
an activity counts as served, and a quarantine cannot be seen.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import trio

from aion_trio.codec import PLAIN, event_of
from aion_trio.engine import WorkflowDescription, WorkflowSummary
from aion_trio.engine.descriptions import description_of, summary_of
from aion_trio.engine.results import Results, is_open
from aion_trio.errors import InvalidInputError, WorkflowNotFoundError
from aion_trio.events import ACTIVITY_SCHEDULED, Event, microseconds_of
from aion_trio.history import WorkflowStatus
from aion_trio.journal import Journal
from aion_trio.journal.transfer import export_lines
from aion_trio.journal.writer import reading
from aion_trio.stores import LmdbStore
from aion_trio.stores.contract import AttributeValue, RunRow, SummaryFilter, WorkflowKey

SECONDS_BETWEEN_LOOKS = 0.25


@contextmanager
def open_journal_reader(directory: Path, namespace: str) -> Iterator[JournalReader]:
    """The journal in a directory, for reading. Raises `JournalFormatError` where there is none."""
    with reading():
        store = LmdbStore.open(directory, read_only=True)
    try:
        yield JournalReader(Journal(store), namespace)
    finally:
        store.close()


class JournalReader:
    """The reading half of `Engine`, on a journal that belongs to another process."""

    def __init__(self, journal: Journal, namespace: str) -> None:
        self.journal, self.namespace = journal, namespace
        self.results = Results(journal, None, PLAIN, {})

    def key(self, workflow_id: str) -> WorkflowKey:
        """The journal's key of a workflow id."""
        return WorkflowKey(self.namespace, workflow_id)

    def handle(self, id: str, run_id: str | None = None) -> JournalHandle:
        """A handle to a workflow id: its newest run at each call, or one run. Checks nothing."""
        try:
            return JournalHandle(self, id, None if run_id is None else bytes.fromhex(run_id))
        except ValueError:
            raise InvalidInputError(f"a run id is 32 hexadecimal digits, found {run_id!r}", "run_id") from None

    async def list_workflows(
        self, *, status: WorkflowStatus | frozenset[WorkflowStatus] | None = None, type: str | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> AsyncGenerator[WorkflowSummary, None]:  # fmt: skip
        """Every workflow id that matches, as `Engine.list_workflows` gives them."""
        times = (started_after, started_before, closed_after, closed_before)
        where = SummaryFilter(
            self.namespace,
            _statuses(status),
            type,
            dict(attributes or {}),
            *(None if at is None else microseconds_of(at) for at in times),
        )
        after: bytes | None = None
        while True:
            with reading():
                page = self.journal.store.summaries(where, after)
            await trio.lowlevel.checkpoint()
            for entry in page.entries:
                yield summary_of(entry.key, entry.summary)
            after = page.after
            if after is None:
                return

    async def count_workflows(
        self, *, status: WorkflowStatus | frozenset[WorkflowStatus] | None = None, type: str | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> int:  # fmt: skip
        """How many workflows match; at once where only a status is asked for."""
        if type is None and not attributes and (started_after, started_before, closed_after, closed_before) == (None,) * 4:
            return await self._count_by_status(_statuses(status))
        count = 0
        async for _ in self.list_workflows(
            status=status, type=type, attributes=attributes, started_after=started_after, started_before=started_before,
            closed_after=closed_after, closed_before=closed_before,
        ):  # fmt: skip
            count += 1
        return count

    async def _count_by_status(self, numbers: frozenset[int] | None) -> int:
        await trio.lowlevel.checkpoint()
        with reading():
            counts = self.journal.store.counts(self.namespace)
        return sum(count for number, count in counts.items() if numbers is None or number in numbers)

    async def export_history(self, id: str) -> list[str]:
        """The history of all runs of the id as JSON lines."""
        await trio.lowlevel.checkpoint()
        with reading():
            return list(export_lines(self.journal.store, self.key(id)))


class JournalHandle:
    """The reading half of `WorkflowHandle`. To wait is to look again now and then: another process writes."""

    def __init__(self, reader: JournalReader, workflow_id: str, bound: bytes | None) -> None:
        self._reader, self.id, self._bound = reader, workflow_id, bound

    async def describe(self) -> WorkflowDescription:
        """Everything that the journal says of the newest run."""
        await trio.lowlevel.checkpoint()
        journal, key = self._reader.journal, self._reader.key(self.id)
        summary = journal.summary(key)
        if summary is None:
            raise self._not_found()
        pages = journal.pages(key, summary.first_seq)
        types = frozenset(raw[3] for _, raws, _ in pages for raw in raws if raw[0] == ACTIVITY_SCHEDULED)
        return description_of(journal, key, summary, types, None)

    async def history(self, *, follow: bool = False) -> AsyncGenerator[Event, None]:
        """The events of all runs of the id, oldest first; with `follow`, what comes later too."""
        journal, key = self._reader.journal, self._reader.key(self.id)
        if not journal.head(key):
            raise self._not_found()
        next_seq = 1
        while True:
            for first_seq, raws, _ in journal.pages(key, next_seq):
                await trio.lowlevel.checkpoint()
                for seq, raw in enumerate(raws, first_seq):
                    if seq >= next_seq:
                        yield event_of(raw, seq)
                        next_seq = seq + 1
            if not follow:
                return
            while journal.head(key) < next_seq:  # noqa: ASYNC110  # the writer is another process
                await trio.sleep(SECONDS_BETWEEN_LOOKS)

    async def result(self) -> Any:
        """Wait for the end and give the result as plain data; raises as `WorkflowHandle.result` does."""
        reader, key = self._reader, self._reader.key(self.id)
        chain: bytes | None = None
        while True:
            run, successor, chain = self._run(chain)
            if successor is not None or not is_open(run):
                await trio.lowlevel.checkpoint()
                return reader.results.outcome(key, run, successor)
            await trio.sleep(SECONDS_BETWEEN_LOOKS)

    def _run(self, chain: bytes | None) -> tuple[RunRow, bytes | None, bytes | None]:
        """The run whose end is waited for, its successor where the handle is bound, and the chain to stay with."""
        results, key = self._reader.results, self._reader.key(self.id)
        if self._bound is not None:
            return *results.run(key, self._bound), chain
        run = results.newest_run(key, chain)
        return run, None, run.run_id

    def _not_found(self) -> WorkflowNotFoundError:
        return WorkflowNotFoundError(f"there is no workflow {self.id!r} in namespace {self._reader.namespace!r}")


def _statuses(status: WorkflowStatus | frozenset[WorkflowStatus] | None) -> frozenset[int] | None:
    wanted = frozenset({status}) if isinstance(status, WorkflowStatus) else status
    return None if wanted is None else frozenset(each.number for each in wanted)
