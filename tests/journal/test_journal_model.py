"""A journal that is written in any order that an engine could: nothing is found wrong with it, and what is taken out is missed.

Parents, children, signals, timers and runs in random order, each step an append of events with the rows that follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import aion_trio.events as ev
from aion_trio.codec import encode_frame
from aion_trio.events import Raw
from aion_trio.history import WorkflowStatus
from aion_trio.journal import Projection
from aion_trio.journal.repair import rebuilt_appends
from aion_trio.journal.rows import fields_of
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import Append, Close, MemoryStore, ObligationKind, Open, WorkflowKey, dump
from aion_trio.stores.contract import Obligation

AT = 1_767_225_600_000_000
IDS = ["a", "b", "c", "d", "e"]
ids = st.sampled_from(IDS)
STEPS = ["schedule", "child", "child", "ask a child to cancel", "signal", "sleep", "wake", "attempt", "cancel", "attributes"]
OUTWARD = (
    ObligationKind.RUN_START, ObligationKind.CHILD_START, ObligationKind.CHILD_CLOSED, ObligationKind.SIGNAL, ObligationKind.CANCEL_REQUEST,
)  # fmt: skip
ALWAYS_MISSED = (ObligationKind.ACTIVITY, ObligationKind.CHILD_START, ObligationKind.RUN_START, ObligationKind.WAKE_UP)
"""Rows whose loss no other history can excuse."""


class Workflow:
    """One workflow as its events have made it."""

    def __init__(self, key: WorkflowKey) -> None:
        self.key, self.projection = key, Projection()
        self.ordinal, self.timers = 0, dict[int, int]()
        self.wake_us: int | None = None

    @property
    def open(self) -> bool:
        return self.projection.open

    def next(self) -> int:
        self.ordinal += 1
        return self.ordinal


class JournalModel(RuleBasedStateMachine):
    """Writes what an engine would, and looks for faults after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.clock = AT
        self.workflows = {name: Workflow(WorkflowKey("default", name)) for name in IDS}

    def append(self, name: str, *events: Raw, closes: Sequence[Close] = ()) -> None:
        workflow = self.workflows[name]
        projection, before = workflow.projection, workflow.projection.head
        for raw in events:
            projection.apply(raw)
        if projection.open:
            dues = [*workflow.timers.values(), *([projection.deadline_us] if projection.deadline_us else [])]
            wake_us = min(dues, default=None)
            if wake_us is not None and wake_us != workflow.wake_us:
                projection.replace_row(ObligationKind.WAKE_UP, b"", due_us=wake_us)
            elif wake_us is None and workflow.wake_us is not None:
                projection.close_row(ObligationKind.WAKE_UP, b"")
            workflow.wake_us = wake_us
        found = projection.take()
        frame = encode_frame(events) if events else b""
        item = Append(
            workflow.key, before, frame, len(events), found.summary, found.runs, found.opens, [*found.closes, *closes], found.marks
        )
        assert self.store.apply([item]) == [projection.head]

    def start(self, name: str, parent: list[Any] | None, timeout_us: int | None, *closes: Close, origin: int = 0) -> None:
        workflow = self.workflows[name]
        run_no = workflow.projection.run.run_no + 1 if workflow.projection.run else 1
        before = workflow.projection.run.run_id if workflow.projection.run and origin else b""
        workflow.ordinal, workflow.timers, workflow.wake_us = 0, {}, None
        raw: Raw = [
            ev.WORKFLOW_STARTED, self.tick(), "t", 1, f"{name}{run_no}".encode(), before, origin, b"", [], parent, 0, timeout_us, {}, 1,
            f"request {run_no}", None,
        ]  # fmt: skip
        self.append(name, raw, closes=closes)

    def tick(self) -> int:
        self.clock += 1_000_000
        return self.clock

    # ---- what clients and workflows do

    @initialize(timeout_us=st.sampled_from([None, 3_600_000_000]))
    def one_begins(self, timeout_us: int | None) -> None:
        self.start("a", None, timeout_us)

    @precondition(lambda self: self.unborn())
    @rule(data=st.data(), timeout_us=st.sampled_from([None, 3_600_000_000]))
    def begins(self, data: st.DataObject, timeout_us: int | None) -> None:
        self.start(data.draw(st.sampled_from(self.unborn())), None, timeout_us)

    @precondition(lambda self: self.opened())
    @rule(data=st.data(), what=st.sampled_from(STEPS))
    def steps(self, data: st.DataObject, what: str) -> None:
        workflow = self.workflows[data.draw(st.sampled_from(self.opened()))]
        at, projection = self.tick(), workflow.projection
        match what:
            case "schedule":
                raw: Raw = [ev.ACTIVITY_SCHEDULED, at, workflow.next(), "act", b"", b"", "default", [*[None] * 5, "task"]]
            case "child" if self.unborn():
                child = data.draw(st.sampled_from(self.unborn()))
                policy = data.draw(st.integers(0, 2))
                raw = [ev.CHILD_WORKFLOW_STARTED, at, workflow.next(), child, "t", 1, b"", b"", policy, {}, None, None]
            case "ask a child to cancel" if projection.children:
                raw = [ev.CHILD_CANCEL_REQUESTED, at, data.draw(st.sampled_from(list(projection.children))), "enough"]
            case "signal":
                raw = [ev.SIGNAL_SENT, at, workflow.next(), data.draw(ids), "word", b"", b""]
            case "sleep":
                ordinal, due_us = workflow.next(), at + data.draw(st.integers(1, 9))
                workflow.timers[ordinal] = due_us
                raw = [ev.TIMER_STARTED, at, ordinal, due_us]
            case "wake" if workflow.timers:
                ordinal = min(workflow.timers, key=lambda each: workflow.timers[each])
                del workflow.timers[ordinal]
                raw = [data.draw(st.sampled_from([ev.TIMER_FIRED, ev.TIMER_CANCELLED])), at, ordinal]
            case "attempt" if projection.activities:
                raw = self.attempt(workflow, data.draw(st.sampled_from(["retry", "done", "cancelled"])), at)
            case "cancel":
                raw = [ev.CANCEL_REQUESTED, at, "by hand", None]
            case _:
                raw = [ev.ATTRIBUTES_UPDATED, at, {"cents": data.draw(st.none() | st.integers(0, 3))}, 0]
        self.append(workflow.key.workflow_id, raw)

    def attempt(self, workflow: Workflow, outcome: str, at: int) -> Raw:
        ordinal, pending = next(iter(workflow.projection.activities.items()))
        match outcome:
            case "retry":
                return [ev.ACTIVITY_ATTEMPT_FAILED, at, ordinal, pending.attempt, None, at + 5]
            case "done":
                return [ev.ACTIVITY_COMPLETED, at, ordinal, b"", pending.attempt]
            case _:
                return [ev.ACTIVITY_CANCELLED, at, ordinal]

    @precondition(lambda self: self.opened())
    @rule(data=st.data(), goes_on=st.booleans())
    def ends(self, data: st.DataObject, goes_on: bool) -> None:
        name = data.draw(st.sampled_from(self.opened()))
        run_id = self.workflows[name].projection.current.run_id
        continued: Raw = [ev.WORKFLOW_CONTINUED_AS_NEW, self.tick(), run_id, b"", None, [], None]
        self.append(name, continued if goes_on else [ev.WORKFLOW_COMPLETED, self.tick(), b""])

    def opened(self) -> list[str]:
        return [name for name, workflow in self.workflows.items() if workflow.open]

    def unborn(self) -> list[str]:
        """Ids that nobody has and nobody has asked for."""
        kinds = (ObligationKind.CHILD_START, ObligationKind.CANCEL_REQUEST)
        asked = {fields_of(row.payload)[1] for kind in kinds for row in self.store.obligations(kind)}
        return [name for name, workflow in self.workflows.items() if workflow.projection.run is None and name not in asked]

    # ---- what the courier does

    def outward(self) -> list[Obligation]:
        return [row for kind in OUTWARD for row in self.store.obligations(kind)]

    @precondition(lambda self: self.outward())
    @rule(data=st.data())
    def the_courier_delivers(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(self.outward()))
        {
            ObligationKind.RUN_START: self.starts_a_successor,
            ObligationKind.CHILD_START: self.starts_a_child,
            ObligationKind.CHILD_CLOSED: self.tells_a_closing,
            ObligationKind.SIGNAL: self.tells_a_signal,
            ObligationKind.CANCEL_REQUEST: self.tells_a_cancel,
        }[row.kind](row, Close(row.kind, row.row, row.key))

    def starts_a_successor(self, row: Obligation, closing: Close) -> None:
        name = row.key.workflow_id
        self.start(name, self.workflows[name].projection.parent, None, origin=ev.ORIGIN_CONTINUED)

    def starts_a_child(self, row: Obligation, closing: Close) -> None:
        _, child, run_id = fields_of(row.payload)
        self.start(child, [row.key.workflow_id, run_id, int.from_bytes(row.row[4:])], None, closing)

    def tells_a_closing(self, row: Obligation, closing: Close) -> None:
        _, parent, _, run_id, ordinal = fields_of(row.payload)
        projection = self.workflows[parent].projection
        waits = projection.open and projection.current.run_id == run_id and ordinal in projection.children
        events: list[Raw] = [[ev.CHILD_WORKFLOW_COMPLETED, self.tick(), ordinal, b""]] if waits else []
        self.append(parent, *events, closes=[closing])

    def tells_a_signal(self, row: Obligation, closing: Close) -> None:
        _, target, run_id = fields_of(row.payload)
        name, ordinal = row.key.workflow_id, int.from_bytes(row.row[4:])
        if self.workflows[target].open:
            self.append(target, [ev.SIGNAL_RECEIVED, self.tick(), "word", b"", [name, run_id, ordinal], None])
        projection = self.workflows[name].projection
        if projection.open and projection.current.run_id == run_id:
            self.append(name, [ev.SIGNAL_DELIVERED, self.tick(), ordinal])
        else:
            self.append(name, closes=[closing])

    def tells_a_cancel(self, row: Obligation, closing: Close) -> None:
        _, child, _, terminate, reason = fields_of(row.payload)
        workflow = self.workflows[child]
        if not workflow.open:
            over = workflow.projection.status is not WorkflowStatus.CONTINUED_AS_NEW and workflow.projection.run is not None
            if over:
                self.append(row.key.workflow_id, closes=[closing])
        elif terminate:
            self.append(child, [ev.WORKFLOW_TERMINATED, self.tick(), reason], closes=[closing])
        else:
            self.append(child, [ev.CANCEL_REQUESTED, self.tick(), reason, None], closes=[closing])

    # ---- what must be true

    @invariant()
    def nothing_is_found_wrong(self) -> None:
        """H2, J4, R2."""
        assert verify_journal(self.store) == []

    @precondition(lambda self: any(workflow.projection.run for workflow in self.workflows.values()))
    @rule()
    def made_anew_it_has_the_same_rows(self) -> None:
        """H2: projection, runs and marks; what was settled elsewhere may be owed again."""
        anew = MemoryStore()
        found = dump(self.store)
        for key in found:
            for outcome in anew.apply(rebuilt_appends(self.store, key)):
                assert isinstance(outcome, int)
        for key, records in dump(anew).items():
            assert (records.frames, records.summary, records.runs, records.marks) == (
                found[key].frames, found[key].summary, found[key].runs, found[key].marks,
            )  # fmt: skip

    @rule(data=st.data())
    def a_row_that_is_taken_out_is_missed(self, data: st.DataObject) -> None:
        """R2: what is owed and lost is found, whoever it is owed to; then it is put back."""
        rows = [row for kind in ALWAYS_MISSED for row in self.store.obligations(kind)]
        if rows:
            row = data.draw(st.sampled_from(rows))
            head = self.store.head(row.key)
            self.store.apply([Append(row.key, head, closes=[Close(row.kind, row.row)])])
            assert [found.workflow_id for found in verify_journal(self.store)] == [row.key.workflow_id], row
            self.store.apply([Append(row.key, head, opens=[Open(row.kind, row.row, row.due_us, row.queue, row.payload)])])


JournalModel.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
TestJournal = JournalModel.TestCase
