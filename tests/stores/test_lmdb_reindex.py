"""An index made anew from the rows (H2): whose numbers are taken, which id leads where, and what a damaged row hides."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import Append, CorruptRecord, LmdbStore, ObligationKind, SummaryFilter
from aion_trio.stores.lmdb_store.layout import OBLIGATION, ROW
from aion_trio.stores.lmdb_store.records import seal
from tests.journal.harm import trees

from .building import key, start, summary, write
from .test_lmdb_strange_rows import ALPHA, BETA, two_workflows


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return two_workflows(tmp_path / "journal")


def test_the_number_of_what_was_purged_is_not_given_out_again(journal: Path) -> None:
    with closing(LmdbStore.open(journal)) as store:
        write(store, start(key("gone")))
        store.purge([key("gone")])
        store.reindex()
        write(store, start(key("new")))
    with trees(journal) as at:
        assert at.serial(key("new")) == BETA + 2


@pytest.mark.parametrize("lost", ["nothing else", "ids", "rows"])
def test_where_the_next_number_cannot_be_read_those_that_have_rows_or_an_id_are_taken(journal: Path, lost: str) -> None:
    with trees(journal) as at:
        at.turn("meta", b"next_serial")
        for place in at.keys("ids", b"beta") if lost == "ids" else at.keys("rows", BETA.to_bytes(8)) if lost == "rows" else ():
            at.delete(lost, place)
    with closing(LmdbStore.open(journal)) as store:
        store.reindex()
        write(store, start(key("new")))
        if lost == "rows":
            assert isinstance(store.apply([Append(key("beta", "other"), 0, b"e", 1)])[0], CorruptRecord)
    with trees(journal) as at:
        assert at.serial(key("new")) == BETA + 1


def test_an_id_that_leads_to_nothing_is_led_to_the_rows_that_are_its_own(journal: Path) -> None:
    with trees(journal) as at:
        (place,) = at.keys("ids", b"alpha")
        at.put("ids", place, seal(place, (77).to_bytes(8)))
    with closing(LmdbStore.open(journal)) as store:
        with pytest.raises(CorruptRecord):
            store.head(key("alpha"))
        store.reindex()
        assert store.head(key("alpha")) == 3 and store.verify() == []


def test_an_open_row_that_is_damaged_hides_none_of_the_others_from_what_is_due(journal: Path) -> None:
    with trees(journal) as at:
        at.turn("rows", at.keys("rows", ROW.pack(ALPHA, OBLIGATION))[0])
    with closing(LmdbStore.open(journal)) as store:
        before = store.obligations(ObligationKind.ACTIVITY)
        store.reindex()
        assert store.obligations(ObligationKind.ACTIVITY) == before
        assert [row.key.workflow_id for row in store.obligations(ObligationKind.WAKE_UP)] == ["beta"]


def test_what_is_written_behind_an_index_made_anew_follows_from_it(lmdb_store: LmdbStore) -> None:
    """Names that nobody has any more have no number then, and others have theirs."""
    write(lmdb_store, start(key("gone"), summary(type_name="old")), start(key("kept"), summary(type_name="new")))
    lmdb_store.purge([key("gone")])
    lmdb_store.reindex()
    write(lmdb_store, start(key("next"), summary(type_name="new")))
    assert lmdb_store.verify() == []
    assert len(lmdb_store.summaries(SummaryFilter(type="new")).entries) == 2
