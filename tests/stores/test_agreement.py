"""The memory store and the LMDB store agree on every answer, whatever is asked in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aion_trio.stores import (
    Append,
    Close,
    LmdbStore,
    Mark,
    MemoryStore,
    ObligationKind,
    Open,
    RunRow,
    Store,
    Summary,
    SummaryFilter,
    WorkflowKey,
    dump,
)

KEYS = [WorkflowKey(namespace, name) for namespace in ("default", "other") for name in ("a", "b", "ab")]
KINDS = [ObligationKind.WAKE_UP, ObligationKind.ACTIVITY, ObligationKind.CHILD_START]
QUEUES = ["", "gpu", "mail"]
NAMES = [b"", b"1", b"2", b"\xff"]

keys = st.sampled_from(KEYS)
values = st.one_of(st.booleans(), st.integers(-300, 300), st.sampled_from(["", "eu", "e", "e\x00"]), st.sampled_from([0.0, 1.0, -1.5]))
opens = st.builds(Open, st.sampled_from(KINDS), st.sampled_from(NAMES), st.integers(0, 4), st.sampled_from(QUEUES), st.binary(max_size=3))
closes = st.builds(Close, st.sampled_from(KINDS), st.sampled_from(NAMES), st.none() | keys, st.booleans())
marks = st.builds(Mark, st.sampled_from(NAMES), st.binary(max_size=3))
summaries = st.builds(
    Summary,
    type=st.sampled_from(["checkout", "ship"]),
    version=st.just(1),
    status=st.integers(1, 3),
    run_id=st.just(b"r"),
    run_no=st.just(1),
    first_seq=st.just(1),
    started_us=st.integers(0, 5),
    closed_us=st.integers(0, 5),
    attributes=st.dictionaries(st.sampled_from(["x", "y"]), values, max_size=2),
)
runs = st.builds(RunRow, st.just(b"r"), st.integers(1, 3), st.just(b""), st.just(1), st.just("t"), *[st.just(1)] * 3, *[st.just(0)] * 3)
times = st.none() | st.integers(0, 5)
filters = st.builds(
    SummaryFilter,
    namespace=st.sampled_from(["default", "other", "nowhere"]),
    statuses=st.none() | st.frozensets(st.integers(1, 4), max_size=3),
    type=st.none() | st.sampled_from(["checkout", "ship", "none"]),
    attributes=st.dictionaries(st.sampled_from(["x", "y", "z"]), values, max_size=1),
    started_after_us=times,
    closed_before_us=times,
)


@st.composite
def appends(draw: st.DrawFn) -> tuple[WorkflowKey, int, Append]:
    """A key, how far the expected head is off, and the rest of an append."""
    count = draw(st.integers(0, 3))
    rest = Append(
        KEYS[0],
        0,
        b"%d" % draw(st.integers(0, 9)) * count,
        count,
        draw(st.none() | summaries),
        draw(st.lists(runs, max_size=1)),
        draw(st.lists(opens, max_size=3)),
        draw(st.lists(closes, max_size=2)),
        draw(st.lists(marks, max_size=1)),
    )
    return draw(keys), draw(st.sampled_from([0, 0, 0, 0, 1])), rest


class Agreement(RuleBasedStateMachine):
    """Every rule asks both; the invariant compares every record."""

    @initialize()
    def begin(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="stores-agree-"))
        self.memory: Store = MemoryStore()
        self.disk: Store = LmdbStore.open(self.path / "journal")

    def teardown(self) -> None:
        self.disk.close()
        shutil.rmtree(self.path)

    @rule(batch=st.lists(appends(), max_size=4))
    def apply(self, batch: list[tuple[WorkflowKey, int, Append]]) -> None:
        heads = {known: self.memory.head(known) for known in KEYS}
        made: list[Append] = []
        for known, off, rest in batch:
            made.append(
                Append(known, heads[known] + off, rest.frame, rest.count, rest.summary, rest.runs, rest.opens, rest.closes, rest.marks)
            )
            heads[known] += 0 if off else rest.count
        told, expected = self.disk.apply(made), self.memory.apply(made)
        assert [(type(outcome), str(outcome)) for outcome in told] == [(type(outcome), str(outcome)) for outcome in expected]

    @rule(purged=st.lists(keys, max_size=2))
    def purge(self, purged: list[WorkflowKey]) -> None:
        assert self.disk.purge(purged) == self.memory.purge(purged)

    @rule()
    def open_again(self) -> None:
        self.disk.close()
        self.disk = LmdbStore.open(self.path / "journal")

    @rule(where=filters, limit=st.integers(1, 4))
    def list_summaries(self, where: SummaryFilter, limit: int) -> None:
        assert listing(self.disk, where, limit) == listing(self.memory, where, limit)

    @rule(kind=st.sampled_from(KINDS), until=times, queue=st.none() | st.sampled_from([*QUEUES, "none"]), limit=st.integers(1, 4))
    def list_obligations(self, kind: ObligationKind, until: int | None, queue: str | None, limit: int) -> None:
        for store in (self.disk, self.memory):
            whole = store.obligations(kind, until_us=until, queue=queue)
            paged = store.obligations(kind, until_us=until, queue=queue, limit=limit)
            while paged and (page := store.obligations(kind, until_us=until, queue=queue, after=paged[-1], limit=limit)):
                paged += page
            assert paged == whole
        assert self.disk.obligations(kind, until_us=until, queue=queue) == self.memory.obligations(kind, until_us=until, queue=queue)

    @rule(known=keys, from_seq=st.integers(1, 9), max_bytes=st.integers(1, 20))
    def read(self, known: WorkflowKey, from_seq: int, max_bytes: int) -> None:
        assert [self.disk.head(known), self.disk.summary(known)] == [self.memory.head(known), self.memory.summary(known)]
        disk, memory = self.disk.history(known, from_seq), self.memory.history(known, from_seq)
        assert list(disk.frames) == list(memory.frames) and disk.next_seq is memory.next_seq is None
        assert list(self.disk.history(known, from_seq, max_bytes).frames)[:1] == list(disk.frames)[:1]

    @invariant()
    def every_record_is_equal(self) -> None:
        if hasattr(self, "disk"):
            assert dump(self.disk) == dump(self.memory)
            assert list(dump(self.disk)) == list(dump(self.memory))
            assert [finding for finding in self.disk.verify() if "ends at" not in finding.what] == []
            for namespace in ("default", "other"):
                assert self.disk.counts(namespace) == self.memory.counts(namespace)


def listing(store: Store, where: SummaryFilter, limit: int) -> list[tuple[WorkflowKey, Summary]]:
    page = store.summaries(where, None, limit)
    found = list(page.entries)
    while page.after is not None:
        page = store.summaries(where, page.after, limit)
        found += page.entries
    return [(entry.key, entry.summary) for entry in found]


Agreement.TestCase.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
TestAgreement = Agreement.TestCase
