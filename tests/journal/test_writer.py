"""The journal actor: what an append promises, whatever the disk and the caller do (J1, J3, J6)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from aion_trio.errors import (
    AppendOutcomeUnknown,
    EngineClosedError,
    InvalidInputError,
    JournalCorruptedError,
    JournalFullError,
    JournalNotWritableError,
    PayloadTooLargeError,
    SequenceConflict,
    UnknownEventError,
)
from aion_trio.journal import Journal
from aion_trio.journal.writer import ObligationSettled
from aion_trio.stores import (
    Append,
    Close,
    Fault,
    FaultyStore,
    LmdbStore,
    MemoryStore,
    ObligationKind,
    Store,
    StoreFailed,
    StoreFull,
    WorkflowKey,
)

EVENT = b"\x83\x0e\x01\x02"  # a TimerFired


def append(name: str, expected_seq: int = 0) -> Append:
    return Append(WorkflowKey("default", name), expected_seq, EVENT, 1)


def head(store: Store, name: str) -> int:
    return store.head(WorkflowKey("default", name))


def threaded(store: Store) -> FaultyStore:
    """A store whose calls belong in the writer thread."""
    faulty = FaultyStore(store)
    faulty.blocking = True
    return faulty


@asynccontextmanager
async def running(store: Store) -> AsyncIterator[Journal]:
    async with running_again(Journal(store)) as journal:
        yield journal


@asynccontextmanager
async def running_again(journal: Journal) -> AsyncIterator[Journal]:
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        yield journal
        nursery.cancel_scope.cancel()


@pytest.fixture(params=["inline", "threaded"])
def store(request: pytest.FixtureRequest) -> FaultyStore:
    return FaultyStore(MemoryStore()) if request.param == "inline" else threaded(MemoryStore())


async def test_an_append_that_returned_is_in_the_store(store: FaultyStore) -> None:
    """J3."""
    async with running(store) as journal:
        assert await journal.append(append("a")) == 1
        assert await journal.append(append("a", 1)) == 2
    assert head(store.inner, "a") == 2


async def test_a_wrong_head_is_refused_with_both_numbers(store: FaultyStore) -> None:
    """J1."""
    async with running(store) as journal:
        await journal.append(append("a"))
        with pytest.raises(SequenceConflict, match="head") as caught:
            await journal.append(append("a"))
    assert (caught.value.expected, caught.value.found) == (0, 1)


async def test_a_full_disk_refuses_and_work_goes_on_once_there_is_room(store: FaultyStore) -> None:
    """J6: nothing was written, so that the store is as good as before."""
    async with running(store) as journal:
        store.plan(Fault("apply", error=StoreFull("no space")))
        with pytest.raises(JournalFullError):
            await journal.append(append("a"))
        assert await journal.append(append("a")) == 1
    assert "reopen" not in store.calls


@pytest.mark.parametrize("after", [False, True])
async def test_a_commit_that_failed_half_way_says_so_and_the_store_is_opened_again(store: FaultyStore, after: bool) -> None:
    """J3: whether it is durable is known by reading the head, which the reopened store answers."""
    async with running(store) as journal:
        store.plan(Fault("apply", error=StoreFailed("EIO on sync"), after=after))
        with pytest.raises(AppendOutcomeUnknown):
            await journal.append(append("a"))
        assert await journal.append(append("b")) == 1
        assert journal.head(WorkflowKey("default", "a")) == int(after)
    assert store.calls["reopen"] == 1


async def test_what_follows_from_an_append_happens_once_it_is_durable_and_before_the_caller_goes_on(store: FaultyStore) -> None:
    """J3: a dispatch or an answer waits for the disk, and for nothing after it."""
    seen: list[object] = []
    async with running(store) as journal:
        seen.append(await journal.append_all([append("a")], lambda: seen.append(head(store.inner, "a"))))
    assert seen == [1, [1]]


@pytest.mark.parametrize("error", [StoreFull("no space"), StoreFailed("EIO on sync"), None], ids=["full", "unknown", "conflict"])
async def test_nothing_follows_from_an_append_that_is_not_known_to_be_durable(store: FaultyStore, error: Exception | None) -> None:
    seen: list[int] = []
    async with running(store) as journal:
        await journal.append(append("a"))
        if error is not None:
            store.plan(Fault("apply", error=error))
        with pytest.raises((JournalFullError, AppendOutcomeUnknown, SequenceConflict)):
            await journal.append_all([append("a", 1 if error else 0)], lambda: seen.append(1))
    assert seen == []


async def test_what_follows_may_fail_for_the_caller_alone(store: FaultyStore) -> None:
    """The append stands, and the journal serves others."""

    def fails() -> None:
        raise LookupError("the nursery is closed")

    async with running(store) as journal:
        with pytest.raises(LookupError, match="the nursery is closed"):
            await journal.append_all([append("a")], fails)
        assert await journal.append(append("a", 1)) == 2


async def test_a_writer_that_does_not_get_its_store_open_again_fails_and_the_next_one_begins_with_that() -> None:
    """J3: whoever waited is told that nothing is known; the one who runs the journal hears why, and runs it again."""
    store = threaded(MemoryStore())
    journal = Journal(store)
    failing = pytest.RaisesGroup(pytest.RaisesExc(StoreFailed, match="still failing"))
    store.plan(Fault("apply", error=StoreFailed("EIO on sync"), after=True), Fault("reopen", error=StoreFailed("still failing")))
    with failing:
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
            with pytest.raises(AppendOutcomeUnknown, match="writer failed"):
                await journal.append(append("a"))
            await trio.sleep_forever()
    store.plan(Fault("reopen", error=StoreFailed("still failing")))
    with failing:
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
    async with running_again(journal):
        assert store.calls["reopen"] == 3
        assert (journal.head(WorkflowKey("default", "a")), await journal.append(append("b"))) == (1, 1)
    async with running_again(journal):
        assert (store.calls["reopen"], await journal.append(append("b", 1))) == (3, 2)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (Append(WorkflowKey("default", "x" * 401), 0, EVENT, 1), PayloadTooLargeError),
        (Append(WorkflowKey("default", "\ud800"), 0, EVENT, 1), InvalidInputError),
        (Append(WorkflowKey("default", "a"), 0, EVENT, 1, closes=[Close(ObligationKind.STEP, b"", required=True)]), ObligationSettled),
    ],
    ids=["too large", "invalid", "settled"],
)
async def test_a_refusal_of_the_store_is_told_in_the_engines_words(store: FaultyStore, item: Append, told: type[Exception]) -> None:
    async with running(store) as journal:
        with pytest.raises(told):
            await journal.append(item)
        assert await journal.append(append("a")) == 1


async def test_a_store_that_may_not_be_written_or_was_closed_says_so_in_the_engines_words(tmp_path: Path) -> None:
    LmdbStore.open(tmp_path / "journal").close()
    reader = LmdbStore.open(tmp_path / "journal", read_only=True)
    async with running(reader) as journal:
        with pytest.raises(JournalNotWritableError):
            await journal.append(append("a"))
    reader.close()
    with pytest.raises(EngineClosedError, match="block has been left"):
        journal.head(WorkflowKey("default", "a"))


async def test_events_that_cannot_be_decoded_are_told_with_their_place_and_those_before_them_are_read(store: FaultyStore) -> None:
    """J7: the frames of a page are decoded at once, and one by one where that fails."""
    key, unknown = WorkflowKey("default", "a"), b"\x83\x18\xfa\x00\x00"
    async with running(store) as journal:
        for seq, (frame, count) in enumerate([(EVENT, 1), (EVENT, 1), (b"no events", 1)]):
            await journal.append(Append(key, seq, frame, count))
        pages = journal.pages(key)
        assert [next(pages)[0], next(pages)[0]] == [1, 2]
        with pytest.raises(JournalCorruptedError, match="the events from 3 cannot be decoded") as caught:
            next(pages)
        assert (caught.value.workflow_id, caught.value.seq) == ("a", 3)
        await journal.append(Append(WorkflowKey("default", "b"), 0, unknown, 1))
        with pytest.raises(UnknownEventError, match="workflow 'b', events from 1"):
            list(journal.pages(WorkflowKey("default", "b")))


async def test_an_event_is_found_by_its_number_or_is_none(store: FaultyStore) -> None:
    key = WorkflowKey("default", "a")
    async with running(store) as journal:
        await journal.append(Append(key, 0, EVENT + b"\x83\x0e\x02\x03", 2))
        assert [journal.event(key, seq) for seq in range(4)] == [None, [14, 1, 2], [14, 2, 3], None]
        assert list(journal.pages(key, 3)) == []


async def test_a_stopped_journal_leaves_no_thread_behind() -> None:
    """Nothing outlives its block; nor does the interpreter, at its end, wait for a disk that hangs."""
    async with running(threaded(MemoryStore())) as journal:
        await journal.append(append("a"))
        writers = [thread for thread in threading.enumerate() if thread.name == "aion-journal"]
        assert writers and all(thread.daemon for thread in writers)
    for thread in threading.enumerate():
        if thread.name == "aion-journal":
            thread.join(5)
            assert not thread.is_alive()
