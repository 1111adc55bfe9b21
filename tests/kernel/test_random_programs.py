"""Random programs keep the kernel's law, agree with Trio, and have the order that the committed digests name."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aion_trio.kernel import KERNEL_VERSION

from .check import DIGESTS, breaches, digest_lines, recorded_digests
from .lives import OnAnyIO, OnKernel, live
from .mutants import MUTANTS
from .oracle import lived_on_trio

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = 600

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
"""Programs that are cut off leave AnyIO's streams open."""


@pytest.fixture(autouse=True)
def _collect_while_warnings_are_ignored() -> Iterator[None]:
    yield
    gc.collect()


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, PROGRAMS, 100)], ids=str)
def test_a_life_goes_the_same_way_from_every_crash(seeds: range) -> None:
    """K1: replayed whole, from prefixes, cut inside a step's outputs, and with steps that were recorded late."""
    assert [what for seed in seeds for what in breaches(seed)] == []


def test_a_life_goes_the_same_way_from_every_single_prefix() -> None:
    """K1, with every prefix of some lives."""
    assert [what for seed in range(40) for what in breaches(seed, cuts=None)] == []


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, 300, 100)], ids=str)
def test_plain_anyio_code_goes_the_same_way_from_a_crash(seeds: range) -> None:
    """K1, for code that knows AnyIO alone."""
    assert [what for seed in seeds for what in breaches(seed, 2, OnAnyIO)] == []


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, PROGRAMS, 100)], ids=str)
def test_trio_itself_goes_the_same_way(seeds: range) -> None:
    """K8: the same program on Trio's own objects, told the same in the same order, writes the same trace."""
    for seed in seeds:
        life = live(seed)
        assert lived_on_trio(life) == life.trace, seed


def test_the_order_is_the_recorded_one() -> None:
    """A changed digest is a change of the durable format: raise KERNEL_VERSION, then write the file anew (see `campaign`)."""
    recorded = recorded_digests()
    assert f"KERNEL_VERSION {KERNEL_VERSION}:" in DIGESTS.read_text()
    assert digest_lines(range(len(recorded))) == recorded


@pytest.mark.parametrize("hash_seed", ["0", "4321"])
def test_the_order_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    """K1: other processes, with other hashes and other addresses, live the same lives."""
    recorded = recorded_digests()[:100]
    out = subprocess.run(
        [sys.executable, "-m", "tests.kernel.campaign", "--digests", "100"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed}, cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert out.splitlines()[1:] == recorded


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MUTANTS)
def test_the_check_notices_an_order_hole(name: str) -> None:
    """Each hole that was put back breaks the law in one of the first programs."""
    with MUTANTS[name]():
        assert any(next(breaches(seed, 2, env), None) for seed in range(200) for env in (OnKernel, OnAnyIO))
