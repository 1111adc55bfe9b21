"""The durable format of events, written out a second time: whoever changes a number, a name or an order sees it here (H7)."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aion_trio import events

FORMAT = """
 1 WorkflowStarted        stimulus type version run_id parent_run_id origin input carried_signals parent on_parent_close timeout_us \
attributes kernel_version request_id trace_context
 2 WorkflowCompleted      output   result
 3 WorkflowFailed         output   failure
 4 WorkflowCancelled      output   reason
 5 WorkflowTerminated     marker   reason
 6 WorkflowTimedOut       marker   kind
 7 WorkflowContinuedAsNew output   continued_run_id input type carried_signals cancel_reason
 8 ActivityScheduled      output   ordinal type input input_digest queue options
 9 ActivityAttemptFailed  marker   ordinal attempt failure next_due_us
10 ActivityCompleted      stimulus ordinal result attempt
11 ActivityFailed         stimulus ordinal failure attempt
12 ActivityCancelled      output   ordinal
13 TimerStarted           output   ordinal fire_at_us
14 TimerFired             stimulus ordinal
15 TimerCancelled         output   ordinal
16 DeadlinePassed         stimulus due_us
17 ChildWorkflowStarted   output   ordinal child_id type version input input_digest on_parent_close attributes timeout_us trace_context
18 ChildWorkflowCompleted stimulus ordinal result
19 ChildWorkflowFailed    stimulus ordinal failure
20 ChildCancelRequested   output   ordinal reason
21 SignalReceived         stimulus name payload sender request_id
22 SignalSent             output   ordinal target name payload payload_digest
23 SignalDelivered        stimulus ordinal
24 SignalFailed           stimulus ordinal reason
25 CancelRequested        stimulus reason request_id
26 AttributesUpdated      output   attributes ordinal
27 PatchMarked            output   name
28 UpdateAccepted         stimulus update_id name input
29 UpdateCompleted        output   update_id outcome
30 WorkflowReopened       marker   run_id ordinals
31 WorkflowPaused         marker   reason operator
32 WorkflowResumed        marker   reason operator
"""
ROWS = [line.split() for line in FORMAT.strip().splitlines()]


def test_every_event_has_the_code_the_role_and_the_fields_that_are_on_disk() -> None:
    """H7."""
    known = [[str(code), cls.__name__, cls.role, *events.FIELD_NAMES[code]] for code, cls in sorted(events.CLASSES.items())]
    assert known == ROWS


def test_each_code_goes_by_its_events_name() -> None:
    for code, cls in events.CLASSES.items():
        constant = "".join(f"_{letter}" if letter.isupper() else letter for letter in cls.__name__).upper().lstrip("_")
        assert getattr(events, constant) == code == cls.code


@pytest.mark.parametrize(("role", "codes"), [("stimulus", events.STIMULI), ("output", events.OUTPUTS), ("marker", events.MARKERS)])
def test_the_codes_of_a_role_are_those_of_its_events(role: str, codes: frozenset[int]) -> None:
    """K6."""
    assert codes == {int(row[0]) for row in ROWS if row[2] == role}


def test_the_events_that_close_a_run_are_the_six_of_the_lifecycle() -> None:
    """H3, H4."""
    assert sorted(events.CLOSING) == [2, 3, 4, 5, 6, 7]


def test_the_small_vocabularies_keep_their_numbers() -> None:
    assert (events.ORIGIN_FIRST, events.ORIGIN_CONTINUED, events.ORIGIN_NEW_RUN, events.ORIGIN_RESET) == (0, 1, 2, 3)
    assert (events.ON_CLOSE_TERMINATE, events.ON_CLOSE_CANCEL, events.ON_CLOSE_ABANDON) == (0, 1, 2)
    assert events.ON_PARENT_CLOSE == ("terminate", "cancel", "abandon")


@pytest.mark.parametrize("cls", [events.Event, *events.CLASSES.values()])
def test_an_event_is_frozen_and_has_room_for_its_fields_alone(cls: type[events.Event]) -> None:
    event = cls(1, datetime(2026, 1, 2, tzinfo=UTC), *[None] * (len(fields(cls)) - 2))
    with pytest.raises(FrozenInstanceError):
        event.seq = 2  # type: ignore[misc]
    assert not hasattr(event, "__dict__")
    assert hash(event) is not None


def test_an_event_of_no_class_has_no_code_and_is_a_marker() -> None:
    assert (events.Event.code, events.Event.role) == (0, "marker")


def test_a_time_is_whole_microseconds_since_1970_in_utc() -> None:
    assert events.datetime_of(1_000_001) == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    assert events.microseconds_of(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=1)))) == 3_600_000_000


def test_the_last_time_is_the_last_that_a_datetime_can_tell() -> None:
    assert events.datetime_of(events.LATEST_US) == datetime.max.replace(tzinfo=UTC)
    with pytest.raises(OverflowError):
        events.datetime_of(events.LATEST_US + 1)


def test_an_event_of_a_later_version_is_named_by_its_code() -> None:
    """H7."""
    assert events.name_of(33) == "event code 33"
    assert events.name_of(32) == "WorkflowResumed"
