"""What a workflow does not owe any more is told to be lost only where it must have left a trace in another history (R2)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

import aion_trio.events as ev
from aion_trio.events import Raw
from aion_trio.journal.rows import at_close, row_of
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import Append, Close, LmdbStore, MemoryStore, ObligationKind, Store, WorkflowKey
from aion_trio.stores.lmdb_store.layout import IDENTITY, MARK, OBLIGATION, ROW
from tests.cli.histories import AT

from .harm import appends, key, started, trees

SIGNAL: Raw = [ev.SIGNAL_SENT, AT, 1, "target", "word", b"", b"d" * 16]
TERMINATED: Raw = [ev.WORKFLOW_TERMINATED, AT, "enough"]


@pytest.mark.parametrize("target_first", [True, False])
def test_a_signal_that_a_closed_sender_owes_no_more_may_have_been_refused_by_an_id_that_came_later(target_first: bool) -> None:
    """S2, R2: a closed run records no refusal, and `target` may have begun after it."""
    sender = [*appends(key("sender"), [started(), SIGNAL, TERMINATED])]
    sender.append(Append(key("sender"), 3, closes=[Close(ObligationKind.SIGNAL, row_of(1, 1))]))
    target = appends(key("target"), [started()])
    store = MemoryStore()
    assert all(isinstance(outcome, int) for outcome in store.apply([*target, *sender] if target_first else [*sender, *target]))
    lost = [finding for finding in verify_journal(store) if finding.what.startswith("SIGNAL")]
    assert bool(lost) is target_first


def child_of(child_id: str, policy: int = ev.ON_CLOSE_CANCEL, ordinal: int = 1) -> Raw:
    return [ev.CHILD_WORKFLOW_STARTED, AT, ordinal, child_id, "checkout", 1, b"", b"d" * 16, policy, {}, None, None]


def store_of(*histories: tuple[WorkflowKey, list[Raw]], settled: Sequence[Append] = ()) -> MemoryStore:
    """Histories with all the rows that follow from them, but for those that were settled since."""
    store = MemoryStore()
    batch = [append for owner, events in histories for append in appends(owner, events)]
    assert all(isinstance(outcome, int) for outcome in store.apply([*batch, *settled]))
    return store


def told(store: Store) -> list[tuple[str, str]]:
    return [(finding.workflow_id, finding.what) for finding in verify_journal(store)]


def closed(owner: str, head: int, kind: ObligationKind, row: bytes) -> Append:
    return Append(key(owner), head, closes=[Close(kind, row)])


CANCEL_ROW = row_of(1, 1)
ASKED: Raw = [ev.CHILD_CANCEL_REQUESTED, AT, 1, "enough"]
ASKED_FOR: Raw = [ev.CANCEL_REQUESTED, AT, "enough", None]


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("child_first", [True, False])
def test_a_request_to_cancel_is_lost_unless_its_child_has_it_on_record(recorded: bool, child_first: bool) -> None:
    """C3: in whatever order the two are come to."""
    parent = key("parent"), [started(), child_of("child"), ASKED]
    child = key("child"), [started(parent=["parent", b"r" * 16, 1]), *([ASKED_FOR] if recorded else [])]
    done = [
        closed("parent", 3, ObligationKind.CHILD_START, CANCEL_ROW),
        closed("parent", 3, ObligationKind.CANCEL_REQUEST, CANCEL_ROW),
    ]
    found = told(store_of(*((child, parent) if child_first else (parent, child)), settled=done))
    lost = ("parent", f"CANCEL_REQUEST {CANCEL_ROW.hex()} is not owed, and 'child' has no record of it")
    assert found == ([] if recorded else [lost])


@pytest.mark.parametrize("how", ["closed", "of another", "gone"])
def test_a_request_to_cancel_a_child_that_cannot_be_cancelled_is_settled_without_a_trace(how: str) -> None:
    """C3: a child that is closed, or whose id belongs to another by now, or that was purged."""
    begun = started(parent=["parent" if how == "closed" else "other", b"r" * 16, 1])
    child = [(key("child"), [begun, TERMINATED] if how == "closed" else [begun])] if how != "gone" else []
    done = [
        closed("parent", 3, ObligationKind.CANCEL_REQUEST, CANCEL_ROW),
        closed("parent", 3, ObligationKind.CHILD_START, CANCEL_ROW),
    ]
    found = told(store_of((key("parent"), [started(), child_of("child"), ASKED]), *child, settled=done))
    assert not [what for _, what in found if what.startswith("CANCEL_REQUEST")]


@pytest.mark.parametrize(("run", "ordinal", "is_lost"), [(b"r" * 16, 1, True), (b"s" * 16, 1, False), (b"r" * 16, 2, False)])
@pytest.mark.parametrize("terminates", [True, False])
@pytest.mark.parametrize("child_first", [True, False])
def test_a_request_to_the_child_of_an_earlier_run_is_no_affair_of_a_later_ones(
    run: bytes, ordinal: int, is_lost: bool, terminates: bool, child_first: bool
) -> None:
    """C3; found by seed 14537252 of the simulation: a later run of the parent has a child of that id, which was never asked."""
    policy = ev.ON_CLOSE_TERMINATE if terminates else ev.ON_CLOSE_CANCEL
    parent = key("parent"), [started(), child_of("child", policy), TERMINATED if terminates else ASKED]
    child = key("child"), [started(parent=["parent", run, ordinal])]
    row = at_close(CANCEL_ROW) if terminates else CANCEL_ROW
    done = [closed("parent", 3, ObligationKind.CANCEL_REQUEST, row)]
    if not terminates:
        done.append(closed("parent", 3, ObligationKind.CHILD_START, CANCEL_ROW))
    found = told(store_of(*((child, parent) if child_first else (parent, child)), settled=done))
    lost = ("parent", f"CANCEL_REQUEST {row.hex()} is not owed, and 'child' has no record of it")
    assert found == ([lost] if is_lost else [])


def test_the_end_of_an_earlier_child_of_the_same_id_is_not_what_a_parent_waits_for() -> None:
    """C2: its start is still owed, so that the one who has ended cannot be the one who is awaited."""
    earlier = key("child"), [started(parent=["parent", b"r" * 16, 9]), TERMINATED]
    told_before = closed("child", 2, ObligationKind.CHILD_CLOSED, row_of(1, 0))
    assert told(store_of(earlier, (key("parent"), [started(), child_of("child")]), settled=[told_before])) == []


@pytest.mark.parametrize("what", ["the child", "the start that is owed", "the signal that is owed", "what the target remembers"])
def test_what_cannot_be_read_is_not_lost(tmp_path: Path, what: str) -> None:
    """J7: the damage is told of the workflow that has it, and of nobody else; one damage hides no other and ends no search."""
    row = row_of(1, 1)
    with closing(LmdbStore.open(tmp_path / "j")) as store:
        batch = [
            *appends(key("target"), [started(), [ev.SIGNAL_RECEIVED, AT, "word", b"", ["sender", b"r" * 16, 1], None]]),
            *appends(key("sender"), [started(), SIGNAL, TERMINATED]),
            closed("sender", 3, ObligationKind.SIGNAL, row),
            *appends(key("child"), [started(parent=["parent", b"r" * 16, 1]), TERMINATED]),
            *appends(key("parent"), [started(), child_of("child")]),
            closed("parent", 2, ObligationKind.CHILD_START, row),
            *appends(key("begins"), [started(), child_of("yet to start")]),
            *appends(key("waits"), [started(), SIGNAL]),
        ]
        assert all(isinstance(outcome, int) for outcome in store.apply(batch))
        assert told(store) == []
    with trees(tmp_path / "j") as at:
        owner, tag = {
            "the child": ("child", IDENTITY),
            "the start that is owed": ("begins", OBLIGATION),
            "the signal that is owed": ("waits", OBLIGATION),
            "what the target remembers": ("target", MARK),
        }[what]
        at.turn("rows", at.keys("rows", ROW.pack(at.serial(key(owner)), tag))[0])
    with closing(LmdbStore.open(tmp_path / "j", read_only=True)) as store:
        found = told(store)
    assert owner in {each for each, _ in found} <= {owner, ""}, found  # "" where the index is concerned
    assert not [each for _, each in found if "is not owed" in each]
