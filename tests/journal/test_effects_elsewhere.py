"""A row that is gone was lost only if the other history does not hold its effect (R2): verify tells the two apart."""

from __future__ import annotations

import pytest

import aion_trio.events as ev
from aion_trio.events import Raw
from aion_trio.journal.rows import at_close, row_of
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import Append, Close, MemoryStore, ObligationKind
from tests.cli.histories import AT, raws

from .harm import appends, key, started

RUN = b"r" * 16
COMPLETED: Raw = [ev.WORKFLOW_COMPLETED, AT, b""]
TERMINATED: Raw = [ev.WORKFLOW_TERMINATED, AT, "enough"]
CONTINUED: Raw = [ev.WORKFLOW_CONTINUED_AS_NEW, AT, RUN, b"", None, [], None]
SENT: Raw = [ev.SIGNAL_SENT, AT, 1, "target", "word", b"", b"d" * 16]
RECEIVED: Raw = [ev.SIGNAL_RECEIVED, AT, "word", b"", ["sender", RUN, 1], None]
ASKED: Raw = [ev.CHILD_CANCEL_REQUESTED, AT, 1, "enough"]
CANCELLING: Raw = [ev.CANCEL_REQUESTED, AT, "enough", None]


def child_started(child_id: str = "child", on_close: int = ev.ON_CLOSE_ABANDON, ordinal: int = 1) -> Raw:
    return [ev.CHILD_WORKFLOW_STARTED, AT, ordinal, child_id, "checkout", 1, b"", b"d" * 16, on_close, {}, None, None]


def successor(parent: list[object] | None = None) -> Raw:
    raw = started(parent=parent)
    raw[4], raw[5] = b"s" * 16, RUN
    return raw


def lost(histories: dict[str, list[Raw]], *gone: tuple[str, ObligationKind, bytes], namespace: str = "default") -> list[str]:
    """What verify finds in a journal with these histories, in this order, of which some rows are gone."""
    store = MemoryStore()
    batch = [append for name, events in histories.items() for append in appends(key(name, namespace), events)]
    batch += [Append(key(name, namespace), len(histories[name]), closes=[Close(kind, row)]) for name, kind, row in gone]
    assert all(isinstance(outcome, int) for outcome in store.apply(batch))
    found = verify_journal(store)
    assert {finding.namespace for finding in found} <= {namespace}
    return [f"{finding.workflow_id}: {finding.what}" for finding in found]


ROW = row_of(1, 1)
SIGNAL = ("sender", ObligationKind.SIGNAL, ROW)
START = ("parent", ObligationKind.CHILD_START, ROW)
CLOSED = ("child", ObligationKind.CHILD_CLOSED, row_of(1, 0))
CLOSED_AGAIN = ("child", ObligationKind.CHILD_CLOSED, row_of(2, 0))
KIN = started(parent=["parent", RUN, 1])
OTHERS = started(parent=["another", RUN, 1])
NEXT_OF_KIN = successor(["parent", RUN, 1])
TO_PARENT: Raw = [ev.SIGNAL_SENT, AT, 1, "parent", "word", b"", b"d" * 16]


@pytest.mark.parametrize(
    ("histories", "found"),
    [
        ({"sender": [started(), SENT, TERMINATED], "target": [started(), RECEIVED]}, False),
        ({"target": [started(), RECEIVED], "sender": [started(), SENT, TERMINATED]}, False),
        ({"target": [started()], "sender": [started(), SENT, TERMINATED]}, True),
        ({"target": [started(), TERMINATED], "sender": [started(), SENT, TERMINATED]}, False),
        ({"target": [started(), CONTINUED, successor()], "sender": [started(), SENT, TERMINATED]}, False),
        ({"sender": [started(), SENT, TERMINATED]}, False),
        ({"target": [started(), RECEIVED], "sender": [started(), SENT]}, True),
        ({"target": [started(), RECEIVED], "sender": [started(), SENT, CONTINUED, successor()]}, False),
        ({"target": [started()], "sender": [started(), SENT, CONTINUED, successor()]}, True),
    ],
    ids=[
        "delivered", "delivered to one who was there before", "not delivered", "refused by one who is closed",
        "to one whose earlier run may have closed", "refused by nobody", "delivered and not recorded by an open run",
        "delivered for an earlier run", "not delivered for an earlier run",
    ],
)  # fmt: skip
def test_a_signal_is_lost_where_its_target_must_have_it_and_does_not(histories: dict[str, list[Raw]], found: bool) -> None:
    """S2."""
    told = [f"sender: SIGNAL {ROW.hex()} is not owed, and 'target' has no record of it"]
    assert lost(histories, SIGNAL) == (told if found else [])


@pytest.mark.parametrize("child", [True, False], ids=["started", "not started"])
def test_a_childs_start_is_lost_where_there_is_no_child(child: bool) -> None:
    """R3, C1."""
    histories = {"parent": [started(), child_started()], **({"child": [KIN]} if child else {})}
    assert lost(histories, START) == ([] if child else [f"parent: CHILD_START {ROW.hex()} is not owed, and 'child' has no record of it"])


@pytest.mark.parametrize(
    ("child", "found"),
    [([KIN, CANCELLING], False), ([KIN], True), ([KIN, TERMINATED], False), ([OTHERS], False), ([KIN, CONTINUED, NEXT_OF_KIN], False)],
    ids=["asked", "not asked", "closed", "another's child", "in a later run"],
)
@pytest.mark.parametrize("first", ["parent", "child"])
def test_a_request_to_cancel_is_lost_where_an_open_child_has_not_heard_it(first: str, child: list[Raw], found: bool) -> None:
    """C3, K9: whichever of the two was seen first. An earlier run of the child may have heard it."""
    parent = [started(), child_started(), ASKED]
    histories = {"parent": parent, "child": child} if first == "parent" else {"child": child, "parent": parent}
    told = [f"parent: CANCEL_REQUEST {ROW.hex()} is not owed, and 'child' has no record of it"]
    assert lost(histories, START, ("parent", ObligationKind.CANCEL_REQUEST, ROW)) == (told if found else [])


@pytest.mark.parametrize("child", [[KIN], [KIN, CANCELLING], [KIN, TERMINATED]], ids=["open", "asked to cancel", "closed"])
def test_a_termination_is_lost_where_the_child_is_open(child: list[Raw]) -> None:
    """C3, L2: a request to cancel is not a termination."""
    histories = {"parent": [started(), child_started(on_close=ev.ON_CLOSE_TERMINATE), COMPLETED], "child": child}
    row = at_close(ROW)
    told = [f"parent: CANCEL_REQUEST {row.hex()} is not owed, and 'child' has no record of it"]
    assert lost(histories, ("parent", ObligationKind.CANCEL_REQUEST, row)) == (told if TERMINATED not in child else [])


@pytest.mark.parametrize(
    ("histories", "gone", "found"),
    [
        ({"parent": [started(), child_started()], "child": [KIN, TERMINATED]}, [START, CLOSED], True),
        ({"parent": [started(), child_started()], "child": [KIN, TERMINATED]}, [START], False),
        ({"parent": [started(), child_started()], "child": [KIN, TERMINATED]}, [CLOSED], False),
        ({"parent": [started(), child_started()], "child": [KIN]}, [START], False),
        ({"parent": [started(), child_started(), COMPLETED], "child": [KIN, TERMINATED]}, [START, CLOSED], False),
        ({"parent": [started(), child_started()], "child": [started(), TERMINATED]}, [START], False),
        ({"parent": [started(), child_started()], "child": [KIN, CONTINUED]}, [START], False),
        ({"parent": [started(), child_started()], "child": [KIN, TO_PARENT, TERMINATED]}, [START, CLOSED], True),
        ({"parent": [started(), child_started()], "child": [OTHERS, TERMINATED, KIN, TERMINATED]}, [START, CLOSED_AGAIN], True),
        ({"parent": [started(), child_started(ordinal=3)], "child": [KIN, TERMINATED]}, [CLOSED], False),
    ],
    ids=[
        "told to nobody", "still owed", "its start is still owed", "open", "the parent has closed", "another's child", "going on as new",
        "a signal to the parent is owed", "one to the parent before is owed", "the start of the third command is still owed",
    ],
)  # fmt: skip
def test_a_closing_is_lost_where_the_parent_waits_for_it(
    histories: dict[str, list[Raw]], gone: list[tuple[str, ObligationKind, bytes]], found: bool
) -> None:
    """C2."""
    told = ["child: CHILD_CLOSED is not owed, and its parent 'parent' has no record of it"]
    assert lost(histories, *gone) == (told if found else [])


def test_other_namespaces_have_nothing_to_do_with_it() -> None:
    """A workflow of the same id in another namespace is no child."""
    store = MemoryStore()
    batch = [*appends(key("parent"), [started(), child_started()]), *appends(key("child", "other"), [KIN])]
    batch.append(Append(key("parent"), 2, closes=[Close(START[1], ROW)]))
    assert all(isinstance(outcome, int) for outcome in store.apply(batch))
    assert [finding.what for finding in verify_journal(store)] == [f"CHILD_START {ROW.hex()} is not owed, and 'child' has no record of it"]


def test_what_is_lost_is_told_of_the_namespace_that_lost_it() -> None:
    parent = {"parent": [started(), child_started(), ASKED], "child": [KIN]}
    assert lost(parent, ("parent", ObligationKind.CANCEL_REQUEST, ROW), namespace="other")
    assert lost({"parent": [started(), child_started()]}, START, namespace="other")


def test_what_is_settled_by_an_event_of_its_own_history_is_no_loss() -> None:
    assert raws()[0][4] == RUN
    assert lost({"sender": [started(), SENT, [ev.SIGNAL_DELIVERED, AT, 1]]}) == []
    assert lost({"sender": [started(), SENT, [ev.SIGNAL_FAILED, AT, 1, "there is no workflow 'target'"]]}) == []
