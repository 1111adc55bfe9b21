"""Random supervisors and directories keep every law; and the laws notice every fault that was put in by hand.

How long to simulate is set by ``AION_SIMULATION_SECONDS`` (45). A failure prints the line that repeats it; longer
campaigns are ``python -m tests.supervision.campaign``.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

from .campaign import campaign
from .simulation import KINDS

SECONDS = float(os.environ.get("AION_SIMULATION_SECONDS", "45"))
BATCH = 100


@pytest.mark.timeout(SECONDS * 2 + 60)
@pytest.mark.parametrize("kind", KINDS)
def test_random_trees_keep_the_laws(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    end = time.monotonic() + SECONDS / len(KINDS)
    for first in itertools.count(0, BATCH):
        kept = campaign(kind, range(first, first + BATCH))
        assert kept, capsys.readouterr().out
        if time.monotonic() > end:
            break


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_its_log(kind: str) -> None:
    for seed in range(20):
        assert KINDS[kind](seed) == KINDS[kind](seed)


@pytest.mark.timeout(120)
def test_every_mutant_is_killed() -> None:
    hunt = subprocess.run([sys.executable, "-m", "tests.supervision.mutants"], cwd=ROOT, capture_output=True, text=True)
    assert hunt.returncode == 0, hunt.stdout + hunt.stderr
