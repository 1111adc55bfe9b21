"""A few seeds of the simulation of supervisors, directories and trees of them."""

from __future__ import annotations

import pytest

from tests.supervision.simulation import KINDS


@pytest.mark.parametrize("first", range(0, 40, 10))
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_seeds_keep_the_laws(kind: str, first: int) -> None:
    """Each seed raises where a law is broken."""
    for seed in range(first, first + 10):
        assert KINDS[kind](seed)
