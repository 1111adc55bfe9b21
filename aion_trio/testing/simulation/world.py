"""One simulation: a seed becomes programs, clients and lives; what is left is judged."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from ...errors import InvalidInputError
from ...journal.transfer import export_lines, import_lines
from ...stores import MemoryStore, copy_records, dump, each_key
from ...stores.contract import WorkflowKey
from ...stores.dump import WorkflowRecords
from ..doubles import never, run_function
from ..effects import WatchedEffects
from ..life import SeededIds
from ..virtual import run_virtual
from .clients import Client, Operation, make_clients, operations_of
from .lawbook import Breach, Law, elsewhere
from .laws import Replays, at_any_time, of_indexes
from .lives import Last, LifePlan, Lived, SimulatedClock, Stage, live, make_plan, recover_only
from .neighbours import Neighbour
from .nodes import Maker
from .places import DiskJournal, journal_of
from .programs import WORKFLOWS
from .promises import to_clients
from .rare import points_of
from .records import Records
from .settling import Settling
from .steps import ACTIVITIES
from .verdict import at_rest, outcomes

TARGETS = ("red", "blue", "green", "white", "black")
PATIENCE = 400 * 86_400.0
"""Seconds of virtual time within which everything ends."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens: `clients` with so many `operations` each, on so many `targets`, and so many disturbed `lives`.

    `without_operations` and `without_lives` leave single ones out, by number, and change nothing else: a seed that fails is
    made readable by that.
    """

    clients: int = 3
    operations: int = 5
    lives: int = 3
    targets: int = 4
    without_operations: frozenset[int] = frozenset()
    without_lives: frozenset[int] = frozenset()


@dataclass(slots=True)
class Verdict:
    """What became of one seed: what is wrong (nothing, in a sound engine), rare states reached, and some counts."""

    seed: int
    faults: list[Breach] = field(default_factory=list[Breach])
    points: set[str] = field(default_factory=set[str])
    workflows: int = 0
    events: int = 0
    lives: int = 0
    commits: int = 0


def simulate(seed: int, size: Size | None = None) -> Verdict:
    """Simulate one seed; the same seed and size give the same simulation. Raises `InvalidInputError` for a seed or size that is none."""
    if not isinstance(seed, int) or isinstance(seed, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInputError(f"a seed is an int, found {seed!r}", "seed")
    if not isinstance(size, Size | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInputError(f"size is a Size or None, found {size!r}", "size")
    return run_virtual(_simulate, seed, size or Size(), seed=seed)


async def _simulate(seed: int, size: Size) -> Verdict:
    with journal_of(random.Random(f"simulation {seed} place")) as store:
        world = _World(seed, size, store)
        try:
            with trio.fail_after(PATIENCE):
                await world.run()
        except trio.TooSlowError:
            world.verdict.faults.append(Breach(Law.ALL_ENDS, "the simulation does not"))
        return world.verdict


class _World:
    """The journal and what lasts beside it; one life follows the other."""

    def __init__(self, seed: int, size: Size, store: MemoryStore | DiskJournal) -> None:
        rng = random.Random(f"simulation {seed}")
        self._size = size
        self.verdict = Verdict(seed)
        self._journal, clock = store, SimulatedClock()
        self._effects = WatchedEffects(store, "default", clock)
        self._stage = Stage(store, clock, SeededIds(seed), WORKFLOWS, ACTIVITIES, self._effects.perform)
        maker = Maker(rng, TARGETS[: size.targets])
        clients = make_clients(rng, maker, size.clients, size.operations)
        kept = [[each for each in client.operations if each.number not in size.without_operations] for client in clients]
        self._clients = [Client(operations) for operations in kept]
        self._neighbour = Neighbour(seed, store, clock, TARGETS[: size.targets]) if Neighbour.lives_beside(seed) else None
        self._lives: list[Lived] = []
        self._replays = Replays(WORKFLOWS)

    @property
    def operations(self) -> list[Operation]:
        """Everything that clients were to ask for."""
        return list(operations_of(self._clients))

    async def run(self) -> None:
        """Some disturbed lives, a last one in peace, and the judgement."""
        if self._neighbour is not None:
            self._found(await self._neighbour.move_in())
        numbers = range(1, self._size.lives + 1)
        plans = [make_plan(self._chance("plan", number)) for number in numbers if number not in self._size.without_lives]
        for plan in plans:
            await self._live(plan)
            if self.verdict.faults:
                return
        settling = Settling(self._clients)
        await self._live(LifePlan(), settling.settle)
        self._found(settling.breaches)
        if self.verdict.faults:
            return
        records = Records(self._stage.store)
        self._found(at_rest(self._stage.store, records, self.operations))
        self._found(to_clients(records, self.operations))
        self._found(self._of_effects(len(self._lives) + sum(len(plan.faults) for plan in plans)))
        if self._neighbour is not None and not self.verdict.faults:
            self._found(await self._neighbour.finish())
            self.verdict.points.add("two namespaces shared a journal")
        self._count(records, plans)
        chance = self._chance("elsewhere", 0)
        if not self.verdict.faults and chance.random() < 0.3:
            await self._elsewhere(chance)

    def _chance(self, what: str, number: int) -> random.Random:
        """Chance of its own for one thing, so that leaving another out does not change it."""
        return random.Random(f"simulation {self.verdict.seed} {what} {number}")

    async def _live(self, plan: LifePlan, last: Last | None = None) -> None:
        if isinstance(self._journal, DiskJournal):
            self._journal.begin_life()
        lived = await live(self._stage, plan, self._clients, last)
        self._lives.append(lived)
        self._found(lived.breaches(f"life {len(self._lives)} ({plan})"))
        self._found(surprise for client in self._clients for surprise in client.surprises)
        records = Records(self._journal)
        self._found(at_any_time(self._journal, records))
        self._found(self._replays.breaches(self._journal, records))
        if self._neighbour is not None:
            self._found(self._neighbour.touched())
        if isinstance(self._journal, DiskJournal):
            self._found(Breach(Law.DISK, what) for what in self._journal.differences())
            self.verdict.points.add("the journal lay on a disk")
        if self._chance("twice", len(self._lives)).random() < 0.3:
            await self._recover_twice()

    def _found(self, breaches: Iterable[Breach]) -> None:
        self.verdict.faults.extend(breaches)

    def _of_effects(self, lives: int) -> Iterator[Breach]:
        """What was wrong with the activities that were performed."""
        effects = self._effects
        for law, found in (
            (Law.WORK_IS_OWED, effects.unowed),
            (Law.WORK_IS_NOT_REPEATED, effects.repeated(lives)),
            (Law.WORK_WAS_DONE, effects.missing()),
        ):
            yield from (Breach(law, what) for what in found)

    async def _recover_twice(self) -> None:
        """A second recovery changes nothing (R7)."""
        copied = MemoryStore()
        copy_records(self._stage.store, copied)
        seen: list[Mapping[WorkflowKey, WorkflowRecords]] = []
        for _ in range(2):
            await recover_only(self._stage, copied, never)
            seen.append(dump(copied))
        once, twice = seen
        differing = [key.workflow_id for key in {**once, **twice} if once.get(key) != twice.get(key)]
        if differing:
            self.verdict.faults.append(Breach(Law.RECOVERY_IS_IDEMPOTENT, f"it changed {differing}"))

    # ---- the end

    async def _elsewhere(self, chance: random.Random) -> None:
        """Another journal takes prefixes of the histories over, and brings them to an end that the model allows."""
        store = MemoryStore()
        for key in self._keys():
            lines = list(export_lines(self._stage.store, key))
            import_lines(store, lines[: chance.randint(1, len(lines))])
        stage = Stage(store, SimulatedClock(), SeededIds(self.verdict.seed + 1), WORKFLOWS, ACTIVITIES, run_function)
        heads = {key.workflow_id: store.head(key) for key in each_key(store)}
        settling = Settling(foreign=True)
        lived = await live(stage, LifePlan(skew_us=2 * round(PATIENCE * 1e6)), (), settling.settle)
        records = Records(store)
        found = [*settling.breaches, *lived.breaches("its life"), *of_indexes(store), *outcomes(records, heads)]
        self._found(elsewhere("taken over", [*found, *Replays(WORKFLOWS).breaches(store, records)]))
        self.verdict.points.add("a prefix of the journal was taken over")

    def _keys(self) -> list[WorkflowKey]:
        return [key for key in each_key(self._journal) if key.namespace == "default"]

    def _count(self, records: Records, plans: Sequence[LifePlan]) -> None:
        verdict = self.verdict
        verdict.workflows = len(records.runs)
        verdict.events = sum(map(len, records.histories.values()))
        verdict.lives = len(self._lives)
        verdict.commits = sum(lived.commits for lived in self._lives)
        verdict.points |= points_of(records, self._lives, self.operations)
