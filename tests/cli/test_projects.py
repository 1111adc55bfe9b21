"""`aion-trio new` and `aion-trio dev`: a project to start from, and a daemon that takes up its changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aion_trio.cli.dev import snapshot
from tests.cli.running import at, command_of, data, refusal

WORKFLOW = """
import aion_trio as aion

@aion.workflow
async def greet(name: str) -> str:
    return f"{GREETING}, {name}"

GREETING = "hello"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project, `corner-shop`."""
    made = at("new", "corner-shop", "--directory", tmp_path / "it")
    assert made.exit_code == 0
    assert "aion-trio dev corner_shop.workflows" in made.stdout
    return tmp_path / "it"


def environment(project: Path) -> dict[str, str]:
    """Where the project and the package under test are found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(project), *sys.path]), "PYTHONUNBUFFERED": "1"}


def test_a_new_projects_tests_pass_and_its_code_is_clean(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=project, env=environment(project), capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert "PACKAGE" not in "".join(path.read_text() for path in project.rglob("*.py"))


def test_a_new_projects_program_runs_and_runs_again(project: Path) -> None:
    """The second time it finds the order that the first one made (S6)."""
    for status in ("running", "completed"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "corner_shop"],
            cwd=project, env=environment(project), capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"order-1 is {status}\n['receipt for order-1: 42.00 (")
        assert done.stdout.endswith("'parcel-7']\n")


def test_a_project_is_not_made_over_another_one_nor_under_a_name_that_cannot_be_imported(project: Path, tmp_path: Path) -> None:
    assert "is not empty" in refusal("new", "shop", "--directory", project, status=2)
    for name in ("Shop", "1shop", "shop/..", "import", "-shop", ""):
        refusal("new", "--directory", str(tmp_path / "other"), "--", name, status=2)
    assert not (tmp_path / "other").exists()


def test_dev_takes_up_changes_and_outlives_mistakes(tmp_path: Path) -> None:
    """The same journal, new code (R10)."""
    module, log, socket = tmp_path / "greetings.py", tmp_path / "log", tmp_path / "sock"
    module.write_text(WORKFLOW)
    place = {"AION_SOCKET": str(socket), "AION_TOKEN": ""}

    def greeting(id: str) -> Any:
        done = at("workflow", "execute", "greet", "Ada", "--id", id, env=place)
        return done.stdout.strip() if done.exit_code == 0 else None

    command = command_of("dev", "greetings", "--journal", tmp_path / "j", "--listen", f"unix:{socket}")
    with log.open("wb") as sink, subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stdout=sink, stderr=sink) as process:
        try:
            await_true(lambda: socket.exists() and greeting("first") == '"hello, Ada"', log)
            module.write_text("this is no Python")
            await_true(lambda: "mend the code" in log.read_text(), log)
            module.write_text(WORKFLOW.replace('"hello"', '"good day"'))
            await_true(lambda: socket.exists() and greeting("second") == '"good day, Ada"', log)
            assert data("workflow", "result", "first", env=place) == "hello, Ada"
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert "greetings.py changed; starting again" in log.read_text()
    assert not socket.exists()


def await_true(condition: Callable[[], bool], log: Path) -> None:
    """Wait for what other processes do."""
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_a_watch_sees_what_is_written_and_passes_over_environments(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "a.py").write_text("1")
    (tmp_path / "shop" / "notes.txt").write_text("1")
    for foreign in (".git", "env", "__pycache__"):
        (tmp_path / foreign).mkdir()
        (tmp_path / foreign / "b.py").write_text("1")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    before = snapshot((tmp_path,))
    assert list(before) == [tmp_path / "shop" / "a.py"]
    os.utime(tmp_path / "shop" / "a.py", ns=(1, 1))
    assert snapshot((tmp_path,)) != before
