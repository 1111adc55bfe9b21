"""A history as spans of time: what each run did, from when to when, and how it came out.

Pure: events in, spans out. An activity's first attempt begins where it was scheduled and the next ones where they were
due, which is what histories know; what is still going on has no end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aion_trio import events as ev
from aion_trio.events import Event, microseconds_of

from .eventtext import failure_text, value_text

END_OF_RUN: dict[type[Event], str] = {
    ev.WorkflowCompleted: "completed",
    ev.WorkflowFailed: "failed",
    ev.WorkflowCancelled: "cancelled",
    ev.WorkflowTerminated: "terminated",
    ev.WorkflowTimedOut: "timed_out",
    ev.WorkflowContinuedAsNew: "continued_as_new",
}


@dataclass(slots=True)
class Segment:
    """A part of a span: `work` is done, or `wait` passes. `ending` is `done`, `failed` or `cancelled`, empty while it is open."""

    kind: str
    start_us: int
    end_us: int | None = None
    ending: str = ""


@dataclass(slots=True)
class Span:
    """A line of the timeline. One without segments is a point: something that happened at `start_us`."""

    kind: str
    name: str
    start_us: int
    ordinal: int = 0
    outcome: str = ""
    attempts: int = 0
    segments: list[Segment] = field(default_factory=list[Segment])

    @property
    def end_us(self) -> int | None:
        """When it was over; None while it is open."""
        return self.segments[-1].end_us if self.segments else self.start_us

    def close(self, at_us: int, ending: str, outcome: str) -> None:
        """The last segment ends here, and the span with it; an attempt that was still to come never began."""
        if self.segments[-1].start_us > at_us:
            del self.segments[-1]
        self.segments[-1].end_us, self.segments[-1].ending = at_us, ending
        self.outcome = outcome


@dataclass(slots=True)
class RunTrace:
    """One run: itself as a span, and what it did, in the order in which it began."""

    run_id: str
    run: Span
    spans: list[Span] = field(default_factory=list[Span])
    last_us: int = 0


class Tracer:
    """Takes the events of one id and makes a trace of each of its runs."""

    def __init__(self) -> None:
        self.runs: list[RunTrace] = []
        self._open: dict[int, Span] = {}

    def take(self, event: Event) -> None:
        """The next event of the history."""
        at = microseconds_of(event.recorded_at)
        if isinstance(event, ev.WorkflowStarted):
            span = Span("workflow", event.type, at, segments=[Segment("work", at)])
            self.runs.append(RunTrace(event.run_id.hex(), span))
            self._open = {}
        trace = self.runs[-1]
        trace.last_us = max(trace.last_us, at)
        ordinal: int = getattr(event, "ordinal", 0)
        if type(event) in END_OF_RUN:
            self._end_run(trace, event, at)
        elif (begun := _begun(event, at)) is not None:
            trace.spans.append(begun)
            if begun.segments:
                self._open[ordinal] = begun
        elif isinstance(event, ev.ChildCancelRequested):
            trace.spans.append(Span("cancel", f"request to child {ordinal}", at))
        elif ordinal in self._open:
            self._go_on(self._open[ordinal], event, at)

    def _go_on(self, span: Span, event: Event, at: int) -> None:
        if isinstance(event, ev.ActivityAttemptFailed):
            span.segments[-1].end_us, span.segments[-1].ending = at, "failed"
            span.segments += [Segment("wait", at, event.next_due_us, "done"), Segment("work", event.next_due_us)]
            span.attempts = event.attempt + 1
            span.outcome = failure_text(event.failure)
            return
        ending, outcome = _ending(event)
        if ending:
            span.attempts = getattr(event, "attempt", span.attempts)
            span.close(at, ending, outcome)

    def _end_run(self, trace: RunTrace, event: Event, at: int) -> None:
        name = END_OF_RUN[type(event)]
        reason = getattr(event, "reason", "")
        if isinstance(event, ev.WorkflowFailed):
            reason = failure_text(event.failure)
        ending = "done" if name in ("completed", "continued_as_new") else "cancelled" if name == "cancelled" else "failed"
        trace.run.close(at, ending, f"{name}: {reason}" if reason else name)
        for span in trace.spans:
            if span.segments and span.end_us is None:
                span.close(at, "cancelled", "open when the run ended")


def _begun(event: Event, at: int) -> Span | None:
    """The span that this event begins, a point for what only happens; None for what belongs to another span."""
    match event:
        case ev.ActivityScheduled():
            return Span("activity", event.type, at, event.ordinal, attempts=1, segments=[Segment("work", at)])
        case ev.TimerStarted():
            return Span("timer", "sleep", at, event.ordinal, segments=[Segment("wait", at)])
        case ev.ChildWorkflowStarted():
            return Span("child", f"{event.type} {event.child_id}", at, event.ordinal, segments=[Segment("work", at)])
        case ev.SignalSent():
            return Span("signal", f"{event.name} to {event.target}", at, event.ordinal, segments=[Segment("wait", at)])
        case ev.SignalReceived():
            return Span("signal", event.name, at, outcome=value_text(event.payload))
        case ev.DeadlinePassed():
            return Span("deadline", "passed", at)
        case ev.CancelRequested():
            return Span("cancel", "requested", at, outcome=event.reason)
        case ev.UpdateAccepted():
            return Span("update", event.name, at)
        case ev.WorkflowPaused() | ev.WorkflowResumed() | ev.WorkflowReopened():
            return Span("operator", type(event).__name__.removeprefix("Workflow").lower(), at, outcome=getattr(event, "reason", ""))
        case _:
            return None


def _ending(event: Event) -> tuple[str, str]:
    match event:
        case ev.ActivityCompleted() | ev.ChildWorkflowCompleted():
            return "done", "completed"
        case ev.ActivityFailed() | ev.ChildWorkflowFailed():
            return "failed", failure_text(event.failure)
        case ev.ActivityCancelled() | ev.TimerCancelled():
            return "cancelled", "cancelled"
        case ev.TimerFired():
            return "done", "fired"
        case ev.SignalDelivered():
            return "done", "delivered"
        case ev.SignalFailed():
            return "failed", event.reason
        case _:
            return "", ""


def traces(events: Iterable[Event]) -> list[RunTrace]:
    """The runs of one id, oldest first."""
    tracer = Tracer()
    for event in events:
        tracer.take(event)
    return tracer.runs


def as_json(trace: RunTrace) -> dict[str, Any]:
    """A trace as plain data: times in ISO 8601, null for what is open."""
    return {"run_id": trace.run_id, "run": _span_json(trace.run), "spans": [_span_json(span) for span in trace.spans]}


def _span_json(span: Span) -> dict[str, Any]:
    return {
        "kind": span.kind,
        "name": span.name,
        "ordinal": span.ordinal or None,
        "start": _iso(span.start_us),
        "end": _iso(span.end_us),
        "outcome": span.outcome,
        "attempts": span.attempts or None,
        "segments": [
            {"kind": each.kind, "start": _iso(each.start_us), "end": _iso(each.end_us), "ending": each.ending or None}
            for each in span.segments
        ],
    }


def _iso(us: int | None) -> str | None:
    return None if us is None else ev.datetime_of(us).isoformat(timespec="microseconds")
