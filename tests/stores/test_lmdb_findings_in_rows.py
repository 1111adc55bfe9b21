"""Each damage of a workflow's rows as `verify` tells it: its words, whose it is, from which event on, and what mends it (J7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from aion_trio.stores import AttributeValue, Finding, Remedy
from aion_trio.stores.lmdb_store.layout import (
    EVENTS,
    EVENTS_KEY,
    IDENTITY,
    MARK,
    OBLIGATION,
    OBLIGATION_KEY,
    ROW,
    RUN,
    RUN_KEY,
    SERIAL,
)
from aion_trio.stores.lmdb_store.records import seal_frame
from aion_trio.stores.lmdb_store.rows import encode_obligation
from tests.journal.harm import Trees

from .building import activity, key, summary
from .findings import ACTIVITY, ALPHA, NOBODY, Damages, identify, listed, of_alpha, put, require_told, two_workflows

ATTRIBUTES: dict[str, AttributeValue] = {"region": "eu", "cents": -5, "rate": 0.5, "vip": True}
IDENTIFIED, FIRST_RUN = ROW.pack(ALPHA, IDENTITY), RUN_KEY.pack(ALPHA, RUN, 1)
FIRST, LAST = EVENTS_KEY.pack(ALPHA, EVENTS, 1), EVENTS_KEY.pack(ALPHA, EVENTS, 3)
OPEN, MARKED = OBLIGATION_KEY.pack(ALPHA, OBLIGATION, ACTIVITY) + b"\0\1", ROW.pack(ALPHA, MARK) + b"request-1"
damage = Damages()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return two_workflows(tmp_path / "journal")


@damage
def a_row_cut_off(at: Trees) -> list[Finding]:
    at.put("rows", SERIAL.pack(ALPHA), b"no tag")
    return [of_alpha("the row 0000000000000001 is of no kind that is known")]


@damage
def a_row_of_no_kind(at: Trees) -> list[Finding]:
    put(at, ROW.pack(ALPHA, MARK + 1) + b"m", b"")
    return [of_alpha("the row 0000000000000001056d is of no kind that is known")]


@damage
def an_identity_with_a_turned_bit(at: Trees) -> list[Finding]:
    at.turn("rows", IDENTIFIED)
    damage = f"the journal's index: the record {IDENTIFIED.hex()} fails its checksum"
    index = [of_alpha(f"the index row {row.hex()}: {damage}") for row in listed(at)]
    [place] = at.keys("ids", b"alpha")
    return [Finding(f"the index row {place.hex()}: {damage}"), of_alpha(f"its identity and summary: {damage}"), *index]


@damage
def an_identity_that_is_gone(at: Trees) -> list[Finding]:
    at.delete("rows", IDENTIFIED)
    damage = "the rows of workflow number 1 do not say whose they are"
    index = [of_alpha(f"the index row {row.hex()}: {damage}") for row in listed(at)]
    [place] = at.keys("ids", b"alpha")
    return [Finding(f"the index row {place.hex()}: {damage}"), of_alpha(damage), *index]


@damage
def rows_of_nobody(at: Trees) -> list[Finding]:
    put(at, ROW.pack(NOBODY, MARK) + b"m", b"value")
    put(at, b"next_serial", SERIAL.pack(NOBODY + 1), "meta")
    return [Finding("the rows of workflow number 77 do not say whose they are")]


@damage
def a_run_with_a_turned_bit(at: Trees) -> list[Finding]:
    at.turn("rows", FIRST_RUN)
    return [of_alpha(f"its run row: the journal's index: the record {FIRST_RUN.hex()} fails its checksum")]


@damage
def events_with_a_turned_bit(at: Trees) -> list[Finding]:
    at.turn("rows", LAST)
    return [of_alpha("the events up to 3 fail their checksum", 3, Remedy.RESTORE)]


@damage
def an_open_row_with_a_turned_bit(at: Trees) -> list[Finding]:
    at.turn("rows", OPEN)
    [place] = [row for row in at.keys("due") if row.endswith(SERIAL.pack(ALPHA) + b"\0\1")]
    damage = f"the journal's index: the record {OPEN.hex()} fails its checksum"
    return [of_alpha(f"its open row: {damage}"), of_alpha(f"the index row {place.hex()}: {damage}")]


@damage
def a_mark_with_a_turned_bit(at: Trees) -> list[Finding]:
    at.turn("rows", MARKED)
    return [of_alpha(f"its mark: the journal's index: the record {MARKED.hex()} fails its checksum")]


@damage
def an_open_row_of_no_kind_at_all(at: Trees) -> list[Finding]:
    put(at, ROW.pack(ALPHA, OBLIGATION), encode_obligation(activity(b"")))
    return [of_alpha("the row 000000000000000103 cannot be decoded")]


@damage
def an_open_row_of_an_unknown_kind(at: Trees) -> list[Finding]:
    put(at, OBLIGATION_KEY.pack(ALPHA, OBLIGATION, 99) + b"row", encode_obligation(activity(b"row")))
    return [
        of_alpha("the open row b'row' is of kind 99, which is not known"),
        of_alpha("the open row b'row' of kind 99 is not in the due order"),
    ]


@damage
def an_open_row_in_a_queue_that_has_no_number(at: Trees) -> list[Finding]:
    put(at, OBLIGATION_KEY.pack(ALPHA, OBLIGATION, ACTIVITY) + b"row", encode_obligation(activity(b"row", queue="nowhere")))
    return [of_alpha(f"the open row b'row' of kind {ACTIVITY:d} is not in the due order")]


@damage
def events_that_are_missing(at: Trees) -> list[Finding]:
    at.delete("rows", FIRST)
    return [of_alpha("event 1 is missing", 1, Remedy.RESTORE)]


@damage
def events_some_of_which_are_missing(at: Trees) -> list[Finding]:
    at.put("rows", *seal_frame(ALPHA, 3, 1, b"e"))
    return [of_alpha("event 2 is missing", 2, Remedy.RESTORE)]


@damage
def events_that_overlap(at: Trees) -> list[Finding]:
    at.put("rows", *seal_frame(ALPHA, 3, 3, b"eee"))
    return [of_alpha("the events up to 3 overlap", 2, Remedy.RESTORE)]


@damage
def a_summary_that_ends_later(at: Trees) -> list[Finding]:
    identify(at, key("alpha"), summary(head=4, attributes=ATTRIBUTES))
    return [of_alpha("the summary says that the history ends at 4, it ends at 3", 3, Remedy.RESTORE)]


@damage
def a_summary_that_ends_sooner(at: Trees) -> list[Finding]:
    identify(at, key("alpha"), summary(head=1, attributes=ATTRIBUTES))
    return [of_alpha("the summary says that the history ends at 1, it ends at 3", 3)]


@damage
def a_run_under_the_number_of_another(at: Trees) -> list[Finding]:
    put(at, RUN_KEY.pack(ALPHA, RUN, 7), at.get("rows", FIRST_RUN)[4:])
    return [of_alpha("run 1 lies where another belongs")]


@pytest.mark.parametrize("how", damage)
def test_a_damage_of_a_row_is_told_once_and_whole(how: str, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_told(damage[how], journal, monkeypatch)
