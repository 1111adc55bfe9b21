"""Index rows are derived: made again from the events alone, in whatever portions, they are the rows of the store (H2, J4, R2).

The histories are those of the crash scenarios, cut off by a crash at a random commit.
"""

from __future__ import annotations

import random

import pytest

import aion_trio as aion
from aion_trio.events import Raw
from aion_trio.journal import Projection
from aion_trio.journal.transfer import import_appends
from aion_trio.journal.verification import BEYOND_EVENTS, OUTLIVE
from aion_trio.stores import MemoryStore, WorkflowKey, WorkflowRecords, dump
from aion_trio.stores.contract import Obligation
from aion_trio.testing import CrashPoint, run_virtual
from aion_trio.testing.comparison import histories
from aion_trio.testing.doubles import Attempts
from aion_trio.testing.life import SeededIds, live, program_of

from .crash_chapters import CHAPTERS
from .crash_scenarios import ACTIVITIES, WORKFLOWS

PATIENCE = 86_400.0


def cut_off(chapter: str, seed: int) -> MemoryStore:
    """The store of a chapter after a crash at a random commit."""
    found = CHAPTERS[chapter]
    program = program_of(found.clients, (WORKFLOWS, ACTIVITIES, ()), aion.EngineConfig(), PATIENCE)
    store = MemoryStore()
    death = CrashPoint(random.Random(seed).randint(1, 40), after=True)
    run_virtual(live, program, store, SeededIds(seed), Attempts().perform, death, seed=seed)
    return store


def owed_by_events(records: WorkflowRecords) -> list[Obligation]:
    """What is owed but for what only a replay can tell."""
    return [row for row in records.obligations if row.kind not in BEYOND_EVENTS]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chapter", ["kin", "policies", "ending", "generations", "crowd"])
def test_a_history_alone_gives_every_row_again(chapter: str, seed: int) -> None:
    """Projection, runs and marks exactly; what is owed to others may have been settled meanwhile, in the others' histories."""
    store, rebuilt = cut_off(chapter, seed), MemoryStore()
    for workflow_id, raws in histories(store).items():
        rebuilt.apply(import_appends(WorkflowKey("default", workflow_id), raws))
    wanted, found = dump(store), dump(rebuilt)
    assert wanted
    for key, records in wanted.items():
        again = found[key]
        assert (again.summary, again.runs, again.marks) == (records.summary, records.runs, records.marks)
        settled = [row for row in owed_by_events(again) if row not in records.obligations]
        assert [row for row in owed_by_events(again) if row not in settled] == owed_by_events(records)
        assert all(row.kind in OUTLIVE for row in settled)


@pytest.mark.parametrize("chapter", ["kin", "policies", "generations"])
def test_rows_do_not_depend_on_how_events_were_divided_into_appends(chapter: str) -> None:
    """The fold is one fold: opened and closed in one append, or in two."""
    for workflow_id, raws in histories(cut_off(chapter, 3)).items():
        whole = net_rows(raws, [len(raws)])
        for seed in range(5):
            rng = random.Random(f"{workflow_id} {seed}")
            cuts = sorted(rng.sample(range(1, len(raws)), min(len(raws) - 1, rng.randint(0, 6))))
            assert net_rows(raws, [*cuts, len(raws)]) == whole


def net_rows(raws: list[Raw], cuts: list[int]) -> object:
    """What the appends of a division come to, together."""
    projection, opened, runs, marks, start = Projection(), {}, {}, {}, 0
    for end in cuts:
        for raw in raws[start:end]:
            projection.apply(raw)
        changes = projection.take()
        for closed in changes.closes:
            opened.pop((closed.kind, closed.row), None)
        opened.update({(row.kind, row.row): row for row in changes.opens})
        runs.update({run.run_no: run for run in changes.runs})
        marks.update({mark.name: mark.value for mark in changes.marks})
        start = end
    return projection.summary(), opened, runs, marks
