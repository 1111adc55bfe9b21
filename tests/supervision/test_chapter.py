"""Every example of the chapter is a program that runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.project.tree import TREE

EXAMPLES = re.findall(r"```python\n(.*?)```", (TREE / "docs" / "supervision.md").read_text(), re.DOTALL)


def test_the_chapter_has_examples() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_example_runs(example: str) -> None:
    ran = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
