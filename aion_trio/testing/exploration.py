"""Crash a program at every commit, before and after, and again while it recovers, and compare with the undisturbed run.

The oracle needs no knowledge of the program: whatever it does without crashes is right, and nothing that a crash does
may be seen afterwards, but in times, ids and attempts (R11). On the way every journal must verify, recovering twice must
equal recovering once (R7), every attempt that begins must be owed, and when all is closed nothing may be owed any more.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import trio

from ..definitions import WorkflowDefinition
from ..engine import EngineConfig
from ..stores import MemoryStore, dump
from .answers import GivenActivities, definitions_in
from .comparison import Order, Told, first_difference, histories, tellings
from .effects import WatchedEffects
from .life import Lived, Program, Scenario, SeededIds, faults_of_journal, faults_of_recovery, left_owed, live, program_of
from .nearby import to_load
from .report import CrashFinding, CrashPoint, CrashReport, Deaths
from .tape import Commit
from .virtual import run_virtual

_DEFAULTS = EngineConfig()


@dataclass(frozen=True, slots=True)
class CrashSearch:
    """How far to look.

    `deaths` is how often in a row the engine may die: 1 crashes at each commit, 2 again at each commit of the recovery
    that follows, 3 once more. `sample` bounds how many sequences of crashes are tried, chosen by `seed`, which also decides in
    which order tasks run; None tries all of them. `order` says whether the events of one workflow must come in the
    undisturbed order ("exact"), or whether concurrent steps may have ended in another one ("any"); "unchecked" compares no
    histories. `down_for` is how long (virtual seconds) the engine stays down after a crash, so that what comes due meanwhile is
    found by the recovery; give it where no race of the program against time can end otherwise for it. `patience` is how long
    the program may take to come to rest after its clients are done.
    """

    deaths: int = 2
    sample: int | None = None
    seed: int = 0
    order: Order = "exact"
    down_for: float = 0.0
    patience: float = 86_400.0


_EVERYWHERE = CrashSearch()


@dataclass(frozen=True, slots=True)
class _Undisturbed:
    """What the program does when nothing happens to it."""

    lived: Lived
    told: dict[str, list[Told]]


@dataclass(slots=True)
class _Trial:
    """One sequence of crashes: how each life went, what the crashed commits held, and what was found wrong first."""

    lives: list[Lived]
    commits: list[Commit]
    told: dict[str, list[Told]]
    fault: str = ""


def explore_crashes(
    scenario: Scenario,
    *,
    workflows: Iterable[WorkflowDefinition[..., Any]] = (),
    activities: GivenActivities = (),
    modules: Iterable[ModuleType] = (),
    config: EngineConfig = _DEFAULTS,
    search: CrashSearch = _EVERYWHERE,
) -> CrashReport:
    """Crash everywhere and report what differs; nothing is raised for a difference: `assert report.sound, report`.

    Where no definitions are given, those that the scenario names, and those that they name, are loaded.

    `scenario` is what clients do. It is run from its beginning in every life of the engine, so give it ids and request ids,
    as a client that has to try again would, and have it return what its clients learn. Everything runs in virtual
    time on stores in memory. Raises what the undisturbed run raises.
    """
    definitions = to_load(scenario, workflows, definitions_in(activities), modules)
    program = program_of(scenario, definitions, config, search.patience)
    inspector = _Inspector(program, search.seed)
    undisturbed = _undisturbed(program, search, inspector)
    explorer = _Explorer(program, search, undisturbed, inspector)
    explorer.explore()
    return CrashReport(len(undisturbed.lived.tape), explorer.tried, explorer.lives, tuple(explorer.findings))


def _undisturbed(program: Program, search: CrashSearch, inspector: _Inspector) -> _Undisturbed:
    trial = run_virtual(_try, program, search, inspector, (), seed=search.seed)
    if trial.lives[-1].raised is not None:
        raise trial.lives[-1].raised
    if trial.fault:
        raise AssertionError(f"the undisturbed run is not sound: {trial.fault}")
    return _Undisturbed(trial.lives[-1], trial.told)


class _Inspector:
    """Looks at what a crash leaves: does it verify, and does it recover to the same records twice?

    Many crashes leave the same journal at the same time (that after one commit and that before the next, to begin with), and
    what is said of it depends on nothing else, so each is looked at once.
    """

    def __init__(self, program: Program, seed: int) -> None:
        self._program, self._seed = program, seed
        self._said: dict[tuple[float, str], list[str]] = {}

    async def faults_after_crash(self, store: MemoryStore) -> list[str]:
        """What is wrong with a journal that is to be opened now."""
        state = trio.current_time(), repr(dump(store))
        if state not in self._said:
            self._said[state] = faults_of_journal(store) + await faults_of_recovery(self._program, store, self._seed)
        return self._said[state]


class _Explorer:
    """Tries sequences of crashes, breadth first, and keeps what it finds."""

    def __init__(self, program: Program, search: CrashSearch, undisturbed: _Undisturbed, inspector: _Inspector) -> None:
        self._program, self._search, self._undisturbed, self._inspector = program, search, undisturbed, inspector
        self._random = random.Random(search.seed)
        self.tried = self.lives = 0
        self.findings: list[CrashFinding] = []

    def explore(self) -> None:
        """Every sequence of at most `deaths` crashes, or a sample of them."""
        frontier = list(_points((), len(self._undisturbed.lived.tape)))
        share = None if self._search.sample is None else -(-self._search.sample // self._search.deaths)
        for _ in range(self._search.deaths):
            if share is not None and len(frontier) > share:
                frontier = self._random.sample(frontier, share)
            frontier = [following for deaths in frontier for following in self._follow(deaths)]

    def _follow(self, deaths: Deaths) -> Iterator[Deaths]:
        """Try one sequence; the sequences that are longer by a crash during the recovery that followed."""
        trial = run_virtual(_try, self._program, self._search, self._inspector, deaths, seed=self._search.seed)
        self.tried += 1
        self.lives += len(trial.lives)
        what = trial.fault or self._difference(trial)
        if what:
            self.findings.append(CrashFinding(deaths, tuple(trial.commits), what))
            return
        yield from _points(deaths, trial.lives[-1].recovery_commits)

    def _difference(self, trial: _Trial) -> str:
        wanted, found = self._undisturbed.lived, trial.lives[-1]
        if wanted.result != found.result:
            return f"the clients' result: undisturbed {wanted.result!r}, recovered {found.result!r}"
        if wanted.quarantined != found.quarantined:
            return f"quarantined: undisturbed {wanted.quarantined}, recovered {found.quarantined}"
        return first_difference(self._undisturbed.told, trial.told)


def _points(before: Deaths, commits: int) -> Iterator[Deaths]:
    for commit in range(1, commits + 1):
        for after in (False, True):
            yield (*before, CrashPoint(commit, after))


async def _try(program: Program, search: CrashSearch, inspector: _Inspector, deaths: Deaths) -> _Trial:
    """Live through a sequence of crashes and one life in peace, checking after each."""
    store, ids = MemoryStore(), SeededIds(search.seed)
    effects = WatchedEffects(store, program.config.namespace, program.config.clock)
    trial = _Trial([], [], {})
    for death in (*deaths, None):
        lived = await live(program, store, ids, effects.perform, death)
        trial.lives.append(lived)
        faults = [] if lived.raised is None else [f"a client got {lived.raised!r}"]
        if death is None:
            faults += faults_of_journal(store)
        else:
            if not lived.died:
                faults.append(f"the engine outlived its death at {death}")
            trial.commits.append(lived.tape[-1])
            await trio.sleep(search.down_for)
            faults += await inspector.faults_after_crash(store)
        if faults:
            trial.fault = faults[0]
            return trial
    trial.told = tellings(histories(store), search.order)
    trial.fault = next(iter([*left_owed(store), *effects.faults(len(trial.lives))]), "")
    return trial
