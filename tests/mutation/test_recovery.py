"""A few seeds of the simulation of the whole engine, which notices what a crash must not leave undone (R11)."""

from __future__ import annotations

import pytest

from aion_trio.testing.simulation import Size
from aion_trio.testing.simulation.campaign import judged
from tests.testing.quiet import quiet


@pytest.mark.parametrize("first", range(0, 24, 6))
def test_a_few_simulations_are_sound(first: int) -> None:
    with quiet():
        for seed in range(first, first + 6):
            assert judged(seed, Size()).faults == []
