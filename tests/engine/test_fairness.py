"""Nobody keeps another one out: a workflow that never rests, and one that waits for room, still hear their callers."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.seams import TrioClock
from aion_trio.stores import Fault, FaultyStore, MemoryStore, StoreFull

from .harness import engine_on, until
from .listeners import counted, note

WIDTH, ROUNDS = 100, 60


@aion.activity
async def increased(number: int) -> int:
    return number + 1


@aion.activity
async def slept(seconds: float) -> float:
    await trio.sleep(seconds)
    return seconds


@aion.workflow
async def never_rests() -> int:
    """More activities at once than fit in one turn, each followed by another."""
    done, heard = 0, 0
    counted.serve(lambda: heard)

    async def branch() -> None:
        nonlocal done
        for number in range(ROUNDS):
            await increased(number)
            done += 1

    async with durable.open_nursery() as nursery:
        for _ in range(WIDTH):
            nursery.start_soon(branch)
        await note.receive()
        heard += 1
    return done


async def test_a_workflow_that_never_rests_hears_its_callers(autojump_clock: MockClock) -> None:
    """S1, S4, L1: its outcomes are urgent, and there is always another one."""
    async with engine_on(MemoryStore(), workflows=[never_rests], activities=[increased]) as engine:
        handle = await engine.start(never_rests, id="n")
        await until(engine, "n", "ActivityCompleted", 2 * WIDTH)
        assert await handle.query(counted) == 0
        await handle.signal(note, "hello")
        assert await handle.query(counted) == 1
        await handle.terminate()
        assert (await handle.describe()).history_length < WIDTH * ROUNDS


@aion.workflow
async def works_and_collects() -> int:
    found: list[str] = []
    counted.serve(lambda: len(found))
    async with durable.open_nursery() as nursery:
        nursery.start_soon(slept, 10.0)
        found.append(await note.receive())
    return len(found)


async def test_a_workflow_that_waits_for_room_tells_its_callers(autojump_clock: MockClock) -> None:
    """J6: the outcome of its activity stays in hand; a signal is refused and a query answered, and neither waits for room."""
    faulty = FaultyStore(MemoryStore())
    async with engine_on(faulty, workflows=[works_and_collects], activities=[slept], clock=TrioClock()) as engine:
        handle = await engine.start(works_and_collects, id="w")
        faulty.plan(Fault("apply", error=StoreFull("no room"), lasting=True))
        await trio.sleep(60)
        for _ in range(3):
            with trio.fail_after(1):
                with pytest.raises(aion.JournalFullError):
                    await handle.signal(note, "a")
                assert await handle.query(counted) == 0
            await trio.sleep(7)
        faulty.heal()
        await handle.signal(note, "b")
        assert await handle.result() == 1
