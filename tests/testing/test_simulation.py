"""The simulation of the whole engine: some seeds, and the proof that it would notice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aion_trio import testing
from aion_trio.testing.simulation import POINTS, Size, command
from aion_trio.testing.simulation.campaign import Campaign, judged, reproduce, shrunk

from .mutants import rows
from .quiet import quiet

SEEDS = 150
SELDOM = {"a run declined its cancellation", "a cancel request was carried to a successor", "a timer and a deadline at one time"}
"""What so few seeds need not meet."""


def test_some_seeds_are_sound_and_reach_the_rare_states() -> None:
    campaign = Campaign()
    with quiet():
        for seed in range(SEEDS):
            campaign.add(judged(seed, Size()))
    assert [(verdict.seed, verdict.faults) for verdict in campaign.failures] == []
    assert len(set(campaign.not_reached) - SELDOM) <= 5, campaign.not_reached
    assert len(POINTS) > 30


def run(seeds: str, hash_seed: str) -> str:
    """What the command prints in a process of its own, but for the time it took."""
    process = subprocess.run(
        [sys.executable, "-m", "aion_trio.testing.simulate", "--seeds", seeds],
        env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    return re.sub(r"in [\d.]+ s", "", process.stdout)


def test_a_seed_is_the_same_simulation_in_every_process() -> None:
    assert run("7..13", "1") == run("7..13", "2")


def test_a_failing_seed_is_one_line_and_can_be_shrunk(capsys: pytest.CaptureFixture[str]) -> None:
    with rows.a_row_is_not_closed(), quiet():
        small = shrunk(0, Size())
        assert judged(0, small).faults
        assert len(small.without_operations) > 5
        assert command.main(["--seeds", "0"]) == 1
    assert "seed 0 fails: python -m aion_trio.testing.simulate --seeds 0\n" in capsys.readouterr().out
    assert reproduce(0, Size(without_operations=frozenset({2, 1}))).endswith("--seeds 0 --without-operations 1,2")


def test_one_seed_is_one_call() -> None:
    assert testing.simulate(7).faults == [] == testing.simulate(7, Size(clients=1, lives=1)).faults
    with pytest.raises(AttributeError, match="simulates"):
        getattr(testing, "simulates")  # noqa: B009


def test_a_campaign_goes_on_behind_the_last_range_of_its_logbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logbook = tmp_path / "seeds"
    arguments = ["--progress", "2", "--logbook", str(logbook)]
    assert command.main(["--seeds", "10..12", *arguments]) == 0
    with logbook.open("a") as file:
        file.write('{"from": 12, "to')  # the process was killed while it wrote
    capsys.readouterr()
    with rows.a_row_is_not_closed(), quiet():
        assert command.main(["--seeds", "10..14", *arguments]) == 1
    assert [json.loads(line)["from"] for line in logbook.read_text().splitlines() if line.endswith("}")] == [10, 12]
    assert command.main(["--seeds", "10..14", *arguments]) == 1
    told = capsys.readouterr().out
    assert told.splitlines()[-len(POINTS) - 2].startswith("4 seeds in")
