"""Checks of the files in `examples/deploy`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def verify_unit(unit: Path) -> None:
    """Let systemd look at a unit, where systemd is. Its program is put where this machine has one."""
    tool = shutil.which("systemd-analyze")
    if tool is None or not unit.exists():
        pytest.skip("systemd-analyze or the unit is not here")
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / unit.name
        copy.write_text(unit.read_text().replace("/opt/aion-trio/bin/python", sys.executable))
        done = subprocess.run([tool, "verify", copy], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert done.returncode == 0 and not said, done.stderr
