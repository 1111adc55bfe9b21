"""What a closed workflow does not owe any more is told to be lost only where it must have left a trace."""

from __future__ import annotations

import pytest

import aion_trio.events as ev
from aion_trio.events import Raw
from aion_trio.journal.rows import row_of
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import Append, Close, MemoryStore, ObligationKind
from tests.cli.histories import AT

from .harm import appends, key, started

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
