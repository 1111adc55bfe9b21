"""`python -m benchmarks`: measure, print a table, and keep it if asked."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import traceback
import types
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NoReturn

from . import pages, parts, plots, results, suite, table
from .machine import load, machine
from .results import Result
from .row import Row
from .settings import Scale, Settings


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure aion-trio beside the floor that the machine sets.")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="only these benchmarks, such as step, replay or replay.fan_out; see --list"
    )
    parser.add_argument("--list", action="store_true", help="name the benchmarks and the parts")
    parser.add_argument("--path", type=Path, default=Path(), help="a directory on the disk to measure (default: the current one)")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (default 5, quick 3)")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_true", help="small counts, well under a minute: a guard, not a measurement")
    scale.add_argument("--full", action="store_true", help="a million parked workflows, a run of 100 000 steps")
    parser.add_argument(
        "--peers", action="store_true", help="measure other engines too; they are installed from PyPI and npm, each on its own"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result")
    parser.add_argument("--compare", type=Path, metavar="OLD", help="compare with a result that was kept")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the result as SVG")
    parser.add_argument("--write-docs", type=Path, metavar="RESULT", help="put a kept result into docs/performance.md; measures nothing")
    parser.add_argument("--part", nargs=argparse.REMAINDER, metavar="NAME", help="run the script of one part, with its own options")
    return parser.parse_args(argv)


def settings_of(options: argparse.Namespace) -> Settings:
    """How much is to be measured."""
    scale = Scale.QUICK if options.quick else Scale.FULL if options.full else Scale.NORMAL
    rounds = options.rounds or (3 if options.quick else 5)
    return Settings(options.path, scale, rounds, options.peers)


def measure(settings: Settings, only: Sequence[str]) -> dict[str, Row]:
    """Run the benchmarks and print each row as it is found. A peer that cannot be installed or run is left out, and why is said."""
    rows: dict[str, Row] = {}
    for benchmark in suite.chosen(settings, only):
        try:
            for row in benchmark.run(settings):
                rows[row.name] = row
                print(table.lines(row, rows), flush=True)
        except (OSError, subprocess.SubprocessError) as error:
            if not benchmark.peer:
                raise
            print(f"† {benchmark.name} could not be measured: {error}", flush=True)
    return rows


def usage(message: str) -> NoReturn:
    """End the program: it was called in a wrong way."""
    print(message, file=sys.stderr)
    sys.exit(2)


def measure_and_keep(options: argparse.Namespace) -> None:
    """A whole run."""
    settings = settings_of(options)
    if not suite.chosen(settings, options.only):
        usage(f"no benchmark is called {' or '.join(options.only)}; --list names them")
    began, found = perf_counter(), machine(options.path)
    print(table.header(found), flush=True)
    rows = measure(settings, options.only)
    found |= {"load at the end": load(), "seconds": f"{perf_counter() - began:.0f}"}
    asked = {"scale": settings.scale.value, "rounds": str(settings.rounds), "only": " ".join(options.only)}
    result = Result(found, asked, rows)
    print(f"\n{table.targets(rows)}\nload {found['load']} at the beginning, {found['load at the end']} at the end; {found['seconds']} s")
    if options.json:
        results.write(options.json, result)
    if options.plots:
        plots.write_all(options.plots, rows)
    if options.compare:
        print("\n".join(results.comparison(results.read(options.compare), rows)))


def interrupt(_number: int, frame: types.FrameType | None) -> None:
    """Told to end: as by Ctrl-C, which Trio can be ended by at any moment; started servers are stopped, directories removed."""
    if any(found.f_code.co_name == "__del__" for found, _ in traceback.walk_stack(frame)):
        signal.setitimer(signal.ITIMER_REAL, 0.01)  # what a finalizer raises is lost: once more when it is done
    else:
        signal.raise_signal(signal.SIGINT)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what was asked for. Exit status 2 for wrong usage."""
    options = arguments(sys.argv[1:] if argv is None else argv)
    if options.list:
        print("\n".join(one.name for one in suite.SUITE))
        print("\n".join(f"--part {name}: {what}" for name, what in parts.present().items()))
    elif options.part is not None:
        if not options.part or options.part[0] not in parts.present():
            usage(f"--part takes one of {', '.join(parts.present())}")
        parts.run(options.part[0], options.part[1:])
    elif options.write_docs:
        pages.write(options.write_docs)
    else:
        measure_and_keep(options)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs in its background ignore it
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, interrupt)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
