"""Kill a program with many concurrent workflows, again and again: `python -m tests.kill.campaign --workflows 1000 --kills 50`.

When all workflows of a round are done before the kills are, the next round begins in the same journal. After each restart
the program itself checks that every acknowledged start is there; at the end all results must be those of undisturbed runs, each
step must have run under one idempotency key alone, and the journal must verify.
"""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import aion_trio
from aion_trio.demo.news import Recovery, news_of
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore
from tests.kill.worker import executions


@dataclass(frozen=True, slots=True)
class Assault:
    """What to do: how many workflows at once, how many kills, drawn from which seed, where."""

    directory: Path
    workflows: int
    kills: int
    seed: int


@dataclass(frozen=True, slots=True)
class Toll:
    """What came of it."""

    rounds: int
    kills: int
    repairs: Counter[str]
    effects: int
    attempts: int
    faults: list[str]


def run_worker(assault: Assault, round_no: int, patience: float | None, repairs: Counter[str]) -> int | None:
    """Run the program; kill it `patience` seconds after it is ready (None: never). Its exit status, None if it was killed.

    What its recovery did is added to `repairs`.
    """
    place = [str(assault.directory), str(round_no * assault.workflows), str(assault.workflows)]
    command = [sys.executable, "-m", "tests.kill.worker", *place]
    with (assault.directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    with process.stdout as output:
        if line := output.readline().decode():
            recovery = news_of(line)
            assert isinstance(recovery, Recovery) and not recovery.quarantined, line
            repairs.update(recovery.counts)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None


def assail(assault: Assault) -> Toll:
    """Kill, restart, and count."""
    rng = random.Random(assault.seed)
    kills = round_no = 0
    repairs: Counter[str] = Counter()
    while True:
        left = assault.kills - kills
        status = run_worker(assault, round_no, rng.uniform(0, 1.5) ** 2 if left > 0 else None, repairs)
        if status is None:
            kills += 1
        elif status:
            return Toll(round_no + 1, kills, repairs, 0, 0, [f"the program failed with status {status}: {assault.directory / 'log'}"])
        elif left > 0:
            round_no += 1
        else:
            break
    run_worker(assault, round_no, None, repairs)  # its sweep settles what was under way when the last one had its results
    effects, attempts, faults = audit(assault, round_no + 1)
    return Toll(round_no + 1, kills, repairs, effects, attempts, faults)


def audit(assault: Assault, rounds: int) -> tuple[int, int, list[str]]:
    """Effects, attempts at them, and what is wrong with them or with the journal."""
    keys: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    lines = (assault.directory / "effects").read_text().splitlines()
    for line in lines:
        key, workflow_id, name = line.rsplit(" ", 2)
        keys[workflow_id, name].add(key)
    faults = [f"{step}: done under {len(found)} keys" for step, found in keys.items() if len(found) != 1]
    for shape, me in executions(0, rounds * assault.workflows):
        faults += [f"{due.id}: step {name} was never done" for due in shape.due(me) for name in due.steps if (due.id, name) not in keys]
    with closing(LmdbStore.open(assault.directory / "journal", read_only=True)) as store:
        faults += [f"journal, {finding.workflow_id}: {finding.what}" for finding in verify_journal(store)]
        owed = store.stats().obligations
    faults += [f"{count} {kind} are still owed" for kind, count in owed.items() if count]
    return len(keys), len(lines), faults


def main() -> None:
    """Run one assault and print its toll."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workflows", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    assault = Assault(Path(tempfile.mkdtemp(prefix="aion-trio-kill-")), options.workflows, options.kills, options.seed)
    print(f"aion-trio {aion_trio.__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(f"{options.workflows} executions at once, {options.kills} kills, seed {options.seed}", flush=True)
    started = time.monotonic()
    toll = assail(assault)
    print(
        f"{toll.rounds} rounds, {toll.rounds * options.workflows} executions, {toll.kills} kills, "
        f"{toll.effects} effects by {toll.attempts} attempts, {time.monotonic() - started:.0f} s"
    )
    print("repairs:", ", ".join(f"{count} {name}" for name, count in toll.repairs.items()))
    print(*toll.faults[:20] or ["nothing lost, nothing done under two keys, every result as undisturbed"], sep="\n")
    if toll.faults:
        sys.exit(f"kept in {assault.directory}")
    shutil.rmtree(assault.directory, ignore_errors=True)


if __name__ == "__main__":
    main()
