"""Contract suite: appends, heads and conflicts (J1, J2, J4)."""

from __future__ import annotations

import threading

import pytest

from aion_trio.stores import (
    Append,
    Close,
    InvalidRecord,
    ObligationGone,
    ObligationKind,
    Open,
    Outcome,
    RecordTooLarge,
    SequenceConflict,
    Store,
    WorkflowKey,
    dump,
)
from aion_trio.stores.limits import MAX_FRAME_BYTES, MAX_SEQ

from .building import activity, closes, events, full_workflow, key, mark, opens, run, start, summary, wake_up, write


def test_an_append_gives_the_new_head(store: Store) -> None:
    assert store.apply([events(key(), 0, 3)]) == [3]
    assert store.apply([events(key(), 3)]) == [4]
    assert store.head(key()) == 4


def test_a_wrong_head_is_a_conflict_with_both_numbers_and_writes_nothing(store: Store) -> None:
    """J1."""
    write(store, *full_workflow(key()))
    before = dump(store)
    refused = Append(key(), 1, b"x", 1, summary(2), opens=[activity(b"new")], closes=[Close(ObligationKind.WAKE_UP, b"")])
    [outcome] = store.apply([refused])
    assert isinstance(outcome, SequenceConflict)
    assert (outcome.key, outcome.expected, outcome.found) == (key(), 1, 3)
    assert dump(store) == before


def test_of_two_concurrent_appends_at_one_head_one_wins(store: Store) -> None:
    """J1, J2: the loser is told the right numbers, and nothing of it is there. The contract asks for one writer at a
    time, so a lock stands for the journal's one writer thread."""
    write(store, start(key()))
    gate, writer = threading.Barrier(2), threading.Lock()
    outcomes: dict[bytes, Outcome] = {}

    def append(data: bytes) -> None:
        gate.wait()
        with writer:
            [outcomes[data]] = store.apply([Append(key(), 1, data, 1, opens=[activity(data)])])

    threads = [threading.Thread(target=append, args=(data,)) for data in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [data for data, outcome in outcomes.items() if outcome == 2]
    [loser] = [outcome for data, outcome in outcomes.items() if data != winner]
    assert isinstance(loser, SequenceConflict)
    assert (loser.expected, loser.found) == (1, 2)
    assert [frame.data for frame in store.history(key()).frames] == [b"started", winner]
    assert [row.row for row in store.obligations_of(key())] == [winner]


def test_appends_of_one_key_in_one_batch_see_each_other(store: Store) -> None:
    assert store.apply([events(key(), 0), events(key(), 1, 2), events(key(), 3)]) == [1, 3, 4]
    assert store.apply([opens(key(), 4, activity(b"1")), closes(key(), 5, Close(ObligationKind.ACTIVITY, b"1", required=True))]) == [5, 6]
    assert store.obligations_of(key()) == []


def test_a_batch_that_is_not_contiguous_is_refused_where_it_breaks(store: Store) -> None:
    """J1."""
    outcomes = store.apply([events(key(), 0), events(key(), 2), events(key(), 1)])
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], SequenceConflict)
    assert (outcomes[1].expected, outcomes[1].found) == (2, 1)
    assert outcomes[2] == 2
    assert store.head(key()) == 2


def test_a_conflict_inside_a_batch_leaves_its_neighbours(store: Store) -> None:
    """J1."""
    outcomes = store.apply([start(key("a")), events(key("b"), 7), start(key("c"))])
    assert outcomes[0] == 1 and outcomes[2] == 1
    assert isinstance(outcomes[1], SequenceConflict)
    assert [store.head(key(name)) for name in "abc"] == [1, 0, 1]
    assert list(store.keys().keys) == [key("a"), key("c")]


def test_an_empty_append_checks_the_head_and_carries_rows(store: Store) -> None:
    write(store, start(key()))
    assert isinstance(store.apply([Append(key(), 0)])[0], SequenceConflict)
    assert store.apply([Append(key(), 1, opens=[wake_up(due_us=9)])]) == [1]
    assert [row.due_us for row in store.obligations_of(key())] == [9]
    assert len(store.history(key()).frames) == 1


def test_an_empty_append_without_rows_makes_no_workflow(store: Store) -> None:
    assert store.apply([Append(key(), 0), Append(key(), 0, closes=[Close(ObligationKind.STEP, b"1")])]) == [0, 0]
    assert list(store.keys().keys) == []


def test_rows_may_come_before_the_first_event(store: Store) -> None:
    assert store.apply([Append(key(), 0, opens=[wake_up(due_us=4)]), start(key())]) == [0, 1]
    assert store.head(key()) == 1 and len(store.obligations_of(key())) == 1


def test_nothing_is_known_of_an_unknown_id(store: Store) -> None:
    unknown = key("nobody")
    assert store.head(unknown) == 0
    assert list(store.history(unknown).frames) == []
    assert store.history(unknown).next_seq is None
    assert store.summary(unknown) is None
    assert store.runs(unknown) == [] and store.marks(unknown) == [] and store.obligations_of(unknown) == []
    assert store.mark(unknown, b"m") is None
    assert store.obligation(unknown, ObligationKind.STEP, b"1") is None
    assert store.purge([unknown]) == 0
    assert store.counts("nowhere") == {}


@pytest.mark.parametrize("unknown", [key(""), key("x" * 3000), key("\ud800"), key("w", "n" * 3000), key("w", "\ud800")])
def test_what_could_not_be_stored_is_unknown(store: Store, unknown: WorkflowKey) -> None:
    write(store, events(key("known"), 0))
    assert store.mark(key("known"), b"m" * 3000) is None and store.obligation(key("known"), ObligationKind.STEP, b"m" * 3000) is None
    assert (store.head(unknown), store.summary(unknown), store.marks(unknown), store.purge([unknown])) == (0, None, [], 0)
    assert store.counts(unknown.namespace) == {}
    assert list(store.history(unknown, 1 << 40).frames) == []
    assert store.mark(unknown, b"m" * 3000) is None
    assert store.obligations(ObligationKind.STEP, queue="q" * 3000) == []


def test_a_namespace_is_part_of_the_key(store: Store) -> None:
    write(store, events(key("w", "one"), 0, 2), events(key("w", "two"), 0, 1))
    assert (store.head(key("w", "one")), store.head(key("w", "two")), store.head(key("w"))) == (2, 1, 0)


def test_a_required_close_of_a_row_that_is_not_open_refuses_the_whole_append(store: Store) -> None:
    write(store, opens(key(), 0, activity(b"1")))
    before = dump(store)
    required = Close(ObligationKind.ACTIVITY, b"2", required=True)
    refused = Append(key(), 1, b"x", 1, summary(), opens=[activity(b"3")], closes=[Close(ObligationKind.ACTIVITY, b"1"), required])
    outcomes = store.apply([refused, start(key("neighbour"))])
    assert isinstance(outcomes[0], ObligationGone)
    assert outcomes[1] == 1
    assert {at: records for at, records in dump(store).items() if at == key()} == before


def test_a_required_close_may_name_a_row_of_another_workflow(store: Store) -> None:
    """C1: the child's start closes what its parent owes, once."""
    write(store, opens(key("parent"), 0, Open(ObligationKind.CHILD_START, b"child")))
    close = Close(ObligationKind.CHILD_START, b"child", key("parent"), required=True)
    unowned = Close(ObligationKind.CHILD_START, b"child", key("nobody"), required=True)
    outcomes = store.apply([closes(key("child"), 0, close), closes(key("impostor"), 0, close), closes(key("w"), 0, unowned)])
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], ObligationGone)
    assert isinstance(outcomes[2], ObligationGone)
    assert "'parent'" in str(outcomes[1]) and "'nobody'" in str(outcomes[2])
    assert store.obligations_of(key("parent")) == []


class Zeros(bytes):
    """Take no room before they are looked at, nor in what a failed test says."""

    def __repr__(self) -> str:
        return f"{len(self)} zeros"


TOO_LARGE = Zeros(MAX_FRAME_BYTES + 1)


@pytest.mark.parametrize(
    "append",
    [
        events(key("x" * 401), 0),
        events(key("w", "n" * 256), 0),
        Append(key(), 0, b"e", 1, opens=[activity(b"r" * 481)]),
        Append(key(), 0, b"e", 1, closes=[Close(ObligationKind.STEP, b"r" * 481)]),
        Append(key(), 0, b"e", 1, summary(type_name="t" * 256)),
        Append(key(), 0, b"e", 1, summary(attributes={"a": "v" * 60_001})),
        Append(key(), 0, b"e", 1, opens=[activity(b"r", queue="q" * 256)]),
        Append(key(), 0, b"e", 1, opens=[activity(b"r", payload=TOO_LARGE)]),
        Append(key(), 0, b"e", 1, marks=[mark(b"m", TOO_LARGE)]),
        Append(key(), 0, b"e", 1, summary(attributes={f"a{number}": 1 for number in range(256)})),
        Append(key(), 0, b"e", 1, runs=[run(1, run_id=b"r" * 256)]),
        Append(key(), 0, TOO_LARGE, 1),
        Append(key(), 0, b"e", MAX_SEQ + 1),
    ],
    ids=["id", "namespace", "row", "closed row", "type", "attribute", "queue", "payload", "mark", "attributes", "run id", "frame", "seq"],
)
def test_what_is_too_large_is_refused_and_its_neighbours_stand(store: Store, append: Append) -> None:
    """J6."""
    outcomes = store.apply([append, start(key("neighbour"))])
    assert isinstance(outcomes[0], RecordTooLarge)
    assert outcomes[1] == 1
    assert list(store.keys().keys) == [key("neighbour")]


@pytest.mark.parametrize(
    "append",
    [
        events(key(""), 0),
        events(key("\ud800"), 0),
        Append(key(), 0, b"", 1),
        Append(key(), 0, b"e", 0),
        Append(key(), 0, b"e", 1, opens=[wake_up(due_us=-1)]),
        Append(key(), 0, b"e", 1, summary(started_us=1 << 63)),
        Append(key(), 0, b"e", 1, summary(status=256)),
        Append(key(), 0, b"e", 1, summary(attributes={"a": "\udfff"})),
    ],
    ids=["empty id", "surrogate", "no frame", "no count", "due", "time", "status", "attribute"],
)
def test_what_has_no_stored_form_is_refused_and_its_neighbours_stand(store: Store, append: Append) -> None:
    outcomes = store.apply([append, start(key("neighbour"))])
    assert isinstance(outcomes[0], InvalidRecord)
    assert outcomes[1] == 1
    assert list(store.keys().keys) == [key("neighbour")]


def test_the_longest_names_are_kept(store: Store) -> None:
    longest = key("i" * 400, "n" * 255)
    rows = [activity(b"r" * 480, queue="q" * 255)]
    projection = summary(type_name="t" * 255, attributes={"a" * 255: "v" * 50_000})
    write(store, Append(longest, 0, b"e", 1, projection, [run(1, b"p" * 255, run_id=b"r" * 255)], rows, (), []))
    assert store.summary(longest) == projection
    assert store.obligations(ObligationKind.ACTIVITY, queue="q" * 255)[0].row == b"r" * 480


def test_an_empty_batch_does_nothing(store: Store) -> None:
    assert store.apply([]) == []
