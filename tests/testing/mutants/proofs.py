"""For each law of the simulation a fault that it alone notices, and a seed in which it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aion_trio.testing.simulation import Breach, Law, Size
from aion_trio.testing.simulation.campaign import judged

from ..quiet import quiet
from . import outside, recovery, rows, turns
from .planting import Mutant


class Proof(NamedTuple):
    """With this fault, this seed breaks this law and no other. Seeds mean something else when the generator of programs changes."""

    law: Law
    mutant: Mutant
    seed: int


PROOFS: tuple[Proof, ...] = (
    Proof(Law.INDEXES, rows.marks_are_not_written, 0),
    Proof(Law.TIME_GOES_ON, turns.time_may_go_back, 0),
    Proof(Law.CLOSED_IS_CLOSED, turns.a_closed_run_takes_signals, 0),
    Proof(Law.ORDINALS, turns.every_second_ordinal_is_left_out, 0),
    Proof(Law.ONE_OUTCOME, turns.a_delivery_is_recorded_twice, 1),
    Proof(Law.NOTHING_EARLY, turns.timers_fire_early, 0),
    Proof(Law.ATTEMPTS, rows.attempts_are_counted_by_twos, 0),
    Proof(Law.RUN_TIMEOUT, rows.a_run_times_out_early, 0),
    Proof(Law.SIGNAL_ONCE, rows.the_sender_of_a_signal_is_forgotten, 50),
    Proof(Law.SIGNAL_ORDER, recovery.signals_overtake_each_other, 360),
    Proof(Law.CHILD_IS_RECORDED, turns.a_child_names_another_command, 0),
    Proof(Law.CHILD_AS_RECORDED, turns.a_child_loses_its_time_out, 0),
    Proof(Law.SAME_PARENT, turns.a_successor_loses_its_parent, 3),
    Proof(Law.CHILD_OUTCOME, turns.a_child_that_failed_is_said_to_have_timed_out, 0),
    Proof(Law.REPLAY, turns.random_numbers_are_not_seeded_by_the_run, 1),
    Proof(Law.OTHER_NAMESPACES, recovery.a_sweep_writes_into_another_namespace, 45),
    Proof(Law.DISK, rows.a_page_on_the_disk_begins_one_row_late, 4),
    Proof(Law.RECOVERY_IS_IDEMPOTENT, recovery.a_sweep_leaves_a_trace, 1),
    Proof(Law.SOUNDNESS, recovery.a_delivery_in_a_sweep_fails, 0),
    Proof(Law.BOUNDED_STOP, outside.an_attempt_is_slow_to_go, 2),
    Proof(Law.PROMISED_ERRORS, outside.a_refusal_is_of_another_type, 0),
    Proof(Law.WORK_IS_OWED, turns.work_is_dispatched_before_it_is_durable, 5),
    Proof(Law.WORK_IS_NOT_REPEATED, outside.an_attempt_is_made_many_times, 0),
    Proof(Law.WORK_WAS_DONE, outside.an_activity_is_left_out, 0),
    Proof(Law.ALL_ENDS, recovery.activities_are_not_resumed, 1),
    Proof(Law.NOTHING_OWED, rows.a_row_is_not_closed, 0),
    Proof(Law.PROGRAM, turns.the_code_has_one_attempt_less, 0),
    Proof(Law.SUCCESSOR, turns.a_successor_loses_its_time_out, 3),
    Proof(Law.CARRIED_CANCEL, turns.a_cancel_request_stays_behind, 24),
    Proof(Law.RECEIVED, turns.carried_signals_are_dropped, 15),
    Proof(Law.CAUSE, rows.an_abandoned_child_is_cancelled, 0),
    Proof(Law.CHILD_STARTS, rows.a_child_is_owed_to_nobody, 3),
    Proof(Law.PARENT_CLOSE, rows.the_parent_close_policy_is_ignored, 59),
    Proof(Law.CANCEL_IS_KEPT, turns.a_cancellation_is_acknowledged_and_forgotten, 3),
    Proof(Law.TERMINATED_ONCE, turns.a_termination_is_acknowledged_and_forgotten, 0),
    Proof(Law.START_IS_KEPT, turns.callers_are_answered_before_it_is_durable, 5),
    Proof(Law.START_ONCE, rows.a_request_id_is_forgotten, 25),
    Proof(Law.SIGNAL_IS_KEPT, turns.a_signal_without_a_request_id_comes_twice, 0),
    Proof(Law.RESULT, outside.who_was_terminated_is_said_to_have_timed_out, 59),
    Proof(Law.QUERY, outside.a_closed_run_is_queried_at_its_beginning, 80),
)

NOTICED: tuple[tuple[Mutant, int], ...] = (
    (turns.a_lost_commit_is_taken_for_durable, 45),
    (turns.a_durable_commit_is_taken_for_lost, 166),
    (turns.what_was_owed_to_a_parent_stays_owed, 0),
    (turns.the_time_out_of_the_run_before_counts, 349),
    (turns.an_outcome_is_looked_at_before_what_is_due, 1923),
    (turns.a_child_between_two_runs_is_not_told, 1010502),
    (recovery.children_are_not_swept, 3),
    (recovery.results_are_not_swept, 13),
    (recovery.signals_are_not_swept, 3),
    (recovery.cancellations_are_not_swept, 262),
    (recovery.another_namespaces_work_is_swept, 15),
)
"""Further faults, and a seed in which each breaks some law."""


def breaches(mutant: Mutant, seed: int) -> Sequence[Breach]:
    """What the simulation finds in one seed with the fault in the engine."""
    with mutant(), quiet():
        return judged(seed, Size()).faults


def laws_broken(mutant: Mutant, seed: int) -> set[Law]:
    """The laws alone."""
    return {breach.law for breach in breaches(mutant, seed)}
