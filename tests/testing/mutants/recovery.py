"""Faults of recovery: what a sweep leaves, takes from others, or does again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from aion_trio import events as ev
from aion_trio.codec import encode_frame
from aion_trio.recovery import courier, sweeps
from aion_trio.runs import arrivals, messages
from aion_trio.stores.contract import Append, ObligationKind

from .planting import all_of, effect_of_message, patched


def children_are_not_swept() -> AbstractContextManager[None]:
    return patched(sweeps.Sweeps, "sweep_children", _nothing)


def results_are_not_swept() -> AbstractContextManager[None]:
    return patched(sweeps.Sweeps, "sweep_results", _nothing)


def signals_are_not_swept() -> AbstractContextManager[None]:
    return patched(sweeps.Sweeps, "sweep_signals", _nothing)


def activities_are_not_resumed() -> AbstractContextManager[None]:
    return patched(sweeps.Sweeps, "sweep_activities", _nothing)


async def _nothing(self: Any) -> int:
    return 0


def cancellations_are_not_swept() -> AbstractContextManager[None]:
    return patched(sweeps.Sweeps, "sweep_cancellations", _nothing)


def signals_overtake_each_other() -> AbstractContextManager[None]:
    def lane_of(row: Any) -> Any:
        return row.key.workflow_id, row.row.hex()

    return all_of(patched(courier, "lane_of", lane_of), patched(sweeps, "lane_of", lane_of))


def another_namespaces_work_is_swept() -> AbstractContextManager[None]:
    def rows(self: Any, kind: Any, until_us: int | None = None) -> Any:
        return self._journal.obligations(kind, until_us=until_us)

    return patched(sweeps.Sweeps, "_rows", rows)


def a_sweep_leaves_a_trace() -> AbstractContextManager[None]:
    def resume(turn: Any, message: Any) -> None:
        arrivals.resume(turn, message)
        if turn.projection.open:
            turn.note([ev.ATTRIBUTES_UPDATED, turn.now_us(), {"seen": turn.projection.head}, 0])

    return effect_of_message(messages.Resume, resume)


def a_delivery_in_a_sweep_fails() -> AbstractContextManager[None]:
    async def deliver(self: Any, row: Any) -> Any:
        raise ZeroDivisionError

    return patched(sweeps.Sweeps, "_deliver_all", deliver)


def a_sweep_writes_into_another_namespace() -> AbstractContextManager[None]:
    old = sweeps.Sweeps.sweep_activities

    async def sweep_activities(self: Any) -> int:
        for row in self._journal.obligations(ObligationKind.ACTIVITY):
            if row.key.namespace != self._namespace:
                head = self._journal.head(row.key)
                frame = encode_frame([[ev.ATTRIBUTES_UPDATED, self._journal.event(row.key, head)[1], {}, 0]])
                await self._journal.append_all([Append(row.key, head, frame, 1)], lambda: None)
        return await old(self)

    return patched(sweeps.Sweeps, "sweep_activities", sweep_activities)
