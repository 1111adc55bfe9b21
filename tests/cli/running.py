"""Running the command line: in this process through click, or as a program of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from aion_trio.cli.commands import root

MAIN = "import sys; sys.path[:] = {path!r}; {before}; sys.argv = ['aion-trio', *{args!r}]; from aion_trio.cli import main; main()"


def at(*args: str | Path, given: str = "", env: dict[str, str] | None = None) -> Result:
    """Run a command line here; standard output is no terminal."""
    return CliRunner().invoke(root, [str(arg) for arg in args], input=given, env=env)


def data(*args: str | Path, env: dict[str, str] | None = None) -> Any:
    """What a verb that succeeds prints as JSON, which is the default where standard output is no terminal."""
    done = at(*args, env=env)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def text(*args: str | Path, env: dict[str, str] | None = None) -> str:
    """What a verb that succeeds prints for people; it holds no escape codes, since standard output is no terminal."""
    done = at(*args, "-o", "table", env=env)
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout
    return done.stdout


def refusal(*args: str | Path, status: int = 1, env: dict[str, str] | None = None, given: str = "") -> str:
    """What a verb that fails says: one line, and maybe a hint, on standard error; nothing on standard output."""
    done = at(*args, env=env, given=given)
    assert (done.exit_code, done.stdout) == (status, ""), done.output
    first, *hints = done.stderr.splitlines()
    assert first.startswith("aion-trio: ")
    assert len(hints) <= 1 and all(hint.startswith("hint: ") for hint in hints)
    return done.stderr


def command_of(*args: str | Path, before: str = "pass") -> list[str]:
    """The command that runs a command line as a program."""
    return [sys.executable, "-W", "error", "-c", MAIN.format(path=sys.path, before=before, args=[str(arg) for arg in args])]
