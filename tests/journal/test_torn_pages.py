"""Pages that are not what their trees say: each is told with its reason and without LMDB, which could die of it (J7)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import Append, CorruptRecord, LmdbStore, Remedy, dump, each_key

from .harm import key, middle_page, sound_journal

Page = bytearray


def place(page: Page, at: int, form: str, *numbers: int) -> None:
    struct.pack_into("=" + form, page, at, *numbers)


def first_node(page: Page) -> int:
    return int(struct.unpack_from("=H", page, 16)[0])


TEARS: dict[str, tuple[Callable[[Page], None], str]] = {
    "nothing": (lambda page: page.__setitem__(slice(None), bytes(len(page))), "it holds page 0"),
    "another page": (lambda page: place(page, 0, "Q", 7), "it holds page 7"),
    "another kind": (lambda page: place(page, 10, "H", 1), "it is of another kind"),
    "parts that overlap": (lambda page: place(page, 12, "HH", 4000, 100), "its parts overlap"),
    "no records": (lambda page: place(page, 12, "H", 16), "it is empty"),
    "a record outside": (lambda page: place(page, 16, "H", 4095), "a record lies outside of it"),
    "a record in the header": (lambda page: place(page, 16, "H", 2), "a record lies outside of it"),
    "a key too long": (lambda page: place(page, first_node(page) + 6, "H", 600), "a record reaches beyond its end"),
    "a value too long": (lambda page: place(page, first_node(page), "HH", 0, 1), "a record reaches beyond its end"),
    "a large record nowhere": (lambda page: place(page, first_node(page) + 4, "H", 1), "is not there"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compact journal, one workflow of which has a large record."""
    place = tmp_path_factory.mktemp("pages")
    sound_journal(place / "j")
    with closing(LmdbStore.open(place / "j")) as store:
        store.apply([Append(key("large"), 0, bytes(range(256)) * 40, 10_240)])
        store.backup(place / "compact")
    return place / "compact"


def torn(sound: Path, target: Path, number: int, tear: Callable[[Page], None], size: int) -> Path:
    data = bytearray((sound / "data.mdb").read_bytes())
    page = data[number * size : (number + 1) * size]
    tear(page)
    data[number * size : (number + 1) * size] = page
    target.mkdir()
    (target / "data.mdb").write_bytes(data)
    return target


@pytest.mark.parametrize("how", TEARS)
def test_a_torn_page_is_told_with_its_reason(sound: Path, tmp_path: Path, how: str) -> None:
    tear, reason = TEARS[how]
    number, size = middle_page(sound, "rows")
    with closing(LmdbStore.open(torn(sound, tmp_path / "torn", number, tear, size), read_only=True)) as store:
        found = [finding.what for finding in store.verify() if finding.remedy is Remedy.SALVAGE]
    assert any(f"page {number} of the tree rows is torn: " in what and reason in what for what in found), found
    assert any("records of the tree rows can be reached" in what for what in found)


def test_what_is_salvaged_is_right_and_what_may_be_shorter_is_refused(sound: Path, tmp_path: Path) -> None:
    """J7: each history of the copy is the whole one, or is refused; all but a page's are whole."""
    with closing(LmdbStore.open(sound, read_only=True)) as store:
        before = dump(store)
    number, size = middle_page(sound, "rows")
    with closing(LmdbStore.open(torn(sound, tmp_path / "torn", number, TEARS["nothing"][0], size), read_only=True)) as store:
        store.salvage(tmp_path / "copy")
    whole = refused = 0
    with closing(LmdbStore.open(tmp_path / "copy")) as copy:
        copy.reindex()
        for owner, records in before.items():
            try:
                assert tuple(copy.history(owner).frames) == records.frames, owner
                whole += 1
            except CorruptRecord:
                assert isinstance(copy.apply([Append(owner, len(records.frames), b"e", 1)])[0], CorruptRecord)
                refused += 1
    assert refused > 5 and whole > len(before) - 60


def test_a_salvage_of_a_sound_journal_is_a_copy(sound: Path, tmp_path: Path) -> None:
    """Large records, which have pages of their own, among them; and an index made anew is the index that was there."""
    with closing(LmdbStore.open(sound, read_only=True)) as store:
        store.salvage(tmp_path / "copy")
        with closing(LmdbStore.open(tmp_path / "copy")) as copy:
            assert dump(copy) == dump(store)
            copy.reindex()
            assert dump(copy) == dump(store)
            assert list(each_key(copy)) == list(each_key(store))
            assert copy.counts("default") == store.counts("default")
            assert copy.stats().obligations == store.stats().obligations
            assert copy.verify() == store.verify()


def test_a_file_that_ends_early_is_told(sound: Path, tmp_path: Path) -> None:
    size = middle_page(sound, "rows")[1]
    target = torn(sound, tmp_path / "torn", 2, lambda page: None, size)
    data = (target / "data.mdb").read_bytes()
    with closing(LmdbStore.open(target, read_only=True)) as store:
        with (target / "data.mdb").open("r+b") as file:
            file.truncate(len(data) - 2 * size)
        assert any("is not there" in finding.what for finding in store.verify())
