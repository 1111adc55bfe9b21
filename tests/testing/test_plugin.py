"""The pytest plugin, run as a user's pytest would run it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SOUND = """
import pytest
import aion_trio as aion

@aion.activity
async def add(a: int, b: int) -> int:
    return a + b

@aion.workflow
async def double(n: int) -> int:
    return await add(n, n)

async def client(engine):
    return await engine.execute(double, 4, id="d")

@pytest.mark.aion_crash(deaths=1)
def test_scenario(aion_scenario):
    assert aion_scenario(client, workflows=[double], activities=[add]) == 8

@pytest.mark.aion_crash(deaths=1)
def test_scenario_that_names_its_definitions(aion_scenario):
    assert aion_scenario(client) == 8

@pytest.mark.aion_crash(deaths=1)
def test_scenario_with_a_fake(aion_scenario):
    assert aion_scenario(client, workflows=[double], activities={add: lambda a, b: a * b}) == 16

async def test_restart(aion_engine, aion_store, autojump_clock):
    async with aion_engine(workflows=[double]) as engine:
        await engine.start(double, 4, id="d")
    async with aion_engine(workflows=[double], activities=[add]) as engine:
        assert await engine.handle("d").result() == 8
    assert aion_store.stats().workflows == 1
"""

FORGETFUL = """
import pytest
import aion_trio as aion

asked = []

@aion.workflow
async def nothing() -> int:
    return 1

async def client(engine):
    asked.append(1)
    return [len(asked), await engine.execute(nothing, id="n")]

@pytest.mark.aion_crash(deaths=1)
def test_scenario(aion_scenario):
    aion_scenario(client, workflows=[nothing])
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    pytester.makeini("[pytest]\ntrio_mode = true\n")
    return pytester.runpytest_inprocess("-p", "aion_trio.testing.plugin", "-q", *options)


def test_the_fixtures_open_engines_and_run_scenarios(pytester: pytest.Pytester) -> None:
    run(pytester, SOUND).assert_outcomes(passed=4)


def test_a_sound_scenario_survives_every_crash(pytester: pytest.Pytester) -> None:
    run(pytester, SOUND, "--aion-crash").assert_outcomes(passed=4)


def test_a_scenario_that_differs_after_a_crash_fails_with_the_story(pytester: pytest.Pytester) -> None:
    run(pytester, FORGETFUL).assert_outcomes(passed=1)
    result = run(pytester, FORGETFUL, "--aion-crash")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*made a difference*", "*the clients' result*", "*life 1 ended at commit 1*"])
