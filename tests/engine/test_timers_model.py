"""The timers actor against a model: whatever is set, moved and taken back, each wake-up comes once, when it is due (T1).

A run that is woken takes its row away, as its append would; one that fails leaves it, and is woken again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
import trio_util
from hypothesis import given, settings, strategies as st

from aion_trio.journal import Journal
from aion_trio.seams import TrioClock
from aion_trio.stores import Append, Close, Fault, FaultyStore, MemoryStore, ObligationKind, Open, StoreFailed, WorkflowKey
from aion_trio.testing import run_virtual
from aion_trio.timers import Timers

SECOND = 1_000_000
BEGUN_US = 100 * SECOND
WAKE_UP = ObligationKind.WAKE_UP
names = st.sampled_from(["a", "b", "c"])
sets = st.tuples(st.just("set"), names, st.integers(-3, 8))
clears = st.tuples(st.just("clear"), names, st.just(0))
waits = st.tuples(st.just("wait"), st.just(""), st.integers(1, 9))
programs = st.lists(sets | sets | clears | waits, min_size=1, max_size=14)


@dataclass
class World:
    """A journal, the actor, and what was woken when; the model knows what is due and what has to come."""

    store: MemoryStore
    failing: frozenset[str] = frozenset()
    woken: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    due: dict[str, int] = field(default_factory=dict[str, int])
    expected: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def put(self, name: str, due_us: int | None) -> None:
        row = [] if due_us is None else [Open(WAKE_UP, b"", due_us)]
        self.store.apply([Append(WorkflowKey("default", name), 0, opens=row, closes=[] if row else [Close(WAKE_UP, b"")])])

    def come(self, until_us: int) -> None:
        """What is due by now has come, in order."""
        for name, due_us in sorted(self.due.items(), key=lambda item: item[1]):
            if due_us <= until_us:
                self.expected.append((name, due_us))
                del self.due[name]


async def play(program: list[tuple[str, str, int]], failing: frozenset[str], read_fails: int) -> World:
    """Run the program beside the actor; time stands still while a step is taken."""
    world, clock = World(MemoryStore(), failing), TrioClock(BEGUN_US)
    faulty = FaultyStore(world.store)
    if read_fails:
        faulty.plan(Fault("obligations", nth=read_fails, error=StoreFailed("unreadable for once")))

    def wake(name: str) -> None:
        world.woken.append((name, clock.now_us()))
        if name not in failing:
            world.put(name, None)

    timers = Timers(Journal(faulty), clock, "default", wake)
    async with trio.open_nursery() as nursery:
        await nursery.start(timers.run, trio_util.AsyncBool(True))
        await trio.testing.wait_all_tasks_blocked()
        for number, (what, name, seconds) in enumerate([*program, ("wait", "", 30)]):
            if what == "wait":
                await trio.sleep(seconds)
            elif what == "set":
                due_us = clock.now_us() + seconds * SECOND + number
                world.due[name] = max(due_us, clock.now_us())
                world.put(name, due_us)
                timers.note(due_us)
            else:
                world.put(name, None)
                world.due.pop(name, None)
            await trio.testing.wait_all_tasks_blocked()
            world.come(clock.now_us())
        nursery.cancel_scope.cancel()
    return world


@given(programs)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_each_wake_up_comes_once_and_when_it_is_due(program: list[tuple[str, str, int]]) -> None:
    """T1: not before, not twice, also where it was moved; what was taken back does not come (T3)."""
    world = run_virtual(play, program, frozenset[str](), 0)
    assert world.woken == world.expected


@given(programs, st.integers(1, 6))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_look_that_fails_delays_and_loses_nothing(program: list[tuple[str, str, int]], nth: int) -> None:
    """J6, T1: what was not moved meanwhile comes at most a second late, and nothing comes early."""
    world = run_virtual(play, program, frozenset[str](), nth)
    last, woken = dict(world.expected), dict(world.woken)
    assert woken.keys() == last.keys()
    assert all(0 <= woken[name] - last[name] <= SECOND for name in last)


@given(st.integers(0, 5), st.integers(20, 60))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_a_run_that_fails_is_woken_again_with_growing_patience(delay: int, waits: int) -> None:
    """T1: after one second, two, four, and so on, for as long as its row is there."""
    world = run_virtual(play, [("set", "a", delay), ("wait", "", waits)], frozenset({"a"}), 0)
    gaps = [after[1] - before[1] for before, after in zip(world.woken, world.woken[1:], strict=False)]
    assert gaps == [min(2**number, 60) * SECOND for number in range(len(gaps))]
    assert len(gaps) >= 4 and world.woken[0] == ("a", BEGUN_US + delay * SECOND)
