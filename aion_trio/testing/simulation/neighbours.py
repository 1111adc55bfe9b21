"""A second namespace on the journal: workflows with the same ids, which the engines of the first one must not touch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from ...stores import Store, dump
from ...stores.contract import WorkflowKey
from ...stores.dump import WorkflowRecords
from ..doubles import run_function
from ..life import SeededIds
from .clients import make_clients
from .lawbook import Breach, Law, elsewhere
from .lives import LifePlan, Lived, SimulatedClock, Stage, live
from .nodes import Maker
from .programs import WORKFLOWS
from .records import Records
from .settling import Settling
from .steps import ACTIVITIES
from .verdict import outcomes

NEXT_DOOR = "next door"
_SHARE = 0.2


class Neighbour:
    """The other namespace: it lives before all others, is left with work in hand, and goes on when they are over."""

    def __init__(self, seed: int, store: Store, clock: SimulatedClock, targets: tuple[str, ...]) -> None:
        self._rng = rng = random.Random(f"simulation {seed} neighbour")
        self._stage = Stage(store, clock, SeededIds(seed + 2), WORKFLOWS, ACTIVITIES, run_function, NEXT_DOOR)
        self._clients = make_clients(rng, Maker(rng, targets), 2, 4)
        self._left: Mapping[WorkflowKey, WorkflowRecords] = {}

    @staticmethod
    def lives_beside(seed: int) -> bool:
        """Whether a simulation has a neighbour."""
        return random.Random(f"simulation {seed} has a neighbour").random() < _SHARE

    async def move_in(self) -> Iterator[Breach]:
        """Start some work and leave it; what went wrong."""
        plan = LifePlan("stop", self._rng.choice([0.5, 2.0, 7.5]), masked=self._rng.random() < 0.5)
        lived = await live(self._stage, plan, self._clients)
        self._left = self._records(NEXT_DOOR)
        return elsewhere(NEXT_DOOR, self._breaches_of(lived))

    def touched(self) -> Iterator[Breach]:
        """What the engines of the first namespace have changed here: nothing."""
        now = self._records(NEXT_DOOR)
        for key in {**self._left, **now}:
            if self._left.get(key) != now.get(key):
                yield Breach(Law.OTHER_NAMESPACES, f"{key.workflow_id!r} of {NEXT_DOOR!r} was changed from outside")

    async def finish(self) -> list[Breach]:
        """Bring the work to its end, which may not change the first namespace; what went wrong."""
        before = self._records("default")
        settling = Settling(self._clients)
        lived = await live(self._stage, LifePlan(), self._clients, settling.settle)
        found = [*settling.breaches, *self._breaches_of(lived), *outcomes(Records(self._stage.store, NEXT_DOOR))]
        if self._records("default") != before:
            found.append(Breach(Law.OTHER_NAMESPACES, "an engine changed another namespace"))
        return [*elsewhere(NEXT_DOOR, found)]

    def _records(self, namespace: str) -> Mapping[WorkflowKey, WorkflowRecords]:
        return {key: records for key, records in dump(self._stage.store).items() if key.namespace == namespace}

    def _breaches_of(self, lived: Lived) -> Iterator[Breach]:
        yield from lived.breaches("a life")
        for client in self._clients:
            yield from client.surprises
