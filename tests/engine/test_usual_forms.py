"""Forms in which users write things at first, inside of workflows and outside: they work, or are refused where they stand."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore

from . import shop
from .harness import engine_on, names_of, until

TOO_LONG = {"note": "x" * 60_000}


@aion.workflow
async def cancels_its_child(awaits: bool) -> str:
    child = await durable.start_child(shop.hangs)
    if awaits:
        await child.cancel()
    else:
        child.cancel()
    try:
        return await child.result()
    except aion.ChildWorkflowFailedError as error:
        return error.kind


@aion.workflow
async def marks() -> dict[str, Any]:
    durable.set_attributes(stage="begun", count=1)
    durable.set_attributes({"count": 2}, stage=None)
    durable.set_attributes({"more": True})
    return dict(durable.info().attributes)


def refused(call: Any) -> Any:
    @aion.workflow(name="refused")
    async def workflow() -> str:
        try:
            found = call()
            if found is not None:
                await found
        except aion.InvalidInputError as error:
            return str(error)
        return "taken"

    return workflow


@pytest.mark.parametrize("awaits", [False, True])
async def test_a_childs_cancellation_may_be_awaited(awaits: bool, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore(), workflows=[*shop.WORKFLOWS, cancels_its_child]) as engine:
        with trio.fail_after(60):
            assert await engine.execute(cancels_its_child, awaits) == "cancelled"


async def test_attributes_are_set_by_mapping_or_by_name(autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore(), workflows=[marks]) as engine:
        handle = await engine.start(marks)
        assert await handle.result() == {"count": 2, "more": True}
        assert (await handle.describe()).attributes == {"count": 2, "more": True}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: durable.set_attributes(TOO_LONG), "may have 59999 bytes, found 60000"),
        (lambda: durable.set_attributes(**{f"a{n}": n for n in range(256)}), "may have 255 attributes, found 256"),
        (lambda: durable.set_attributes([1]), "attributes are a mapping"),  # type: ignore[arg-type]
        (lambda: durable.start_child(shop.hangs, attributes=TOO_LONG), "may have 59999 bytes, found 60000"),
        (lambda: durable.patched(3), "the name of a patch is a text, found 3"),  # type: ignore[arg-type]
        (lambda: durable.patched(""), "the name of a patch is a text that is not empty"),
        (lambda: durable.signal_workflow("x", 3, 3), "signal: expected an aion.Signal or its name, found 3"),  # type: ignore[arg-type]
    ],
    ids=["long", "many", "list", "child", "patch", "no patch", "signal"],
)
async def test_what_could_not_be_stored_is_refused_in_the_workflow_itself(call: Any, says: str, autojump_clock: MockClock) -> None:
    """J6: not when the whole step is to be stored, which would quarantine the run, or leave it waiting for a child for ever."""
    workflow = refused(call)
    async with engine_on(MemoryStore(), workflows=[workflow, *shop.WORKFLOWS]) as engine:
        assert says in await engine.execute(workflow, id="w")
        assert await names_of(engine, "w") == ["WorkflowStarted", "WorkflowCompleted"]


async def test_attributes_that_are_too_many_together_are_refused_as_well(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def collects() -> str:
        durable.set_attributes({f"a{n}": n for n in range(200)})
        durable.set_attributes({f"a{n}": None for n in range(100)})
        durable.set_attributes({f"b{n}": n for n in range(155)})
        try:
            durable.set_attributes(one="more")
        except aion.InvalidInputError as error:
            return str(error)
        return "taken"

    async with engine_on(MemoryStore(), workflows=[collects]) as engine:
        assert "255 attributes, found 256" in await engine.execute(collects)


async def test_what_an_activity_raises_as_itself_is_the_cause_of_its_workflows_failure(autojump_clock: MockClock) -> None:
    """§3: `raises`; also after the engine was opened again."""

    class OutOfStock(Exception):
        pass

    @aion.activity(raises=[OutOfStock])
    async def reserves(sku: str) -> None:
        raise OutOfStock(sku)

    @aion.workflow
    async def orders() -> None:
        await reserves("tea")

    store = MemoryStore()
    for _ in range(2):
        async with engine_on(store, workflows=[orders], activities=[reserves]) as engine:
            with pytest.raises(aion.WorkflowFailedError) as caught:
                await engine.execute(orders, id="o")
            assert type(caught.value.__cause__) is OutOfStock and caught.value.__cause__.args == ("tea",)


async def test_one_definition_where_several_are_meant_is_said_to_be_one(autojump_clock: MockClock) -> None:
    with pytest.raises(aion.DefinitionError, match=r"workflows: expected a list, found .*write workflows=\[\.\.\.\]"):
        async with aion.open_engine(MemoryStore(), workflows=shop.hangs):  # type: ignore[arg-type]
            raise AssertionError


@pytest.mark.parametrize("wrong", ["", "x" * 600, "a\\u0000b"], ids=["empty", "long", "NUL"])
async def test_a_history_under_an_id_that_cannot_be_is_no_history(wrong: str, autojump_clock: MockClock) -> None:
    async with engine_on(MemoryStore()) as engine:
        await engine.start(shop.waits, 1, id="theid")
        await until(engine, "theid", "WorkflowStarted")
        lines = [line.replace('"theid"', f'"{wrong}"') for line in await engine.export_history("theid")]
        with pytest.raises(aion.InvalidInputError, match="a workflow id"):
            await engine.import_history(lines)
        assert await engine.count_workflows() == 1


def test_an_update_is_served_with_its_validation_by_name(autojump_clock: MockClock) -> None:
    """§7: `readdress.serve(fn, validate=None)`."""
    update = aion.Update("readdress", str, int)
    with pytest.raises(aion.NotInWorkflowError):
        update.serve(len, validate=str.strip)


def test_a_retry_policy_may_begin_with_more_than_a_minute() -> None:
    assert aion.RetryPolicy(max_attempts=3, initial=120).maximum == 120
    assert aion.RetryPolicy(max_attempts=3, initial=1).maximum == 60
    with pytest.raises(aion.DefinitionError, match="maximum: expected at least initial"):
        aion.RetryPolicy(initial=120, maximum=60.0)
