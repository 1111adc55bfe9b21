"""`python -m aion_trio.testing.simulate --seeds 0..1000`: simulate the whole engine, seed by seed.

Exit status 0 if nothing was found, 1 if something was; each failing seed is one line that runs it again. Rare states
that no seed reached are named at the end.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from ..seams import SystemClock
from .simulation.campaign import Campaign, judged, reproduce, shrunk
from .simulation.rare import POINTS
from .simulation.world import Size, Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; the exit status."""
    options = _parser().parse_args(arguments)
    logging.getLogger("aion_trio").disabled = True  # what engines are made to suffer is no news
    size = Size(without_operations=options.without_operations, without_lives=options.without_lives)
    campaign, clock = Campaign(), SystemClock()
    begun_us = clock.now_us()
    for seed in options.seeds:
        verdict = judged(seed, size)
        campaign.add(verdict)
        if verdict.faults:
            _tell_failure(verdict, shrunk(seed, size) if options.shrink else size)
            if len(campaign.failures) >= options.failures:
                break
        if options.progress and campaign.seeds % options.progress == 0:
            _say(f"... {campaign.seeds} seeds, {len(campaign.failures)} failed")
    _tell(campaign, (clock.now_us() - begun_us) / 1e6)
    return 1 if campaign.failures else 0


def _tell_failure(verdict: Verdict, size: Size) -> None:
    _say(f"seed {verdict.seed} fails: {reproduce(verdict.seed, size)}")
    for fault in verdict.faults[:5]:
        _say(f"    {fault[:2000]}")


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
    parser.add_argument("--shrink", action="store_true", help="leave out what a failing seed does not need")
    parser.add_argument("--without-operations", type=_numbers, default=frozenset(), metavar="N,N", help="leave these operations out")
    parser.add_argument("--without-lives", type=_numbers, default=frozenset(), metavar="N,N", help="leave these lives out")
    return parser


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last) if last else int(first) + 1)


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if part)


if __name__ == "__main__":
    sys.exit(main())
