"""Export lines: the round trip is exact for every event class, and a bad line says what is wrong with it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from aion_trio.codec import encode, from_line, to_line
from aion_trio.errors import AionError, InvalidInputError, JournalFormatError, UnknownEventError
from aion_trio.events import ACTIVITY_SCHEDULED, ATTRIBUTES_UPDATED, CLASSES, FIELD_NAMES, SIGNAL_RECEIVED, Raw

from .events import raws_of

SCHEDULED: Raw = [ACTIVITY_SCHEDULED, 1_700_000_000_123_456, 1, "charge", encode(["o", 5]), b"\x01\xff", "default", [None, None]]


@pytest.mark.parametrize("code", sorted(CLASSES), ids=lambda code: CLASSES[code].__name__)
@given(data=st.data(), workflow_id=st.text(max_size=8), seq=st.integers(1, 2**60))
@settings(max_examples=25, deadline=None)
def test_a_line_gives_back_its_event(code: int, data: Any, workflow_id: str, seq: int) -> None:
    raw = data.draw(raws_of(code))
    line = to_line(workflow_id, "default", seq, raw)
    assert "\n" not in line
    back = from_line(line)
    assert back == (workflow_id, "default", seq, raw)
    assert to_line(*back) == line


def test_a_line_reads_as_documented() -> None:
    assert json.loads(to_line("order-1", "default", 3, SCHEDULED)) == {
        "workflow_id": "order-1",
        "namespace": "default",
        "seq": 3,
        "at": "2023-11-14T22:13:20.123456+00:00",
        "type": "ActivityScheduled",
        "ordinal": 1,
        "activity_type": "charge",
        "input": {"$cbor": "gmFvBQ==", "$preview": ["o", 5]},
        "input_digest": "01ff",
        "queue": "default",
        "options": [None, None],
    }


def test_every_field_of_every_event_has_a_key_of_its_own() -> None:
    head = {"workflow_id", "namespace", "seq", "at"}
    for names in FIELD_NAMES.values():
        assert head.isdisjoint(names)


@pytest.mark.parametrize(
    "attributes",
    [{"f": math.inf}, {"f": -0.0}, {"$cbor": "x"}, {"a": {1: 2}}, {"a": {"$plain": []}}, {"s": {1, 2}}, {"big": 2**90}, {"b": b"x"}],
    ids=str,
)
def test_attributes_that_json_has_no_form_for_survive(attributes: dict[str, Any]) -> None:
    raw: Raw = [ATTRIBUTES_UPDATED, 0, attributes, 0]
    assert repr(from_line(to_line("w", "n", 1, raw))[3]) == repr(raw)


def test_the_preview_is_ignored_on_the_way_back() -> None:
    record = json.loads(to_line("w", "n", 1, SCHEDULED))
    record["input"]["$preview"] = "anything"
    assert from_line(json.dumps(record))[3] == SCHEDULED


def test_unknown_keys_and_the_order_of_keys_do_not_matter() -> None:
    record = {**dict(reversed(json.loads(to_line("w", "n", 1, SCHEDULED)).items())), "comment": 1}
    assert from_line(json.dumps(record))[3] == SCHEDULED


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"seq": "1"}, "seq"),
        ({"seq": True}, "seq"),
        ({"workflow_id": None}, "workflow_id"),
        ({"at": "yesterday"}, "at"),
        ({"at": "2024-01-01T00:00:00"}, "at"),
        ({"ordinal": "1"}, "ordinal"),
        ({"input": "text"}, "input"),
        ({"input": {"$cbor": "*"}}, "input"),
        ({"input": {"$cbor": 5}}, "input"),
        ({"input_digest": "xyz"}, "input_digest"),
        ({"input_digest": "abc"}, "input_digest"),
        ({"input_digest": 5}, "input_digest"),
        ({"input_digest": None}, "input_digest"),
        ({"activity_type": {"$cbor": "*"}}, "activity_type"),
        ({"options": {}}, "options"),
        ({"activity_type": 5}, "activity_type"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(change: dict[str, Any], path: str) -> None:
    record = {**json.loads(to_line("w", "n", 1, SCHEDULED)), **change}
    with pytest.raises(InvalidInputError) as caught:
        from_line(json.dumps(record))
    assert caught.value.path == path


def test_a_damaged_value_is_never_taken_for_none() -> None:
    record = json.loads(to_line("w", "n", 1, [SIGNAL_RECEIVED, 5, "go", b"", None, None]))
    for damaged in ({"$cbor": "*"}, {"$plain": "*"}, {"$plain": "/w=="}):
        with pytest.raises(InvalidInputError) as caught:
            from_line(json.dumps({**record, "sender": damaged}))
        assert caught.value.path == "sender"


def test_a_time_has_microseconds_also_where_they_are_none() -> None:
    assert (
        json.loads(to_line("w", "n", 1, [*SCHEDULED[:1], 1_700_000_000_000_000, *SCHEDULED[2:]]))["at"]
        == "2023-11-14T22:13:20.000000+00:00"
    )


def test_attributes_that_json_has_a_form_for_are_for_people_to_read() -> None:
    line = to_line("w", "n", 1, [ATTRIBUTES_UPDATED, 0, {"where": "Zürich", "share": 1.5, "more": {"a": [1, None, True]}, "": {}}, 0])
    assert '"attributes": {"where": "Zürich", "share": 1.5, "more": {"a": [1, null, true]}, "": {}}' in line


@pytest.mark.parametrize("field", ["run_id", "parent_run_id", "continued_run_id", "input_digest", "payload_digest"])
def test_our_own_ids_and_digests_are_hexadecimal(field: str) -> None:
    codes = [code for code, names in FIELD_NAMES.items() if field in names]
    assert codes
    for code in codes:
        raw: Raw = [code, 0, *(b"\x01\xff" if name == field else None for name in FIELD_NAMES[code])]
        assert json.loads(to_line("w", "n", 1, raw))[field] == "01ff"


def test_a_digest_that_is_none_is_written_as_what_it_is() -> None:
    """J7: only damaged bytes hold one, and an export shows them."""
    assert json.loads(to_line("w", "n", 1, [*SCHEDULED[:5], None, *SCHEDULED[6:]]))["input_digest"] is None


def test_a_missing_key_is_named() -> None:
    record = json.loads(to_line("w", "n", 1, SCHEDULED))
    del record["queue"]
    with pytest.raises(InvalidInputError, match="ActivityScheduled: the key 'queue' is missing"):
        from_line(json.dumps(record))


def test_an_event_of_a_later_version_is_named() -> None:
    """H7."""
    with pytest.raises(UnknownEventError, match="'WorkflowTeleported'"):
        from_line(json.dumps({**json.loads(to_line("w", "n", 1, SCHEDULED)), "type": "WorkflowTeleported"}))


@pytest.mark.parametrize("line", ["", "null", "[]", "{", "{}", "5", '{"workflow_id": "w"}', "[" * 100_000, '{"a": NaN}'])
def test_what_is_no_line_is_an_input_error(line: str) -> None:
    with pytest.raises(InvalidInputError):
        from_line(line)


@given(st.text(max_size=80))
def test_arbitrary_text_is_a_typed_error(text: str) -> None:
    with pytest.raises(AionError):
        from_line(text)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["$cbor", "$plain", "a"]), inner, max_size=2),
    max_leaves=6,
)


@given(st.fixed_dictionaries(dict.fromkeys(FIELD_NAMES[SIGNAL_RECEIVED], JSON)))
def test_arbitrary_fields_are_an_event_or_a_typed_error(fields: dict[str, Any]) -> None:
    head = {"workflow_id": "w", "namespace": "n", "seq": 1, "at": "2024-01-01T00:00:00+00:00", "type": "SignalReceived"}
    try:
        raw = from_line(json.dumps({**head, **fields}))[3]
    except AionError:
        return
    assert isinstance(raw[3], bytes)


def test_an_event_whose_attributes_nest_too_deeply_for_a_line_is_a_format_error() -> None:
    """J7: only damaged bytes hold one."""
    deep: Any = []
    for _ in range(3_000):
        deep = [deep]
    with pytest.raises(JournalFormatError, match=r"^event 7 of workflow 'w' holds what is no plain data: "):
        to_line("w", "default", 7, [ATTRIBUTES_UPDATED, 5, {"a": deep}, 0])
