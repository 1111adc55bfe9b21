"""What a test needs is found by name: it need not list its definitions."""

from __future__ import annotations

from typing import Any

import aion_trio as aion
from aion_trio import testing
from aion_trio.testing.nearby import nearby
from tests.engine import shop


@aion.activity
async def price(n: int) -> int:
    return 10 * n


@aion.activity
async def never_named() -> None: ...


@aion.workflow
async def part(n: int) -> int:
    return await price(n)


async def helper(n: int) -> int:
    return await part(n)


@aion.workflow
async def whole(n: int) -> int:
    return await helper(n) + await shop.add(n, 1)


def test_definitions_are_found_through_globals_helpers_modules_and_each_other() -> None:
    workflows, activities = nearby(whole)
    assert workflows == [whole, part]
    assert activities == [shop.add, price]


def test_definitions_in_enclosing_functions_are_found() -> None:
    @aion.workflow
    async def inner(n: int) -> int:
        return await price(n)

    async def scenario(engine: aion.Engine) -> Any:
        return await engine.execute(inner, 2, id="i")

    assert nearby(scenario) == ([inner], [price])


def test_a_workflow_runs_with_what_it_names_and_doubles_stand_in() -> None:
    @aion.activity(name="price")
    async def cheap(n: int) -> int:
        return 0

    assert testing.run_workflow(whole, 2) == 23
    assert testing.run_workflow(whole, 2, activities=[cheap]) == 3


def test_a_scenario_is_explored_with_what_it_names() -> None:
    async def scenario(engine: aion.Engine) -> int:
        return await engine.execute(part, 2, id="p")

    report = testing.explore_crashes(scenario)
    assert report.sound, report
