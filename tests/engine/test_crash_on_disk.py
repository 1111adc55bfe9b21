"""The same on LMDB, in real time: the engine dies at the n-th commit of its writer's thread, and another opens the files."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import aion_trio as aion
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import Fault, FaultyStore, LmdbStore, Store
from aion_trio.testing.comparison import Told, first_difference, histories, tellings
from aion_trio.testing.life import left_owed

from .crash_chapters import CHAPTERS
from .crash_scenarios import ACTIVITIES, WORKFLOWS


async def lived(store: Store, chapter: str) -> object:
    """What the clients get; when the block is left nothing is owed any more."""
    async with aion.open_engine(store, workflows=WORKFLOWS, activities=ACTIVITIES) as engine:
        result = await CHAPTERS[chapter].clients(engine)
        while store.stats().obligations:
            await trio.sleep(0.001)
        return result


async def died(path: Path, chapter: str, fault: Fault) -> bool:
    """Live until the fault strikes; False if it never does."""
    inner = LmdbStore.open(path)
    store = FaultyStore(inner)
    store.plan(fault)
    try:
        await lived(store, chapter)
    except BaseException:
        if not store.crashed:
            raise
    finally:
        inner.close()
    return store.crashed


async def ended(path: Path, chapter: str) -> tuple[object, dict[str, list[Told]]]:
    """Live in peace on what is there: the clients' result and the histories."""
    store = LmdbStore.open(path)
    try:
        result = await lived(store, chapter)
        assert verify_journal(store) == []
        assert left_owed(store) == []
        return result, tellings(histories(store), "any")
    finally:
        store.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("chapter", ["fan", "letters", "gossip"])
async def test_no_crash_on_disk_loses_or_doubles_work(chapter: str, after: bool, tmp_path: Path) -> None:
    """J3, J4, R11: before the commit, and between the commit and its acknowledgement."""
    result, told = await ended(tmp_path / "undisturbed", chapter)
    nth, struck = 0, True
    while struck:
        nth += 1
        struck = await died(tmp_path / str(nth), chapter, Fault("apply", nth=nth, after=after, crash=True))
        found, history = await ended(tmp_path / str(nth), chapter)
        assert found == result, nth
        assert not first_difference(told, history), nth
    assert nth > 3
