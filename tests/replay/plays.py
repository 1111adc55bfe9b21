"""Plays a run by hand: the test says what happens, and at the end everything is replayed from every prefix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aion_trio import events as ev
from aion_trio.codec import decode, encode, failure_of
from aion_trio.definitions import Registry
from aion_trio.events import Raw
from aion_trio.kernel import KERNEL_VERSION
from aion_trio.replay import Execution, RunIdentity, World

RUN_ID = b"r" * 16
START_US = 1_700_000_000_000_000


def is_output(raw: Raw) -> bool:
    """Whether the workflow caused this event; attributes that were set from outside have no ordinal."""
    return raw[0] in ev.OUTPUTS and not (raw[0] == ev.ATTRIBUTES_UPDATED and raw[3] == 0)


class Play:
    """One run. `history` is what a journal would hold; `last` are the outputs of the event that was fed last."""

    def __init__(self, workflow: Any, *args: Any, known: Sequence[Any] = (), **world: Any) -> None:
        self.workflow = workflow
        workflows = [d for d in known if hasattr(d, "version")]
        activities = [d for d in known if not hasattr(d, "version")]
        self.world = World(Registry([workflow, *workflows], activities), **world)
        self.history: list[Raw] = []
        self.last: list[Raw] = []
        self.clock_us = START_US
        self.execution = self.new()
        self.start_fields: list[Any] = [
            workflow.name, workflow.version, RUN_ID, b"", 0, workflow.encode_input(args), [], None, 0, None, {}, KERNEL_VERSION, None, None,
        ]  # fmt: skip

    def new(self) -> Execution:
        """Another execution of the same run."""
        return Execution(self.workflow, RunIdentity("w1", RUN_ID, "tests"), self.world)

    # ---- what happens

    def feed(self, code: int, *fields: Any) -> Play:
        """An event happens, a second after the last one."""
        self.clock_us += 1_000_000
        return self.feed_raw([code, self.clock_us, *fields])

    def feed_raw(self, raw: Raw) -> Play:
        self.history.append(raw)
        self.execution.feed(raw)
        self.last = self.execution.take_outputs()
        self.history += self.last
        return self

    def start(self) -> Play:
        return self.feed_raw([ev.WORKFLOW_STARTED, self.clock_us, *self.start_fields])

    def complete(self, ordinal: int, value: Any = None) -> Play:
        return self.feed(ev.ACTIVITY_COMPLETED, ordinal, encode(value), 1)

    def fail(self, ordinal: int, exc: Exception) -> Play:
        return self.feed(ev.ACTIVITY_FAILED, ordinal, failure_of(exc, raises=[type(exc)]), 1)

    def signal(self, name: str, value: Any) -> Play:
        return self.feed(ev.SIGNAL_RECEIVED, name, encode(value), None, None)

    def cancel(self, reason: str = "enough") -> Play:
        return self.feed(ev.CANCEL_REQUESTED, reason, None)

    def pass_time(self) -> Play:
        """Time passes until the next timer or deadline."""
        due = self.execution.next_due()
        assert due is not None
        self.clock_us = max(self.clock_us, due)
        raw = self.execution.due(self.clock_us, self.clock_us)
        assert raw is not None
        return self.feed_raw(raw)

    # ---- what came of it

    @property
    def names(self) -> list[str]:
        """The names of the last outputs."""
        return [ev.name_of(raw[0]) for raw in self.last]

    @property
    def result(self) -> Any:
        """What the workflow returned; the closing event if it ended otherwise."""
        closing = self.history[-1]
        return decode(self.world.codec.unwrap(closing[2])) if closing[0] == ev.WORKFLOW_COMPLETED else closing

    def replay(self, raws: Sequence[Raw] | None = None, **how: Any) -> Execution:
        """A new execution that has replayed these events (the whole history)."""
        execution = self.new()
        try:
            execution.replay(self.history if raws is None else raws, **how)
        except BaseException:
            execution.evict()
            raise
        return execution

    def check(self, first: int = 1) -> Play:
        """K1: from every prefix (of at least `first` events), the rest goes as it went; then drop everything."""
        for cut in range(first, len(self.history) + 1):
            rest = self.history[cut:]
            execution = self.replay(self.history[:cut], step_owed=bool(rest) and is_output(rest[0]))
            again = [*self.history[:cut], *execution.take_outputs()]
            for raw in rest:
                if not is_output(raw):
                    again.append(raw)
                    execution.feed(raw)
                    again += execution.take_outputs()
            assert again == self.history, f"cut at {cut}"
            assert execution.finished == self.execution.finished
            assert execution.position == self.execution.position
            execution.evict()
        self.execution.evict()
        return self
