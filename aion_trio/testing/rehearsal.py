"""Replay every workflow from its beginning after every step: non-determinism is found in the step that brings it in.

Code that reads the clock, a global or the order of a set runs well until a crash makes it replay. A `RehearsingStore`
does not wait for the crash: whenever an append is durable it replays that run with a fresh interpreter state and
compares where the code stands with what the journal says is pending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import events as ev
from ..codec import decode_frame
from ..errors import NonDeterminismError
from ..events import Raw
from ..history import WorkflowStatus
from ..journal.rows import run_and_ordinal
from ..replay import World
from ..stores import FaultyStore, Store, each_frame
from ..stores.contract import Append, ObligationKind, Outcome, Summary, WorkflowKey
from .replaying import RecordedRun, replay_run


class RehearsingStore(FaultyStore):
    """As `FaultyStore`; after each `apply` the runs that it changed are replayed.

    `findings` holds what was found, first to last; `tell` is called with each. A history is read again for each of its
    steps, so this is for tests.
    """

    def __init__(self, inner: Store, world: World, tell: Callable[[NonDeterminismError], Any] = lambda _: None) -> None:
        super().__init__(inner)
        self._world, self._tell = world, tell
        self.findings: list[NonDeterminismError] = []

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        """Make the batch durable, then rehearse what it changed."""
        outcomes = super().apply(batch)
        for append, outcome in zip(batch, outcomes, strict=True):
            if append.count and isinstance(outcome, int):
                self._rehearse(append.key)
        return outcomes

    def _rehearse(self, key: WorkflowKey) -> None:
        summary = self.inner.summary(key)
        if summary is None or not _is_loaded(self._world, summary):
            return
        try:
            _compare(self._world, self.inner, key, summary)
        except NonDeterminismError as error:
            self.findings.append(error)
            self._tell(error)


def _is_loaded(world: World, summary: Summary) -> bool:
    """Whether the code of this version can be replayed here: what is not loaded waits, and is no finding (V1)."""
    return any((found.name, found.version) == (summary.type, summary.version) for found in world.registry.workflows)


def _compare(world: World, store: Store, key: WorkflowKey, summary: Summary) -> None:
    """Raise NonDeterminismError unless a replay of the newest run ends where its rows say that it stands."""
    open_run = WorkflowStatus.of_number(summary.status).open
    owed = store.obligations_of(key)
    step_owed = any(row.kind is ObligationKind.STEP for row in owed)
    raws = [raw for frame in each_frame(store, key) for raw in decode_frame(frame.data, frame.count)]
    run = RecordedRun(summary.first_seq, raws[summary.first_seq - 1 :])
    execution = replay_run(world, key, run, step_owed=step_owed)
    try:
        if open_run and not step_owed:
            pending = execution.pending_activities()
            recorded = {run_and_ordinal(row.row)[1] for row in owed if row.kind is ObligationKind.ACTIVITY}
            _require_same(key, run.raws, pending.keys() - recorded, recorded - pending.keys())
    finally:
        execution.evict()


def _require_same(key: WorkflowKey, raws: Sequence[Raw], extra: set[int], missing: set[int]) -> None:
    for ordinals, where in ((extra, "the replayed code waits for it and the journal does not owe it"), (missing, "the journal owes it")):
        for ordinal in sorted(ordinals):
            name = next((raw[3] for raw in raws if raw[0] == ev.ACTIVITY_SCHEDULED and raw[2] == ordinal), "an activity")
            raise NonDeterminismError(
                f"workflow {key.workflow_id!r}, command {ordinal} ({name}): {where}; live and replayed code stand at different places",
                workflow_id=key.workflow_id,
                ordinal=ordinal,
            )
