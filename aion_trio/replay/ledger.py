"""The record of one run while it is stepped: what history holds, what the code asked for, and whether the two agree (K3).

Outputs are compared with recorded outputs in order. As a rule they follow their stimulus directly in history, so an
output is compared the moment it is asked for. But a recorded stimulus may lack its outputs: they come later (a step
that was owed: S1 S2 C1 C2), or not at all yet (a prefix that was imported, perhaps cut in the middle of one step's
outputs). So an output that has no counterpart at the cursor waits in `outputs`, with the line of code that asked, and
a recorded output that arrives is compared with the first that waits. Because both lists are in order, the next output
that is asked for has its counterpart (if any) where `recorded_ahead` looks for it.

Once history is used up the record is *live*: outputs are collected for `take`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NoReturn

from .. import events as ev
from ..codec import Codec
from ..errors import NonDeterminismError
from ..events import Raw
from ..kernel.stack import line_of_function, user_line

END: Raw = [0, 0, 0, 0]
"""What stands at the cursor when history is used up; its code is no event's."""

_PAGE = 512
_SPECIAL = ev.MARKERS | {ev.ATTRIBUTES_UPDATED}
"""Events that replay may have to leave out."""
_IDENTITY: dict[int, tuple[int, ...]] = {
    ev.ACTIVITY_SCHEDULED: (2, 3, 5),
    ev.ACTIVITY_CANCELLED: (2,),
    ev.TIMER_STARTED: (2, 3),
    ev.TIMER_CANCELLED: (2,),
    ev.CHILD_WORKFLOW_STARTED: (2, 3, 4, 7),
    ev.CHILD_CANCEL_REQUESTED: (2,),
    ev.SIGNAL_SENT: (2, 3, 4, 6),
    ev.ATTRIBUTES_UPDATED: (2, 3),
    ev.PATCH_MARKED: (2,),
    ev.UPDATE_COMPLETED: (2,),
    ev.WORKFLOW_CONTINUED_AS_NEW: (4,),
}
"""The fields in which an output must agree with its record: number, name or target, and the digest of the input."""
_PAYLOADS: dict[int, int] = {ev.WORKFLOW_COMPLETED: 2, ev.WORKFLOW_CONTINUED_AS_NEW: 3}
"""The payload without a digest that must agree, by its encoding before any payload codec."""
_ORDINALS = frozenset(
    {
        ev.ACTIVITY_SCHEDULED, ev.ACTIVITY_COMPLETED, ev.ACTIVITY_FAILED, ev.ACTIVITY_CANCELLED, ev.TIMER_STARTED, ev.TIMER_FIRED,
        ev.TIMER_CANCELLED, ev.CHILD_WORKFLOW_STARTED, ev.CHILD_WORKFLOW_COMPLETED, ev.CHILD_WORKFLOW_FAILED,
        ev.CHILD_CANCEL_REQUESTED, ev.SIGNAL_SENT, ev.SIGNAL_DELIVERED, ev.SIGNAL_FAILED,
    }
)  # fmt: skip


class Ledger:
    """History's cursor, the run's ordinals and the outputs that history does not hold (yet).

    Invariants: `page[at]` and `page[at + 1]` are the next two events that replay sees, or END; while not live, no
    output waits that the cursor's event could be compared with.
    """

    __slots__ = (
        "_behind", "_codec", "_history", "_lines", "ended", "_passed", "_seqs", "_workflow_id", "at", "live", "low", "newest_us", "ordinal",
        "outputs", "page", "position", "size_bytes",
    )  # fmt: skip
    _history: Iterator[Raw]

    def __init__(self, workflow_id: str, codec: Codec) -> None:
        self._workflow_id, self._codec = workflow_id, codec
        self.position = 0
        """`seq` of the newest event: every event of history, every stimulus and every output taken counts one."""
        self.ordinal = 0
        self._passed = 0
        self.size_bytes = 0
        self.newest_us = 0
        self.live = True
        self.outputs: list[Raw] = []
        self._lines: list[str] = []
        self.ended: Any = None
        """The workflow function, once it has ended: then no line on the stack is its own."""
        self._seqs: list[int] = []
        self._behind: tuple[Raw, int] = END, 0
        """The event that was at the cursor before the page was turned."""
        self.page: list[Raw] = [END, END]
        self.at = self.low = 0

    @property
    def length(self) -> int:
        """Stimuli applied and outputs asked for: what code sees as the history's length, equal on replay (K6)."""
        return self._passed + self.at + len(self.outputs)

    # ---- the cursor

    def count(self, raw: Raw) -> None:
        """An event was recorded just now, live."""
        self.position += 1

    def pass_live(self) -> None:
        """A stimulus is applied, live."""
        self._passed += 1

    def open(self, raws: Iterable[Raw]) -> None:
        """Begin to replay these events, the first of which follows `position`."""
        self._history = iter(raws)
        self.live = False
        self.turn_page()

    def close(self) -> None:
        """History is used up: go live. What waits is owed, and is written after the newest event."""
        self.live = True
        for raw in self.outputs:
            raw[1] = max(raw[1], self.newest_us)

    def advance(self) -> None:
        """Step over the event at the cursor."""
        self.at = at = self.at + 1
        if at > self.low:
            self.turn_page()

    def turn_page(self) -> None:
        """Drop what lies behind the cursor and read on."""
        at = self.at
        page, seqs = self.page[at:-2], self._seqs[at:]
        if at:
            self._behind = self.page[at - 1], self._seqs[at - 1]
        while len(page) < 2 and self._read_into(page, seqs):
            pass
        self.low = len(page) - 2
        page += (END, END)
        self._passed += at
        self.page, self._seqs, self.at = page, seqs, 0

    def _read_into(self, page: list[Raw], seqs: list[int]) -> bool:
        """Read on; events that replay does not see are counted and left out (K6). False at history's end."""
        fresh = list(islice(self._history, _PAGE))
        if not fresh:
            return False
        self.newest_us = max(self.newest_us, fresh[-1][1])
        first = self.position + 1
        self.position += len(fresh)
        if _SPECIAL.isdisjoint({raw[0] for raw in fresh}):
            page += fresh
            seqs += range(first, first + len(fresh))
        else:
            for seq, raw in enumerate(fresh, first):
                if raw[0] not in ev.MARKERS and not (raw[0] == ev.ATTRIBUTES_UPDATED and raw[3] == 0):
                    page.append(raw)
                    seqs.append(seq)
        return True

    def recorded_ahead(self) -> Raw | None:
        """The recorded output that the next output will be compared with, None if history has none."""
        if self.live:
            return None
        skip, index = len(self.outputs), self.at
        while True:
            while self.page[index] is END:
                page = self.page[:-2]
                if not self._read_into(page, self._seqs):
                    return None
                self.low = len(page) - 2
                self.page = [*page, END, END]
            raw = self.page[index]
            if raw[0] in ev.OUTPUTS:
                if not skip:
                    return raw
                skip -= 1
            index += 1

    # ---- outputs

    def emit(self, raw: Raw) -> Raw:
        """The code asked for `raw`: the recorded event that agrees with it, or `raw` itself if history has none at this place."""
        if self.live:
            self.outputs.append(raw)
            return raw
        recorded = self.page[self.at]
        if not self.outputs and recorded[0] in ev.OUTPUTS:
            self._require_agreement(raw, recorded, "")
            self.advance()
            return recorded
        self.outputs.append(raw)
        self._lines.append(self._line())
        return raw

    def settle(self, recorded: Raw, where: str) -> None:
        """A recorded output is at the cursor: the first that waits must agree with it, and takes its content."""
        if not self.outputs:
            self.fail(recorded, None, where)
        raw, line = self.outputs[0], self._lines[0]
        self._require_agreement(raw, recorded, line)
        del self.outputs[0], self._lines[0]
        raw[:] = recorded
        self.advance()

    def take(self) -> list[Raw]:
        """The outputs that history does not hold, in order; they count as recorded from here on."""
        outputs = self.outputs
        self.outputs, self._lines = [], []
        self.position += len(outputs)
        self._passed += len(outputs)
        return outputs

    def require_settled(self) -> None:
        """NonDeterminismError if the code asked for more than history holds."""
        if self.outputs:
            line = self._lines[0] if self._lines else ""
            self.fail(None, self.outputs[0], line)

    # ---- disagreement

    def _line(self) -> str:
        return user_line() if self.ended is None else line_of_function(self.ended)

    def _require_agreement(self, raw: Raw, recorded: Raw, line: str) -> None:
        code = raw[0]
        agree = code == recorded[0]
        if agree:
            agree = all(raw[i] == recorded[i] for i in _IDENTITY.get(code, ()))
        if agree and (at := _PAYLOADS.get(code)) is not None:
            agree = raw[at] == recorded[at] or self._codec.unwrap(raw[at]) == self._codec.unwrap(recorded[at])
        if not agree:
            self.fail(recorded, raw, line or self._line())

    def fail(self, recorded: Raw | None, asked: Raw | None, line: str) -> NoReturn:
        """Raise the NonDeterminismError for this pair; None stands for nothing."""
        seq = self._seq_of(recorded)
        has, wants = _described(recorded), _described(asked)
        ordinal = next((raw[_ordinal_at(raw)] for raw in (asked, recorded) if raw is not None and _ordinal_at(raw)), 0)
        if has == wants:
            wants = f"{wants} with another input"
        where = f"event {seq}" if seq else f"the end (event {self.position})"
        raise NonDeterminismError(
            f"workflow {self._workflow_id!r} does not match its history at {where}, command {ordinal}: history has {has}, "
            f"the code asked for {wants}{f' at {line}' if line else ''}. Run the code that wrote this history, or keep the old "
            "order of steps behind durable.patched()",
            workflow_id=self._workflow_id, ordinal=ordinal, seq=seq, recorded=has, asked=wants, line=line,
        )  # fmt: skip

    def _seq_of(self, recorded: Raw | None) -> int:
        if recorded is None:
            return 0
        places = [self._behind, *zip(self.page, self._seqs, strict=False)]
        return next((seq for raw, seq in places if raw is recorded), self.position)


def _ordinal_at(raw: Raw) -> int:
    return 2 if raw[0] in _ORDINALS else 3 if raw[0] == ev.ATTRIBUTES_UPDATED else 0


def _described(raw: Raw | None) -> str:
    if raw is None:
        return "nothing"
    code = raw[0]
    text = ev.name_of(code)
    if code == ev.ACTIVITY_SCHEDULED:
        return f"{text}: {raw[3]} (command {raw[2]})"
    if code == ev.CHILD_WORKFLOW_STARTED:
        return f"{text}: {raw[4]} {raw[3]!r} (command {raw[2]})"
    if code == ev.SIGNAL_SENT:
        return f"{text}: {raw[4]} to {raw[3]!r} (command {raw[2]})"
    if code == ev.TIMER_STARTED:
        return f"{text}: until {ev.datetime_of(raw[3]).isoformat()} (command {raw[2]})"
    if code == ev.DEADLINE_PASSED:
        return f"{text}: {ev.datetime_of(raw[2]).isoformat()}"
    if code in (ev.PATCH_MARKED, ev.SIGNAL_RECEIVED):
        return f"{text}: {raw[2]}"
    at = _ordinal_at(raw)
    return f"{text} (command {raw[at]})" if at else text
