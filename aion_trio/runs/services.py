"""What a run's actor needs of the rest of the engine, and may be given differently in a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..activities import Activities
from ..definitions import Registry
from ..journal import Journal
from ..replay import World
from ..seams import Clock, Ids
from ..stores.contract import Obligation, WorkflowKey
from ..timers import Timers
from .waiting import Ending


class ChangeListener(Protocol):
    """Whoever wakes those that wait for a workflow."""

    def __call__(self, workflow_id: str, /, *, ended: bool = True, ending: Ending | None = None) -> None:
        """The workflow changed; `ended` if a run of it closed (then `ending`), began or was quarantined."""
        ...


class Courier(Protocol):
    """Whoever carries out what a workflow owes to others; see `recovery`."""

    def owe(self, obligation: Obligation) -> None:
        """Take an obligation that has just become durable; it is carried out in the background."""
        ...


@dataclass(slots=True)
class Services:
    """The rest of the engine, as the actor of one workflow sees it."""

    namespace: str
    journal: Journal
    registry: Registry
    world: World
    clock: Clock
    ids: Ids
    activities: Activities
    timers: Timers
    courier: Courier
    wake: Callable[[str], None]
    """Sends a workflow id's actor a wake-up, whichever incarnation of it lives."""
    note_change: ChangeListener
    """Told after each durable change of a workflow."""
    quarantined: dict[str, str]
    """Workflow id to reason, for the runs that cannot go on (R8, K4)."""

    def key(self, workflow_id: str) -> WorkflowKey:
        """The journal's key of a workflow of this engine's namespace."""
        return WorkflowKey(self.namespace, workflow_id)
