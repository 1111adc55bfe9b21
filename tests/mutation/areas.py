"""Which tests belong to which modules. Within them coverage chooses, mutant by mutant."""

from __future__ import annotations

from pathlib import Path

from tests.project.tree import TREE as ROOT

from .places import Mutant, Source

_RESTARTS = tuple(
    f"tests/engine/test_{name}.py"
    for name in (
        "bad_input", "between_runs", "chains", "children", "collector", "courier", "crash_exploration", "damaged_rows",
        "failed_incarnations", "faults", "faults_of_the_field", "full_disk", "late_wake_ups", "looking", "quarantine",
        "recovery_report",
        "recovery_windows", "retries", "rows_follow_from_events", "signals", "starting", "store_faults", "timers",
    )
)  # fmt: skip
"""What is done and undone by restarts, faults of the store and messages between workflows."""

AREAS: dict[str, tuple[str, ...]] = {
    "events": ("tests/history", "tests/codec/test_frames.py", "tests/codec/test_lines.py"),
    "codec": ("tests/codec",),
    "kernel": ("tests/kernel", "tests/replay"),
    "replay": ("tests/replay", "tests/engine/test_children.py", "tests/engine/test_signals.py", "tests/mutation/test_kernel.py"),
    "journal": (
        "tests/journal",
        "tests/cli/test_repair.py",
        "tests/cli/test_journal_commands.py",
        "tests/mutation/test_recovery.py",
        "tests/engine/test_chains.py",
        "tests/engine/test_children.py",
        "tests/engine/test_damaged_rows.py",
        "tests/engine/test_faults.py",
        "tests/engine/test_full_disk.py",
        "tests/engine/test_rows_follow_from_events.py",
        "tests/engine/test_signals.py",
        "tests/engine/test_starting.py",
        "tests/engine/test_store_faults.py",
    ),
    "recovery": _RESTARTS,
    "supervision": ("tests/supervision",),
    "stores": (
        "tests/stores",
        "tests/journal/test_all_damage.py",
        "tests/journal/test_damage_told_once.py",
        "tests/journal/test_torn_pages.py",
        "tests/cli/test_repair.py",
    ),
}
"""An area is a module or a package of aion_trio; its tests are files and directories.

Tests that belong to one area alone may lie in `tests/mutation/test_AREA.py`."""

LEFT_OUT = (
    "test_lmdb_soak.py",
    "test_chapter.py",
    "test_simulation.py",
    "test_random_programs.py",
    "test_no_crash_at_all_loses_or_doubles_work",
)
"""Tests that take long and prove what others prove in less time. Of the random programs `test_kernel.py` here has the first.

Crashes everywhere took a quarter of the time of `recovery`, where their samples had killed what they can."""


def mutants_of(area: str) -> list[Mutant]:
    """All mutants of an area, in the order of its files."""
    place = ROOT / "aion_trio" / area
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return [mutant for file in files for mutant in Source.read(module_name(file), file.resolve()).mutants()]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def paths_for(area: str) -> list[str]:
    """Arguments for pytest."""
    own = f"tests/mutation/test_{area}.py"
    return [*AREAS[area], *([own] if (ROOT / own).is_file() else [])]
