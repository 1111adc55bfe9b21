"""Each damage of the index trees as `verify` tells it: its words and whose it is (J7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from aion_trio.stores import Finding, LmdbStore
from aion_trio.stores.lmdb_store.environment import Environment, Settings
from aion_trio.stores.lmdb_store.layout import (
    ATTRIBUTE_PREFIX,
    BY_ATTRIBUTE,
    BY_STATUS,
    COUNT_KEY,
    DUE_KEY,
    NUMBER,
    SERIAL,
)
from aion_trio.stores.lmdb_store.verify_index import check_due, check_ids, check_meta, check_visible
from aion_trio.stores.lmdb_store.verify_rows import check_workflows
from aion_trio.stores.lmdb_store.verifying import Verifying
from tests.journal.harm import Trees, trees

from .building import RUNNING, key, summary
from .findings import ACTIVITY, ALPHA, BETA, NOBODY, Damages, found, identify, listed, number, of_alpha, put, require_told, two_workflows

damage = Damages()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return two_workflows(tmp_path / "journal")


@damage
def a_namespace_that_has_no_number(at: Trees) -> list[Finding]:
    [place] = at.keys("ids", b"alpha")
    put(at, NUMBER.pack(0) + b"alpha", SERIAL.pack(ALPHA), "ids")
    identify(at, key("alpha", "nowhere"), summary())
    index = [Finding(f"the index row {row.hex()} does not agree with the workflow's summary", "alpha", 0, "nowhere") for row in listed(at)]
    return [
        Finding(f"the id {place[NUMBER.size :]!r} leads to the rows of 'alpha'"),
        Finding("the namespace 'nowhere' is not among the names", "alpha", 0, "nowhere"),
        *index,
    ]


@damage
def an_id_of_a_namespace_that_has_no_number(at: Trees) -> list[Finding]:
    identify(at, key("alpha", "nowhere"), None)
    index = [Finding(f"the index row {row.hex()} does not agree with the workflow's summary", "alpha", 0, "nowhere") for row in listed(at)]
    return [
        Finding("the id b'alpha' leads to the rows of 'alpha'"),
        Finding("the id does not lead to its rows", "alpha", 0, "nowhere"),
        *index,
    ]


@damage
def an_attribute_that_has_no_number(at: Trees) -> list[Finding]:
    [row] = [row for row in listed(at) if b"eu" in row]
    identify(at, key("alpha"), summary(attributes={"nothing": "eu", "cents": -5, "rate": 0.5, "vip": True}))
    unnumbered = ATTRIBUTE_PREFIX.pack(BY_ATTRIBUTE, number(at, b"default"), 0) + row[ATTRIBUTE_PREFIX.size :]
    at.put("vis", ATTRIBUTE_PREFIX.pack(BY_ATTRIBUTE, number(at, b"default"), 1) + row[ATTRIBUTE_PREFIX.size :], b"")
    wrong = [each for each in listed(at) if each == row or (each[5:9] == NUMBER.pack(1) and each[0] == BY_ATTRIBUTE)]
    return [
        of_alpha(f"the index row {unnumbered.hex()} is missing"),
        *[of_alpha(f"the index row {each.hex()} does not agree with the workflow's summary") for each in wrong],
    ]


@damage
def a_namespace_with_a_turned_bit(at: Trees) -> list[Finding]:
    at.turn("names", b"other")
    damage = f"the journal's index: the record {b'other'.hex()} fails its checksum"
    [place] = at.keys("ids", b"beta")
    index = [row for row in at.keys("vis") if row.endswith(SERIAL.pack(BETA))]
    return [
        Finding(f"the index row {b'other'.hex()}: {damage}"),
        Finding(f"the index row {place.hex()}: {damage}"),
        Finding(damage, "beta", 0, "other"),
        *[Finding(f"the index row {row.hex()}: {damage}", "beta", 0, "other") for row in index],
    ]


@damage
def a_name_that_is_gone(at: Trees) -> list[Finding]:
    lost = number(at, b"gpu")
    at.delete("names", b"gpu")
    row = rf"the open row b'\x00\x02' of kind {ACTIVITY:d}"
    owners = [("alpha", "default"), ("beta", "other")]
    return [
        Finding(f"the names with the numbers {lost} are missing (1 in all)"),
        *[Finding(f"{row} is not in the due order", each, 0, space) for each, space in owners],
        *[Finding(f"{row} is due at another time or place", each, 0, space) for each, space in owners],
    ]


@damage
def a_name_far_behind_the_last(at: Trees) -> list[Finding]:
    last = len(at.keys("names"))
    put(at, b"far", NUMBER.pack(last + 13), "names")
    missing = ", ".join(str(last + each) for each in range(1, 11))
    return [Finding(f"the names with the numbers {missing} are missing (12 in all)")]


@damage
def a_name_with_the_number_of_another(at: Trees) -> list[Finding]:
    put(at, b"zzz", NUMBER.pack(number(at, b"gpu")), "names")
    return [Finding("the name b'zzz' has the number of another")]


@damage
def a_name_with_a_turned_bit(at: Trees) -> list[Finding]:
    put(at, b"one more", NUMBER.pack(len(at.keys("names")) + 1), "names")
    at.turn("names", b"one more")
    place = b"one more".hex()
    return [Finding(f"the index row {place}: the journal's index: the record {place} fails its checksum")]


@damage
def an_own_row_of_no_kind(at: Trees) -> list[Finding]:
    put(at, b"format2", b"", "meta")
    put(at, b"sextet", b"", "meta")
    put(at, b"#", b"", "meta")
    said = "of no kind that is known"
    return [
        Finding(f"the journal's own row b'#' is {said}"),
        Finding(f"the journal's own row b'format2' is {said}"),
        Finding(f"the journal's own row b'sextet' is {said}"),
        Finding("a count cannot be read: unpack requires a buffer of 6 bytes"),
    ]


@damage
def counts_that_differ(at: Trees) -> list[Finding]:
    default, other = number(at, b"default"), number(at, b"other")
    put(at, COUNT_KEY.pack(b"#", default, RUNNING), SERIAL.pack(5), "meta")
    put(at, COUNT_KEY.pack(b"#", default, RUNNING + 1), SERIAL.pack(0), "meta")
    stored, listed = {(default, RUNNING): 5, (other, RUNNING): 1}, {(default, RUNNING): 1, (other, RUNNING): 1}
    return [Finding(f"the counts by status are {stored}, the listings have {listed}")]


@damage
def a_next_number_that_is_gone(at: Trees) -> list[Finding]:
    at.delete("meta", b"next_serial")
    return [Finding("the next workflow would get number 1, and 2 is taken")]


@damage
def a_next_number_with_a_turned_bit(at: Trees) -> list[Finding]:
    at.turn("meta", b"next_serial")
    place = b"next_serial".hex()
    damage = f"the journal's index: the record {place} fails its checksum"
    return [Finding(f"the index row {place}: {damage}"), Finding(damage)]


@damage
def an_id_that_is_gone(at: Trees) -> list[Finding]:
    at.delete("ids", at.keys("ids", b"alpha")[0])
    return [of_alpha("the id does not lead to its rows")]


@damage
def an_id_that_leads_to_another(at: Trees) -> list[Finding]:
    [place] = at.keys("ids", b"alpha")
    put(at, place, SERIAL.pack(BETA), "ids")
    return [Finding("the id b'alpha' leads to the rows of 'beta'"), of_alpha("the id does not lead to its rows")]


@damage
def an_id_in_another_namespace(at: Trees) -> list[Finding]:
    put(at, NUMBER.pack(number(at, b"other")) + b"alpha", SERIAL.pack(ALPHA), "ids")
    return [Finding("the id b'alpha' leads to the rows of 'alpha'")]


@damage
def a_place_of_no_open_row(at: Trees) -> list[Finding]:
    at.put("due", DUE_KEY.pack(ACTIVITY, number(at, b"gpu"), 5, ALPHA) + b"x", b"")
    at.put("due", DUE_KEY.pack(ACTIVITY, number(at, b"gpu"), 6, ALPHA), b"")
    at.put("due", DUE_KEY.pack(ACTIVITY, number(at, b"gpu"), 7, NOBODY), b"")
    return [
        of_alpha(f"the row b'x' of kind {ACTIVITY:d} is due but is not open"),
        of_alpha(f"the row b'' of kind {ACTIVITY:d} is due but is not open"),
        Finding(f"the row b'' of kind {ACTIVITY:d} is due but is not open"),
    ]


@damage
def a_place_that_is_cut_off(at: Trees) -> list[Finding]:
    cut = bytes([ACTIVITY]) + bytes(19)
    at.put("due", cut, b"")
    return [Finding(f"the index row {cut.hex()} cannot be decoded")]


@damage
def a_place_at_another_time(at: Trees) -> list[Finding]:
    at.put("due", DUE_KEY.pack(ACTIVITY, number(at, b"default"), 11, ALPHA) + b"\0\1", b"")
    return [of_alpha(rf"the open row b'\x00\x01' of kind {ACTIVITY:d} is due at another time or place")]


@damage
def a_place_in_another_queue(at: Trees) -> list[Finding]:
    at.put("due", DUE_KEY.pack(ACTIVITY, number(at, b"gpu"), 10, ALPHA) + b"\0\1", b"")
    return [of_alpha(rf"the open row b'\x00\x01' of kind {ACTIVITY:d} is due at another time or place")]


@damage
def a_place_that_is_gone(at: Trees) -> list[Finding]:
    at.delete("due", DUE_KEY.pack(ACTIVITY, number(at, b"default"), 10, ALPHA) + b"\0\1")
    return [of_alpha(rf"the open row b'\x00\x01' of kind {ACTIVITY:d} is not in the due order")]


@damage
def an_index_row_that_is_gone(at: Trees) -> list[Finding]:
    row = next(row for row in listed(at) if row[0] != BY_STATUS)
    at.delete("vis", row)
    return [of_alpha(f"the index row {row.hex()} is missing")]


@damage
def an_index_row_of_a_value_that_the_summary_has_not(at: Trees) -> list[Finding]:
    [row] = [row.replace(b"eu", b"us") for row in listed(at) if b"eu" in row]
    at.put("vis", row, b"")
    return [of_alpha(f"the index row {row.hex()} does not agree with the workflow's summary")]


@damage
def an_index_row_of_nobody(at: Trees) -> list[Finding]:
    row = b"\2" + bytes(20) + SERIAL.pack(NOBODY)
    at.put("vis", row, b"")
    return [Finding(f"the index row {row.hex()}: the rows of workflow number 77 do not say whose they are")]


@damage
def an_index_row_cut_off(at: Trees) -> list[Finding]:
    at.put("vis", b"\2" + bytes(3), b"")
    return [Finding("the index row 02000000 cannot be decoded")]


@pytest.mark.parametrize("how", damage)
def test_a_damage_of_an_index_is_told_once_and_whole(how: str, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_told(damage[how], journal, monkeypatch)


def test_a_journal_of_nothing_is_sound_and_the_first_number_belongs_to_a_name(tmp_path: Path) -> None:
    LmdbStore.open(tmp_path / "journal").close()
    assert found(tmp_path / "journal") == []
    with trees(tmp_path / "journal") as at:
        put(at, b"second", NUMBER.pack(2), "names")
    assert found(tmp_path / "journal") == [Finding("the names with the numbers 1 are missing (1 in all)")]


def test_a_check_goes_on_from_the_first_row_that_it_left(journal: Path) -> None:
    """J5: a snapshot is as short as it is asked to be, but that no workflow is taken apart."""
    with trees(journal) as at:
        rows, names = at.keys("rows"), {table: at.keys(table) for table in ("meta", "ids", "due", "vis")}
    environment = Environment(journal, Settings(read_only=True))
    with environment.view() as view:
        verifying = Verifying()
        for table, check in (("meta", check_meta), ("ids", check_ids), ("due", check_due), ("vis", check_visible)):
            assert check(view, verifying, b"", 1) == names[table][1]
            assert check(view, verifying, names[table][1], len(names[table])) is None
        second = next(row for row in rows if row.startswith(SERIAL.pack(BETA)))
        for limit in range(1, rows.index(second) + 1):
            assert check_workflows(view, verifying, b"", limit) == second
        assert check_workflows(view, verifying, b"", rows.index(second) + 1) is None
        assert verifying.findings == []
    environment.close()
