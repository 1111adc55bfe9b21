"""A faulty store that says what was in each commit, so that a crash point can be told as a story."""

from __future__ import annotations

from collections.abc import Sequence

from .. import events as ev
from ..codec import decode_frame
from ..stores import FaultyStore, Store
from ..stores.contract import Append, Outcome

Commit = tuple[str, ...]
"""One line for each append of a commit."""


class TapedStore(FaultyStore):
    """As `FaultyStore`; `tape` holds what each `apply` was asked to make durable, whatever came of it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.tape: list[Commit] = []

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        """Keep a line for each append, then do it, or fail as planned."""
        if not self.crashed:
            self.tape.append(described(batch))
        return super().apply(batch)


def described(batch: Sequence[Append]) -> Commit:
    """What a batch would record, one line an append."""
    return tuple(_line(append) for append in batch)


def _line(append: Append) -> str:
    names = [ev.name_of(raw[0]) for raw in decode_frame(append.frame, append.count)]
    rows = [f"opens {opened.kind.name}" for opened in append.opens]
    rows += [f"closes {closed.kind.name}" for closed in append.closes]
    return f"{append.key.workflow_id!r} from {append.expected_seq + 1}: {', '.join([*names, *rows]) or 'nothing'}"
