"""Format version 1 to the byte: what an older program has written is read, and what is written an older program can read (H2)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from aion_trio.stores import Append, Frame, LmdbStore, Mark, ObligationKind, Open, RunRow, Summary, SummaryFilter, records_of
from aion_trio.stores.lmdb_store.records import DEFLATED, PLAIN, seal_frame, unseal_frame
from tests.journal.harm import trees

from .building import key, write

SUMMARY = Summary("checkout", 3, 2, b"run-2", 4, 5, 1_000_000, 2_000_000, 7, "parent", {"region": "eu", "cents": -5})
RUN = RunRow(b"run-2", 2, b"run-1", 1, "checkout", 3, 2, 5, 7, 1_000_000, 2_000_000)
OPENS = [Open(ObligationKind.WAKE_UP, b"", 30), Open(ObligationKind.ACTIVITY, b"\0\1", 10, "gpu", b"input")]
MARK = Mark(b"request-1", b"outcome")
WORKFLOW = Append(key(), 0, b"events", 7, SUMMARY, [RUN], OPENS, (), [MARK])

VERSION_1 = """
meta 230000000102 d68d57ea0000000000000001
meta 666f726d6174 0040439a00000001
meta 6e6578745f73657269616c 796c81790000000000000002
meta 7772697474656e5f6279 4c5e573f612074657374
names 63656e7473 e9c9217900000004
names 636865636b6f7574 d5e2460f00000002
names 64656661756c74 354f855d00000001
names 677075 99073be400000005
names 726567696f6e 856b7cb500000003
ids 0000000177 0373b3360000000000000001
rows 000000000000000100 9fe9186e 0764656661756c74 000177 00000003 02 00000004 00000005 00000000000f4240 00000000001e8480 00000007 \
08636865636b6f7574 0572756e2d32 0006706172656e74 06726567696f6e 0003066575 0563656e7473 0003037ffa
rows 00000000000000010100000002 084c5eaa 00000002 01 00000003 02 00000005 00000007 00000000000f4240 00000000001e8480 \
0572756e2d32 0572756e2d31 08636865636b6f7574
rows 00000000000000010200000007 f0bd05e8 00 00000007 6576656e7473
rows 00000000000000010301 e3ccb7e0 000000000000001e 00
rows 000000000000000103020001 1ff26f55 000000000000000a 03677075 696e707574
rows 000000000000000104726571756573742d31 33cbe1b4 6f7574636f6d65
due 0100000000000000000000001e0000000000000001
due 0200000005000000000000000a00000000000000010001
vis 010000000102000000020000000000000001
vis 020000000100000003066575000000000000000001
vis 020000000100000004037ffa000000000000000001
"""

LARGE = (
    "0000000000000001020000000a",
    """
1d6b8267 01 00000003 78014b2d4bcd2b294e1d254743603404464360340446436034044643603404a81402003f94090d
""",
)


NOISE = b"".join((number * 2654435761 % (1 << 32)).to_bytes(4) for number in range(600))


def rows(text: str) -> list[tuple[str, bytes, bytes]]:
    """Tree, key and value of each line."""
    return [(tree, bytes.fromhex(at), bytes.fromhex("".join(value))) for tree, at, *value in map(str.split, text.strip().splitlines())]


def test_a_workflow_is_written_as_these_bytes(tmp_path: Path) -> None:
    with closing(LmdbStore.open(tmp_path / "journal", written_by="a test")) as store:
        write(store, WORKFLOW)
    with trees(tmp_path / "journal") as at:
        written = [(tree, place, at.get(tree, place)) for tree in ("meta", "names", "ids", "rows", "due", "vis") for place in at.keys(tree)]
    assert written == rows(VERSION_1)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal that was written by LMDB alone."""
    with lmdb.open(str(tmp_path / "journal"), max_dbs=6) as env, env.begin(write=True) as txn:
        for tree, at, value in rows(VERSION_1):
            txn.put(at, value, db=env.open_db(tree.encode(), txn=txn))
    return tmp_path / "journal"


def test_a_workflow_is_read_from_these_bytes(journal: Path) -> None:
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        found = records_of(store, key())
        assert (found.frames, found.summary, found.runs, found.marks) == ((Frame(1, 7, b"events"),), SUMMARY, (RUN,), (MARK,))
        assert [Open(row.kind, row.row, row.due_us, row.queue, row.payload) for row in found.obligations] == OPENS
        assert [entry.key for entry in store.summaries(SummaryFilter(attributes={"cents": -5})).entries] == [key()]
        assert store.obligations(ObligationKind.ACTIVITY, queue="gpu") == [found.obligations[1]]
        assert store.counts("default") == {2: 1} and store.stats().written_by == "a test"
        assert store.verify() == []


def test_events_that_were_compressed_are_read_from_these_bytes() -> None:
    """By whatever zlib they were compressed."""
    at, record = bytes.fromhex(LARGE[0]), bytes.fromhex(LARGE[1])
    assert unseal_frame(at, record, "w", 10) == (3, b"events" * 400)


@pytest.mark.parametrize(
    ("data", "flags"),
    [(b"e" * 200, PLAIN), (b"events" * 400, DEFLATED), (NOISE, PLAIN)],
    ids=["few", "many", "many without a pattern"],
)
def test_many_events_are_compressed_where_that_saves_room(data: bytes, flags: int) -> None:
    at, record = seal_frame(1, 10, 3, data)
    assert at == bytes.fromhex(LARGE[0])
    assert record[4:9] == bytes([flags]) + (3).to_bytes(4)
    assert (record[9:] == data) is (flags == PLAIN)
    assert unseal_frame(at, record, "w", 10) == (3, data)


@pytest.mark.parametrize(("characters", "end"), [(198, b"e\0"), (199, b"ee"), (200, b"ee"), (900, b"ee")])
def test_a_long_value_has_two_hundred_bytes_of_it_in_the_index(characters: int, end: bytes, tmp_path: Path) -> None:
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        write(store, Append(key(), 0, b"e", 1, replace(SUMMARY, attributes={"region": "e" * characters})))
    with trees(tmp_path / "journal") as at:
        [place] = at.keys("vis", b"\6" + b"e" * 190)
    assert place[9:-8] == b"\6" + b"e" * 197 + end
