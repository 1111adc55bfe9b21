"""Contract suite: listings by status, type, attribute and time, counts, keys (H2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aion_trio.stores import Append, AttributeValue, Store, SummaryFilter, WorkflowKey

from .building import COMPLETED, FAILED, RUNNING, events, key, start, summary, write


def ids(store: Store, where: SummaryFilter, limit: int = 1000) -> list[str]:
    """The ids of a whole listing, page by page."""
    found: list[str] = []
    page = store.summaries(where, None, limit)
    found += [entry.key.workflow_id for entry in page.entries]
    while page.after is not None:
        page = store.summaries(where, page.after, limit)
        assert len(page.entries) <= limit
        found += [entry.key.workflow_id for entry in page.entries]
    return found


def labelled(store: Store, workflow_id: str, attributes: Mapping[str, AttributeValue]) -> None:
    write(store, start(key(workflow_id), summary(attributes=attributes)))


def set_status(workflow: WorkflowKey, head: int, status: int, closed_us: int = 0) -> Append:
    return Append(workflow, head, b"e", 1, summary(status, closed_us=closed_us, head=head + 1 if closed_us else 0))


@pytest.fixture
def mixed(store: Store) -> Store:
    """Ten workflows w0 to w9 of two types, every third completed, started at 0, 10, …"""
    for number in range(10):
        status = COMPLETED if number % 3 == 0 else RUNNING
        projection = summary(
            status,
            type_name="ship" if number % 2 else "checkout",
            started_us=10 * number,
            closed_us=1000 + number if status == COMPLETED else 0,
            head=1 if status == COMPLETED else 0,
            attributes={"region": "eu" if number < 5 else "us", "n": number},
        )
        write(store, start(key(f"w{number}"), projection))
    return store


def test_a_summary_comes_back_as_it_went(store: Store) -> None:
    projection = summary(attributes={"text": "π", "n": -(1 << 70), "x": -0.25, "yes": True, "at": datetime(2024, 2, 29, 1, 2, 3, 4, UTC)})
    write(store, start(key(), projection))
    assert store.summary(key()) == projection
    [entry] = store.summaries(SummaryFilter()).entries
    assert entry == (key(), projection)


def test_a_workflow_without_a_summary_is_in_no_listing(store: Store) -> None:
    write(store, events(key(), 0))
    assert ids(store, SummaryFilter()) == [] and store.counts("default") == {}
    assert store.summary(key()) is None


def test_a_listing_is_in_the_order_in_which_the_ids_were_first_seen(store: Store) -> None:
    for name in ("b", "c", "a"):
        write(store, start(key(name)))
    write(store, set_status(key("b"), 1, FAILED))
    assert ids(store, SummaryFilter()) == ["b", "c", "a"]


def test_listings_by_status(mixed: Store) -> None:
    assert ids(mixed, SummaryFilter(statuses=frozenset({COMPLETED}))) == ["w0", "w3", "w6", "w9"]
    assert ids(mixed, SummaryFilter(statuses=frozenset({RUNNING, COMPLETED}))) == [f"w{n}" for n in range(10)]
    assert ids(mixed, SummaryFilter(statuses=frozenset({FAILED}))) == []
    assert ids(mixed, SummaryFilter(statuses=frozenset())) == []


def test_listings_by_type(mixed: Store) -> None:
    assert ids(mixed, SummaryFilter(type="ship")) == ["w1", "w3", "w5", "w7", "w9"]
    assert ids(mixed, SummaryFilter(type="ship", statuses=frozenset({COMPLETED}))) == ["w3", "w9"]
    assert ids(mixed, SummaryFilter(type="unknown")) == []


def test_a_listing_holds_any_number_of_types(store: Store) -> None:
    write(store, *(start(key(f"w{number}"), summary(type_name=f"type-{number % 20}")) for number in range(40)))
    assert ids(store, SummaryFilter()) == [f"w{number}" for number in range(40)]
    assert ids(store, SummaryFilter(type="type-19")) == ["w19", "w39"]


def test_listings_by_attribute(mixed: Store) -> None:
    assert ids(mixed, SummaryFilter(attributes={"region": "us"})) == ["w5", "w6", "w7", "w8", "w9"]
    assert ids(mixed, SummaryFilter(attributes={"region": "us", "n": 7})) == ["w7"]
    assert ids(mixed, SummaryFilter(attributes={"region": "us"}, statuses=frozenset({COMPLETED}))) == ["w6", "w9"]
    assert ids(mixed, SummaryFilter(attributes={"region": "us"}, type="ship")) == ["w5", "w7", "w9"]
    assert ids(mixed, SummaryFilter(attributes={"region": "nowhere"})) == []
    assert ids(mixed, SummaryFilter(attributes={"unknown": 1})) == []


def test_listings_by_time(mixed: Store) -> None:
    assert ids(mixed, SummaryFilter(started_after_us=30, started_before_us=60)) == ["w3", "w4", "w5"]
    assert ids(mixed, SummaryFilter(closed_after_us=1003)) == ["w3", "w6", "w9"]
    assert ids(mixed, SummaryFilter(closed_before_us=1004)) == ["w0", "w3"]
    assert ids(mixed, SummaryFilter(closed_after_us=0)) == ["w0", "w3", "w6", "w9"]


def test_a_workflow_may_have_closed_in_the_first_microsecond(store: Store) -> None:
    """None at all stands for one that is open."""
    write(store, start(key("open")), start(key("closed"), summary(COMPLETED, closed_us=1, head=1)))
    assert ids(store, SummaryFilter(closed_after_us=0)) == ids(store, SummaryFilter(closed_before_us=2)) == ["closed"]


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11])
@pytest.mark.parametrize(
    "where",
    [
        SummaryFilter(),
        SummaryFilter(statuses=frozenset({RUNNING})),
        SummaryFilter(type="ship"),
        SummaryFilter(attributes={"region": "us"}),
        SummaryFilter(started_after_us=75),
    ],
    ids=["all", "status", "type", "attribute", "time"],
)
def test_pages_of_any_size_make_the_whole_listing(mixed: Store, where: SummaryFilter, limit: int) -> None:
    assert ids(mixed, where, limit) == ids(mixed, where)


def test_a_listing_follows_the_newest_summary(store: Store) -> None:
    write(store, start(key(), summary(attributes={"region": "eu", "old": 1})))
    write(store, Append(key(), 1, b"e", 1, summary(COMPLETED, type_name="other", closed_us=5, head=2, attributes={"region": "us"})))
    assert ids(store, SummaryFilter(statuses=frozenset({RUNNING}))) == []
    assert ids(store, SummaryFilter(type="checkout")) == [] and ids(store, SummaryFilter(type="other")) == ["w"]
    assert ids(store, SummaryFilter(attributes={"region": "eu"})) == [] and ids(store, SummaryFilter(attributes={"old": 1})) == []
    assert ids(store, SummaryFilter(attributes={"region": "us"})) == ["w"]
    assert store.counts("default") == {COMPLETED: 1}


VALUES: list[AttributeValue] = [
    "",
    "a",
    "a\x00",
    "ab",
    "a" * 300 + "1",
    "a" * 300 + "2",
    0,
    1,
    -1,
    255,
    256,
    -256,
    1 << 63,
    1.0,
    0.0,
    -1.5,
    float("inf"),
    True,
    False,
    datetime(1969, 12, 31, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
]


def test_each_attribute_value_is_found_by_itself_alone(store: Store) -> None:
    """One type never stands for another: 1, 1.0 and True are three values."""
    for number, value in enumerate(VALUES):
        labelled(store, f"v{number}", {"value": value})
    for number, value in enumerate(VALUES):
        assert ids(store, SummaryFilter(attributes={"value": value})) == [f"v{number}"]


def test_one_moment_in_two_time_zones_is_one_value(store: Store) -> None:
    labelled(store, "w", {"at": datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))})
    assert ids(store, SummaryFilter(attributes={"at": datetime(2024, 1, 1, tzinfo=UTC)})) == ["w"]


def test_a_listing_keeps_to_its_namespace(store: Store) -> None:
    write(store, start(key("a", "one")), start(key("b", "two")))
    assert ids(store, SummaryFilter("one")) == ["a"] and ids(store, SummaryFilter("two")) == ["b"]
    assert ids(store, SummaryFilter("three")) == []
    assert store.counts("one") == {RUNNING: 1}


def test_counts_follow_every_change(store: Store) -> None:
    write(store, *(start(key(f"w{n}")) for n in range(5)))
    write(store, set_status(key("w0"), 1, COMPLETED, 9), set_status(key("w1"), 1, FAILED, 9), set_status(key("w1"), 2, RUNNING))
    assert store.counts("default") == {RUNNING: 4, COMPLETED: 1}
    store.purge([key("w0"), key("w4")])
    assert store.counts("default") == {RUNNING: 3}


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_keys_lists_every_id_of_all_namespaces(store: Store, limit: int) -> None:
    names = [key("b", "two"), key("a", "one"), key("c", "two"), key("a", "two"), key("z", "one")]
    write(store, *(events(name, 0) for name in names))
    page = store.keys(None, limit)
    found = list(page.keys)
    while page.after is not None:
        page = store.keys(page.after, limit)
        found += page.keys
    assert found == names


def test_a_status_is_any_number_of_a_byte_and_others_are_of_no_workflow(store: Store) -> None:
    for status in (0, 1, 255):
        write(store, start(key(f"w{status}"), summary(status)))
    assert ids(store, SummaryFilter(statuses=frozenset({-1, 0, 255, 256, 1 << 70}))) == ["w0", "w255"]


def test_a_page_that_holds_the_last_row_says_that_it_does(mixed: Store) -> None:
    assert mixed.keys(None, 10).after is None and mixed.summaries(SummaryFilter(), None, 10).after is None


def test_a_page_that_may_hold_nothing_goes_on_where_it_began(mixed: Store) -> None:
    keys = mixed.keys(mixed.keys(None, 4).after, 0)
    assert list(keys.keys) == [] and next(iter(mixed.keys(keys.after).keys)) == key("w4")
    page = mixed.summaries(SummaryFilter(), mixed.summaries(SummaryFilter(), None, 4).after, 0)
    assert list(page.entries) == [] and mixed.summaries(SummaryFilter(), page.after).entries[0].key == key("w4")


def test_the_last_of_all_numbers_is_a_status(store: Store) -> None:
    write(store, start(key("a"), summary(1)), start(key("b"), summary(255)))
    assert [entry.key for entry in store.summaries(SummaryFilter()).entries] == [key("a"), key("b")]
    assert store.counts("default") == {1: 1, 255: 1}
