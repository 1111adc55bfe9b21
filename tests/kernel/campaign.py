"""Run many random programs: `python -m tests.kernel.campaign --programs 10000 --seed 0`.

Each is lived, replayed whole, from some prefixes (`--every-prefix`: from all) and with late steps, on `durable` and on
AnyIO, and told to Trio's own objects. `--digests` prints the digests of the first programs instead, as the committed file
holds them: `python -m tests.kernel.campaign --digests 400 > tests/kernel/digests.txt`, after raising `KERNEL_VERSION`.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time

from aion_trio.kernel import KERNEL_VERSION

from .check import breaches, digest_lines
from .lives import OnAnyIO, live
from .oracle import lived_on_trio


def main() -> int:
    """Exit status 0 if no program broke the law."""
    parser = argparse.ArgumentParser(description="Random programs against replay and against Trio.")
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every-prefix", action="store_true")
    parser.add_argument("--digests", type=int, default=0)
    options = parser.parse_args()
    if options.digests:
        print(f"# The order of {options.digests} random programs under KERNEL_VERSION {KERNEL_VERSION}: seed, on durable, on AnyIO")
        print("\n".join(digest_lines(range(options.digests))))
        return 0
    began, wrong = time.perf_counter(), 0
    for seed in range(options.seed, options.seed + options.programs):
        found = list(breaches(seed, None if options.every_prefix else 3))
        found += [f"on AnyIO: {what}" for what in breaches(seed, 1, OnAnyIO)]
        life = live(seed)
        if lived_on_trio(life) != life.trace:
            found.append(f"program {seed}: Trio goes another way")
        for what in found:
            print(what)
        wrong += bool(found)
    took = time.perf_counter() - began
    print(f"{options.programs} programs from seed {options.seed}: {wrong} wrong, {took:.1f} s, Python {platform.python_version()}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
