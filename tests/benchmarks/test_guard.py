"""Nothing got much slower: ratios to floors that were measured in the same minute, with bounds that a busy machine keeps.

The bounds are some three times what a quiet machine shows. They compare processor time, which other work disturbs least.
"""

from __future__ import annotations

import pytest

from benchmarks.row import Row
from benchmarks.settings import Scale, Settings
from benchmarks.suite import SUITE, chosen

BOUNDS = {
    "kernel.sequential": ("kernel.payloads", 8),
    "kernel.fan_out": ("kernel.payloads", 20),
    "kernel.scopes": ("kernel.payloads", 20),
    "replay.sequential": ("replay.sequential.floor", 9),
    "replay.fan_out": ("replay.sequential", 5),
    "replay.children": ("replay.children.floor", 25),
    "replay.load": ("replay.load.floor", 16),
    "step.durable": ("step.rows", 20),
    "throughput.100": ("throughput.100.floor", 30),
    "recovery.parked.many": ("recovery.parked.few", 3),
    "import.aion_trio": ("import.trio", 1.3),
}
"""The most processor time that a row may take, as a multiple of another row's."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Small counts of what the bounds are about."""
    settings = Settings(tmp_path_factory.mktemp("bench"), Scale.QUICK, 2)
    return {row.name: row for benchmark in chosen(settings, list(BOUNDS)) for row in benchmark.run(settings)}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_row_is_within_its_bound(rows: dict[str, Row], name: str) -> None:
    against, most = BOUNDS[name]
    cost, floor = (min(rows[one].cpu or rows[one].values) for one in (name, against))
    assert cost <= most * floor, f"{name} takes {cost / floor:.1f} × {against}, at most {most} × is expected"


def test_targets_and_floors_name_rows_that_are_measured(rows: dict[str, Row]) -> None:
    named = {row.floor for row in rows.values() if row.floor} | {target.against for row in rows.values() for target in row.targets}
    assert {name for name in named if name and not name.startswith("peer.")} <= set(rows)


def test_a_quick_run_takes_no_peer_and_a_row_selects_its_benchmark() -> None:
    quick = chosen(Settings(scale=Scale.QUICK), [])
    assert quick and not any(one.peer for one in quick)
    assert [one.name for one in chosen(Settings(), ["step.durable"])] == ["step"]
    assert any(one.peer for one in chosen(Settings(peers=True), []))
    assert len({one.name for one in SUITE}) == len(SUITE)
