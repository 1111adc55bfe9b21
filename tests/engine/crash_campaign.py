"""Every crash point of every chapter, under many schedules: `python -m tests.engine.crash_campaign --seeds 0..9 --deaths 2`.

Prints one line a chapter and seed, and every difference in full. Exit status 1 if there was one.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import time

import trio

from aion_trio.testing import CrashSearch

from .crash_chapters import CHAPTERS, explore


def main() -> int:
    """Run the campaign that the command line asks for."""
    asked = _arguments()
    print(f"{platform.platform()}, Python {platform.python_version()}, Trio {trio.__version__}, commit {_commit()}")
    print(f"chapters: {', '.join(asked.chapters)}")
    print(f"seeds {asked.seeds}, at most {asked.deaths} crashes in a row, {asked.down_for:g} s down, sample {asked.sample}")
    first, _, last = asked.seeds.partition("..")
    begun, tried, lives, failures = time.monotonic(), 0, 0, 0
    for seed in range(int(first), int(last or first) + 1):
        for chapter in asked.chapters:
            report = explore(chapter, CrashSearch(asked.deaths, asked.sample, seed, down_for=asked.down_for))
            tried, lives, failures = tried + report.tried, lives + report.lives, failures + len(report.findings)
            print(f"seed {seed}, {chapter}: {report}", flush=True)
    print(f"{tried} sequences of crashes, {lives} lives, {failures} differences, {time.monotonic() - begun:.0f} s")
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0", help="one seed, or the first and the last: 0..9")
    parser.add_argument("--deaths", type=int, default=2, help="how often in a row the engine may die")
    parser.add_argument("--sample", type=int, default=None, help="sequences of crashes a chapter and seed; all of them if not given")
    parser.add_argument("--down-for", type=float, default=0.0, help="virtual seconds between a crash and the next life")
    parser.add_argument("--chapters", nargs="+", default=list(CHAPTERS), choices=list(CHAPTERS))
    return parser.parse_args()


def _commit() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
