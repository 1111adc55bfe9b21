"""An engine that comes late does what was due in order, each run by its own time-out."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable, open_engine
from aion_trio.seams import TrioClock
from aion_trio.stores import Fault, FaultyStore, MemoryStore
from aion_trio.testing import replay_history

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


@aion.workflow
async def sends_and_goes_on(left: int) -> str:
    async def send() -> None:
        try:
            await durable.signal_workflow("nobody", "go", 1)
        except aion.SignalNotDeliveredError:
            pass

    async with durable.open_nursery() as nursery:
        if left:
            nursery.start_soon(send)
        await durable.sleep(1)
        if left:
            durable.continue_as_new(left - 1)
    return "sent"


async def test_the_outcome_of_a_signal_does_not_go_to_the_successor_of_its_sender(autojump_clock: MockClock) -> None:
    """S2, N1: the timer that was due meanwhile continues the sender as new before the outcome is looked at."""
    workflows = [sends_and_goes_on]
    store = MemoryStore()
    dying = FaultyStore(store)
    dying.plan(Fault("apply", nth=1, after=True, crash=True))
    with pytest.raises(BaseExceptionGroup):  # the process is gone, and with it everything that waited
        async with open_engine(dying, workflows=workflows, config=aion.EngineConfig(clock=TrioClock())) as engine:
            await engine.start(sends_and_goes_on, 1, id="s")
    await trio.sleep(3600)
    async with engine_on(store, workflows=workflows) as engine:
        assert await engine.handle("s").result() == "sent"
        assert "SignalFailed" not in await names_of(engine, "s")
        replay_history(workflows, await engine.export_history("s"))
