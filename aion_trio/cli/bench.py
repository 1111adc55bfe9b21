"""`aion-trio bench`: the benchmarks, which are `aion_trio.benchmarks` where the package is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

import aion_trio

from .verbs import verb

_TREE = Path(aion_trio.__file__).parents[1]


@verb("bench", "bench", "bench --help", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Measure on this machine, beside what its disk and LMDB take; `--help` names the options."""
    if importlib.util.find_spec("aion_trio.benchmarks") is not None:
        name, path = "aion_trio.benchmarks", sys.path
    elif (_TREE / "benchmarks").is_dir():  # a checkout that is not installed, or installed in place
        name, path = "benchmarks", [str(_TREE), *sys.path]
    else:
        raise click.UsageError("the benchmarks are not there: neither in the installed package nor in a source tree")
    program = f"import runpy, sys; sys.path[:] = {path!r}; runpy.run_module({name!r}, run_name='__main__')"
    sys.exit(subprocess.run([sys.executable, "-c", program, *arguments], check=False).returncode)
