"""What the journal says of a store's refusals and of what it reads (J1, J5-J8)."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import aion_trio.events as ev
from aion_trio import errors
from aion_trio.codec import encode_frame
from aion_trio.errors import JournalCorruptedError, UnknownEventError
from aion_trio.events import Raw
from aion_trio.journal import Journal
from aion_trio.journal.writer import ObligationSettled
from aion_trio.stores import (
    Append,
    CorruptRecord,
    Fault,
    FaultyStore,
    InvalidRecord,
    Mark,
    MemoryStore,
    Obligation,
    ObligationGone,
    ObligationKind,
    Open,
    RecordTooLarge,
    SequenceConflict,
    StoreClosed,
    StoreError,
    StoreFailed,
    StoreFormatError,
    StoreFull,
    StoreLocked,
    StoreNotWritable,
    WorkflowKey,
)  # fmt: skip

KEY = WorkflowKey("default", "w")
UNKNOWN_EVENT = b"\x83\x18\xfa\x00\x00"


def marked(*seqs: int) -> list[Raw]:
    return [[ev.PATCH_MARKED, seq, f"patch {seq}"] for seq in seqs]


@pytest.fixture
def store() -> MemoryStore:
    """Five events in frames of one, three and one."""
    made = MemoryStore()
    for frame in (marked(1), marked(2, 3, 4), marked(5)):
        made.apply([Append(KEY, frame[0][1] - 1, encode_frame(frame), len(frame))])
    return made


@pytest.mark.parametrize(
    ("refusal", "told", "facts"),
    [
        (SequenceConflict(KEY, 3, 5), errors.SequenceConflict, {"expected": 3, "found": 5}),
        (RecordTooLarge("big"), errors.PayloadTooLargeError, {}),
        (InvalidRecord("odd"), errors.InvalidInputError, {}),
        (StoreClosed("closed"), errors.EngineClosedError, {}),
        (StoreFull("full"), errors.JournalFullError, {}),
        (StoreLocked("taken", 42), errors.JournalLockedError, {"pid": 42}),
        (StoreFormatError("version 9"), errors.JournalFormatError, {}),
        (StoreNotWritable("read only"), errors.JournalNotWritableError, {}),
        (CorruptRecord("torn", "w", 7), errors.JournalCorruptedError, {"workflow_id": "w", "seq": 7}),
        (StoreFailed("EIO"), errors.AppendOutcomeUnknown, {}),
        (ObligationGone("settled"), ObligationSettled, {}),
    ],
    ids=lambda case: type(case).__name__ if isinstance(case, StoreError) else "",
)
def test_each_refusal_of_a_store_is_an_error_of_the_engine_that_knows_as_much(
    refusal: StoreError, told: type[Exception], facts: dict[str, Any]
) -> None:
    """J1, J6, J7, J8."""
    store = FaultyStore(MemoryStore())
    store.plan(Fault("head", error=refusal))
    with pytest.raises(told) as caught:
        Journal(store).head(KEY)
    assert str(caught.value).startswith(str(refusal))
    assert {name: getattr(caught.value, name) for name in facts} == facts
    assert caught.value.__cause__ is refusal


def test_what_is_owed_and_remembered_is_read_by_its_names_and_in_pages() -> None:
    """J5: the soonest first, of one kind, as far as it is due, and behind what was read before."""
    store = MemoryStore()
    owed = [Open(ObligationKind.ACTIVITY, bytes([row]), due_us=row, queue="q", payload=b"p") for row in (3, 1, 2)]
    step = Open(ObligationKind.STEP, b"", due_us=1)
    store.apply([Append(KEY, 0, encode_frame(marked(1)), 1, opens=[*owed, step], marks=[Mark(b"name", b"value")])])
    journal = Journal(store)
    assert (journal.head(KEY), journal.summary(KEY), journal.runs(KEY)) == (1, None, [])
    assert [journal.mark(KEY, name) for name in (b"name", b"another")] == [b"value", None]
    first = journal.obligation(KEY, ObligationKind.ACTIVITY, bytes([1]))
    assert first == Obligation(KEY, ObligationKind.ACTIVITY, bytes([1]), 1, "q", b"p")
    assert journal.obligation(KEY, ObligationKind.STEP, bytes([1])) is None

    def page(**options: Any) -> list[int]:
        return [found.due_us for found in journal.obligations(ObligationKind.ACTIVITY, **options)]

    assert [page(), page(until_us=2), page(after=first), page(limit=2)] == [[1, 2, 3], [1, 2], [2, 3], [1, 2]]
    assert sorted(found.kind for found in journal.obligations_of(KEY)) == sorted([*[ObligationKind.ACTIVITY] * 3, ObligationKind.STEP])


def test_an_event_is_found_in_whichever_frame_holds_it(store: MemoryStore) -> None:
    journal = Journal(store)
    assert [journal.event(KEY, seq) for seq in range(1, 6)] == marked(1, 2, 3, 4, 5)
    assert journal.event(KEY, 6) is None
    assert journal.event(WorkflowKey("default", "nobody"), 1) is None


@pytest.mark.parametrize("max_bytes", [1, 30, 1 << 20])
def test_pages_of_any_size_make_the_history_from_the_frame_that_holds_an_event(store: MemoryStore, max_bytes: int) -> None:
    """J5."""
    for from_seq, first in ((1, 1), (2, 2), (3, 2), (5, 5)):
        pages = list(Journal(store).pages(KEY, from_seq, max_bytes))
        assert [raw for _, raws, _ in pages for raw in raws] == marked(*range(first, 6))
        seqs = [seq for seq, raws, _ in pages for seq in range(seq, seq + len(raws))]
        assert seqs == list(range(first, 6))
        assert len(pages) == (1 if max_bytes > 30 else len(store.history(KEY, from_seq).frames))
        assert sum(size for _, _, size in pages) == sum(len(frame.data) for frame in store.history(KEY, from_seq).frames)


def test_of_a_page_with_a_frame_that_does_not_decode_the_rest_is_read_and_that_one_named(store: MemoryStore) -> None:
    """J7: by workflow and first event; what stands before it is given."""
    store.apply([Append(KEY, 5, b"\x81\x01", 1), Append(KEY, 6, encode_frame(marked(7)), 1)])
    given: list[Raw] = []
    with pytest.raises(JournalCorruptedError, match="'w': the events from 6 cannot be decoded") as caught:
        for _, raws, size in Journal(store).pages(KEY):
            given += raws
            assert size == len(encode_frame(raws))
    assert given == marked(1, 2, 3, 4, 5)
    assert (caught.value.workflow_id, caught.value.seq) == ("w", 6)


def test_an_event_of_a_later_program_is_named_with_its_workflow(store: MemoryStore) -> None:
    """H7."""
    store.apply([Append(KEY, 5, UNKNOWN_EVENT, 1)])
    with pytest.raises(UnknownEventError, match="workflow 'w', events from 6: "):
        Journal(store).event(KEY, 6)


def test_what_is_owed_and_damaged_sets_its_workflow_aside_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """J7, R8: each look passes over it again; a reason that is known already is kept."""
    damages = [CorruptRecord("a row of 'w' is torn", "w"), CorruptRecord("a row of 'v' is torn", "v"), CorruptRecord("a torn place")]

    class Damaged(MemoryStore):
        def obligations(self, kind: ObligationKind, **options: Any) -> list[Obligation]:
            for damage in damages:
                options["on_damage"](damage)
            return []

    quarantined = {"v": "NonDeterminismError: before"}
    journal = Journal(Damaged(), quarantined)
    for _ in range(2):
        assert journal.obligations(ObligationKind.STEP) == []
    advice = "; `aion-trio journal verify` lists all damage"
    assert quarantined == {"v": "NonDeterminismError: before", "w": f"JournalCorruptedError: a row of 'w' is torn{advice}"}
    assert [record.getMessage() for record in caplog.records] == [f"what is owed could not be read: {each}{advice}" for each in damages]
    assert {(record.name, record.levelno) for record in caplog.records} == {("aion_trio", logging.ERROR)}
