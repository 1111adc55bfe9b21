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


CALLS: dict[str, Any] = {
    "attributes": lambda engine: engine.start(idle, attributes=["a"]),
    "signal": lambda engine: engine.handle("i").signal(None, 1),
    "a query sent as a signal": lambda engine: engine.handle("i").signal(aion.Query("q", int), 1),
    "query": lambda engine: engine.handle("i").query(aion.Signal("s", int)),
    "type": lambda engine: engine.count_workflows(type=3),
    "filter": lambda engine: engine.count_workflows(attributes=3),
    "missing": lambda engine: engine.handle("nobody").cancel(),
}


@pytest.mark.parametrize("what", CALLS)
async def test_what_a_caller_gives_is_refused_in_words(what: str, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore(), workflows=[idle], activities=[]) as engine:
        await engine.execute(idle, id="i")
        with pytest.raises(aion.AionError, match=r"found|there is no workflow 'nobody'; cannot cancel it: check"):
            await CALLS[what](engine)
        with pytest.raises(aion.InvalidInputError, match="id is a text, found 3"):
            engine.handle(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"namespace": 3}, {"fuel": "1"}, {"task_limit": 0}, {"idle_after": "1"}, {"idle_after": 0}])
def test_a_setting_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(aion.InvalidInputError, match="found"):
        aion.EngineConfig(**wrong)


@pytest.mark.parametrize("given", [{"store_or_path": 3}, {"store_or_path": MemoryStore(), "config": {"strict": True}}])
async def test_what_is_no_journal_and_no_config_is_refused_before_anything_runs(given: dict[str, Any]) -> None:
    with pytest.raises(aion.InvalidInputError, match="found"):
        async with aion.open_engine(**given):
            raise AssertionError("it opened")


def test_the_core_and_the_stores_agree_on_the_longest_id() -> None:
    assert arguments.MAX_ID_BYTES == MAX_ID_BYTES
