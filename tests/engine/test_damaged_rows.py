"""A damaged index row sets its own workflow aside: the journal opens, the others are recovered, verify tells of all damage."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import lmdb
import pytest

import aion_trio as aion
from aion_trio import durable
from aion_trio.journal.verification import verify_journal
from aion_trio.seams import TrioClock
from aion_trio.stores import LmdbStore, records_of
from aion_trio.stores.lmdb_store.layout import EVENTS, IDENTITY, OBLIGATION, ROW, RUN, TABLES
from tests.journal.harm import key, lost_id, more_due, orphan, out_of, trees, turned, turned_id, unknown_kind

from .harness import engine_on

HOUR_US = 3_600_000_000
BEGUN_US = 1_767_225_600_000_000


@aion.workflow
async def rests() -> str:
    await durable.sleep(3600)
    return "rested"


@aion.workflow
async def rests_not() -> str:
    return "awake"


async def three_that_rest(journal: Path) -> None:
    async with engine_on(journal, workflows=[rests], activities=[], clock=TrioClock(BEGUN_US)) as engine:
        for name in ("first", "hurt", "last"):
            await engine.start(rests, id=name)


def turn_a_bit(journal: Path, tag: int) -> None:
    """In the value of the second workflow's record of one kind; the tree itself stays sound."""
    with lmdb.open(str(journal), max_dbs=len(TABLES)) as env, env.begin(write=True) as txn:
        rows = env.open_db(b"rows", txn=txn, create=False)
        at = next(bytes(key) for key in txn.cursor(db=rows).iternext(values=False) if key[: ROW.size] == ROW.pack(2, tag))
        value = bytearray(txn.get(at, db=rows) or b"")
        value[-1] ^= 1
        txn.put(at, bytes(value), db=rows)


@pytest.mark.parametrize("tag", [OBLIGATION, IDENTITY])
async def test_a_damaged_row_that_is_due_stops_its_workflow_alone(tag: int, tmp_path: Path) -> None:
    """J7, R8: recovery and the timers read what is owed by all, and pass over what cannot be read."""
    journal = tmp_path / "j"
    await three_that_rest(journal)
    turn_a_bit(journal, tag)
    async with engine_on(journal, workflows=[rests], activities=[], clock=TrioClock(BEGUN_US + 2 * HOUR_US)) as engine:
        assert engine.recovery.wakeups_due == 2
        assert [name for name, _ in engine.recovery.quarantined] == (["hurt"] if tag == OBLIGATION else [])
        assert [await engine.handle(name).result() for name in ("first", "last")] == ["rested", "rested"]
        with pytest.raises(aion.JournalCorruptedError):
            await engine.handle("hurt").describe()


HURTS = {
    "a run's bit": turned(RUN),
    "an event's bit": turned(EVENTS),
    "an id's bit": turned_id,
    "an id lost": lost_id,
    "a place in the due order lost": out_of("due"),
    "a place in the due order too many": more_due,
    "a row without a cause": orphan,
    "a row of an unknown kind": unknown_kind,
    "a row of a listing lost": out_of("vis"),
}


@pytest.mark.parametrize("what", HURTS)
async def test_whatever_is_damaged_the_others_go_on(what: str, tmp_path: Path) -> None:
    """J7, R8: the engine opens, and stops nobody whose records are sound."""
    journal = tmp_path / "j"
    await three_that_rest(journal)
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        before = records_of(store, key("hurt"))
    with trees(journal) as at:
        HURTS[what](at, before, key("hurt"))
    async with engine_on(journal, workflows=[rests, rests_not], activities=[], clock=TrioClock(BEGUN_US + 2 * HOUR_US)) as engine:
        assert [await engine.handle(name).result() for name in ("first", "last")] == ["rested", "rested"]
        assert await engine.execute(rests_not, id="new") == "awake"


async def test_verify_tells_of_all_damage_where_an_id_cannot_be_read(tmp_path: Path) -> None:
    """J7, R2: the first damaged id does not end the list."""
    journal = tmp_path / "j"
    await three_that_rest(journal)
    turn_a_bit(journal, IDENTITY)
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        assert len(verify_journal(store)) > 1
