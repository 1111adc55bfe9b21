"""A program with many workflows of all shapes, killed a few times; the campaign beside it does more of the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill.campaign import Assault, assail


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_programs_lose_no_start_and_no_step_and_end_as_undisturbed_ones(tmp_path: Path, seed: int) -> None:
    """Acknowledged starts are there after each restart, steps have one key each, results are right (R1, R10, R11, A1, S2, C2, N1)."""
    toll = assail(Assault(tmp_path, workflows=120, kills=5, seed=seed))
    assert toll.faults == []
    assert toll.kills == 5
