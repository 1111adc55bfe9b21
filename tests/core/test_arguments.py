"""Ids, texts, spans and attributes: what can be stored is taken as it is, and the rest is refused at the caller's line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aion_trio.arguments import LONGEST_SECONDS, MAX_ID_BYTES, attribute_values, span_us, text_of, workflow_id_of
from aion_trio.errors import InvalidInputError
from aion_trio.stores import InvalidRecord
from aion_trio.stores.limits import require_attributes

ALLOWED = "a text, number, bool or aware datetime"
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)

REFUSED: list[tuple[Callable[..., Any], Any, str, str]] = [
    (lambda value: text_of(value, "name"), 5, "name is a text, found 5", "name"),
    (lambda value: text_of(value, "name"), "\ud800", "name is valid Unicode text, found '\\ud800'", "name"),
    (workflow_id_of, "", "a workflow id is a non-empty text without NUL, found ''", "id"),
    (workflow_id_of, "a\0", "a workflow id is a non-empty text without NUL, found 'a\\x00'", "id"),
    (workflow_id_of, 5, "a workflow id is a non-empty text without NUL, found 5", "id"),
    (workflow_id_of, "ä" * 201, f"a workflow id may have 400 bytes, {'ä' * 40!r}... has 402", "id"),
    *(
        (span_us, span, f"timeout must be a positive number of seconds (at most a century) or a timedelta, found {span!r}", "timeout")
        for span in (0, -1, True, "5", float("nan"), float("inf"), LONGEST_SECONDS + 1, timedelta(0), timedelta(days=-1))
    ),
    (attribute_values, [1], "attributes are a mapping of names to values, found [1]", "attributes"),
    (attribute_values, {5: 1}, "the name of an attribute is a text, found 5", "the name of an attribute"),
    (attribute_values, {"a": "\ud800"}, "attributes['a'] is valid Unicode text, found '\\ud800'", "attributes['a']"),
    *(
        (
            attribute_values,
            {"a": value},
            f"attribute 'a' must be a text, number, bool or aware datetime, found {value!r}",
            "attributes['a']",
        )
        for value in (None, b"x", [1], float("nan"))
    ),
    (
        attribute_values,
        {"a": NOON.replace(tzinfo=None)},
        "attribute 'a' must be an aware datetime, found datetime.datetime(2024, 1, 1, 12, 0)",
        "attributes['a']",
    ),
]


@pytest.mark.parametrize(("check", "value", "message", "path"), REFUSED, ids=lambda part: "" if callable(part) else repr(part)[:40])
def test_what_cannot_be_stored_is_refused_with_its_place(check: Callable[..., Any], value: Any, message: str, path: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(value)
    assert (str(caught.value), caught.value.path) == (message, path)


@pytest.mark.parametrize("id", ["a", "ä" * (MAX_ID_BYTES // 2), "w/1 \n"])
def test_any_other_text_is_a_workflow_id(id: str) -> None:
    assert workflow_id_of(id) == id


@pytest.mark.parametrize(
    ("span", "us"),
    [
        (None, None), (1, 1_000_000), (0.5, 500_000), (1e-9, 1), (timedelta(milliseconds=3), 3_000),
        (LONGEST_SECONDS, LONGEST_SECONDS * 1_000_000),
    ],
)  # fmt: skip
def test_a_span_is_whole_microseconds_and_at_least_one(span: Any, us: int | None) -> None:
    assert span_us(span) == us


def test_the_span_that_is_refused_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"^grace must be a positive number") as caught:
        span_us(0, "grace")
    assert caught.value.path == "grace"


def test_attributes_are_taken_as_they_are_and_none_deletes_one() -> None:
    given = {"t": "x", "i": 1, "f": 0.5, "b": True, "d": NOON}
    assert attribute_values(given) == given
    assert attribute_values(None) == {} == attribute_values({})
    assert attribute_values({"t": None, "i": 1}, deleting=True) == {"t": None, "i": 1}


@pytest.mark.parametrize(
    ("fits", "limit"),
    [
        ({"a": "x" * 59_999}, {"a": "x" * 60_000}),
        ({"a": "ä" * 29_999}, {"a": "ä" * 30_000}),
        ({"n" * 255: 1}, {"n" * 256: 1}),
        ({"a": 256**126 - 1}, {"a": 256**126}),
        ({"a": -(256**126) + 1}, {"a": -(256**126)}),
        ({f"a{n}": n for n in range(255)}, {f"a{n}": n for n in range(256)}),
    ],
    ids=["text", "text of two bytes", "name", "int", "negative int", "many"],
)
def test_attributes_have_the_room_that_a_store_has_for_them(fits: dict[str, Any], limit: dict[str, Any]) -> None:
    """J6: what a store would refuse later, with the whole step, is refused where it is given."""
    assert attribute_values(fits) == fits
    require_attributes(fits)
    with pytest.raises(InvalidInputError, match=r" may have \d+ (bytes|attributes), found \d+$"):
        attribute_values(limit)
    with pytest.raises(InvalidRecord):
        require_attributes(limit)
