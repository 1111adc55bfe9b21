"""Reads of many workflows on disk: how far a page looks, and that an index row counts for no more than the row that it repeats (J7, R8)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import CorruptRecord, LmdbStore, ObligationKind, SummaryFilter
from aion_trio.stores.lmdb_store.environment import Environment, Settings
from aion_trio.stores.lmdb_store.layout import (
    BY_STATUS,
    DUE_KEY,
    DUE_QUEUE,
    IDENTITY,
    NUMBER,
    ROW,
    SERIAL,
    STATUS_KEY,
)
from aion_trio.stores.lmdb_store.lookup import Owners
from aion_trio.stores.lmdb_store.records import seal
from aion_trio.stores.lmdb_store.rows import encode_identity
from tests.journal.harm import Trees, trees

from .building import COMPLETED, RUNNING, activity, events, full_workflow, key, opens, start, summary, wake_up, write

ACTIVITY = ObligationKind.ACTIVITY
ALPHA, BETA, GAMMA = 1, 2, 3  # their serials


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """`alpha`, to which things are done, `beta` in another namespace, and `gamma`, which has no summary."""
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        write(store, *full_workflow(key("alpha")), *full_workflow(key("beta", "other")), opens(key("gamma"), 0, wake_up()))
    return tmp_path / "journal"


def number(at: Trees, name: bytes) -> int:
    found: int = NUMBER.unpack(at.get("names", name)[4:])[0]
    return found


# ---- how far a page looks


def test_a_page_on_which_few_match_is_short_and_goes_on(lmdb_store: LmdbStore) -> None:
    """A read keeps a snapshot, and pages that are freed meanwhile are not used again."""
    write(lmdb_store, *(start(key(f"w{each}"), summary(started_us=each)) for each in range(1200)))
    last = SummaryFilter(started_after_us=1199)
    page = lmdb_store.summaries(last, limit=10)
    assert list(page.entries) == [] and page.after is not None
    page = lmdb_store.summaries(last, page.after, limit=10)
    assert [entry.key for entry in page.entries] == [key("w1199")] and page.after is None
    page = lmdb_store.summaries(last, limit=300)
    assert [entry.key for entry in page.entries] == [key("w1199")] and page.after is None


# ---- listings


def test_a_listing_holds_nothing_that_its_summary_does_not_bear_out(journal: Path) -> None:
    with trees(journal) as at:
        default, other, checkout = (number(at, name) for name in (b"default", b"other", b"checkout"))
        at.put("vis", STATUS_KEY.pack(BY_STATUS, other, RUNNING, checkout, ALPHA), b"")
        at.put("vis", STATUS_KEY.pack(BY_STATUS, default, COMPLETED, checkout, ALPHA), b"")
        at.put("vis", STATUS_KEY.pack(BY_STATUS, default, RUNNING, checkout, GAMMA), b"")
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        assert [entry.key for entry in store.summaries(SummaryFilter("other")).entries] == [key("beta", "other")]
        assert [entry.key for entry in store.summaries(SummaryFilter(statuses=frozenset({RUNNING}))).entries] == [key("alpha")]
        assert list(store.summaries(SummaryFilter(statuses=frozenset({COMPLETED}))).entries) == []


@pytest.mark.parametrize("cut", [ALPHA.to_bytes(8), (1).to_bytes(7)], ids=["no tag", "no whole number"])
def test_a_key_that_is_cut_off_is_told_and_hides_no_workflow(cut: bytes, tmp_path: Path) -> None:
    """J7, R8. The shorter one lies where the rows of number 255 did, before those of 256."""
    ids = [key(f"w{each}") for each in range(1, 259)]
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        write(store, *(events(each, 0) for each in ids))
        store.purge([ids.pop(254)])
    with trees(tmp_path / "journal") as at:
        at.put("rows", cut, b"what was there")
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        damages: list[CorruptRecord] = []
        assert list(store.keys(on_damage=damages.append).keys) == ids
        assert [str(damage) for damage in damages] == [f"the key {cut.hex()} is cut off"]
        with pytest.raises(CorruptRecord, match="is cut off"):
            store.keys()


# ---- the due order


def test_a_place_that_is_cut_off_is_told_and_what_is_due_behind_it_is_given(journal: Path) -> None:
    with trees(journal) as at:
        cut = DUE_QUEUE.pack(ACTIVITY, number(at, b"default")) + bytes(9)
        at.put("due", cut, b"")
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        damages: list[CorruptRecord] = []
        assert len(store.obligations(ACTIVITY, queue="default", on_damage=damages.append)) == 2
        assert [str(damage) for damage in damages] == [f"the place {cut.hex()} in the due order is cut off"]
        with pytest.raises(CorruptRecord, match="in the due order is cut off"):
            store.obligations(ACTIVITY)


@pytest.mark.parametrize(("queue", "due_us"), [(b"default", 11), (b"gpu", 10)], ids=["time", "queue"])
def test_a_place_that_the_row_does_not_bear_out_is_told(queue: bytes, due_us: int, journal: Path) -> None:
    """The row itself is due at 10 in the queue `default`; it is given once, at its own place."""
    with trees(journal) as at:
        at.put("due", DUE_KEY.pack(ACTIVITY, number(at, queue), due_us, ALPHA) + b"\0\1", b"")
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        damages: list[CorruptRecord] = []
        rows = store.obligations(ACTIVITY, on_damage=damages.append)
        assert [(row.key.workflow_id, row.due_us, row.queue) for row in rows] == [
            ("alpha", 5, "gpu"),
            ("beta", 5, "gpu"),
            ("alpha", 10, "default"),
            ("beta", 10, "default"),
        ]
        [damage] = damages
        assert str(damage) == r"workflow 'alpha': ACTIVITY b'\x00\x01' is due at another time or place"
        assert damage.workflow_id == "alpha"
        with pytest.raises(CorruptRecord, match="is due at another time or place"):
            store.obligations(ACTIVITY)


def test_a_row_whose_owner_cannot_be_found_by_its_id_is_told_and_not_given(journal: Path) -> None:
    """Nobody could close it, and no page could follow it."""
    with trees(journal) as at:
        at.delete("ids", at.keys("ids", b"alpha")[0])
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        damages: list[CorruptRecord] = []
        assert {row.key.workflow_id for row in store.obligations(ACTIVITY, on_damage=damages.append)} == {"beta"}
        assert {str(damage) for damage in damages} == {"workflow 'alpha': the id does not lead to its rows"}
        assert {damage.workflow_id for damage in damages} == {"alpha"}


# ---- one workflow


def test_of_an_id_that_leads_to_the_rows_of_another_no_summary_is_given(journal: Path) -> None:
    place = ROW.pack(ALPHA, IDENTITY)
    with trees(journal) as at:
        at.put("rows", place, seal(place, encode_identity(key("beta", "other"), summary())))
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        assert store.summary(key("alpha")) is None


@pytest.mark.parametrize("cut", [False, True], ids=["nothing", "a key cut off"])
def test_a_workflow_without_its_rows_is_damaged_and_not_new(cut: bool, journal: Path) -> None:
    """J7: an append would begin a second history under its number."""
    with trees(journal) as at:
        for place in at.keys("rows"):
            if place.startswith(ROW.pack(ALPHA, IDENTITY)[:-1]):
                at.delete("rows", place)
        if cut:
            at.put("rows", ALPHA.to_bytes(8), b"what was there")
    with closing(LmdbStore.open(journal)) as store:
        with pytest.raises(CorruptRecord, match="workflow 'alpha': its rows are not where they belong") as caught:
            store.head(key("alpha"))
        assert caught.value.workflow_id == "alpha"
        assert isinstance(store.apply([events(key("alpha"), 0)])[0], CorruptRecord)
        assert store.head(key("beta", "other")) == 3


def test_no_row_has_a_name_that_is_longer_than_may_be(lmdb_store: LmdbStore) -> None:
    """Whatever the length: LMDB's own limit is a little beyond ours."""
    write(lmdb_store, opens(key(), 0, activity(b"r" * 480)))
    assert lmdb_store.obligation(key(), ACTIVITY, b"r" * 480) is not None
    for size in range(481, 530):
        assert lmdb_store.obligation(key(), ACTIVITY, b"r" * size) is None
        assert lmdb_store.mark(key(), b"m" * size) is None


# ---- whose rows


def test_the_owner_of_rows_is_found_unless_its_id_or_its_namespace_is_damaged(tmp_path: Path) -> None:
    """By their number, for where the rows do not say it. A text that is no UTF-8, or cut off, is damage too."""
    ids = [key("first", "above"), key("second"), key("third", ""), key("fourth"), key("fifth"), key("sixth", "beyond")]
    with closing(LmdbStore.open(tmp_path / "journal")) as store:
        write(store, *(events(each, 0) for each in ids))
    with trees(tmp_path / "journal") as at:
        at.turn("names", b"above")
        at.turn("ids", at.keys("ids", b"fifth")[0])
        default = NUMBER.pack(number(at, b"default"))
        for place in (default + b"\xff", default[:2], NUMBER.pack(77) + b"nowhere"):
            at.put("ids", place, seal(place, SERIAL.pack(77)))
        at.put("names", b"\xff", seal(b"\xff", NUMBER.pack(88)))
        at.put("names", b"a", seal(b"a", b"short"))
    environment = Environment(tmp_path / "journal", Settings(read_only=True))
    with environment.view() as view:
        owners = Owners()
        assert owners.all(view) == {2: ids[1], 3: ids[2], 4: ids[3], 6: ids[5]}
        assert (owners.of(view, 3), owners.of(view, 5), owners.of(view, 7)) == (ids[2], None, None)
    environment.close()
