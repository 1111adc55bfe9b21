"""What a frame holds to the byte, and which error tells of an event that is not whole."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from aion_trio.codec import decode_frame, encode_frame, event_of
from aion_trio.errors import JournalFormatError
from aion_trio.events import ATTRIBUTES_UPDATED, CHILD_WORKFLOW_STARTED, FIELD_NAMES, TIMER_FIRED, WORKFLOW_STARTED

TAGS = [f"tag {number}" for number in range(9)]


@pytest.mark.parametrize("code", [WORKFLOW_STARTED, CHILD_WORKFLOW_STARTED, ATTRIBUTES_UPDATED])
def test_a_set_in_attributes_is_written_in_the_order_of_its_encoded_elements(code: int) -> None:
    """K1: whatever the hash seed of the process."""
    names = FIELD_NAMES[code]
    fields: list[Any] = [None] * len(names)
    fields[names.index("attributes")] = {"tags": set(TAGS)}
    ordered = b"\xd9\x01\x02" + cbor2.dumps(TAGS)
    assert ordered in encode_frame([[code, 5, *fields]])


@pytest.mark.parametrize("raw", [[TIMER_FIRED, "5", 1], [TIMER_FIRED, True, 1], [TIMER_FIRED, None, 1], ["14", 5, 1]])
def test_an_event_whose_code_or_time_is_no_number_is_no_event(raw: list[Any]) -> None:
    """J7."""
    with pytest.raises(JournalFormatError, match=r"^a frame holds something else than an event$"):
        event_of(raw, 1)


def test_an_event_that_was_cut_behind_its_time_is_told_by_its_name() -> None:
    """J7."""
    with pytest.raises(JournalFormatError, match=r"^TimerFired has 0 of its 1 fields$"):
        decode_frame(cbor2.dumps([TIMER_FIRED, 5]), 1)
