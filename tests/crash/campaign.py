"""Power cuts and concurrent calls in numbers: `python -m tests.crash.campaign --states 20000 --histories 100 --seed 1`.

Each seed is one recorded program of a store, of which some thousand states are examined, so that a campaign goes on where
one ended: with the seed behind its last. `--without` takes a precaution of the store away and is to find faults.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import lmdb
import trio

import aion_trio
from aion_trio.testing import run_virtual

from .concurrency import in_memory, on_disk
from .crowds import Crowd, Record
from .power_loss import Verdict, judge
from .recording import obstacle, record
from .workload import PRECAUTIONS


def power_cuts(options: argparse.Namespace) -> bool:
    """Program after program until there are enough states; whether no fault was found."""
    if reason := obstacle():
        print(f"no power cuts: {reason}")
        return False
    start = time.perf_counter()
    total = Verdict()
    for seed in count(options.seed):
        if total.states >= options.states:
            break
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="aion-crash-") as directory:
            recording = record(Path(directory), seed, options.steps, options.without or "")
            verdict = judge(recording, seed, options.budget, options.states - total.states)
        total.add(verdict)
        print(*told(f"seed {seed}", verdict, time.perf_counter() - began), sep="\n", flush=True)
    print(*told("all seeds", total, time.perf_counter() - start), sep="\n")
    return not total.faults


def told(name: str, verdict: Verdict, seconds: float) -> Iterator[str]:
    """One line for a program, and one for each kind of fault."""
    yield (
        f"{name}: {verdict.states} states of {verdict.cuts} moments, {verdict.newer} with the step under way, {verdict.unborn} of a "
        f"journal that was being made ({verdict.stillborn} do not open), {sum(verdict.faults.values())} faults, {seconds:.0f} s"
    )
    for kind, number in verdict.faults.items():
        yield f"  {number} times: {kind}; {verdict.examples[kind]}"


def concurrent_calls(options: argparse.Namespace) -> bool:
    """So many histories in memory, and a tenth as many on disk; whether no fault was found."""
    began = time.perf_counter()
    total, on_disks = Record(), 0
    for seed in range(options.seed, options.seed + options.histories):
        total.add(run_virtual(in_memory, Crowd(seed, tasks=20, calls=50), seed=seed))
        if seed % 10 == 0:
            on_disks += 1
            with tempfile.TemporaryDirectory(prefix="aion-crash-") as directory:
                total.add(trio.run(on_disk, Path(directory), Crowd(seed, tasks=60, calls=50, virtual=False)))
        if total.faults:
            print(f"seed {seed}:", *total.faults, sep="\n  ")
            return False
    print(
        f"concurrent calls: {options.histories} seeds from {options.seed} in memory and {on_disks} on disk, {total.calls} calls, "
        f"{total.overlapping} of them overlapping, {total.given_up} given up, all linearizable, {time.perf_counter() - began:.0f} s"
    )
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--states", type=int, default=500, help="of power cuts")
    parser.add_argument("--histories", type=int, default=0, help="of concurrent calls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=120, help="of each recorded program")
    parser.add_argument("--budget", type=int, default=24, help="states of one moment, about")
    parser.add_argument("--without", choices=PRECAUTIONS)
    options = parser.parse_args()
    print(
        f"aion-trio {aion_trio.__version__}, Python {platform.python_version()}, lmdb {lmdb.__version__} (engine "
        f"{'.'.join(map(str, lmdb.version()))}), {platform.platform()}"
    )
    sound = power_cuts(options) if options.states else True
    return 0 if (concurrent_calls(options) if options.histories else True) and sound else 1


if __name__ == "__main__":
    sys.exit(main())
