"""The engine's long-lived tasks are children of supervisors and actors of directories, not tasks of nurseries of its own."""

from __future__ import annotations

import re

from tests.project.tree import TREE

ACTOR_LAYER = ("engine", "recovery", "runs", "activities", "timers", "schedules", "journal")
NURSERY = re.compile(r"\b(?:open_nursery\(|start_soon\b|spawn_system_task\b)")
WORK = {
    "activities/actor.py": "the attempts under way, each of which ends by itself and reports its failure as a result",
    "recovery/actor.py": "a watcher for the time of one sweep",
    "recovery/courier.py": "a worker for each lane that has something to carry; it tries again by itself and ends with its lane",
    "recovery/sweeps.py": "the workers of one sweep",
}
"""Whose nurseries hold nothing but work that ends, and what that is."""


def test_only_work_that_ends_by_itself_runs_in_a_nursery_of_the_actor_layer() -> None:
    root = TREE / "aion_trio"
    files = [path for layer in ACTOR_LAYER for path in (*(root / layer).rglob("*.py"), root / f"{layer}.py") if path.exists()]
    assert len(files) > 20
    assert {path.relative_to(root).as_posix() for path in files if NURSERY.search(path.read_text())} == set(WORK)
