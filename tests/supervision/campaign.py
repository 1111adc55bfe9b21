"""Simulate many seeds: ``python -m tests.supervision.campaign --seeds 0..20000 [--kind supervisor] [--trace]``.

Ends at the first seed that breaks a law, with one line that repeats it.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from .simulation import KINDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0..1000", help="FIRST..LAST, the last one excluded")
    parser.add_argument("--kind", choices=list(KINDS), action="append", help="what to simulate; everything unless given")
    parser.add_argument("--trace", action="store_true", help="print the log of each seed")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(".."))
    for kind in options.kind or KINDS:
        if not campaign(kind, range(first, last), trace=options.trace):
            return 1
    return 0


def campaign(kind: str, seeds: range, *, trace: bool = False) -> bool:
    """Whether all of ``seeds`` keep the laws; prints what there is to know."""
    begun = time.perf_counter()
    events = 0
    for seed in seeds:
        try:
            log = KINDS[kind](seed)
        except BaseException as broken:
            traceback.print_exception(broken, limit=-1)
            print(f"BROKEN: python -m tests.supervision.campaign --kind {kind} --seeds {seed}..{seed + 1}")
            if isinstance(broken, KeyboardInterrupt):
                raise
            return False
        events += len(log)
        if trace:
            print("\n".join(log))
    seconds = time.perf_counter() - begun
    pace = len(seeds) / seconds
    print(f"{kind}: {len(seeds)} seeds from {seeds.start}, {events} events, {seconds:.1f} s, {pace:.0f} seeds/s, none broken")
    return True


if __name__ == "__main__":
    sys.exit(main())
