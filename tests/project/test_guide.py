"""The guide keeps its word: its Python is run, in order, as one program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.project.tree import TREE


def test_the_guides_program_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (TREE / "docs" / "guide.md").read_text(), re.DOTALL)
    assert len(blocks) >= 6
    program = tmp_path / "guide.py"
    program.write_text(f"import sys\nsys.path[:0] = {sys.path!r}\n" + "\n\n".join(blocks) + "\n\ntrio.run(main, 'guide.aion')\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "trip-1 completed" in done.stdout
    assert "WorkflowCompleted" in done.stdout
