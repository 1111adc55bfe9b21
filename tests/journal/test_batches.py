"""Appends that share a commit: who is in it, who may still leave, and what its thread does between two (J1, J3, J6)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing

from aion_trio.errors import AppendOutcomeUnknown, JournalFullError
from aion_trio.journal import Journal, writer
from aion_trio.stores import Fault, LmdbStore, MemoryStore, StoreFailed, StoreFull

from .test_writer import EVENT, append, head, running, threaded


@dataclass
class Held:
    """A commit that is on its way to disk, and stays there until it is let go. However slow the thread, it has begun."""

    begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        self.begun.set()
        self.may_end.wait()

    async def has_begun(self) -> None:
        await trio.to_thread.run_sync(self.begun.wait)


async def test_what_follows_happens_also_when_its_caller_was_cancelled_on_the_way() -> None:
    """What is durable is dispatched, whoever has gone away meanwhile."""
    commit = Held()
    store = threaded(MemoryStore())
    seen: list[int] = []
    async with running(store) as journal:
        store.plan(Fault("apply", wait=commit.wait))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append_all, [append("a")], lambda: seen.append(head(store.inner, "a")))
            await commit.has_begun()
            nursery.cancel_scope.cancel()
            assert seen == []
            commit.may_end.set()
    assert seen == [1]


async def test_appends_that_arrive_during_a_commit_share_the_next_one() -> None:
    """J3: no timer, no delay; the batch is what has queued up."""
    commit = Held()
    store = threaded(MemoryStore())
    async with running(store) as journal, trio.open_nursery() as nursery:
        store.plan(Fault("apply", wait=commit.wait))
        nursery.start_soon(journal.append, append("first"))
        await commit.has_begun()
        for number in range(50):
            nursery.start_soon(journal.append, append(f"w{number}"))
        await trio.testing.wait_all_tasks_blocked()
        commit.may_end.set()
    assert (journal.commits, journal.appends) == (2, 51)


@pytest.mark.parametrize(("limit", "value"), [("MAX_BATCH", 2), ("MAX_BATCH_BYTES", 2 * len(EVENT))])
async def test_a_batch_ends_with_the_append_that_fills_it(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """J3: nobody waits for more than so much that is not his own."""
    monkeypatch.setattr(writer, limit, value)
    commit = Held()
    store = threaded(MemoryStore())
    async with running(store) as journal, trio.open_nursery() as nursery:
        store.plan(Fault("apply", wait=commit.wait))
        nursery.start_soon(journal.append, append("first"))
        await commit.has_begun()
        for names in ("ab", "c", "d", "e"):
            nursery.start_soon(journal.append_all, [append(name) for name in names])
            await trio.testing.wait_all_tasks_blocked()
        commit.may_end.set()
    assert (journal.commits, journal.appends) == (1 + 3, 6)


async def test_a_queued_append_can_be_withdrawn_and_one_on_its_way_completes() -> None:
    """J1, J3: cancelled while queued, nothing was written; in a batch, it completes. Those beside it share a commit all the same."""
    commit = Held()
    store = threaded(MemoryStore())
    async with running(store) as journal:
        store.plan(Fault("apply", wait=commit.wait))
        async with trio.open_nursery() as others, trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, append("on-its-way"))
            await commit.has_begun()
            for name, patience in (("before", others), ("queued", nursery), ("behind", others)):
                patience.start_soon(journal.append, append(name))
                await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            commit.may_end.set()
    assert [head(store.inner, name) for name in ("on-its-way", "before", "queued", "behind")] == [1, 1, 0, 1]
    assert (journal.commits, journal.appends) == (2, 3)


async def test_an_append_that_comes_as_the_writer_is_about_to_rest_is_not_left_behind() -> None:
    """It has looked at the queue and found nothing, and has not said yet that it rests: nobody wakes it."""
    looked, gate = threading.Event(), threading.Event()
    async with running(threaded(MemoryStore())) as journal:
        take = journal._take_batch

        def slow_to_rest() -> object:
            batch = take()
            if not batch and not gate.is_set():
                looked.set()
                gate.wait()
            return batch

        journal._take_batch = slow_to_rest  # type: ignore[method-assign,assignment]
        await journal.append(append("a"))
        await trio.to_thread.run_sync(looked.wait)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, append("a", 1))
            await trio.testing.wait_all_tasks_blocked(0.01)
            gate.set()
            with trio.fail_after(5):
                while journal.appends < 2:
                    await trio.lowlevel.checkpoint()


async def test_a_journal_at_rest_takes_no_time_of_the_processor() -> None:
    """It is woken by an append, and looks at its queue no more often than that takes."""
    looks = 0
    async with running(threaded(MemoryStore())) as journal:
        take = journal._take_batch

        def counted() -> object:
            nonlocal looks
            looks += 1
            return take()

        journal._take_batch = counted  # type: ignore[method-assign,assignment]
        await journal.append(append("a"))
        for _ in range(5):
            await trio.to_thread.run_sync(int)
    assert looks <= 4


async def test_a_thousand_appenders_share_commits_on_disk(tmp_path: Path) -> None:
    """J3, on LMDB with real syncs."""
    store = LmdbStore.open(tmp_path / "journal")
    async with running(store) as journal, trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(journal.append, append(f"w{number}"))
    assert journal.appends == 1000
    assert journal.commits < 100
    assert all(head(store, f"w{number}") == 1 for number in range(1000))
    store.close()


@pytest.mark.parametrize(("error", "told"), [(StoreFull("no space"), JournalFullError), (StoreFailed("EIO"), AppendOutcomeUnknown)])
async def test_all_who_share_a_commit_that_fails_are_told_each_by_an_error_of_its_own(error: Exception, told: type[Exception]) -> None:
    """J6: one outcome object, or one exception, cannot be raised in two tasks."""
    commit = Held()
    store = threaded(MemoryStore())
    refused: list[Exception] = []

    async def ask(journal: Journal, name: str) -> None:
        try:
            await journal.append(append(name))
        except told as refusal:
            refused.append(refusal)

    async with running(store) as journal, trio.open_nursery() as nursery:
        store.plan(Fault("apply", wait=commit.wait), Fault("apply", nth=2, error=error))
        nursery.start_soon(ask, journal, "first")
        await commit.has_begun()
        for number in range(5):
            nursery.start_soon(ask, journal, f"w{number}")
        await trio.testing.wait_all_tasks_blocked()
        commit.may_end.set()
    assert len({id(refusal) for refusal in refused}) == 5
