"""Fifty kills of small programs in forks; `python -m tests.kill.forked` does any number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

from .campaign import Toll
from .forked import in_fork, paced, repairs_in


@pytest.mark.timeout(120)
def test_fifty_kills_anywhere_lose_nothing_and_double_nothing() -> None:
    """After each kill the journal verifies and holds what was acknowledged; at the end all is done once (J3, J4, R1, R3, R11, S6)."""
    command = [sys.executable, "-m", "tests.kill.forked", "--kills", "50"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50 kills" in done.stdout and ", 0 faults" in done.stdout


def test_a_look_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    def look() -> None:
        raise AssertionError("a start is lost")

    assert in_fork(look, tmp_path / "log", 30) == 1
    assert "a start is lost" in (tmp_path / "log").read_text()
    assert in_fork(lambda: None, tmp_path / "log", 30) == 0


def test_a_line_whose_end_a_kill_cut_off_is_read(tmp_path: Path) -> None:
    line = '{"news": "Recovery", "counts": {"activities_resumed": 2}, "quarantined": [], "seconds": 0.1}'
    (tmp_path / "log").write_text(f"{line}{line}\n{line[:40]}\n")
    assert repairs_in(tmp_path / "log") == {"activities_resumed": 4}


@pytest.mark.parametrize(("rounds", "longer"), [(1, True), (5, False)])
def test_lives_become_longer_where_none_ends_and_shorter_where_many_do(rounds: int, longer: bool) -> None:
    after = paced(0.2, Toll(rounds, 10, repairs_in(Path("/dev/null")), 0, 0, []))
    assert (after > 0.2) is longer and after != 0.2
