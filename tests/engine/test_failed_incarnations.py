"""An actor that fails between a commit and what follows from it is followed by one that does the rest."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.seams import TrioClock
from aion_trio.stores import Fault, FaultyStore, MemoryStore, StoreFailed

from . import shop
from .harness import engine_on, until


async def test_an_attempt_that_was_retired_does_not_begin_though_its_actor_failed(autojump_clock: MockClock) -> None:
    """A1, L2: terminated in back-off; the commit was durable, and the actor failed before it could say so."""
    shop.EFFECTS.clear()
    store = FaultyStore(MemoryStore())
    async with engine_on(store, clock=TrioClock()) as engine:
        handle = await engine.start(shop.retried, 7, id="r")
        await until(engine, "r", "ActivityAttemptFailed")
        store.plan(Fault("apply", error=StoreFailed("half-way"), after=True), Fault("reopen", error=StoreFailed("not yet")))
        with pytest.raises(aion.AppendOutcomeUnknown):
            await handle.terminate()
        with pytest.raises(aion.WorkflowClosedError):
            await handle.terminate()
        await trio.sleep(3600)
        assert [attempt for name, attempt in shop.EFFECTS if name == "fails_twice"] == [1]
