"""Small programs killed at random moments, in forks: `python -m tests.kill.forked --kills 50000 --seed 1`.

Each seed is a siege of one journal on LMDB, on a real disk: a fork opens it, starts a workflow of each shape and waits for
the results, until SIGKILL. After each kill another fork, which has nothing of the dead one but its files, looks: the journal
verifies, every acknowledged start is there, and every workflow whose result was given is completed. Then the next life goes
on in the same journal. The last is in peace; after it each step was done under one key and nothing is owed.

Kills fall anywhere: while a journal is made, opened or recovered, at work, at the end. A campaign goes on where one ended:
with the seed behind its last.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from functools import partial
from itertools import count
from pathlib import Path

import lmdb
import trio

import aion_trio.engine  # in the parent: a fork must not spend its life on imports
from aion_trio.demo.news import Recovery, news_of
from aion_trio.history import WorkflowStatus
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore, StoreError, WorkflowKey

from .campaign import Assault, Toll, audit
from .shapes import SHAPES
from .worker import work

LONGEST = 0.2
"""Seconds that a life has at most before it is killed, to begin with: about what one in peace takes on a quiet machine."""
STUCK = 60.0


def in_fork(task: Callable[[], object], log: Path, patience: float) -> int | None:
    """Run `task` in a fork of its own, SIGKILLed after so many seconds; its exit status, None if it was killed.

    Standard output and error go to `log`. Status 1: the task raised.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with log.open("a") as sink, redirect_stdout(sink), redirect_stderr(sink):
                try:
                    task()
                    status = 0
                except BaseException:
                    traceback.print_exc()
        finally:
            os._exit(status)
    pidfd = os.pidfd_open(child)
    try:
        if not select.select([pidfd], [], [], patience)[0]:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(pidfd)
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def live(assault: Assault, round_no: int) -> None:
    """One life of the program, in this process."""
    trio.run(partial(work, assault.directory, round_no * assault.workflows, assault.workflows))


def look(directory: Path) -> None:
    """What is there after a kill must be sound, and all that was acknowledged. Raises `AssertionError` else.

    A journal that was killed while it was being made, before anything was acknowledged, need not be one yet; the next life makes it.
    """
    try:
        store = LmdbStore.open(directory / "journal", read_only=True)
    except StoreError:
        if not noted(directory / "acknowledged"):
            return
        raise
    with closing(store):
        findings = verify_journal(store)
        assert not findings, findings
        for workflow_id in noted(directory / "acknowledged"):
            assert store.head(WorkflowKey("default", workflow_id)), f"{workflow_id}: its start was acknowledged, and it is not there"
        for workflow_id in noted(directory / "answered"):
            summary = store.summary(WorkflowKey("default", workflow_id))
            assert summary and summary.status == WorkflowStatus.COMPLETED.number, f"{workflow_id}: its result was given, and is lost"


def noted(path: Path) -> set[str]:
    """The ids in a file; none where there is no file."""
    return set(path.read_text().split()) if path.exists() else set()


def siege(assault: Assault, longest: float) -> Toll:
    """Kill, look, and go on in the same journal until there were so many kills; then one life in peace, and count.

    Each kill comes at a moment between the fork and `longest` seconds after it.
    """
    chance = random.Random(assault.seed)
    log, looks = assault.directory / "log", assault.directory / "looks"
    kills = round_no = 0
    while True:
        left = assault.kills - kills
        status = in_fork(partial(live, assault, round_no), log, chance.uniform(0, longest) if left else STUCK)
        if status is None and left:
            kills += 1
            if in_fork(partial(look, assault.directory), looks, STUCK) != 0:
                return Toll(round_no + 1, kills, Counter(), 0, 0, [f"after kill {kills}: {looks.read_text()[-2000:]}"])
        elif status != 0:
            return Toll(round_no + 1, kills, Counter(), 0, 0, [f"after kill {kills} the program failed: {log.read_text()[-2000:]}"])
        elif left:
            round_no += 1
        else:
            break
    if in_fork(partial(live, assault, round_no), log, STUCK) != 0:  # settles what was under way when the last one had its results
        return Toll(round_no + 1, kills, Counter(), 0, 0, [f"the program failed in peace: {log.read_text()[-2000:]}"])
    effects, attempts, faults = audit(assault, round_no + 1)
    return Toll(round_no + 1, kills, repairs_in(log), effects, attempts, faults)


def repairs_in(log: Path) -> Counter[str]:
    """What the recoveries of all lives did."""
    repairs: Counter[str] = Counter()
    for line in log.read_text().replace("}{", "}\n{").splitlines():  # a kill may cut a line's end off
        if line.startswith("{") and line.endswith("}"):
            recovery = news_of(line)
            assert isinstance(recovery, Recovery) and not recovery.quarantined, line
            repairs.update(recovery.counts)
    return repairs


def paced(longest: float, toll: Toll) -> float:
    """How long the next siege's lives may be, so that of ten lives one or two come to their end, however busy the machine is."""
    if 1 < toll.rounds <= 3:
        return longest
    return min(longest * 1.15, 5.0) if toll.rounds == 1 else max(longest / 1.15, 0.02)


def besiege(seed: int, kills: int, longest: float) -> tuple[Toll, Path | None]:
    """The siege of a seed, in a directory that is kept if something is wrong."""
    directory = Path(tempfile.mkdtemp(prefix="aion-trio-siege-"))
    toll = siege(Assault(directory, len(SHAPES), kills, seed), longest)
    if toll.faults:
        return toll, directory
    shutil.rmtree(directory)
    return toll, None


def told(seeds: str, kills: int, rounds: int, repairs: Counter[str], seconds: float) -> str:
    counts = ", ".join(f"{number} {name}" for name, number in repairs.items())
    return f"{seeds}: {kills} kills, {rounds * len(SHAPES)} executions, 0 faults, {seconds:.0f} s; repairs: {counts}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=10, help="kills of one siege")
    parser.add_argument("--progress", type=int, default=100, help="a line after so many seeds")
    options = parser.parse_args()
    print(
        f"aion-trio {aion_trio.__version__}, Python {platform.python_version()}, lmdb {lmdb.__version__}, {platform.platform()}", flush=True
    )
    gc.freeze()
    began, kills, rounds, repairs, longest = time.perf_counter(), 0, 0, Counter[str](), LONGEST
    for seed in count(options.seed):
        toll, kept = besiege(seed, min(options.each, options.kills - kills), longest)
        longest = paced(longest, toll)
        kills, rounds, repairs = kills + toll.kills, rounds + toll.rounds, repairs + toll.repairs
        if kept:
            print(f"seed {seed}, kept in {kept}:", *toll.faults, sep="\n  ")
            return 1
        done = kills >= options.kills
        if done or (seed - options.seed + 1) % options.progress == 0:
            print(told(f"seeds {options.seed}..{seed}", kills, rounds, repairs, time.perf_counter() - began), flush=True)
        if done:
            return 0
    raise AssertionError("seeds do not end")


if __name__ == "__main__":
    sys.exit(main())
