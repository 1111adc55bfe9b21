"""Whichever page of `rows` is torn: what its copy refuses, and what it has no reason to refuse (J7)."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aion_trio.stores import Append, CorruptRecord, LmdbStore, Remedy, WorkflowKey, WorkflowRecords, dump
from aion_trio.stores.lmdb_store import salvage
from aion_trio.stores.lmdb_store.environment import Environment, Settings
from aion_trio.stores.lmdb_store.layout import EVENTS, EVENTS_KEY, SERIAL
from aion_trio.stores.lmdb_store.pages import Tree
from tests.journal.paging import leaves, open_pages, torn

from .building import activity, key, mark, summary, write

Row = tuple[int, int]
"""Whose row it is, by number, and of which kind."""


@dataclass(frozen=True, slots=True)
class Torn:
    """A page that is torn, and the rows around it."""

    before: Row | None
    rows: list[Row]
    behind: Row | None

    def lost_events(self, serial: int) -> bool:
        return (serial, EVENTS) in self.rows

    def lost_the_end(self, serial: int) -> bool:
        """The last events were on the page."""
        return self.lost_events(serial) and self.behind != (serial, EVENTS)

    def lost_all(self, serial: int) -> bool:
        return serial not in {row[0] for row in (self.before, self.behind) if row is not None}

    def could_have_held_events(self, serial: int) -> bool:
        """What is left does not tell whether there were events of a workflow on the page."""
        begun = self.before is not None and self.before[0] == serial
        goes_on = self.behind is not None and self.behind[0] == serial
        if begun and self.before is not None:
            return self.before[1] <= EVENTS and not (goes_on and self.behind == (serial, EVENTS))
        return goes_on and self.behind is not None and self.behind[1] > EVENTS


def varied_journal(path: Path) -> Path:
    """Workflows of one to six frames of two events, with and without rows behind them, so that pages end anywhere."""
    with closing(LmdbStore.open(path / "j")) as store:
        for number in range(30):
            each, frames = key(f"w{number}"), 1 + number % 6
            write(store, Append(each, 0, b"ee", 2, summary()), *[Append(each, 2 + 2 * n, os.urandom(700), 2) for n in range(frames)])
            if number % 3:
                rows = [activity(n.to_bytes(2), payload=bytes(60)) for n in range(number % 5 * 20)]
                write(store, Append(each, 2 + 2 * frames, opens=rows, marks=[mark(b"m")]))
        store.backup(path / "sound")
    return path / "sound"


def pages_of(journal: Path) -> list[tuple[int, int, Torn]]:
    """Every leaf of `rows`: its number, the size of pages, and what a copy without it is to be judged by."""
    found = leaves(journal, "rows")
    with open_pages(journal) as (pages, _, _):
        held = [
            [(int.from_bytes(at[:8]), at[SERIAL.size]) for at, _ in pages.records(Tree(b"rows", page, 1, 0), print)] for page, _ in found
        ]
    around = [None, *held, None]
    return [
        (page, size, Torn(before and before[-1], rows, behind and behind[0]))
        for (page, size), before, rows, behind in zip(found, around, held, around[2:], strict=False)
    ]


def test_a_copy_refuses_each_workflow_whose_events_may_be_missing_and_no_other(tmp_path: Path) -> None:
    sound = varied_journal(tmp_path)
    with closing(LmdbStore.open(sound, read_only=True)) as store:
        before = dump(store)
    refused = whole = 0
    for number, size, damage in pages_of(sound):
        with closing(LmdbStore.open(torn(sound, tmp_path / f"torn-{number}", number, tear, size), read_only=True)) as store:
            store.salvage(tmp_path / f"copy-{number}")
        with closing(LmdbStore.open(tmp_path / f"copy-{number}")) as copy:
            copy.reindex()
            to_restore = {finding.workflow_id for finding in copy.verify() if finding.remedy is Remedy.RESTORE}
            for serial, (owner, records) in enumerate(before.items(), 1):
                if damage.lost_events(serial):
                    require_refused(copy, owner, to_append=damage.lost_the_end(serial))
                    assert owner.workflow_id in to_restore or damage.lost_all(serial), owner
                    refused += 1
                elif not damage.could_have_held_events(serial):
                    require_whole(copy, owner, records)
                    assert owner.workflow_id not in to_restore, owner
                    whole += 1
    assert refused > 30 and whole > 500


def tear(page: bytearray) -> None:
    page[:] = bytes(len(page))


def require_refused(copy: LmdbStore, owner: WorkflowKey, *, to_append: bool) -> None:
    try:
        copy.history(owner)
    except CorruptRecord:
        pass
    else:
        raise AssertionError(f"the history of {owner} is taken for a whole one")
    if to_append:
        assert isinstance(copy.apply([Append(owner, 0, b"e", 1)])[0], CorruptRecord)


def require_whole(copy: LmdbStore, owner: WorkflowKey, records: WorkflowRecords) -> None:
    assert tuple(copy.history(owner).frames) == records.frames, owner
    assert copy.head(owner) == sum(frame.count for frame in records.frames)


def test_a_mark_of_a_loss_stays_whatever_a_page_says_later(tmp_path: Path) -> None:
    """A damaged tree may lead to a key twice; what was refused once must not look whole."""
    LmdbStore.open(tmp_path).close()
    with open_pages(tmp_path) as (_, trees, _):
        (tree,) = [tree for tree in trees if tree.name == b"rows"]
    with closing(Environment(tmp_path, Settings())) as environment:
        salvage._copy(environment, tree, iter([(b"k", b"torn"), (b"k", b"whole"), (b"l", b"whole")]))
        with environment.view() as view:
            assert [*view.txn.cursor(db=environment.tables.rows)] == [(b"k", b"torn"), (b"l", b"whole")]


def test_a_key_that_is_cut_off_before_a_torn_page_tells_of_no_loss_of_events() -> None:
    """It names a workflow and no row of it, so that events may lie behind it only as behind any other's end."""
    cut_off, whole = SERIAL.pack(5), EVENTS_KEY.pack(5, EVENTS, 3)
    assert [*salvage._losses(cut_off, b"")] == []
    assert [*salvage._losses(cut_off, whole)] == []
    assert [*salvage._losses(whole, cut_off)] == [(EVENTS_KEY.pack(5, EVENTS, 4), b"torn")]
