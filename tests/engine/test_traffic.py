"""Traffic: many workflows of every kind, random messages, little memory; at the end everything has ended and nothing is owed."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import MemoryStore

from .evidence import owed, quiet
from .harness import engine_on

note = aion.Signal("note", int)


@aion.activity(retry=aion.RetryPolicy(max_attempts=3, initial=0.5), timeout=4)
async def unsteady(seed: int) -> int:
    """Takes a while, fails at times, is too slow at times; the same for the same seed and attempt."""
    chance = random.Random(f"{seed}/{aion.activity_info().attempt}")
    await trio.sleep(chance.uniform(0, 5))
    if chance.random() < 0.3:
        raise ValueError(seed)
    return seed


@aion.workflow
async def wanders(depth: int, seed: int) -> int:
    """A random walk over what a workflow can do."""
    walk = durable.random()
    total = 0
    for step in range(walk.randint(1, 6)):
        with durable.move_on_after(walk.choice([2.0, 10.0, 60.0])):
            match walk.randint(0, 7):
                case 0 | 1:
                    total += await unsteady(seed * 10 + step)
                case 2:
                    await durable.sleep(walk.uniform(0, 20))
                case 3 if depth:
                    total += await wanders(depth - 1, seed + 1)
                case 4 if depth:
                    policy: Any = walk.choice(["terminate", "cancel", "abandon"])
                    child = await durable.start_child(wanders, depth - 1, seed + 2, on_parent_close=policy, timeout=walk.choice([5, 500]))
                    await child.signal(note, step)
                case 5:
                    total += await note.receive()
                case 6:
                    async with durable.open_nursery() as nursery:
                        for n in range(3):
                            nursery.start_soon(unsteady, seed + n)
                case 7 if seed < 1000:
                    durable.continue_as_new(depth, seed + 1000)
                case _:
                    await durable.checkpoint()
    return total


async def disturb(engine: aion.Engine, chance: random.Random) -> None:
    """Signals, queries, cancellations, terminations and looks, to any workflow, at any time."""
    for _ in range(60):
        await trio.sleep(chance.uniform(0, 3))
        ids = sorted([found.id async for found in engine.list_workflows()])
        handle = engine.handle(chance.choice(ids))
        call: Any = chance.choice(
            [lambda: handle.signal(note, 1)] * 6 + [handle.describe, lambda: handle.query("nothing"), handle.cancel, handle.terminate]  # noqa: B023
        )
        try:
            await call()
        except (aion.WorkflowClosedError, aion.QueryNotServedError):
            continue


async def ended(engine: aion.Engine) -> None:
    """Wait until every workflow is closed; what still listens is terminated."""
    for _ in range(40):
        await trio.sleep(100)
        if not await engine.count_workflows(status=aion.WorkflowStatus.RUNNING):
            return
    raise AssertionError([found.id async for found in engine.list_workflows(status=aion.WorkflowStatus.RUNNING)])


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_all_end_and_nothing_is_owed(seed: int, autojump_clock: MockClock) -> None:
    """J9, L2, C2, C3, S2, T3: with three places in memory and two engines one after the other."""
    chance = random.Random(seed)
    store = MemoryStore()
    settings: dict[str, Any] = {
        "workflows": [wanders], "activities": [unsteady], "resident_limit": 3, "idle_after": 0.5, "task_limit": 5,
    }  # fmt: skip
    async with engine_on(store, **settings) as engine:
        for n in range(15):
            await engine.start(wanders, 2, 10 * n + 200 * seed % 900, id=f"root{n}")
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(disturb, engine, chance)
    async with engine_on(store, **settings) as engine:
        assert engine.recovery.quarantined == ()
        await ended(engine)
        await quiet(store)
        assert engine.quarantined == {}
        assert engine.runs.resident <= 3
    assert owed(store) == []
    assert verify_journal(store) == []
