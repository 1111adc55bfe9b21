"""A whole history folded into the rows that it should have, for whoever compares or makes them anew (H2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import events as ev
from ..codec import decode_frame
from ..errors import AionError, JournalCorruptedError
from ..events import Raw, name_of
from ..history import chains
from ..stores.contract import Frame, Mark, ObligationKind, Open, RunRow, WorkflowKey
from .projection import Changes, Projection

Row = tuple[ObligationKind, bytes]
"""Names an open row of one workflow."""

_NO_FOLD = (KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError)
"""What the projection raises at an event that cannot follow those before it, or that lacks fields."""


@dataclass(slots=True)
class Folded:
    """The rows that a history calls for, but for those that only a replay can tell."""

    key: WorkflowKey
    projection: Projection = field(default_factory=Projection)
    opens: dict[Row, Open] = field(default_factory=dict[Row, Open])
    runs: dict[int, RunRow] = field(default_factory=dict[int, RunRow])
    marks: dict[bytes, Mark] = field(default_factory=dict[bytes, Mark])
    timers: dict[int, int] = field(default_factory=dict[int, int])
    """When the newest run's timers are due, those that were set since it was started or reopened."""

    def take(self, frame: Frame) -> Changes:
        """Take the next frame; the rows that it changes. Raises an `AionError` that names the event if it cannot follow."""
        for raw in decode_frame(frame.data, frame.count):
            try:
                self.projection.apply(raw)
                self._note_timer(raw)
            except _NO_FOLD as error:
                seq, who = self.projection.head, self.key.workflow_id
                what = f"event {seq} ({name_of(raw[0])}) cannot follow the events before it: {error!r}"
                raise JournalCorruptedError(what, who, seq) from error
        changes = self.projection.take()
        for closed in changes.closes:
            self.opens.pop((closed.kind, closed.row), None)
        self.opens.update({(opened.kind, opened.row): opened for opened in changes.opens})
        self.runs.update({run.run_no: run for run in changes.runs})
        self.marks.update({mark.name: mark for mark in changes.marks})
        return changes

    def require_history(self) -> None:
        """Raise an `AionError` unless what was taken begins with a start and its runs form chains (H5)."""
        if self.projection.run is None:
            raise AionError("its history does not begin with a start")
        chains(list(self.runs.values()), self.key.workflow_id)

    @property
    def wake_us(self) -> int | None:
        """The latest time at which an open run must be woken, None if no event asks for it."""
        dues = [*self.timers.values(), *(due for due in (self.projection.deadline_us,) if due is not None)]
        return min(*dues, ev.LATEST_US) if dues else None

    def _note_timer(self, raw: Raw) -> None:
        match raw[0]:
            case ev.TIMER_STARTED:
                self.timers[raw[2]] = raw[3]
            case ev.TIMER_FIRED | ev.TIMER_CANCELLED:
                self.timers.pop(raw[2], None)
            case ev.WORKFLOW_STARTED | ev.WORKFLOW_REOPENED:
                self.timers = {}
            case _:
                pass
