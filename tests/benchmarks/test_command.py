"""`python -m benchmarks`, as a person calls it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.__main__ import main


def test_a_run_prints_a_table_with_the_machine_and_keeps_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "now.json"
    options = ["--quick", "--rounds", "1", "--path", str(tmp_path)]
    main([*options, "--only", "kernel", "--json", str(kept), "--plots", str(tmp_path)])
    main([*options, "--only", "kernel", "--compare", str(kept)])
    printed = capsys.readouterr().out
    assert "processor" in printed and "kernel.sequential" in printed and "compared with" in printed
    assert "kernel.sequential" in results.read(kept).rows


def test_list_names_benchmarks_and_parts(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--list"])
    printed = capsys.readouterr().out.splitlines()
    assert "replay.sequential" in printed
    assert any(line.startswith("--part stores_apply: ") for line in printed)


@pytest.mark.parametrize("options", [["--only", "nothing"], ["--part", "nothing"], ["--quick", "--full"]])
def test_wrong_usage_ends_with_status_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_run_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGTERM in the middle of a measurement: the journals that were being measured are removed, servers of peers are stopped."""
    command = [sys.executable, "-m", "benchmarks", "--only", "step", "--path", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("*/*")):
            assert process.poll() is None
            time.sleep(0.01)  # another process is waited for, whose time is not virtual
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGINT
    assert not list(tmp_path.iterdir())
