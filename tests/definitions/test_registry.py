"""The catalog: versions, modules, and what is refused (V2)."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import pytest

from aion_trio.definitions import Registry, WorkflowDefinition, activity, workflow
from aion_trio.errors import DefinitionError, UnsupportedTypeError, WorkflowNotRegisteredError

if TYPE_CHECKING:
    from decimal import Decimal as Hidden


def made(name: str = "checkout", version: int = 1) -> WorkflowDefinition[[], None]:
    @workflow(name=name, version=version)
    async def some() -> None: ...

    return some


@activity
async def charge() -> None: ...


def test_a_name_alone_is_the_highest_version() -> None:
    first, third, second = made(version=1), made(version=3), made(version=2)
    registry = Registry([first, third, second])
    assert registry.workflow("checkout") is third
    assert registry.workflow("checkout", 2) is second
    assert list(registry) == [first, second, third]


def test_an_unknown_name_suggests_similar_ones() -> None:
    registry = Registry([made("checkout"), made("refund")])
    with pytest.raises(WorkflowNotRegisteredError, match=r"no workflow 'chekout' is registered; did you mean 'checkout'\?"):
        registry.workflow("chekout")
    with pytest.raises(WorkflowNotRegisteredError, match="registered: checkout, refund"):
        registry.workflow("zzz")
    with pytest.raises(WorkflowNotRegisteredError, match="registered: none"):
        Registry().workflow("zzz")


def test_an_unknown_version_lists_those_that_there_are() -> None:
    """V1: a run is never given another version than its own."""
    with pytest.raises(WorkflowNotRegisteredError, match="'checkout' has no version 2 here; registered: 1, 3"):
        Registry([made(version=1), made(version=3)]).workflow("checkout", 2)


def test_an_unknown_activity_is_none() -> None:
    """A7."""
    assert Registry(activities=[charge]).activity("charge") is charge
    assert Registry().activity("charge") is None


def test_two_of_one_name_and_version_are_refused() -> None:
    with pytest.raises(DefinitionError, match="two workflows of one name and version"):
        Registry([made(), made()])

    @activity(name="charge")
    async def other() -> None: ...

    with pytest.raises(DefinitionError, match="two activities of one name"):
        Registry(activities=[charge, other])


def test_one_definition_found_twice_is_one() -> None:
    first = made()
    assert list(Registry([first, first.with_options(timeout=5)], [charge, charge])) == [first, charge]


def test_modules_give_all_definitions_that_they_hold() -> None:
    module = types.ModuleType("orders")
    first, second = made(), made(version=2)
    vars(module).update(first=first, again=first, second=second, charge=charge, other=5)
    registry = Registry([first], modules=[module])
    assert list(registry) == [first, second, charge]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"workflows": [charge]}, "workflows: expected functions decorated with @workflow, found <activity charge"),
        ({"workflows": [print]}, "workflows: expected functions"),
        ({"activities": [made()]}, "activities: expected functions decorated with @activity"),
        ({"modules": ["orders"]}, "modules: expected modules, found 'orders'"),
    ],
)
def test_what_is_no_definition_is_refused(arguments: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        Registry(**arguments)


def test_an_annotation_that_does_not_resolve_is_refused_at_registration() -> None:
    @workflow
    async def hidden(value: Hidden) -> None: ...

    with pytest.raises(UnsupportedTypeError, match="Hidden"):
        Registry([hidden])
