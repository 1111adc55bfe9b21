"""Damage of every kind, in many workflows at once: one run tells all of it, and a repair mends what follows from events (J7, R2)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aion_trio.stores import CorruptRecord, LmdbStore, ObligationKind, WorkflowKey, WorkflowRecords, dump
from tests.cli.running import at, data

from .harm import HARMS, NOBODY, harmed, sound_journal
from .paging import tear, torn_owners

LOST = {harm.owner for harm in HARMS.values() if not harm.mendable}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_journal(tmp_path_factory.mktemp("sound") / "j")


@pytest.fixture
def journal(sound: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(sound, tmp_path / "j")
    yield tmp_path / "j"


def findings(journal: Path) -> list[dict[str, Any]]:
    done = at("journal", "verify", journal)
    assert done.exit_code == 1, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def records(journal: Path) -> dict[WorkflowKey, WorkflowRecords]:
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        return dict(dump(store))


def without_steps(found: WorkflowRecords) -> object:
    """What a repaired workflow must have again: a replay makes the wake-up, of which a step is owed; what was settled is owed again."""
    beyond = (ObligationKind.STEP, ObligationKind.WAKE_UP, ObligationKind.CHILD_START)
    return found.frames, found.summary, found.runs, found.marks, [row for row in found.obligations if row.kind not in beyond]


def test_what_is_sound_is_no_finding(sound: Path) -> None:
    assert data("journal", "verify", sound)["findings"] == []


def test_one_run_names_every_damage(journal: Path) -> None:
    """J7: by workflow, namespace and what is wrong; nothing is said of a workflow that nothing happened to."""
    harmed(journal)
    found = findings(journal)
    for name, harm in HARMS.items():
        own = [each["what"] for each in found if (each["namespace"], each["workflow_id"]) == harm.owner]
        assert any(harm.found in what for what in own), (name, own)
    assert {(each["namespace"], each["workflow_id"]) for each in found} == {harm.owner for harm in HARMS.values()}


@pytest.mark.parametrize("owner", sorted({harm.owner for harm in HARMS.values()}), ids=str)
def test_damage_of_one_workflow_is_said_of_it_alone(journal: Path, owner: WorkflowKey) -> None:
    """A name that is lost concerns those who are listed by it."""
    harmed(journal, owner)
    found = {(each["namespace"], each["workflow_id"]) for each in findings(journal)}
    assert found - {NOBODY} == ({("default", "named")} if owner == NOBODY else {owner})


def test_a_person_is_told_what_to_do(journal: Path) -> None:
    harmed(journal)
    done = at("journal", "verify", journal, "-o", "table")
    assert done.exit_code == 1
    *_, repair, restore, count = done.stdout.splitlines()
    assert repair.startswith("rows can be made anew from the events: aion-trio journal repair ")
    assert restore == "events of event, gap are damaged: import these ids from an export, or restore a backup"
    assert count.endswith(" faults")


def test_a_repair_mends_all_that_follows_from_events_and_loses_nothing_else(journal: Path, sound: Path) -> None:
    """H2, R2: what remains is said of the histories with damaged events, which keep what is left of them."""
    before = records(sound)
    harmed(journal)
    done = at("journal", "repair", journal)
    assert done.exit_code == 1
    remaining = json.loads(done.stdout)["remaining"]
    assert {(each["namespace"], each["workflow_id"]) for each in remaining} == LOST
    assert findings(journal) == remaining
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        assert store.stats().workflows == len(before)
        rebuilt = json.loads(done.stdout)["rebuilt"]
        for owner, expected in before.items():
            if owner in LOST:
                continue
            found = WorkflowRecords(
                tuple(store.history(owner).frames), store.summary(owner), tuple(store.runs(owner)),
                tuple(store.obligations_of(owner)), tuple(store.marks(owner)),
            )  # fmt: skip
            if owner.workflow_id in rebuilt:
                assert without_steps(found) == without_steps(expected), owner
            else:
                assert found == expected, owner


@pytest.mark.parametrize("tree", ["rows", "ids", "vis"])
def test_a_torn_page_hides_nothing_else_and_a_repair_saves_what_is_on_the_others(journal: Path, sound: Path, tree: str) -> None:
    """J7: LMDB is not asked to read such a page; a history of which the end may be lost is refused, not taken for a shorter one."""
    before = records(sound)
    harmed(journal)
    concerned = torn_owners(journal, sound, tree)
    tear(journal, tree)
    found = findings(journal)
    assert any(f"of the tree {tree} is torn" in each["what"] for each in found)
    for name, harm in HARMS.items():
        own = [each["what"] for each in found if (each["namespace"], each["workflow_id"]) == harm.owner]
        if harm.owner not in concerned and harm.owner != NOBODY:
            assert any(harm.found in what for what in own), (name, own)
    at("journal", "repair", journal)
    lost = LOST | concerned if tree == "rows" else LOST
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        for owner, expected in before.items():
            if owner not in lost:
                assert store.history(owner).frames == list(expected.frames)
            elif owner in concerned and tree == "rows":
                try:
                    assert store.history(owner).frames == list(expected.frames)
                except CorruptRecord:
                    pass
