"""Pages that are not what their trees say: each is told with its reason and without LMDB, which could die of it (J7)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import Append, CorruptRecord, LmdbStore, ObligationKind, Open, Remedy, dump, each_key
from aion_trio.stores.lmdb_store import salvage as salvaging
from aion_trio.stores.lmdb_store.pages import MAIN
from tests.stores.damage import root_page

from .harm import key
from .paging import Page, leaves, middle_page, paged_journal, place, torn


def first_node(page: Page) -> int:
    return int(struct.unpack_from("=H", page, 16)[0])


def one_byte_too_long(page: Page) -> None:
    at = first_node(page)
    place(page, at, "HH", len(page) - at - 8 - struct.unpack_from("=H", page, at + 6)[0] + 1, 0)


def last_node(page: Page) -> int:
    return int(struct.unpack_from("=H", page, 14)[0])


TEARS: dict[str, tuple[Callable[[Page], None], str]] = {
    "nothing": (lambda page: page.__setitem__(slice(None), bytes(len(page))), "it holds page 0"),
    "another page": (lambda page: place(page, 0, "Q", 7), "it holds page 7"),
    "another kind": (lambda page: place(page, 10, "H", 1), "it is of another kind"),
    "parts that overlap": (lambda page: place(page, 12, "HH", 4000, 100), "its parts overlap"),
    "records in the header": (lambda page: place(page, 12, "H", 14), "its parts overlap"),
    "records behind its end": (lambda page: place(page, 14, "H", len(page) + 2), "its parts overlap"),
    "half a place": (lambda page: place(page, 12, "H", struct.unpack_from("=H", page, 12)[0] - 1), "its parts overlap"),
    "no records": (lambda page: place(page, 12, "H", 16), "it is empty"),
    "a record outside": (lambda page: place(page, 16, "H", 4095), "a record lies outside of it"),
    "a record in the header": (lambda page: place(page, 16, "H", 2), "a record lies outside of it"),
    "a key too long": (lambda page: place(page, last_node(page) + 6, "H", 512), "a record reaches beyond its end"),
    "a value too long": (lambda page: place(page, first_node(page), "HH", 0, 1), "a record reaches beyond its end"),
    "a value one byte too long": (one_byte_too_long, "a record reaches beyond its end"),
    "a large record nowhere": (lambda page: place(page, first_node(page) + 4, "H", 1), "is not there"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paged_journal(tmp_path_factory.mktemp("pages"))


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


@pytest.mark.parametrize("rows_a_transaction", [20_000, 7])
def test_a_salvage_of_a_sound_journal_is_a_copy(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_transaction: int
) -> None:
    """Large records, which have pages of their own, among them; and an index made anew is the index that was there."""
    monkeypatch.setattr(salvaging, "_ROWS_A_TRANSACTION", rows_a_transaction)
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


def test_a_header_that_tells_of_more_pages_than_the_file_has_is_not_believed(sound: Path, tmp_path: Path) -> None:
    """A branch leads to the first page that is not there, another one further."""
    root, size = root_page(sound, b"rows")
    data = bytearray((sound / "data.mdb").read_bytes())
    pages = len(data) // size
    for header in (0, 1):
        struct.pack_into("=Q", data, header * size + 136, 1 << 20)
    for child, number in enumerate((pages, pages + 1)):
        (node,) = struct.unpack_from("=H", data, root * size + 16 + 2 * child)
        struct.pack_into("=H", data, root * size + node, number)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "data.mdb").write_bytes(data)
    with closing(LmdbStore.open(tmp_path / "torn", read_only=True)) as store:
        told = [finding.what for finding in store.verify()]
    assert f"page {pages} of the tree rows is torn: the file ends before it" in told
    assert f"page {pages + 1} of the tree rows is torn: page {pages + 1} is not there" in told


def described(journal: Path, tree: bytes) -> int:
    """Where in the data file a tree is described: here are the flags and the size of the name, before it the size, behind it the rest."""
    root, size = root_page(journal, MAIN)
    page = (journal / "data.mdb").read_bytes()[root * size : (root + 1) * size]
    return root * size + page.index(b"\2\0" + len(tree).to_bytes(2, "little") + tree)


def changed(sound: Path, target: Path, at: int, new: bytes) -> Path:
    target.mkdir()
    data = bytearray((sound / "data.mdb").read_bytes())
    data[at : at + len(new)] = new
    (target / "data.mdb").write_bytes(data)
    return target


@pytest.mark.parametrize("tree", [b"due", b"rows", b"vis"])
def test_a_tree_that_is_described_in_too_few_bytes_is_told_and_left_out_of_a_copy(sound: Path, tmp_path: Path, tree: bytes) -> None:
    target = changed(sound, tmp_path / "torn", described(sound, tree) - 4, (47).to_bytes(2, "little"))
    with closing(LmdbStore.open(target, read_only=True)) as store:
        told = f"page {root_page(sound, MAIN)[0]} of the tree (main) is torn: what it says of the tree {tree!r} has 47 bytes"
        assert told in [finding.what for finding in store.verify()]
        store.salvage(tmp_path / "copy")
    with closing(LmdbStore.open(tmp_path / "copy")) as copy:
        copy.reindex()
        if tree != b"rows":
            assert copy.head(key("sound")) == 4
        else:  # the ids are kept, so that nothing is begun afresh
            assert isinstance(copy.apply([Append(key("sound"), 0, b"e", 1)])[0], CorruptRecord)


def test_a_copy_of_a_journal_whose_own_tree_is_torn_has_a_format_version(sound: Path, tmp_path: Path) -> None:
    """It came while the journal was open: with it none is opened."""
    number, size = root_page(sound, b"meta")
    target = torn(sound, tmp_path / "torn", 2, lambda page: None, size)
    with closing(LmdbStore.open(target, read_only=True)) as store:
        with (target / "data.mdb").open("r+b") as file:
            file.seek(number * size)
            file.write(bytes(size))
        store.salvage(tmp_path / "copy")
    with closing(LmdbStore.open(tmp_path / "copy")) as copy:
        copy.reindex()
        assert copy.head(key("sound")) == 4


def test_a_tree_that_says_it_is_deeper_than_any_is_not_walked(sound: Path, tmp_path: Path) -> None:
    """LMDB does not open such a journal; the damage may come while it is open."""
    target = torn(sound, tmp_path / "torn", 2, lambda page: None, middle_page(sound, "rows")[1])
    with closing(LmdbStore.open(target, read_only=True)) as store:
        with (target / "data.mdb").open("r+b") as file:
            file.seek(described(sound, b"vis") + 4 + 3 + 6)
            file.write((33).to_bytes(2, "little"))
        found = [finding.what for finding in store.verify()]
    assert f"page {root_page(sound, b'vis')[0]} of the tree vis is torn: its tree says it has 33 levels" in found
    assert any("0 of" in what and "records of the tree vis can be reached" in what for what in found), found


def test_pages_that_lead_to_each_other_come_to_an_end(sound: Path, tmp_path: Path) -> None:
    """A root that leads to itself, in a tree that says it has many levels."""
    root, size = root_page(sound, b"rows")
    target = changed(sound, tmp_path / "circle", described(sound, b"rows") + 4 + 4 + 6, (32).to_bytes(2, "little"))
    data = bytearray((target / "data.mdb").read_bytes())
    lower = struct.unpack_from("=H", data, root * size + 12)[0]
    for (node,) in struct.iter_unpack("=H", data[root * size + 16 : root * size + lower]):
        struct.pack_into("=HHH", data, root * size + node, root & 0xFFFF, root >> 16, 0)
    (target / "data.mdb").write_bytes(data)
    with closing(LmdbStore.open(target, read_only=True)) as store:
        assert any("its tree has more pages than the file" in finding.what for finding in store.verify())


def large_record(sound: Path) -> tuple[int, int]:
    """The first page of the large record of the sound journal, and the size of pages."""
    size = middle_page(sound, "rows")[1]
    data = (sound / "data.mdb").read_bytes()
    found = [number for number in range(2, len(data) // size) if struct.unpack_from("=H", data, number * size + 10)[0] & 4]
    return found[0], size


LARGE_TEARS: dict[str, Callable[[Page], None]] = {
    "nothing": TEARS["nothing"][0],
    "another page": lambda page: place(page, 0, "Q", 7),
    "another kind": lambda page: place(page, 10, "H", 2),
    "one page too few": lambda page: place(page, 12, "I", struct.unpack_from("=I", page, 12)[0] - 1),
}


@pytest.mark.parametrize("how", LARGE_TEARS)
def test_a_large_record_whose_page_is_torn_is_left_out_alone(sound: Path, tmp_path: Path, how: str) -> None:
    number, size = large_record(sound)
    with closing(LmdbStore.open(torn(sound, tmp_path / "torn", number, LARGE_TEARS[how], size), read_only=True)) as store:
        found = [finding for finding in store.verify() if finding.remedy is Remedy.SALVAGE]
        assert any(f"page {number}, which holds a large record of it, does not say so" in finding.what for finding in found)
        store.salvage(tmp_path / "copy")
    with closing(LmdbStore.open(tmp_path / "copy")) as copy, closing(LmdbStore.open(sound, read_only=True)) as whole:
        copy.reindex()
        for owner in each_key(whole):
            if owner == key("large"):
                with pytest.raises(CorruptRecord):
                    copy.history(owner)
            else:
                assert copy.history(owner) == whole.history(owner)


def test_a_file_that_ends_within_a_large_record_is_told(sound: Path, tmp_path: Path) -> None:
    """What ended early is not what was there when the journal was opened."""
    number, size = large_record(sound)
    target = torn(sound, tmp_path / "torn", 2, lambda page: None, size)
    with closing(LmdbStore.open(target, read_only=True)) as store:
        with (target / "data.mdb").open("r+b") as file:
            file.truncate(number * size + size + 100)
        assert any("is not there" in finding.what for finding in store.verify())


def test_a_record_whose_key_is_gone_is_left_out_of_a_copy(sound: Path, tmp_path: Path) -> None:
    """LMDB stores nothing without a key."""
    number, size = middle_page(sound, "rows")
    half = torn(sound, tmp_path / "half", number, lambda page: place(page, first_node(page) + 6, "H", 0), size)
    other = root_page(sound, b"vis")[0]
    target = torn(half, tmp_path / "torn", other, TEARS["nothing"][0], size)
    with closing(LmdbStore.open(target, read_only=True)) as store:
        assert any(f"page {other} of the tree vis is torn" in finding.what for finding in store.verify())
        store.salvage(tmp_path / "copy")
    with closing(LmdbStore.open(tmp_path / "copy")) as copy, closing(LmdbStore.open(sound, read_only=True)) as whole:
        with copy._environment.view() as after, whole._environment.view() as before:
            assert after.txn.stat(after.tables.rows)["entries"] == before.txn.stat(before.tables.rows)["entries"] - 1


def test_wherever_a_page_of_rows_is_torn_no_history_is_taken_for_a_shorter_one(tmp_path: Path) -> None:
    """J7: also where the page holds the end of the tree, or where one workflow reaches over several pages."""
    rows = [Open(ObligationKind.ACTIVITY, number.to_bytes(2), payload=bytes(60)) for number in range(150)]
    with closing(LmdbStore.open(tmp_path / "j")) as store:
        for number in range(40):
            wide = [Append(key(f"wide-{number}"), 0, b"e", 1, opens=rows)] if number % 9 == 4 else []
            store.apply([Append(key(f"w{number}"), 0, bytes(300), 300), Append(key(f"w{number}"), 300, bytes(300), 300), *wide])
        before = dump(store)
        store.backup(tmp_path / "sound")
    lost = 0
    for number, size in leaves(tmp_path / "sound", "rows"):
        target, copied = tmp_path / f"torn-{number}", tmp_path / f"copy-{number}"
        with closing(LmdbStore.open(torn(tmp_path / "sound", target, number, TEARS["nothing"][0], size), read_only=True)) as store:
            store.salvage(copied)
        with closing(LmdbStore.open(copied)) as copy:
            copy.reindex()
            for owner, records in before.items():
                try:
                    found = tuple(copy.history(owner).frames)
                except CorruptRecord:
                    assert not isinstance(copy.apply([Append(owner, 0, b"e", 1)])[0], int)
                    lost += 1
                else:
                    assert found == records.frames, (number, owner)
    assert lost > 40


def test_a_writer_that_commits_twice_while_a_check_begins_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two headers tell of the last two commits, and a snapshot that is older finds neither of them its own."""
    looked = salvaging.committed
    with closing(LmdbStore.open(tmp_path / "j")) as store:
        store.apply([Append(key("w"), 0, b"e", 1)])
        looks: list[bool] = []

        def late(fd: int, page_bytes: int, transaction: int) -> object:
            if not looks:
                store.apply([Append(key("w"), 1, b"e", 1)])
                store.apply([Append(key("w"), 2, b"e", 1)])
            state = looked(fd, page_bytes, transaction)
            looks.append(state is not None)
            return state

        monkeypatch.setattr(salvaging, "committed", late)
        assert store.verify() == []
        assert looks == [False, True]
