"""A child that has continued as new, and whose successor has not started yet, is not over."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore

from .evidence import owed
from .harness import engine_on, names_of


@aion.workflow
async def later_half() -> None:
    await durable.sleep(3600)


@aion.workflow
async def first_half() -> None:
    durable.continue_as_new(workflow="later_half")


@aion.workflow
async def leaves(policy: str) -> None:
    await durable.start_child(first_half, id="child", on_parent_close="terminate" if policy == "terminate" else "cancel")
    await durable.sleep(1)


@pytest.mark.parametrize(("policy", "ending"), [("terminate", "WorkflowTerminated"), ("cancel", "WorkflowCancelled")])
async def test_a_parents_close_reaches_the_successor_that_its_child_waits_for(policy: str, ending: str, autojump_clock: MockClock) -> None:
    """C3, N1: the parent closed while the type that its child goes on as was not loaded."""
    store = MemoryStore()
    async with engine_on(store, workflows=[leaves, first_half]) as engine:
        await engine.execute(leaves, policy, id="parent")
        await trio.sleep(60)
        assert (await names_of(engine, "child"))[-1] == "WorkflowContinuedAsNew"
    async with engine_on(store, workflows=[leaves, first_half, later_half]) as engine:
        await trio.sleep(600)
        assert (await names_of(engine, "child"))[-1] == ending
    assert owed(store) == []
