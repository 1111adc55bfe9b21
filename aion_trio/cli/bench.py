"""`aion-trio bench`: the benchmarks of a source tree."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(options: tuple[str, ...]) -> None:
    """Measure, as `python -m benchmarks` in a source tree does."""
    sys.path.insert(0, "")
    if importlib.util.find_spec("benchmarks") is None:
        raise click.UsageError("the benchmarks are not part of the installed package; run this in a source tree of aion-trio")
    sys.exit(subprocess.run([sys.executable, "-m", "benchmarks", *options], check=False).returncode)
