"""Pages as LMDB has them, to the last byte: what is sound is read without LMDB as it is with it (J7)."""

from __future__ import annotations

import os
import resource
import struct
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import Append, LmdbStore, ObligationKind, Open, Remedy, dump
from aion_trio.stores.lmdb_store import verify
from aion_trio.stores.lmdb_store.pages import Tree
from tests.journal.paging import middle_page, paged_journal, place, torn

from .building import key
from .damage import root_page


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paged_journal(tmp_path_factory.mktemp("pages"))


def sound_pages(journal: Path) -> bool:
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        return [finding for finding in store.verify() if finding.remedy is Remedy.SALVAGE] == []


def test_a_page_without_a_free_byte_is_whole(sound: Path, tmp_path: Path) -> None:
    number, size = middle_page(sound, "rows")
    assert sound_pages(torn(sound, tmp_path / "full", number, lambda page: place(page, 14, "H", *struct.unpack_from("=H", page, 12)), size))


def test_a_page_whose_number_takes_more_than_two_bytes_is_found(sound: Path, tmp_path: Path) -> None:
    """A journal of more than 65536 pages, most of which are never written."""
    number, size = middle_page(sound, "rows")
    root, _ = root_page(sound, b"rows")
    data = bytearray((sound / "data.mdb").read_bytes())
    page = data[number * size : (number + 1) * size]
    far = 70_000
    place(page, 0, "Q", far)
    at = data.index(struct.pack("=HHH", number, 0, 0), root * size + 16)
    assert at < (root + 1) * size
    place(data, at, "HHH", far & 0xFFFF, far >> 16, 0)
    for header in (0, 1):
        place(data, header * size + 136, "Q", far)
    (tmp_path / "far").mkdir()
    with (tmp_path / "far" / "data.mdb").open("wb") as file:
        file.write(data)
        file.seek(far * size)
        file.write(page)
    with closing(LmdbStore.open(tmp_path / "far", read_only=True)) as store, closing(LmdbStore.open(sound, read_only=True)) as whole:
        assert dump(store) == dump(whole)
    assert sound_pages(tmp_path / "far")


def test_beside_a_torn_page_the_rest_is_verified_in_a_copy_of_which_nothing_is_left(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a killed process leaves has a name that says what it is."""
    number, size = root_page(sound, b"due")
    journal = torn(sound, tmp_path / "torn", number, lambda page: place(page, 0, "Q", 1), size)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        before, files = sorted(os.listdir(tmp_path)), len(os.listdir("/dev/fd"))
        during: list[str] = []
        monkeypatch.setattr(verify, "_CHECKS", (*verify._CHECKS, lambda *_: during.extend({*os.listdir(tmp_path)} - {*before})))
        findings = store.verify()
        assert [name.startswith("aion-verify-") for name in during] == [True]
        assert (sorted(os.listdir(tmp_path)), len(os.listdir("/dev/fd"))) == (before, files)
    rest = [finding.what for finding in findings if finding.remedy is Remedy.REPAIR]
    assert findings[0].remedy is Remedy.SALVAGE
    assert rest and all(what.endswith("is not in the due order") for what in rest)


def test_a_tree_is_named_in_a_finding_whatever_its_name_is() -> None:
    assert Tree(b"v\xffs", 2, 1, 0).title == "v\N{REPLACEMENT CHARACTER}s"


def test_a_large_record_is_read_whole_however_its_last_page_is_filled(tmp_path: Path) -> None:
    """By one byte, to the last byte, and all between; and one whose size takes more than two bytes. Some page begins with one."""
    sizes = range(2 * resource.getpagesize() - 200, 2 * resource.getpagesize())
    rows = [Open(ObligationKind.ACTIVITY, size.to_bytes(4), payload=b"p" * size) for size in (*sizes, 200_000)]
    with closing(LmdbStore.open(tmp_path / "j")) as store:
        store.apply([Append(key("w"), 0, b"e", 1, opens=rows)])
        assert [finding for finding in store.verify() if finding.remedy is Remedy.SALVAGE] == []
        store.salvage(tmp_path / "copy")
        with closing(LmdbStore.open(tmp_path / "copy")) as copy:
            assert copy.obligations_of(key("w")) == store.obligations_of(key("w"))
