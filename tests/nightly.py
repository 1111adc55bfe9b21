"""What a night is for: `python -m tests.nightly [--list] [NAME ...]`, or `python3 run.py nightly` from a bare clone.

Each proof is a command of its own, which the checks run with smaller counts. All are run, whatever comes of the one before; the summary at
the end has one line for each. Exit status 1 if one of them failed. The output of a proof goes to a file, which is kept if it failed.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aion_trio
from tests.conftest import ROOT


@dataclass(frozen=True, slots=True)
class Proof:
    """A module with arguments; status 0 says that it holds. `alive`: its output also fails it where a line begins so."""

    name: str
    arguments: tuple[str, ...]
    alive: str = ""


PROOFS = (
    Proof("3000 simulations", ("aion_trio.testing.simulate", "--seeds", "0..3000")),
    Proof("every crash point of every chapter", ("tests.engine.crash_campaign", "--seeds", "0", "--deaths", "2")),
    Proof("2000 power-loss states", ("tests.crash.campaign", "--states", "2000", "--histories", "10")),
    Proof("200 000 concurrent appends", ("tests.crash.appending", "--appends", "200000")),
    Proof("200 forked kills", ("tests.kill.forked", "--kills", "200")),
    Proof("20 daemons killed under load", ("tests.daemon.kills", "--kills", "20")),
    Proof("50 kills of 1000 workflows", ("tests.kill.campaign", "--workflows", "1000", "--kills", "50")),
    Proof("mutants: engine", ("tests.testing.mutants",)),
    Proof("mutants: supervision", ("tests.supervision.mutants",)),
    Proof("mutants: kernel", ("pytest", "-q", "tests/kernel/test_random_programs.py", "-k", "order_hole")),
    Proof("mutants: by rule", ("tests.mutation", "--minutes", "240"), alive="ALIVE"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a proof."""

    proof: Proof
    sound: bool
    seconds: float
    last_line: str
    log: Path


def tried(proof: Proof, home: Path) -> Outcome:
    """Run one proof."""
    log = home / f"{proof.name.replace(' ', '-').replace(':', '')}.txt"
    began = time.perf_counter()
    with log.open("w") as sink:
        status = subprocess.run([sys.executable, "-m", *proof.arguments], cwd=ROOT, stdout=sink, stderr=sink, check=False).returncode
    lines = log.read_text(errors="replace").splitlines()
    sound = status == 0 and not (proof.alive and any(line.startswith(proof.alive) for line in lines))
    return Outcome(proof, sound, time.perf_counter() - began, lines[-1] if lines else "", log)


def told(outcome: Outcome) -> str:
    line = f"{'ok    ' if outcome.sound else 'FAILED'} {outcome.seconds:6.0f} s  {outcome.proof.name}: {outcome.last_line[:200]}"
    return line if outcome.sound else f"{line}\n         python -m {' '.join(outcome.proof.arguments)}; its output is in {outcome.log}"


def main(argv: list[str] | None = None, proofs: tuple[Proof, ...] = PROOFS) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only proofs with this in their name")
    parser.add_argument("--list", action="store_true", help="say what would be run")
    options = parser.parse_args(argv)
    chosen = [proof for proof in proofs if not options.names or any(name in proof.name for name in options.names)]
    if options.list:
        print(*(f"{proof.name}: python -m {' '.join(proof.arguments)}" for proof in chosen), sep="\n")
        return 0
    print(f"aion-trio {aion_trio.__version__}, Python {platform.python_version()}, {platform.platform()}", flush=True)
    home = Path(tempfile.mkdtemp(prefix="aion-nightly-"))
    outcomes: list[Outcome] = []
    for proof in chosen:
        outcomes.append(tried(proof, home))
        print(told(outcomes[-1]), flush=True)
    failed = sum(not outcome.sound for outcome in outcomes)
    total = sum(outcome.seconds for outcome in outcomes)
    print(f"{len(outcomes) - failed} of {len(outcomes)} proofs hold, {total:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
