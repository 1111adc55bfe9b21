"""Faults put into the engine by hand; the simulation must notice every one.

`python -m tests.testing.mutants` tries them all and prints, for each, the seed and the law that killed it. Each is a context
manager that patches the engine for the time of its block.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from aion_trio import events as ev
from aion_trio.history import WorkflowStatus
from aion_trio.journal import Projection
from aion_trio.recovery import courier, sweeps
from aion_trio.replay import execution, mail
from aion_trio.runs import actor, arrivals, births, lifecycle, messages, turn
from aion_trio.stores import LmdbStore
from aion_trio.testing.simulation import simulate

from .quiet import quiet

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def _patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    old = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


@contextmanager
def _effect(code: int, effect: Callable[[Any, Any], None]) -> Iterator[None]:
    """Another effect of an event on the index rows."""
    old = Projection.EFFECTS[code]
    Projection.EFFECTS[code] = effect
    try:
        yield
    finally:
        Projection.EFFECTS[code] = old


def a_row_is_not_closed() -> AbstractContextManager[None]:
    return _effect(ev.ACTIVITY_COMPLETED, lambda self, raw: self.activities.pop(raw[2], None))


def the_sender_of_a_signal_is_forgotten() -> AbstractContextManager[None]:
    old = Projection.EFFECTS[ev.SIGNAL_RECEIVED]
    return _effect(ev.SIGNAL_RECEIVED, lambda self, raw: old(self, [*raw[:4], None, *raw[5:]]))


def a_request_id_is_forgotten() -> AbstractContextManager[None]:
    old = Projection.EFFECTS[ev.WORKFLOW_STARTED]

    def started(self: Any, raw: Any) -> None:
        old(self, [*raw[:14], None, *raw[15:]])

    return _effect(ev.WORKFLOW_STARTED, started)


def the_parent_close_policy_is_ignored() -> AbstractContextManager[None]:
    return _patched(Projection, "_close_child", lambda self, ordinal, child: None)


def work_is_dispatched_before_it_is_durable() -> AbstractContextManager[None]:
    old = turn.Turn.appends

    def appends(self: Any) -> Any:
        items = old(self)
        for ordinal, pending in self.projection.activities.items():
            ACTORS[self.record.key.workflow_id]._dispatch(self.record, ordinal)
            assert pending
        return items

    return _both(_patched(turn.Turn, "appends", appends), _known_actors())


ACTORS: dict[str, Any] = {}


@contextmanager
def _known_actors() -> Iterator[None]:
    old = actor.RunActor._serve

    async def serve(self: Any, batch: Any) -> None:
        ACTORS[self._id] = self
        await old(self, batch)

    with _patched(actor.RunActor, "_serve", serve):
        yield


@contextmanager
def _both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Iterator[None]:
    with one, other:
        yield


def callers_are_answered_before_it_is_durable() -> AbstractContextManager[None]:
    def answer(self: Any, request: Any, value: Any) -> None:
        request.reply(value)

    return _patched(turn.Turn, "answer", answer)


def a_lost_commit_is_taken_for_durable() -> AbstractContextManager[None]:
    return _patched(actor.RunActor, "_is_durable", lambda self, turn: True)


def a_durable_commit_is_taken_for_lost() -> AbstractContextManager[None]:
    return _patched(actor.RunActor, "_is_durable", lambda self, turn: False)


def carried_signals_are_dropped() -> AbstractContextManager[None]:
    return _patched(mail.Mail, "unconsumed", lambda self: [])


def a_successor_loses_its_time_out() -> AbstractContextManager[None]:
    old = births.successor_run

    def successor_run(*args: Any) -> Any:
        raw = old(*args)
        raw[11] = None
        return raw

    return _patched(births, "successor_run", successor_run)


def children_are_not_swept() -> AbstractContextManager[None]:
    return _patched(sweeps.Sweeps, "sweep_children", _nothing)


def results_are_not_swept() -> AbstractContextManager[None]:
    return _patched(sweeps.Sweeps, "sweep_results", _nothing)


def signals_are_not_swept() -> AbstractContextManager[None]:
    return _patched(sweeps.Sweeps, "sweep_signals", _nothing)


def activities_are_not_resumed() -> AbstractContextManager[None]:
    return _patched(sweeps.Sweeps, "sweep_activities", _nothing)


async def _nothing(self: Any) -> int:
    return 0


def timers_fire_early() -> AbstractContextManager[None]:
    old = execution.Execution.due
    return _patched(execution.Execution, "due", lambda self, until_us, at_us: old(self, until_us + 1_000_000, at_us))


def time_may_go_back() -> AbstractContextManager[None]:
    def now_us(self: Any) -> int:
        now: int = self.services.clock.now_us()
        return now

    def note(self: Any, raw: Any) -> None:
        self.projection.last_at_us = 0
        old(self, raw)

    old = turn.Turn.note
    return _both(_patched(turn.Turn, "now_us", now_us), _patched(turn.Turn, "note", note))


def the_time_out_of_the_run_before_counts() -> AbstractContextManager[None]:
    def advance(self: Any) -> None:
        self._advanced_us = now_us = self.now_us()
        deadline_us = self.projection.deadline_us if self.projection.open else None
        while (due := self._next_due(now_us)) is not None:
            self.take(due)
        if deadline_us is not None and deadline_us <= now_us and self.projection.open:
            self.close([ev.WORKFLOW_TIMED_OUT, now_us, "run"])

    return _patched(turn.Turn, "advance", advance)


def what_was_owed_to_a_parent_stays_owed() -> AbstractContextManager[None]:
    old = arrivals.child_closed

    def child_closed(turn: Any, message: Any) -> None:
        old(turn, message)
        turn.closes.clear()

    return _effect_of_message(messages.ChildClosed, child_closed)


def signals_overtake_each_other() -> AbstractContextManager[None]:
    def lane_of(row: Any) -> Any:
        return row.key.workflow_id, row.row.hex()

    return _both(_patched(courier, "lane_of", lane_of), _patched(sweeps, "lane_of", lane_of))


@contextmanager
def _effect_of_message(message: type, effect: Any) -> Iterator[None]:
    old = actor._EFFECTS[message]
    actor._EFFECTS[message] = effect
    try:
        yield
    finally:
        actor._EFFECTS[message] = old


def cancellations_are_not_swept() -> AbstractContextManager[None]:
    return _patched(sweeps.Sweeps, "sweep_cancellations", _nothing)


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

    return _both(_effect_of_message(messages.SignalOutcome, signal_outcome), _patched(turn.Turn, "arrive", arrive))


def another_namespaces_work_is_swept() -> AbstractContextManager[None]:
    def rows(self: Any, kind: Any, until_us: int | None = None) -> Any:
        return self._journal.obligations(kind, until_us=until_us)

    return _patched(sweeps.Sweeps, "_rows", rows)


def a_page_on_the_disk_begins_one_row_late() -> AbstractContextManager[None]:
    old = LmdbStore.summaries

    def summaries(self: Any, where: Any, after: Any = None, limit: int = 1000, on_damage: Any = None) -> Any:
        page = old(self, where, after, limit, on_damage)
        return page if after is None else page._replace(entries=page.entries[1:])

    return _patched(LmdbStore, "summaries", summaries)


def a_child_between_two_runs_is_not_told() -> AbstractContextManager[None]:
    def parent_request(turn: Any, message: Any) -> None:
        if turn.record.exists and turn.projection.status is WorkflowStatus.CONTINUED_AS_NEW:
            turn.closes.append(message.closes)
            turn.answer(message, messages.Effect.SETTLED)
            return
        lifecycle.parent_request(turn, message)

    return _effect_of_message(messages.ParentRequest, parent_request)


MUTANTS: tuple[Mutant, ...] = (
    a_row_is_not_closed,
    the_sender_of_a_signal_is_forgotten,
    a_request_id_is_forgotten,
    the_parent_close_policy_is_ignored,
    work_is_dispatched_before_it_is_durable,
    callers_are_answered_before_it_is_durable,
    a_lost_commit_is_taken_for_durable,
    a_durable_commit_is_taken_for_lost,
    carried_signals_are_dropped,
    a_successor_loses_its_time_out,
    children_are_not_swept,
    results_are_not_swept,
    signals_are_not_swept,
    activities_are_not_resumed,
    cancellations_are_not_swept,
    timers_fire_early,
    time_may_go_back,
    the_time_out_of_the_run_before_counts,
    what_was_owed_to_a_parent_stays_owed,
    signals_overtake_each_other,
    an_outcome_is_looked_at_before_what_is_due,
    another_namespaces_work_is_swept,
    a_page_on_the_disk_begins_one_row_late,
    a_child_between_two_runs_is_not_told,
)


def killer(mutant: Mutant, seeds: range) -> str | None:
    """The seed and the fault that the simulation found first, None if it found none."""
    with mutant(), quiet():
        for seed in seeds:
            try:
                faults = simulate(seed).faults
            except Exception as error:
                faults = [f"raised {type(error).__name__}: {error}"]
            if faults:
                return f"seed {seed}: {faults[0][:140]}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.testing.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1500, help="how many seeds to try on each mutant")
    parser.add_argument("names", nargs="*", help="only these mutants")
    options = parser.parse_args()
    begun, alive = time.perf_counter(), 0
    chosen = [mutant for mutant in MUTANTS if not options.names or mutant.__name__ in options.names]
    for mutant in chosen:
        killed = killer(mutant, range(options.seeds))
        alive += killed is None
        print(f"{'killed' if killed else 'ALIVE '} {mutant.__name__}{f' ({killed})' if killed else ''}", flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} mutants killed in {time.perf_counter() - begun:.0f} s")
    return 1 if alive else 0


if __name__ == "__main__":
    raise SystemExit(main())
