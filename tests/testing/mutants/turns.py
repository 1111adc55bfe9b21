"""Faults in what a message does to a workflow: what is recorded, when it counts, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from random import Random
from typing import Any

from aion_trio import events as ev
from aion_trio.definitions import RetryPolicy
from aion_trio.history import WorkflowStatus
from aion_trio.replay import execution, host, mail, state
from aion_trio.runs import actor, arrivals, births, lifecycle, messages, turn

from .planting import all_of, effect_of_message, patched


def work_is_dispatched_before_it_is_durable() -> AbstractContextManager[None]:
    old = turn.Turn.appends

    def appends(self: Any) -> Any:
        items = old(self)
        for ordinal, pending in self.projection.activities.items():
            ACTORS[self.record.key.workflow_id]._dispatch(self.record, ordinal)
            assert pending
        return items

    return all_of(patched(turn.Turn, "appends", appends), _known_actors())


ACTORS: dict[str, Any] = {}


@contextmanager
def _known_actors() -> Iterator[None]:
    old = actor.RunActor._serve

    async def serve(self: Any, batch: Any) -> None:
        ACTORS[self._id] = self
        await old(self, batch)

    with patched(actor.RunActor, "_serve", serve):
        yield


def callers_are_answered_before_it_is_durable() -> AbstractContextManager[None]:
    def answer(self: Any, request: Any, value: Any) -> None:
        request.reply(value)

    return patched(turn.Turn, "answer", answer)


def a_lost_commit_is_taken_for_durable() -> AbstractContextManager[None]:
    return patched(actor.RunActor, "_is_durable", lambda self, turn: True)


def a_durable_commit_is_taken_for_lost() -> AbstractContextManager[None]:
    return patched(actor.RunActor, "_is_durable", lambda self, turn: False)


def timers_fire_early() -> AbstractContextManager[None]:
    old = execution.Execution.due
    return patched(execution.Execution, "due", lambda self, until_us, at_us: old(self, until_us + 1_000_000, at_us))


def time_may_go_back() -> AbstractContextManager[None]:
    def now_us(self: Any) -> int:
        now: int = self.services.clock.now_us()
        return now

    def note(self: Any, raw: Any) -> None:
        self.projection.last_at_us = 0
        old(self, raw)

    old = turn.Turn.note
    return all_of(patched(turn.Turn, "now_us", now_us), patched(turn.Turn, "note", note))


def the_time_out_of_the_run_before_counts() -> AbstractContextManager[None]:
    def advance(self: Any) -> None:
        self._advanced_us = now_us = self.now_us()
        deadline_us = self.projection.deadline_us if self.projection.open else None
        while (due := self._next_due(now_us)) is not None:
            self.take(due)
        if deadline_us is not None and deadline_us <= now_us and self.projection.open:
            self.close([ev.WORKFLOW_TIMED_OUT, now_us, "run"])

    return patched(turn.Turn, "advance", advance)


def what_was_owed_to_a_parent_stays_owed() -> AbstractContextManager[None]:
    old = arrivals.child_closed

    def child_closed(turn: Any, message: Any) -> None:
        old(turn, message)
        turn.closes.clear()

    return effect_of_message(messages.ChildClosed, child_closed)


def an_outcome_is_looked_at_before_what_is_due() -> AbstractContextManager[None]:
    old_outcome, old_arrive = arrivals.signal_outcome, turn.Turn.arrive

    def signal_outcome(turn: Any, message: Any) -> None:
        turn.advance = lambda: None
        try:
            old_outcome(turn, message)
        finally:
            del turn.advance

    def arrive(self: Any, code: int, *fields: Any) -> bool:
        turn.Turn.advance(self)
        return old_arrive(self, code, *fields)

    return all_of(effect_of_message(messages.SignalOutcome, signal_outcome), patched(turn.Turn, "arrive", arrive))


def a_child_between_two_runs_is_not_told() -> AbstractContextManager[None]:
    def parent_request(turn: Any, message: Any) -> None:
        if turn.record.exists and turn.projection.status is WorkflowStatus.CONTINUED_AS_NEW:
            turn.closes.append(message.closes)
            turn.answer(message, messages.Effect.SETTLED)
            return
        lifecycle.parent_request(turn, message)

    return effect_of_message(messages.ParentRequest, parent_request)


def carried_signals_are_dropped() -> AbstractContextManager[None]:
    return patched(mail.Mail, "unconsumed", lambda self: [])


def a_successor_loses_its_time_out() -> AbstractContextManager[None]:
    old = births.successor_run

    def successor_run(*args: Any) -> Any:
        raw = old(*args)
        raw[11] = None
        return raw

    return patched(births, "successor_run", successor_run)


def a_closed_run_takes_signals() -> AbstractContextManager[None]:
    def deliver(turn: Any, message: Any) -> None:
        if turn.projection.status is not None and turn.projection.status.over:
            turn.note([ev.SIGNAL_RECEIVED, turn.now_us(), message.name, message.payload, None, message.request_id])
            turn.projection._summary_changed = True
            turn.answer(message, None)
            return
        arrivals.deliver(turn, message)

    return effect_of_message(messages.Deliver, deliver)


def every_second_ordinal_is_left_out() -> AbstractContextManager[None]:
    def next_ordinal(self: Any) -> int:
        self.ledger.ordinal += 2
        return int(self.ledger.ordinal)

    return patched(state.RunState, "next_ordinal", next_ordinal)


def a_delivery_is_recorded_twice() -> AbstractContextManager[None]:
    def signal_outcome(turn: Any, message: Any) -> None:
        before = len(turn.events)
        arrivals.signal_outcome(turn, message)
        if turn.projection.open and any(raw[0] == ev.SIGNAL_DELIVERED for raw in turn.events[before:]):
            turn.note([ev.SIGNAL_DELIVERED, turn.now_us(), message.ordinal])

    return effect_of_message(messages.SignalOutcome, signal_outcome)


def a_child_names_another_command() -> AbstractContextManager[None]:
    old = births.child_run
    return patched(births, "child_run", lambda cause, parent, run_id: old(cause, [*parent[:2], parent[2] + 1000], run_id))


def a_child_loses_its_time_out() -> AbstractContextManager[None]:
    def child_run(*args: Any) -> Any:
        raw = old(*args)
        raw[11] = None
        return raw

    old = births.child_run
    return patched(births, "child_run", child_run)


def a_successor_loses_its_parent() -> AbstractContextManager[None]:
    def successor_run(*args: Any) -> Any:
        raw = old(*args)
        raw[9] = None
        return raw

    old = births.successor_run
    return patched(births, "successor_run", successor_run)


def a_child_that_failed_is_said_to_have_timed_out() -> AbstractContextManager[None]:
    def child_closed(turn: Any, message: Any) -> None:
        if message.failure is not None and message.failure[0] == "failed":
            message.failure[0] = "timed_out"
        arrivals.child_closed(turn, message)

    return effect_of_message(messages.ChildClosed, child_closed)


def random_numbers_are_not_seeded_by_the_run() -> AbstractContextManager[None]:
    return patched(host.RunHost, "_seeded", lambda self: Random(next(_SEEDS)))


_SEEDS = count()


def a_cancel_request_stays_behind() -> AbstractContextManager[None]:
    old = turn.Turn.succeed
    return patched(
        turn.Turn, "succeed", lambda self, started, closing, definition: old(self, started, [*closing[:6], None, *closing[7:]], definition)
    )


def a_cancellation_is_acknowledged_and_forgotten() -> AbstractContextManager[None]:
    return effect_of_message(messages.Cancel, lambda turn, message: turn.answer(message, None))


def a_termination_is_acknowledged_and_forgotten() -> AbstractContextManager[None]:
    return effect_of_message(messages.Terminate, lambda turn, message: turn.answer(message, None))


def a_signal_without_a_request_id_comes_twice() -> AbstractContextManager[None]:
    def deliver(turn: Any, message: Any) -> None:
        before = len(turn.events)
        arrivals.deliver(turn, message)
        if message.request_id is None and len(turn.events) > before:
            turn.arrive(ev.SIGNAL_RECEIVED, message.name, message.payload, None, None)

    return effect_of_message(messages.Deliver, deliver)


def the_code_has_one_attempt_less() -> AbstractContextManager[None]:
    old = RetryPolicy.allows
    return patched(RetryPolicy, "allows", lambda self, error, attempt: old(self, error, attempt + 1))
