"""The command `python -m aion_trio.testing.simulate --seeds 0..1000`: simulate the whole engine, seed by seed.

Exit status 0 if nothing was found, 1 if something was; each failing seed is one line that runs it again. Rare states
that no seed reached are named at the end. With `--logbook FILE` each range of `--progress` seeds leaves a line in the file, and
the same command goes on behind the last of them; several processes have a range and a file each.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ...seams import SystemClock
from .campaign import Campaign, judged, reproduce, shrunk
from .logbook import Logbook
from .rare import POINTS
from .world import Size, Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; the exit status."""
    options = _parser().parse_args(arguments)
    logging.getLogger("aion_trio").disabled = True  # what engines are made to suffer is no news
    size = Size(without_operations=options.without_operations, without_lives=options.without_lives)
    logbook = Logbook(options.logbook) if options.logbook else None
    clock = SystemClock()
    begun_us = clock.now_us()
    first, total = logbook.read(options.seeds) if logbook else (options.seeds.start, Campaign())
    step = options.progress or len(options.seeds) or 1
    for start in range(first, options.seeds.stop, step):
        seeds = range(start, min(start + step, options.seeds.stop))
        found = _run(seeds, size, options, options.failures - len(total.failures))
        total.include(found)
        if found.seeds == len(seeds) and logbook:
            logbook.record(seeds, found)
        if len(total.failures) >= options.failures:
            break
        if options.progress:
            _say(f"... {total.seeds} seeds, {len(total.failures)} failed")
    _tell(total, (clock.now_us() - begun_us) / 1e6)
    return 1 if total.failures else 0


def _run(seeds: range, size: Size, options: argparse.Namespace, failures: int) -> Campaign:
    """Run some seeds, at most to so many failures."""
    found = Campaign()
    for seed in seeds:
        verdict = judged(seed, size)
        found.add(verdict)
        if verdict.faults:
            _tell_failure(verdict, shrunk(seed, size) if options.shrink else size)
            if len(found.failures) >= failures:
                break
    return found


def _tell_failure(verdict: Verdict, size: Size) -> None:
    _say(f"seed {verdict.seed} fails: {reproduce(verdict.seed, size)}")
    for fault in verdict.faults[:5]:
        _say(f"    {str(fault)[:2000]}")


def _tell(campaign: Campaign, seconds: float) -> None:
    _say(
        f"{campaign.seeds} seeds in {seconds:.1f} s: {campaign.lives} lives, {campaign.workflows} workflows, {campaign.events} events, "
        f"{campaign.commits} commits; {len(campaign.failures)} failed"
    )
    for point in POINTS:
        _say(f"{campaign.reached[point]:8} {point}")
    if campaign.not_reached:
        _say(f"not reached: {'; '.join(campaign.not_reached)}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aion_trio.testing.simulate", description="Simulate the whole engine.")
    parser.add_argument("--seeds", type=_seeds, default=range(100), help="A..B (without B), or one seed; default 0..100")
    parser.add_argument("--failures", type=int, default=10, help="stop after so many failing seeds")
    parser.add_argument("--progress", type=int, default=0, metavar="N", help="say something every N seeds")
    parser.add_argument("--logbook", type=Path, metavar="FILE", help="append a line for each such range, and go on behind those it has")
    parser.add_argument("--shrink", action="store_true", help="leave out what a failing seed does not need")
    parser.add_argument("--without-operations", type=_numbers, default=frozenset(), metavar="N,N", help="leave these operations out")
    parser.add_argument("--without-lives", type=_numbers, default=frozenset(), metavar="N,N", help="leave these lives out")
    return parser


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last) if last else int(first) + 1)


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if part)
