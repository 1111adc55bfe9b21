"""Appends that are given up, room that was wanting before, and a writer that fails (J1, J3, J6)."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from aion_trio.errors import AppendOutcomeUnknown, JournalFullError
from aion_trio.journal import Journal
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import Append, Fault, FaultyStore, MemoryStore, StoreFull, Summary, WorkflowKey

from .test_writer import append, head, running, threaded


@pytest.mark.parametrize("blocking", [False, True], ids=["inline", "threaded"])
async def test_who_is_cancelled_already_appends_nothing(blocking: bool) -> None:
    """J1."""
    store = threaded(MemoryStore()) if blocking else FaultyStore(MemoryStore())
    async with running(store) as journal:
        with trio.CancelScope() as scope:
            scope.cancel()
            await journal.append(append("a"))
        assert scope.cancelled_caught
        assert await journal.append(append("b")) == 1
    assert head(store.inner, "a") == 0


@pytest.mark.parametrize("blocking", [False, True], ids=["inline", "threaded"])
async def test_an_append_is_a_checkpoint(blocking: bool) -> None:
    store = threaded(MemoryStore()) if blocking else FaultyStore(MemoryStore())
    async with running(store) as journal:
        with trio.testing.assert_checkpoints():
            await journal.append(append("a"))


async def test_who_waits_for_the_journal_to_be_full_is_not_told_of_what_was_before() -> None:
    """J6: a later open, after room was made, is not refused for an earlier one."""
    store = FaultyStore(MemoryStore())
    told: list[str] = []

    async def wait(journal: Journal) -> None:
        await journal.full()
        told.append("full")

    async with running(store) as journal:
        for _ in range(2):
            store.plan(Fault("apply", error=StoreFull("no space")))
            with pytest.raises(JournalFullError):
                await journal.append(append("a"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, journal)
                await trio.testing.wait_all_tasks_blocked()
                assert told == []
                await journal.append(append("a", head(store.inner, "a")))
                await trio.testing.wait_all_tasks_blocked()
                assert told == []
                store.plan(Fault("apply", error=StoreFull("no space")))
                with pytest.raises(JournalFullError):
                    await journal.append(append("a", 9))
            assert told.pop() == "full"


async def test_a_writer_that_fails_tells_all_who_wait_and_the_one_who_runs_it() -> None:
    """J3, R8: nobody waits for ever, and whether it was written is not known."""
    store = threaded(MemoryStore())
    store.plan(Fault("apply", error=RuntimeError("a fault of ours")))
    told: list[str] = []

    async def ask(journal: Journal, name: str) -> None:
        try:
            await journal.append(append(name))
        except AppendOutcomeUnknown as unknown:
            told.append(str(unknown))

    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            journal = Journal(store)
            async with trio.open_nursery() as askers:
                for name in ("a", "b"):
                    askers.start_soon(ask, journal, name)
                await trio.testing.wait_all_tasks_blocked()
                await nursery.start(journal.run)
    assert caught.group_contains(RuntimeError, match="a fault of ours")
    assert told == ["the journal's writer failed: RuntimeError('a fault of ours')"] * 2


def test_a_summary_without_any_event_is_told() -> None:
    """H2: an id of which nothing at all is left is none."""
    store = MemoryStore()
    key = WorkflowKey("default", "w")
    assert store.apply([Append(key, 0, summary=Summary("checkout", 1, 1, b"r" * 16, 1, 1, 5))]) == [0]
    (found,) = verify_journal(store)
    assert (found.workflow_id, found.seq) == ("w", 1)
    assert "does not begin with a start" in found.what
