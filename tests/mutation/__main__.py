"""Put faults in, by rule: ``python -m tests.mutation [AREA ...] [--sample 0.25] [--seed 1] [--records FILE] [--minutes N]``.

Mutants that are on record are not tried again; with ``--again`` the survivors are, and no others. Prints each survivor and a score
for each area. Nothing in the tree is written to.
"""

from __future__ import annotations

import argparse
import os
import pickle
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from .areas import AREAS, ROOT, mutants_of, paths_for
from .children import DIED, HUNG, Escaped, Limit, forked
from .places import Mutant
from .planting import Loaded
from .records import Records, Trial, score
from .session import Survey, Warm, failure_anew, prepare, warmly


@dataclass
class Campaign:
    """The trials of one area's mutants, in one process that has everything imported and its forked children."""

    area: str
    mutants: list[Mutant]
    records: Records
    until: float
    killers: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        """Try all. RuntimeError when healthy code does not pass."""
        sources = sorted({str(mutant.source.path) for mutant in self.mutants})
        done = forked_loudly(lambda: warmly(paths_for(self.area), [*sources, *self._linked(sources)], self._warm))
        survey, left = pickle.loads(done)
        by_name = {mutant.name: mutant for mutant in self.mutants}
        for name in left:
            if time.monotonic() < self.until:
                self._anew(survey, by_name[name])

    def _linked(self, sources: list[str]) -> list[str]:
        """The names under which linked packages are imported."""
        return [str(ROOT / "aion_trio" / Path(each).relative_to(ROOT)) for each in sources if ROOT / "aion_trio" not in Path(each).parents]

    def _warm(self, warm: Warm) -> bytes:
        survey = warm.survey(Limit(cpu=900, asleep=8))
        if survey.failed:
            raise RuntimeError(f"healthy code fails: {survey.failed}")
        loaded, left = Loaded(), list[str]()
        for mutant in self.mutants:
            if survey.runs_at_import_alone(mutant):
                left.append(mutant.name)
                continue
            if time.monotonic() >= self.until:
                break
            begun = time.monotonic()
            order = self._order(survey, mutant)
            work = partial(warm.first_failure, loaded, mutant, order, survey.seconds)
            said = forked(work, self._limit(survey, order)) if order else None
            if isinstance(said, Escaped) or (said is None and order and survey.runs_at_import(mutant)):
                left.append(mutant.name)
            else:
                self._note(mutant, said, begun)
        return pickle.dumps((survey, left))

    def _anew(self, survey: Survey, mutant: Mutant) -> None:
        begun = time.monotonic()
        over = self._order(survey, mutant)
        order = list(dict.fromkeys([*over, *sorted(survey.seconds, key=survey.seconds.__getitem__)]))
        limit = self._limit(survey, order)
        said = forked(lambda: failure_anew(mutant, order), Limit(limit.cpu + 10, limit.asleep))
        self._note(mutant, said.text if isinstance(said, Escaped) else said, begun)

    def _order(self, survey: Survey, mutant: Mutant) -> list[str]:
        return sorted(survey.tests_over(mutant), key=lambda name: (survey.seconds[name] / (1 + self.killers[name]), name))

    def _limit(self, survey: Survey, order: list[str]) -> Limit:
        return Limit(cpu=5 + 3 * sum(survey.seconds[name] for name in order))

    def _note(self, mutant: Mutant, said: str | None, begun: float) -> None:
        trial = Trial(self.area, mutant.name, mutant.lines.start, said or "", round(time.monotonic() - begun, 2))
        if said not in (None, HUNG, DIED):
            self.killers[str(said)] += 1
        self.records.add(trial)
        if trial.alive:
            print(f"ALIVE  {trial.line}: {trial.mutant}", file=sys.stderr, flush=True)


def forked_loudly(work):  # type: ignore[no-untyped-def]
    """What `work` returns in a child that keeps this process's output; this process stays without the package."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with os.fdopen(writing, "wb") as file:
                file.write(work())
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise SystemExit(1)
    return said


def chosen(area: str, options: argparse.Namespace, records: Records) -> list[Mutant]:
    """The area's sample, the same for the same seed; or what is on record."""
    mutants = [mutant for mutant in mutants_of(area) if options.only in mutant.name]
    if options.again:
        return [mutant for mutant in mutants if mutant.name in records.trials]
    if options.sample >= 1:
        return mutants
    picked = random.Random(f"{options.seed} {area}").sample(range(len(mutants)), round(options.sample * len(mutants)))
    return [mutants[number] for number in sorted(picked)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; all unless given")
    parser.add_argument("--sample", type=float, default=1, help="the share of the mutants to try")
    parser.add_argument("--seed", type=int, default=1, help="which share")
    parser.add_argument("--only", default="", help="mutants with this in their name")
    parser.add_argument("--records", type=Path, default=Path(tempfile.gettempdir()) / "aion-mutation.jsonl", help="where trials are noted")
    parser.add_argument("--again", action="store_true", help="try the survivors that are on record, and no others")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no trial after so long")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    prepare()
    for area in options.areas or AREAS:
        records = Records(options.records)
        mutants = chosen(area, options, records)
        todo = [each for each in mutants if each.name not in records.trials or (options.again and records.trials[each.name].alive)]
        if todo and time.monotonic() < until:
            Campaign(area, todo, records, until).run()
        print(f"{area}: {score(Records(options.records).of(each.name for each in mutants))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
