"""Keys that have changed their place in the order of their tree: verify tells which, and reads all the others (J7)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from aion_trio.stores import Finding, LmdbStore
from aion_trio.stores.lmdb_store import verify

from .damage import places, sound_copy, turned

CASES: dict[str, tuple[str, str, int, int, list[tuple[str, str]]]] = {
    "rows of the last, now of the first": (
        "rows", "000000000000000300", 7, 1, [("alpha", "the row 000000000000000100 is out of order")],
    ),
    "a run of the first, now of another": (
        "rows", "00000000000000010100000001", 7, 3,
        [
            ("", "the row 00000000000000090100000001 cannot be found by its key"),
            ("alpha", "the row 00000000000000010200000001 is out of order"),
        ],
    ),
    "events of the first, now behind the last": (
        "rows", "00000000000000010200000003", 7, 2,
        [("", "the row 00000000000000050200000003 cannot be found by its key"), ("alpha", "the row 00000000000000010301 is out of order")],
    ),
    "an id": ("ids", "0000000167616d6d61", 4, 5, [("", "the index row 0000000147616d6d61 is out of order")]),
    "the first id": ("ids", "00000001616c706861", 0, 6, [("", "the index row 0000000167616d6d61 is out of order")]),
    "a place in the due order": ("due", "", 0, 1, [("", "the index row 0000000007000000000000000500000000000000030002 is out of order")]),
    "a place in the due order, now behind the last": (
        "due", "0100000000000000000000001e0000000000000002", 0, 6,
        [("", "the index row 0100000000000000000000001e0000000000000003 is out of order")],
    ),
    "a place in a listing": ("vis", "", 0, 1, [("", "the index row 00000000080000000602000000000000000002 is out of order")]),
    "a name": ("names", "726567696f6e", 0, 5, [("", "the index row 526567696f6e is out of order")]),
}  # fmt: skip
"""A tree, the beginning of a key, which byte and which bit of it is turned, and of whom what is said of the order."""


def found(journal: Path) -> list[Finding]:
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        return store.verify()


@pytest.mark.parametrize("case", CASES)
def test_a_row_out_of_order_is_told_and_hides_no_other(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many snapshots the journal is read in: none may begin with a key that is not found, or that others lie before."""
    tree, beginning, byte, bit, told = CASES[case]
    sound = sound_copy(tmp_path)
    place = [place for place in places(sound) if place.table == tree and place.key.hex().startswith(beginning)][-1]
    journal = turned(sound, tmp_path / "turned", place.at + byte, bit)
    findings = found(journal)
    assert [(each.workflow_id, each.what) for each in findings if "out of order" in each.what or "found by its key" in each.what] == told
    monkeypatch.setattr(verify, "_ROWS_A_SNAPSHOT", 1)
    assert found(journal) == findings
