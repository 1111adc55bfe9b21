"""A journal as the laws read it: every workflow's runs, and in each run what was asked for and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ... import events as ev
from ...events import FIELD_NAMES, Raw
from ...stores import Store
from ..comparison import histories
from .payloads import value_of

COMMANDS = {ev.ACTIVITY_SCHEDULED, ev.TIMER_STARTED, ev.CHILD_WORKFLOW_STARTED, ev.SIGNAL_SENT}
"""Commands that something comes of."""
ENDS: dict[int, frozenset[int]] = {
    ev.ACTIVITY_SCHEDULED: frozenset({ev.ACTIVITY_COMPLETED, ev.ACTIVITY_FAILED, ev.ACTIVITY_CANCELLED}),
    ev.TIMER_STARTED: frozenset({ev.TIMER_FIRED, ev.TIMER_CANCELLED}),
    ev.CHILD_WORKFLOW_STARTED: frozenset({ev.CHILD_WORKFLOW_COMPLETED, ev.CHILD_WORKFLOW_FAILED}),
    ev.SIGNAL_SENT: frozenset({ev.SIGNAL_DELIVERED, ev.SIGNAL_FAILED}),
}
"""What can come of each command, once."""


@dataclass(slots=True)
class Ran:
    """One run: its events, and what they say of its commands."""

    workflow_id: str
    first_seq: int
    raws: list[Raw] = field(default_factory=list[Raw])

    @property
    def started(self) -> Raw:
        """Its WorkflowStarted."""
        return self.raws[0]

    @property
    def run_id(self) -> bytes:
        """Its id."""
        run_id: bytes = self.raws[0][4]
        return run_id

    @property
    def parent(self) -> list[Any] | None:
        """`[workflow id, run id, ordinal]` of the workflow whose child it is."""
        parent: list[Any] | None = self.raws[0][9]
        return parent

    @property
    def arguments(self) -> list[Any]:
        """Its input: the program, and what its predecessors received."""
        return [*value_of(self.raws[0][7])]

    @property
    def closing(self) -> Raw | None:
        """The event that closed it."""
        return next((raw for raw in self.raws if raw[0] in ev.CLOSING), None)

    def of(self, *codes: int) -> Iterator[Raw]:
        """Its events of these kinds."""
        return (raw for raw in self.raws if raw[0] in codes)

    def commands(self) -> dict[int, Raw]:
        """Its commands by ordinal."""
        return {ordinal_of(raw): raw for raw in self.raws if raw[0] in COMMANDS}

    def outcome_of(self, ordinal: int) -> Raw | None:
        """What came of a command."""
        command = self.commands()[ordinal]
        return next((raw for raw in self.raws if raw[0] in ENDS[command[0]] and raw[2] == ordinal), None)


def ordinal_of(raw: Raw) -> int:
    """The ordinal of an event that has one."""
    ordinal: int = raw[FIELD_NAMES[raw[0]].index("ordinal") + 2]
    return ordinal


class Records:
    """All histories of one namespace of a journal, by workflow id: chains of runs."""

    def __init__(self, store: Store, namespace: str = "default") -> None:
        self.namespace = namespace
        self.histories: Mapping[str, Sequence[Raw]] = histories(store, namespace)
        self.runs: dict[str, list[Ran]] = {}
        for workflow_id, raws in self.histories.items():
            self.runs[workflow_id] = list(_runs(workflow_id, raws))

    def every_run(self) -> Iterator[Ran]:
        """All runs."""
        return (run for runs in self.runs.values() for run in runs)

    def run(self, workflow_id: str, run_id: bytes) -> Ran | None:
        """One run."""
        return next((run for run in self.runs.get(workflow_id, ()) if run.run_id == run_id), None)

    def chains(self, workflow_id: str) -> list[list[Ran]]:
        """The chains of runs of one id, oldest first."""
        found: list[list[Ran]] = []
        for run in self.runs.get(workflow_id, ()):
            if run.started[5]:
                found[-1].append(run)
            else:
                found.append([run])
        return found

    def every_chain(self) -> Iterator[list[Ran]]:
        """All chains."""
        return (chain for workflow_id in self.runs for chain in self.chains(workflow_id))

    def chain_of(self, workflow_id: str, run_id: bytes) -> list[Ran]:
        """The chain that a run belongs to, empty if there is no such run."""
        for chain in self.chains(workflow_id):
            if any(run.run_id == run_id for run in chain):
                return chain
        return []


def _runs(workflow_id: str, raws: Sequence[Raw]) -> Iterator[Ran]:
    run: Ran | None = None
    for seq, raw in enumerate(raws, 1):
        if raw[0] == ev.WORKFLOW_STARTED:
            if run is not None:
                yield run
            run = Ran(workflow_id, seq)
        if run is not None:
            run.raws.append(raw)
    if run is not None:
        yield run
