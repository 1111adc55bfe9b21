"""A user's type checker sees what the definitions promise: wrong calls are errors, right ones have their types.

Every `type: ignore` in the contract file is an error that must exist: an unused one fails the check.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = "tests/typing/definitions_contract.py"


COMMANDS = {
    "mypy": ["mypy", "--strict", "--warn-unused-ignores", "--follow-imports=silent", CONTRACT],
    "basedpyright": ["basedpyright", "--pythonpath", sys.executable, CONTRACT],
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("checker", COMMANDS)
def test_the_type_checker_agrees_with_the_contract(checker: str) -> None:
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    command = [sys.executable, "-m", *COMMANDS[checker]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
