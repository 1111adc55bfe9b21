"""The judgement of a recording (J3, J4).

Every state that a power cut could leave holds exactly what some step had committed, and none is older than the last acknowledgement.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aion_trio.stores.lmdb_store.directory import DATA

from .examiner import Answer, Examiner
from .recording import Recording
from .states import Cut, State, cuts, rebuild, states

_IN_MEMORY = Path("/dev/shm")


@dataclass(slots=True)
class Verdict:
    """What came of a recording. `faults` counts by kind; `examples` tells the first of each kind, so that it can be found again."""

    cuts: int = 0
    states: int = 0
    newer: int = 0
    """States that hold the step that was not acknowledged yet."""
    unborn: int = 0
    """States from before the opening was acknowledged, of a journal that was being made."""
    stillborn: int = 0
    """Of those: how many the next writer refuses, so that somebody has to delete what is left. Nothing acknowledged is in them."""
    faults: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, str] = field(default_factory=dict[str, str])

    def take(self, cut: Cut, state: State, answer: Answer) -> None:
        """Count one state."""
        self.states += 1
        self.unborn += cut.acknowledged < 0
        if cut.acknowledged < 0 and answer.refused:
            self.stillborn += 1
        elif kind := fault_of(cut, answer):
            self.faults[kind] += 1
            self.examples.setdefault(
                kind, f"call {cut.call}, step {cut.acknowledged} acknowledged, {state.how}: {answer.fault or f'step {answer.step}'}"
            )
        self.newer += answer.step > cut.acknowledged >= 0

    def add(self, other: Verdict) -> None:
        """Count another recording's states as well."""
        self.cuts += other.cuts
        self.states += other.states
        self.newer += other.newer
        self.unborn += other.unborn
        self.stillborn += other.stillborn
        self.faults += other.faults
        self.examples = other.examples | self.examples


def fault_of(cut: Cut, answer: Answer) -> str:
    """The kind of fault that a state is, empty if it is none."""
    if answer.refused:
        return "it does not open"
    if answer.fault:
        return "damaged"
    if answer.step < cut.acknowledged:
        return "an acknowledged step is lost"
    return "a step is there that was not begun" if answer.step > cut.acknowledged + 1 else ""


def judge(recording: Recording, seed: int, budget: int, most: int | None = None) -> Verdict:
    """Examine about `budget` states of every cut; at most so many all in all."""
    chance = random.Random(seed)
    verdict = Verdict()
    with scratch() as directory, Examiner(directory / "journal", recording.seed, recording.steps) as examiner:
        for cut in cuts(recording):
            verdict.cuts += 1
            for state in states(cut, chance, budget):
                if most is not None and verdict.states >= most:
                    return verdict
                rebuild(state, examiner.directory, DATA)
                verdict.take(cut, state, examiner.examine(cut.acknowledged))
    return verdict


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for the states, in memory where there is room for it: what they are examined on need not be durable."""
    usable = os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > 1 << 28
    with tempfile.TemporaryDirectory(prefix="aion-crash-", dir=_IN_MEMORY if usable else None) as directory:
        yield Path(directory)
