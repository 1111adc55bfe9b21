"""Histories as lines: any length, any prefix, and an error that names the line (R2)."""

from __future__ import annotations

import pytest

import aion_trio.events as ev
from aion_trio.codec import to_line
from aion_trio.errors import InvalidInputError, WorkflowAlreadyStartedError, WorkflowNotFoundError
from aion_trio.journal.rows import payload_of
from aion_trio.journal.transfer import export_lines, import_lines
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import MemoryStore, ObligationKind, WorkflowKey, dump
from tests.cli.histories import AT, KEY, lines, raws

from .harm import appends


def long_history(count: int, *, closed: bool) -> list[str]:
    """A start, then marks, and perhaps the end."""
    middle = [[ev.PATCH_MARKED, AT, f"patch {seq}"] for seq in range(2, count + (not closed))]
    return [to_line("order-1", "default", seq, raw) for seq, raw in enumerate([raws()[0], *middle, *raws()[3:] * closed], 1)]


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("count", [499, 500, 501, 1000, 1001])
def test_a_long_history_comes_back_line_for_line_and_owes_one_step_if_it_is_open(count: int, closed: bool) -> None:
    store = MemoryStore()
    given = long_history(count, closed=closed)
    assert import_lines(store, ["", *given, " \n"]) == KEY
    assert list(export_lines(store, KEY)) == given
    owed = [(row.kind, row.row, row.payload) for row in store.obligations_of(KEY)]
    assert owed == ([] if closed else [(ObligationKind.STEP, b"", payload_of(count))])
    assert all(frame.count <= 500 for frame in store.history(KEY, 1, 1 << 30).frames)
    assert verify_journal(store) == []


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([lines()[0], lines()[2]], r"line 2 has seq 3 where 2 is expected"),
        ([lines()[0], "", lines(2, "order-2")[1]], r"line 3 belongs to workflow 'order-2' in 'default', the lines before it to"),
        ([lines()[0], to_line("order-1", "other", 2, raws()[1])], r"line 2 belongs to workflow 'order-1' in 'other'"),
        ([to_line("order-1", "default", 1, raws()[1])], "begins with WorkflowStarted"),
        ([], "begins with WorkflowStarted"),
    ],
    ids=["a gap", "another id", "another namespace", "no start", "nothing"],
)
def test_lines_that_are_no_history_are_refused_by_their_number(given: list[str], complaint: str) -> None:
    store = MemoryStore()
    with pytest.raises(InvalidInputError, match=complaint):
        import_lines(store, given)
    assert dump(store) == {}


def test_a_history_that_is_there_already_is_left_as_it_is() -> None:
    store = MemoryStore()
    import_lines(store, lines(2))
    before = dump(store)
    with pytest.raises(WorkflowAlreadyStartedError, match="'order-1' is in this journal already, with 2 events"):
        import_lines(store, lines())
    assert dump(store) == before


def test_a_history_is_exported_from_its_first_event_whatever_its_frames() -> None:
    store = MemoryStore()
    assert store.apply(appends(KEY, raws())) == [1, 2, 3, 4]
    assert list(export_lines(store, KEY)) == lines()


def test_an_id_without_a_history_cannot_be_exported() -> None:
    with pytest.raises(WorkflowNotFoundError, match="no workflow 'nobody' in namespace 'x'"):
        list(export_lines(MemoryStore(), WorkflowKey("x", "nobody")))
