"""The command as a program: help, usage, errors as one line with a hint, and life without the `cli` extra."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from aion_trio.stores import LmdbStore
from tests.cli.histories import lines

MAIN = "import sys; sys.path[:] = {path!r}; {before}; sys.argv = ['aion-trio', *{args!r}]; from aion_trio.cli import main; main()"


def run(*args: str | Path, before: str = "", given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    program = MAIN.format(path=sys.path, before=before or "pass", args=[str(arg) for arg in args])
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], input=given, capture_output=True, text=True, check=False, timeout=50
    )


def test_the_command_alone_prints_what_it_can_do() -> None:
    done = run()
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("demo", "journal", "bench"))


def test_wrong_usage_exits_2() -> None:
    assert run("fly").returncode == 2
    assert run("demo", "--kills", "many").returncode == 2
    assert run("journal", "verify", "/no/such/directory").returncode == 2


def test_without_the_extra_the_command_says_what_to_install_and_exits_2() -> None:
    hide = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda name, *a: None if name == 'rich' else find(name, *a)"
    done = run(before=hide)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'aion-trio[cli]'" in done.stderr


def test_reading_commands_work_beside_a_writer_and_writing_ones_get_one_line_and_a_hint(tmp_path: Path) -> None:
    """Readers in other processes are welcome; a second writer is told who holds the lock (J8)."""
    writer = LmdbStore.open(tmp_path / "j")
    assert run("journal", "stats", tmp_path / "j").returncode == 0
    assert run("journal", "verify", tmp_path / "j").returncode == 0
    refused = run("journal", "import", tmp_path / "j", "-", given="\n".join(lines()))
    writer.close()
    assert (refused.returncode, refused.stdout) == (1, "")
    message, hint = refused.stderr.splitlines()
    assert message.startswith("aion-trio: ")
    assert str(os.getpid()) in message
    assert hint.startswith("hint: ")


def test_a_directory_for_the_demo_that_holds_something_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    done = run("demo", "--keep", tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr
