"""Try every fault: `python -m tests.testing.mutants [--seeds N] [NAME ...]`.

Each is tried with the seed that is on record for it. Where that does not break its law and no other (any more), others are tried, and
the one that does is printed, to be recorded. Exit status 1 if there is a fault for which none was found.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import NamedTuple

from aion_trio.testing.simulation import Law

from .planting import Mutant
from .proofs import NOTICED, PROOFS, laws_broken


class Trial(NamedTuple):
    """A fault, the law that is to notice it alone (None: some law is to), and the seed on record."""

    mutant: Mutant
    law: Law | None
    seed: int

    def seed_found(self, seeds: range) -> tuple[int | None, Counter[str]]:
        """The first seed that does, and which laws the others broke."""
        others = Counter[str]()
        for seed in (self.seed, *seeds):
            laws = laws_broken(self.mutant, seed)
            if laws if self.law is None else laws == {self.law}:
                return seed, others
            if laws:
                others["+".join(sorted(law.name for law in laws))] += 1
        return None, others

    def told(self, seed: int | None, others: Counter[str]) -> str:
        by = "some law" if self.law is None else f"{self.law.name} alone"
        where = f"seed {seed}" if seed is not None else "no seed"
        beside = "" if seed == self.seed else f"; on record is {self.seed}; others broke {dict(others.most_common(4))}"
        return f"{'killed' if seed is not None else 'ALIVE '} {self.mutant.__name__} ({by}, {where}{beside})"


TRIALS = (*(Trial(mutant, law, seed) for law, mutant, seed in PROOFS), *(Trial(mutant, None, seed) for mutant, seed in NOTICED))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.testing.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1500, help="how many seeds to try where the one on record does not do")
    parser.add_argument("names", nargs="*", help="only faults or laws of these names")
    options = parser.parse_args()
    begun, alive = time.perf_counter(), 0
    chosen = [each for each in TRIALS if not options.names or {each.mutant.__name__, each.law and each.law.name} & {*options.names}]
    for trial in chosen:
        seed, others = trial.seed_found(range(options.seeds))
        alive += seed is None
        print(trial.told(seed, others), flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} mutants killed in {time.perf_counter() - begun:.0f} s")
    return 1 if alive else 0


if __name__ == "__main__":
    raise SystemExit(main())
