"""The first of the kernel's random programs: few enough to be tried with each mutant of the kernel and of replay.

Trio, and the committed order, are the kernel's true oracles; `tests/kernel/test_random_programs.py` asks them about many more programs.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ..kernel.check import breaches, digest_lines, recorded_digests
from ..kernel.lives import OnAnyIO, live
from ..kernel.oracle import lived_on_trio

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
"""Programs that are cut off leave AnyIO's streams open."""

SOME = pytest.mark.parametrize("seeds", [range(first, first + 10) for first in range(0, 40, 10)], ids=str)


@pytest.fixture(autouse=True)
def _collect_while_warnings_are_ignored() -> Iterator[None]:
    yield
    gc.collect()


@SOME
def test_a_program_goes_the_same_way_from_a_crash(seeds: range) -> None:
    """K1."""
    assert [what for seed in seeds for what in breaches(seed)] == []


@SOME
def test_an_anyio_program_goes_the_same_way_from_a_crash(seeds: range) -> None:
    """K1."""
    assert [what for seed in seeds for what in breaches(seed, 2, OnAnyIO)] == []


@SOME
def test_a_program_goes_the_way_that_it_goes_on_trio(seeds: range) -> None:
    """K8."""
    lives = [live(seed) for seed in seeds]
    assert [life.seed for life in lives if lived_on_trio(life) != life.trace] == []


@SOME
def test_a_program_has_the_recorded_order(seeds: range) -> None:
    """K1: between releases, too."""
    assert digest_lines(seeds) == recorded_digests()[seeds.start : seeds.stop]
