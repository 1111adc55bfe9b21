"""Events are positional and their numbers are the durable format (H7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aion_trio import events as ev


@pytest.mark.parametrize("us", [0, 1, -1, 1_700_000_000_123_456, ev.LATEST_US])
def test_a_time_is_whole_microseconds_since_the_epoch_in_both_directions(us: int) -> None:
    moment = ev.datetime_of(us)
    assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    assert ev.microseconds_of(moment) == us
    assert moment.utcoffset() == timedelta(0)


def test_a_time_of_another_zone_is_the_same_instant() -> None:
    zone = timezone(timedelta(hours=5))
    assert ev.microseconds_of(datetime(1970, 1, 1, 5, 0, 0, 7, zone)) == 7


def test_what_is_due_after_the_last_date_is_out_of_range() -> None:
    with pytest.raises(OverflowError):
        ev.datetime_of(ev.LATEST_US + 1)


def test_every_code_is_a_stimulus_an_output_a_marker_or_an_engines_closing_and_has_a_name() -> None:
    codes = {name: value for name, value in vars(ev).items() if name.isupper() and isinstance(value, int) and 1 <= value <= 32}
    events = {name: code for name, code in codes.items() if name.split("_")[0] not in ("ORIGIN", "ON")}
    assert sorted(events.values()) == list(range(1, 33))
    assert [ev.name_of(code).upper() for code in events.values()] == [name.replace("_", "") for name in events]
    assert not ev.STIMULI & ev.OUTPUTS and not ev.MARKERS & ev.OUTPUTS and not ev.MARKERS & ev.STIMULI
