"""Contract suite: what is owed, opened and closed, in the order in which it is due (J9, R2)."""

from __future__ import annotations

import pytest

from aion_trio.stores import Append, Close, Obligation, ObligationKind, Open, Store

from .building import activity, closes, key, opens, wake_up, write

WAKE_UP, ACTIVITY = ObligationKind.WAKE_UP, ObligationKind.ACTIVITY


def test_an_open_row_is_found_in_every_way(store: Store) -> None:
    write(store, opens(key(), 0, activity(b"1", 50, "gpu", b"input")))
    row = Obligation(key(), ACTIVITY, b"1", 50, "gpu", b"input")
    assert store.obligation(key(), ACTIVITY, b"1") == row
    assert store.obligations_of(key()) == [row]
    assert store.obligations(ACTIVITY) == [row]
    assert store.obligation(key(), WAKE_UP, b"1") is None
    assert store.obligations(WAKE_UP) == []


def test_a_closed_row_is_gone_in_every_way(store: Store) -> None:
    write(store, opens(key(), 0, activity(b"1", 50), activity(b"2", 60)), closes(key(), 1, Close(ACTIVITY, b"1")))
    assert store.obligation(key(), ACTIVITY, b"1") is None
    assert [row.row for row in store.obligations_of(key())] == [b"2"]
    assert [row.row for row in store.obligations(ACTIVITY)] == [b"2"]


def test_closing_what_is_not_open_is_no_error(store: Store) -> None:
    unknown = Close(ACTIVITY, b"1", key("nobody"))
    assert store.apply([closes(key(), 0, Close(ACTIVITY, b"1"), unknown)]) == [1]


def test_opening_an_open_row_replaces_it(store: Store) -> None:
    """A run has one wake-up, rewritten by the append that changes it."""
    write(store, opens(key(), 0, wake_up(due_us=50)), opens(key(), 1, wake_up(due_us=20, payload=b"new")))
    assert [(row.due_us, row.payload) for row in store.obligations(WAKE_UP)] == [(20, b"new")]
    write(store, opens(key(), 2, activity(b"1", 5, "default")), opens(key(), 3, activity(b"1", 5, "gpu")))
    assert store.obligations(ACTIVITY, queue="default") == []
    assert [row.queue for row in store.obligations(ACTIVITY)] == ["gpu"]


def test_of_two_opens_of_a_row_in_one_append_the_later_stays(store: Store) -> None:
    write(store, opens(key(), 0, wake_up(due_us=50), wake_up(due_us=20)))
    assert [row.due_us for row in store.obligations(WAKE_UP)] == [20]
    assert store.verify() == []


def test_a_row_closed_and_opened_in_one_append_is_open(store: Store) -> None:
    write(store, opens(key(), 0, wake_up(due_us=50)))
    write(store, Append(key(), 1, opens=[wake_up(due_us=70)], closes=[Close(WAKE_UP, b"", required=True)]))
    assert [row.due_us for row in store.obligations(WAKE_UP)] == [70]
    assert store.verify() == []


def test_one_workflow_may_close_what_another_owes(store: Store) -> None:
    write(store, opens(key("parent"), 0, Open(ObligationKind.CHILD_START, b"child")))
    write(store, closes(key("child"), 0, Close(ObligationKind.CHILD_START, b"child", key("parent"))))
    assert store.obligations(ObligationKind.CHILD_START) == []


def test_rows_are_ordered_by_due_over_workflows_queues_and_namespaces(store: Store) -> None:
    write(store, opens(key("a"), 0, activity(b"1", 30, "gpu"), activity(b"2", 10)))
    write(store, opens(key("b", "other"), 0, activity(b"1", 20, "mail"), activity(b"2", 10, "gpu")))
    rows = [(row.due_us, row.key.workflow_id, row.row) for row in store.obligations(ACTIVITY)]
    assert rows == [(10, "a", b"2"), (10, "b", b"2"), (20, "b", b"1"), (30, "a", b"1")]


def test_until_includes_the_time_given(store: Store) -> None:
    write(store, opens(key(), 0, *(activity(b"%d" % due, due) for due in (10, 20, 30))))
    assert [row.due_us for row in store.obligations(ACTIVITY, until_us=20)] == [10, 20]
    assert [row.due_us for row in store.obligations(ACTIVITY, until_us=9)] == []
    assert len(store.obligations(ACTIVITY, until_us=1 << 62)) == 3


def test_rows_of_one_queue(store: Store) -> None:
    write(store, opens(key(), 0, activity(b"1", 10, "gpu"), activity(b"2", 20, "mail"), activity(b"3", 30, "gpu")))
    assert [row.row for row in store.obligations(ACTIVITY, queue="gpu")] == [b"1", b"3"]
    assert [row.row for row in store.obligations(ACTIVITY, queue="gpu", until_us=20)] == [b"1"]
    assert store.obligations(ACTIVITY, queue="nobody's") == []
    assert store.obligations(ACTIVITY, queue="") == []


def test_a_row_of_a_queue_may_be_due_as_late_as_time_is_counted(store: Store) -> None:
    last = (1 << 63) - 1
    write(store, opens(key(), 0, activity(b"1", 10, "gpu"), activity(b"2", last, "gpu")))
    assert [row.due_us for row in store.obligations(ACTIVITY, queue="gpu")] == [10, last]


def test_the_order_is_one_over_any_number_of_queues(store: Store) -> None:
    write(store, opens(key(), 0, *(activity(b"%d" % number, 300 - number, f"queue-{number}") for number in range(300))))
    assert [row.queue for row in store.obligations(ACTIVITY)] == [f"queue-{number}" for number in reversed(range(300))]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("queue", [None, "gpu"])
def test_pages_of_any_size_make_the_whole_order(store: Store, limit: int, queue: str | None) -> None:
    for number in range(8):
        rows = [activity(b"%d" % n, (number * 5 + n * 3) % 4, "gpu" if (number + n) % 2 else "mail") for n in range(3)]
        write(store, opens(key(f"w{number}"), 0, *rows))
    whole = store.obligations(ACTIVITY, queue=queue)
    paged: list[Obligation] = []
    while page := store.obligations(ACTIVITY, queue=queue, after=paged[-1] if paged else None, limit=limit):
        assert len(page) <= limit
        paged += page
    assert paged == whole
    assert len(whole) == (24 if queue is None else 12)


def test_a_page_goes_on_behind_a_row_that_was_closed_meanwhile(store: Store) -> None:
    write(store, opens(key(), 0, *(activity(b"%d" % due, due) for due in (10, 20, 30))))
    [first] = store.obligations(ACTIVITY, limit=1)
    write(store, closes(key(), 1, Close(ACTIVITY, first.row)))
    assert [row.due_us for row in store.obligations(ACTIVITY, after=first)] == [20, 30]


def test_a_page_goes_on_behind_a_row_whose_workflow_was_purged_meanwhile(store: Store) -> None:
    """R2: none is passed over."""
    write(store, *(opens(key(name), 0, activity(name.encode(), due)) for name, due in (("a", 10), ("b", 20), ("c", 20), ("d", 30))))
    *_, last = store.obligations(ACTIVITY, limit=2)
    store.purge([last.key])
    assert [row.row for row in store.obligations(ACTIVITY, after=last)] == [b"c", b"d"]


def test_the_rows_of_a_workflow_are_ordered_by_kind_and_row(store: Store) -> None:
    write(store, opens(key(), 0, activity(b"b", 1), activity(b"a", 2), wake_up(due_us=3), Open(ObligationKind.STEP, b"s")))
    write(store, opens(key("other"), 0, activity(b"z")))
    found = [(row.kind, row.row) for row in store.obligations_of(key())]
    assert found == [(WAKE_UP, b""), (ACTIVITY, b"a"), (ACTIVITY, b"b"), (ObligationKind.STEP, b"s")]


def test_rows_of_any_bytes_do_not_meet(store: Store) -> None:
    names = [b"", b"\x00", b"\x00\x00", b"\xff", b"\xff" * 480, b"a", b"a\x00"]
    write(store, opens(key(), 0, *(activity(name, 1 << 62) for name in names)))
    assert [row.row for row in store.obligations_of(key())] == sorted(names)
    write(store, closes(key(), 1, Close(ACTIVITY, b"\x00")))
    assert [row.row for row in store.obligations(ACTIVITY)] == sorted(set(names) - {b"\x00"})
