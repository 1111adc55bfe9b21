"""The demo under many seeds: `python -m tests.project.demo_campaign --runs 100 [--first-seed N] [--orders N] [--kills N]`.

Prints machine and versions, one line a run, and the count; exit status 1 if any run lost something or did it twice. What
such a run left behind is kept, and its directory named.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import trio

import aion_trio
from aion_trio.demo.conductor import Plan, conduct
from aion_trio.demo.home import Home
from aion_trio.demo.orders import take
from aion_trio.demo.verdict import find_faults


def run_seed(seed: int, orders: int, kills: int) -> bool:
    """One run of the demo; whether it was without fault."""
    home = Home(Path(tempfile.mkdtemp(prefix=f"aion-trio-seed-{seed}-")))
    plan = Plan(home, tuple(take(orders)), kills, seed)
    course = trio.run(partial(conduct, plan, lambda _course: None))
    faults = find_faults(plan, course)
    recovered = [recovery for recovery in course.recoveries if recovery]
    repaired = sum(sum(recovery.counts.values()) for recovery in recovered)
    attempts, effects = home.ledger.attempts(), course.entries.total()
    print(
        f"seed {seed}: {'FAULTY' if faults else 'sound'}, {len(course.outcomes)} of {orders} orders, {len(course.kills)} kills, "
        f"{repaired} repairs in {len(recovered)} recoveries, {effects} effects by {attempts} attempts, {course.seconds:.1f} s",
        flush=True,
    )
    for fault in faults[:10]:
        print(f"  {fault}")
    if faults:
        print(f"  kept in {home.directory}", flush=True)
    else:
        shutil.rmtree(home.directory, ignore_errors=True)
    return not faults


def main() -> None:
    """Run the seeds one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=240)
    parser.add_argument("--kills", type=int, default=6)
    options = parser.parse_args()
    print(f"aion-trio {aion_trio.__version__}, trio {trio.__version__}, Python {platform.python_version()}, {platform.platform()}")
    started = time.monotonic()
    seeds = range(options.first_seed, options.first_seed + options.runs)
    sound = sum(run_seed(seed, options.orders, options.kills) for seed in seeds)
    print(f"{sound} of {options.runs} runs sound, {time.monotonic() - started:.0f} s")
    sys.exit(0 if sound == options.runs else 1)


if __name__ == "__main__":
    main()
