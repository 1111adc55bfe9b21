"""Programs in processes of their own, for what one process cannot show: locks, crashes, limits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PRELUDE = """
import os, sys, time, resource
from pathlib import Path
from aion_trio.stores import *
from tests.stores.building import *
path = Path(sys.argv[1])
"""


PATH = f"import sys; sys.path.append({str(ROOT)!r})\n"
"""Where the tests are found. The package is found there, too, but only where none is installed."""


def run_program(program: str, *arguments: object, prelude: str = PRELUDE) -> str:
    """Run a program to its end; what it printed. Fails with its error if it fails."""
    command = [sys.executable, "-c", PATH + prelude + program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A program that runs beside the test, from its first printed line on; killed at the end of the block."""
    command = [sys.executable, "-c", PATH + PRELUDE + program, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
