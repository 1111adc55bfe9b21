"""A damaged row is one finding: that it is missing from what the events say is not said as well (J7)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

import aion_trio.events as ev
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore, WorkflowRecords
from aion_trio.stores.lmdb_store.layout import MARK, RUN
from tests.cli.histories import AT, raws

from .harm import appends, key, lost, require, started, trees, turned

NO_RECORDS = WorkflowRecords((), None, (), (), ())


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """One workflow with two marks and an activity."""
    with closing(LmdbStore.open(tmp_path / "j")) as store:
        signal = [ev.SIGNAL_RECEIVED, AT, "word", b"", None, "once"]
        require(store, *appends(key("w"), [started("once"), signal, raws()[1]]))
    return tmp_path / "j"


def found(journal: Path) -> list[str]:
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        return [finding.what for finding in verify_journal(store)]


@pytest.mark.parametrize("tag", [RUN, MARK], ids=["run", "mark"])
def test_a_damaged_row_is_told_once(tag: int, journal: Path) -> None:
    with trees(journal) as at:
        turned(tag)(at, NO_RECORDS, key("w"))
    assert len(found(journal)) == 1


def test_a_mark_that_is_missing_beside_a_damaged_one_is_told_with_it(journal: Path) -> None:
    """Two are not there, and one of them alone is damaged: either may be the lost one."""
    with trees(journal) as at:
        lost(MARK)(at, NO_RECORDS, key("w"))
        turned(MARK)(at, NO_RECORDS, key("w"))
    assert sum("its mark " in what for what in found(journal)) == 2
