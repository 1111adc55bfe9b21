"""What became of each mutant: one JSON line for each trial, so that a campaign can be cut off and go on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """A mutant that was tried. `by` is the test that noticed, or `hung` or `died`; nothing for one that is alive."""

    area: str
    mutant: str
    line: int
    by: str
    seconds: float

    @property
    def alive(self) -> bool:
        return not self.by


class Records:
    """A file of trials; of two trials of one mutant the later one counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self.trials = {trial.mutant: trial for trial in (Trial(**json.loads(line)) for line in lines)}

    def add(self, trial: Trial) -> None:
        self.trials[trial.mutant] = trial
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(trial)) + "\n")

    def of(self, names: Iterable[str]) -> list[Trial]:
        return [self.trials[name] for name in names if name in self.trials]


def score(trials: Iterable[Trial]) -> str:
    """One line: how many were killed."""
    known = list(trials)
    killed = sum(not trial.alive for trial in known)
    hung = sum(trial.by == "hung" for trial in known)
    share = f"{100 * killed / len(known):.1f} %" if known else "-"
    return f"{killed} of {len(known)} killed ({share}), {hung} of them hung, {sum(each.seconds for each in known):.0f} s"
