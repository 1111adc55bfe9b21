"""An engine that comes late does what was due in order, each run by its own time-out."""

from __future__ import annotations

import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore

from .harness import engine_on, names_of


@aion.workflow
async def naps_and_goes_on(left: int) -> str:
    await durable.sleep(1)
    if left:
        durable.continue_as_new(left - 1)
    return "rested"


async def test_a_successor_that_begins_late_has_its_whole_time_out(autojump_clock: MockClock) -> None:
    """T4, N1: the time-out of the run that continued as new, which has passed meanwhile, is not the successor's."""
    store = MemoryStore()
    async with engine_on(store, workflows=[naps_and_goes_on]) as engine:
        await engine.start(naps_and_goes_on, 2, id="n", timeout=5)
    await trio.sleep(3600)
    async with engine_on(store, workflows=[naps_and_goes_on]) as engine:
        assert await engine.handle("n").result() == "rested"
        assert "WorkflowTimedOut" not in await names_of(engine, "n")
