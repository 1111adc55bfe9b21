"""The README keeps its word: its example runs, is killed, and goes on."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.project.tree import TREE


def example() -> str:
    """The program in the README."""
    found = re.search(r"```python\n(.*?)```", (TREE / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def start(directory: Path) -> subprocess.Popen[str]:
    """Run the example as a program of its own, against the package that these tests see."""
    program = directory / "example.py"
    program.write_text(f"import sys\nsys.path[:0] = {sys.path!r}\n" + example())
    return subprocess.Popen([sys.executable, "-W", "error", str(program)], cwd=directory, stdout=subprocess.PIPE, text=True)


def test_the_example_survives_a_kill_and_prints_its_receipt_ever_after(tmp_path: Path) -> None:
    """Killed in its sleep, run again, and run once more (R1, T1, S6)."""
    first = start(tmp_path)
    while not (tmp_path / "orders.aion").exists() and first.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    first.kill()
    assert first.communicate()[0] == ""
    for _ in range(2):
        again = start(tmp_path)
        assert again.communicate(timeout=30)[0] == "receipt for order-42: 42.00\n"
        assert again.returncode == 0


def test_every_page_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (TREE / "README.md").read_text())
    assert [link for link in links if not (TREE / link).exists()] == []


def test_each_command_of_the_bare_clone_is_named_and_known() -> None:
    """`run.py` without a command says which there are; each of these does something."""
    spec = importlib.util.spec_from_file_location("run", TREE / "run.py")
    assert spec is not None and spec.loader is not None
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    named = re.findall(r"^    python3 run\.py (\w+) ", run.__doc__ or "", re.MULTILINE)
    assert named == list(run.COMMANDS)
    told = subprocess.run([sys.executable, TREE / "run.py", "unheard"], capture_output=True, text=True)
    assert told.returncode == 2 and run.__doc__ in told.stdout
