"""What workflow code and callers give is refused at their line when it cannot be stored."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import arguments, durable
from aion_trio.stores import MemoryStore
from aion_trio.stores.limits import MAX_ID_BYTES

from .harness import engine_on


@aion.workflow
async def idle() -> None:
    return None


@aion.workflow
async def gives(what: str) -> str:
    try:
        if what == "id":
            await durable.start_child(idle, id="a" * 401)
        elif what == "timeout":
            await durable.start_child(idle, timeout=-1)
        elif what == "attribute":
            await durable.start_child(idle, attributes={"a": [1]})
        elif what == "target":
            await durable.signal_workflow("", "go", 1)
        else:
            durable.set_attributes({"a": "\ud800"})
    except aion.InvalidInputError as error:
        return error.path
    return "taken"


WRONG = {"id": "id", "timeout": "timeout", "attribute": "attributes['a']", "target": "id", "text": "attributes['a']"}


@pytest.mark.parametrize("what", WRONG)
async def test_what_a_workflow_gives_is_refused_at_its_line(what: str, autojump_clock: MockClock) -> None:
    """Nothing is recorded of it, and the workflow can go on."""
    async with engine_on(MemoryStore(), workflows=[idle, gives], activities=[]) as engine:
        assert await engine.execute(gives, what, id="g") == WRONG[what]
        history: list[Any] = [type(event).__name__ async for event in engine.handle("g").history()]
        assert history == ["WorkflowStarted", "WorkflowCompleted"]


def test_the_core_and_the_stores_agree_on_the_longest_id() -> None:
    assert arguments.MAX_ID_BYTES == MAX_ID_BYTES
