"""A pytest plugin: fixtures for stores and engines, and scenarios that `--aion-crash` crashes everywhere.

It is there wherever aion-trio is installed beside pytest, and loads the engine only when a fixture is used.

    @pytest.mark.aion_crash(sample=200)
    def test_checkout(aion_scenario):
        async def customer(engine):
            return await engine.execute(checkout, order, id="order-42")

        assert aion_scenario(customer, workflows=[checkout], activities=[charge]) == "receipt-1"
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..engine import Engine
    from ..stores import MemoryStore
    from .life import Scenario

OpenEngine = Callable[..., "AbstractAsyncContextManager[Engine]"]
"""As `open_test_engine`, on the test's store."""

RunScenario = Callable[..., Any]
"""`(scenario, *, workflows=, activities=, modules=, config=) -> what the scenario returns`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--aion-crash`: explore the crashes of marked scenarios."""
    group = parser.getgroup("aion-trio")
    group.addoption("--aion-crash", action="store_true", help="crash scenarios marked aion_crash at each of their commits")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "aion_crash(deaths=2, sample=None, seed=0, order='exact'): with --aion-crash, crash the scenario of this test everywhere "
        "(the arguments of aion_trio.testing.CrashSearch)",
    )


@pytest.fixture
def aion_store() -> MemoryStore:
    """A journal in memory, the test's own: every engine that `aion_engine` opens in one test stands on it."""
    from ..stores import MemoryStore

    return MemoryStore()


@pytest.fixture
def aion_engine(aion_store: MemoryStore) -> OpenEngine:
    """Opens engines on the test's store: `async with aion_engine(workflows=[...]) as engine`. Open again to restart."""
    from .opening import open_test_engine

    return partial(open_test_engine, store=aion_store)


@pytest.fixture
def aion_scenario(request: pytest.FixtureRequest) -> RunScenario:
    """Runs a scenario in virtual time and gives what it returns; for plain (`def`) tests.

    Where no definitions are given, those that the scenario names, and those that they name, are loaded.
    With `--aion-crash`, the scenario of a test that is marked `aion_crash` is crashed at each of its commits as well, and
    the test fails with the story of the first crash that makes a difference.
    """
    marker: pytest.Mark | None = request.node.get_closest_marker("aion_crash")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    explore = marker is not None and bool(request.config.getoption("--aion-crash"))
    search: dict[str, Any] | None = dict(marker.kwargs) if marker is not None and explore else None
    return partial(_run_scenario, search)


def _run_scenario(
    search: dict[str, Any] | None, scenario: Scenario, *, workflows: Any = (), activities: Any = (), modules: Any = (), **settings: Any
) -> object:
    from . import CrashSearch, explore_crashes, run_virtual
    from .answers import definitions_in
    from .nearby import to_load
    from .opening import open_test_engine

    definitions = to_load(scenario, workflows, definitions_in(activities), modules)
    settings.update(zip(("workflows", "activities", "modules"), definitions, strict=True))

    async def once() -> object:
        async with open_test_engine(**settings) as engine:
            return await scenario(engine)

    result = run_virtual(once)
    if search is not None:
        report = explore_crashes(scenario, search=CrashSearch(**search), **settings)
        if not report.sound:
            pytest.fail(str(report), pytrace=False)
    return result
