"""What can be stored, to the last byte and number, whatever the backend (J6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from aion_trio.stores import Append, Close, InvalidRecord, ObligationKind, Open, RecordTooLarge, RunRow, Summary
from aion_trio.stores.limits import require_id, require_name, require_storable

from .building import activity, key, mark, run, summary, wake_up

MIB = 1 << 20
LAST_NUMBER = (1 << 32) - 1
LAST_MOMENT = (1 << 63) - 1


def rows(*opens: Open) -> Append:
    return Append(key(), 0, opens=opens)


def of_run(**fields: object) -> Append:
    changed: RunRow = replace(run(1), **fields)  # type: ignore[arg-type]
    return Append(key(), 0, runs=[changed])


def of_summary(**fields: object) -> Append:
    changed: Summary = replace(summary(), **fields)  # type: ignore[arg-type]
    return Append(key(), 0, b"", 0, changed)


class OfSize(bytes):
    """Says that it has so many bytes, and has one."""

    def __new__(cls, size: int) -> OfSize:
        made = super().__new__(cls, b"e")
        made.size = size
        return made

    size: int

    def __len__(self) -> int:
        return self.size


SIZES: dict[str, tuple[Callable[[int], Append], int]] = {
    "row": (lambda size: rows(activity(b"r" * size)), 480),
    "row that is closed": (lambda size: Append(key(), 0, closes=[Close(ObligationKind.STEP, b"r" * size)]), 480),
    "name of a mark": (lambda size: Append(key(), 0, marks=[mark(b"m" * size)]), 480),
    "queue": (lambda size: rows(activity(b"1", queue="q" * size)), 255),
    "type": (lambda size: of_summary(type="t" * size), 255),
    "type of a run": (lambda size: of_run(type="t" * size), 255),
    "run id": (lambda size: of_run(run_id=b"r" * size), 255),
    "id of the run before": (lambda size: of_run(parent_run_id=b"r" * size), 255),
    "id of the newest run": (lambda size: of_summary(run_id=b"r" * size), 255),
    "id of the parent": (lambda size: of_summary(parent_id="p" * size), 400),
    "attributes": (lambda size: of_summary(attributes={f"a{number}": 1 for number in range(size)}), 255),
    "name of an attribute": (lambda size: of_summary(attributes={"a" * size: 1}), 255),
    "text of an attribute": (lambda size: of_summary(attributes={"a": "v" * size}), 59_999),
    "payload": (lambda size: rows(activity(b"1", payload=OfSize(size))), 256 * MIB),
    "value of a mark": (lambda size: Append(key(), 0, marks=[mark(b"m", OfSize(size))]), 256 * MIB),
    "frame": (lambda size: Append(key(), 0, OfSize(size), 1), 256 * MIB),
    "events": (lambda size: Append(key(), 0, b"e", size), LAST_NUMBER),
    "events behind others": (lambda size: Append(key(), 1000, b"e", size), LAST_NUMBER - 1000),
}


@pytest.mark.parametrize("what", SIZES)
def test_the_most_is_taken_and_one_more_is_too_large(what: str) -> None:
    make, most = SIZES[what]
    require_storable(make(most))
    with pytest.raises(RecordTooLarge):
        require_storable(make(most + 1))


NUMBERS: dict[str, tuple[Callable[[int], Append], int]] = {
    "run number": (lambda number: of_run(run_no=number), LAST_NUMBER),
    "version of a run": (lambda number: of_run(version=number), LAST_NUMBER),
    "first event of a run": (lambda number: of_run(first_seq=number), LAST_NUMBER),
    "last event of a run": (lambda number: of_run(last_seq=number), LAST_NUMBER),
    "status of a run": (lambda number: of_run(status=number), 255),
    "origin of a run": (lambda number: of_run(origin=number), 255),
    "number of the newest run": (lambda number: of_summary(run_no=number), LAST_NUMBER),
    "version": (lambda number: of_summary(version=number), LAST_NUMBER),
    "first event": (lambda number: of_summary(first_seq=number), LAST_NUMBER),
    "head": (lambda number: of_summary(head=number), LAST_NUMBER),
    "status": (lambda number: of_summary(status=number), 255),
}


@pytest.mark.parametrize("what", NUMBERS)
def test_a_number_begins_at_nothing_and_ends_where_its_bytes_do(what: str) -> None:
    make, most = NUMBERS[what]
    for number in (0, most):
        require_storable(make(number))
    for number in (-1, most + 1):
        with pytest.raises(InvalidRecord, match=f"^{number} is not between 0 and {most}$"):
            require_storable(make(number))


TIMES: dict[str, Callable[[int], Append]] = {
    "an obligation's due time": lambda time_us: rows(wake_up(due_us=time_us)),
    "a run's start": lambda time_us: of_run(started_us=time_us),
    "a run's end": lambda time_us: of_run(closed_us=time_us),
    "a workflow's start": lambda time_us: of_summary(started_us=time_us),
    "a workflow's end": lambda time_us: of_summary(closed_us=time_us),
}


@pytest.mark.parametrize("what", TIMES)
def test_a_time_is_none_before_the_epoch(what: str) -> None:
    for time_us in (0, LAST_MOMENT):
        require_storable(TIMES[what](time_us))
    for time_us in (-1, LAST_MOMENT + 1):
        with pytest.raises(InvalidRecord, match=f"^{what} is {time_us} µs, which is not between 0 and {LAST_MOMENT}$"):
            require_storable(TIMES[what](time_us))


@pytest.mark.parametrize(("count", "frame"), [(0, b"e"), (1, b""), (-1, b""), (-1, b"e")])
def test_events_and_their_number_come_together(count: int, frame: bytes) -> None:
    with pytest.raises(InvalidRecord, match=f"^an append of {count} events has a frame of {len(frame)} bytes$"):
        require_storable(Append(key(), 7, frame, count))


def test_names_and_ids_are_measured_in_utf_8() -> None:
    assert require_id("π" * 200) == "π".encode() * 200 and require_name("π" * 127) == "π".encode() * 127
    with pytest.raises(RecordTooLarge, match=f"^a workflow id may have 400 bytes, '{'π' * 40}'... has 402$"):
        require_id("π" * 201)
    with pytest.raises(RecordTooLarge, match=f"^a name may have 255 bytes, '{'π' * 40}'... has 256$"):
        require_name("π" * 128)
    with pytest.raises(RecordTooLarge, match=f"^a row's key may have 480 bytes, b'{'r' * 20}'... has 481$"):
        require_storable(rows(activity(b"r" * 481)))
    with pytest.raises(InvalidRecord, match="may not be empty"):
        require_id("")
    assert require_name("") == b""
