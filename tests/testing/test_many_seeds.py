"""Five hundred simulations with those beside it: two processes share the seeds that `test_simulation` leaves."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .test_simulation import SEEDS

ALL = 500


@pytest.mark.timeout(150)
def test_five_hundred_seeds_are_sound() -> None:
    middle = (SEEDS + ALL) // 2
    command = [sys.executable, "-m", "aion_trio.testing.simulate", "--seeds"]
    shares = [f"{SEEDS}..{middle}", f"{middle}..{ALL}"]
    runs = [subprocess.Popen([*command, share], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for share in shares]
    told = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert all("; 0 failed" in each for each in told), told
