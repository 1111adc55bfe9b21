"""Rows whose checksum is right and whose body is none of their kind: damage of their workflow and of no other (J7, R8)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import CorruptRecord, Damage, LmdbStore, ObligationKind
from aion_trio.stores.lmdb_store.layout import OBLIGATION, OBLIGATION_KEY
from aion_trio.stores.lmdb_store.rows import encode_obligation
from tests.journal.harm import trees

from .building import activity, key, start, write
from .test_lmdb_strange_rows import ALPHA, STRANGE, put, two_workflows


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return two_workflows(tmp_path / "journal")


READS: dict[str, Callable[[LmdbStore, Damage | None], object]] = {
    "identity of no body": lambda store, told: store.summary(key("alpha")),
    "identity cut off": lambda store, told: store.history(key("alpha")),
    "identity in no language": lambda store, told: store.summary(key("alpha")),
    "short run": lambda store, told: store.runs(key("alpha"), told),
    "open row of no body": lambda store, told: store.obligations_of(key("alpha"), told),
    "open row whose queue is no text": lambda store, told: store.obligation(key("alpha"), ObligationKind.ACTIVITY, b"\0\1"),
    "short id": lambda store, told: store.head(key("alpha")),
}


@pytest.mark.parametrize("how", READS)
def test_a_row_that_does_not_decode_is_damage_of_its_workflow(journal: Path, how: str) -> None:
    """J7, R8: a listing leaves it out and gives the rest."""
    with trees(journal) as at:
        STRANGE[how][0](at)
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        with pytest.raises(CorruptRecord, match=r"^workflow 'alpha': .*cannot be decoded") as caught:
            READS[how](store, None)
        assert caught.value.workflow_id == "alpha"
        if how in ("short run", "open row of no body"):
            damages: list[CorruptRecord] = []
            rest = READS[how](store, damages.append)
            assert isinstance(rest, list) and len(rest) == (0 if how == "short run" else 2)
            assert [damage.workflow_id for damage in damages] == ["alpha"]


@pytest.mark.parametrize("how", sorted({*READS} - {"short id"}))
def test_a_workflow_whose_rows_do_not_decode_can_be_purged(journal: Path, how: str) -> None:
    with trees(journal) as at:
        STRANGE[how][0](at)
    with closing(LmdbStore.open(journal)) as store:
        assert store.purge([key("alpha")]) == 1
        assert store.verify() == []
        assert [each.workflow_id for each in store.keys().keys] == ["beta"]


def test_an_open_row_of_an_unknown_kind_is_left_out_of_what_its_workflow_owes(journal: Path) -> None:
    with trees(journal) as at:
        put(at, OBLIGATION_KEY.pack(ALPHA, OBLIGATION, 99) + b"row", encode_obligation(activity(b"row")))
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        damages: list[CorruptRecord] = []
        assert len(store.obligations_of(key("alpha"), damages.append)) == 3
        assert [(damage.workflow_id, "of kind 99" in str(damage)) for damage in damages] == [("alpha", True)]


@pytest.mark.parametrize("how", ["damaged next serial", "short next serial"])
def test_no_number_is_given_out_while_the_next_cannot_be_read(journal: Path, how: str) -> None:
    """It could be another's."""
    with trees(journal) as at:
        STRANGE[how][0](at)
    with closing(LmdbStore.open(journal)) as store:
        with pytest.raises(CorruptRecord, match="the journal's index"):
            store.apply([start(key("new"))])
        store.reindex()
        assert write(store, start(key("new"))) == 1
