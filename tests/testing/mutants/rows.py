"""Faults of the index rows: what an append writes beside its events, and what is read of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from aion_trio import events as ev
from aion_trio.journal import Projection
from aion_trio.runs import turn
from aion_trio.stores import LmdbStore
from aion_trio.stores.contract import ObligationKind

from .planting import effect_of_event, patched


def a_row_is_not_closed() -> AbstractContextManager[None]:
    return effect_of_event(ev.ACTIVITY_COMPLETED, lambda self, raw: self.activities.pop(raw[2], None))


def the_sender_of_a_signal_is_forgotten() -> AbstractContextManager[None]:
    old = Projection.EFFECTS[ev.SIGNAL_RECEIVED]
    return effect_of_event(ev.SIGNAL_RECEIVED, lambda self, raw: old(self, [*raw[:4], None, *raw[5:]]))


def a_request_id_is_forgotten() -> AbstractContextManager[None]:
    old = Projection.EFFECTS[ev.WORKFLOW_STARTED]

    def started(self: Any, raw: Any) -> None:
        old(self, [*raw[:14], None, *raw[15:]])

    return effect_of_event(ev.WORKFLOW_STARTED, started)


def the_parent_close_policy_is_ignored() -> AbstractContextManager[None]:
    return patched(Projection, "_close_child", lambda self, ordinal, child: None)


def a_page_on_the_disk_begins_one_row_late() -> AbstractContextManager[None]:
    old = LmdbStore.summaries

    def summaries(self: Any, where: Any, after: Any = None, limit: int = 1000, on_damage: Any = None) -> Any:
        page = old(self, where, after, limit, on_damage)
        return page if after is None else page._replace(entries=page.entries[1:])

    return patched(LmdbStore, "summaries", summaries)


def marks_are_not_written() -> AbstractContextManager[None]:
    old = turn.Turn.appends

    def appends(self: Any) -> Any:
        return [replace(each, marks=()) for each in old(self)]

    return patched(turn.Turn, "appends", appends)


def attempts_are_counted_by_twos() -> AbstractContextManager[None]:
    old = Projection.EFFECTS[ev.ACTIVITY_ATTEMPT_FAILED]
    return effect_of_event(ev.ACTIVITY_ATTEMPT_FAILED, lambda self, raw: old(self, [*raw[:3], raw[3] + 1, *raw[4:]]))


def an_abandoned_child_is_cancelled() -> AbstractContextManager[None]:
    old = Projection._close_child

    def close_child(self: Any, ordinal: int, child: Any) -> None:
        if child.on_parent_close == ev.ON_CLOSE_ABANDON:
            child.on_parent_close = ev.ON_CLOSE_CANCEL
        old(self, ordinal, child)

    return patched(Projection, "_close_child", close_child)


def a_child_is_owed_to_nobody() -> AbstractContextManager[None]:
    old = Projection.EFFECTS[ev.CHILD_WORKFLOW_STARTED]

    def child_started(self: Any, raw: Any) -> None:
        old(self, raw)
        self.close_row(ObligationKind.CHILD_START, self._row(raw[2]))

    return effect_of_event(ev.CHILD_WORKFLOW_STARTED, child_started)


def a_run_times_out_early() -> AbstractContextManager[None]:
    def deadline_us(self: Any) -> int | None:
        return None if self.timeout_us is None else int(self.current.started_us + self.timeout_us // 2)

    return patched(Projection, "deadline_us", property(deadline_us))
