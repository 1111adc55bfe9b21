"""The definitions that a function reaches by name: what a test needs, without listing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ..definitions import ActivityDefinition, WorkflowDefinition

AnyWorkflow = WorkflowDefinition[..., Any]
AnyActivity = ActivityDefinition[..., Any]


def to_load(
    scenario: Callable[..., Any], workflows: Iterable[AnyWorkflow], activities: Iterable[AnyActivity], modules: Iterable[ModuleType]
) -> tuple[list[AnyWorkflow], list[AnyActivity], list[ModuleType]]:
    """What an engine loads for a scenario: the definitions that are given or, where none are, those that it names."""
    given = list(workflows), list(activities), list(modules)
    if any(given):
        return given
    found_workflows, found_activities = nearby(scenario)
    return found_workflows, found_activities, []


def nearby(*functions: Callable[..., Any]) -> tuple[list[AnyWorkflow], list[AnyActivity]]:
    """The workflows and activities that the functions name, and those that these name, in the order in which they are met.

    Looks at globals, at variables of enclosing functions, at attributes of modules, and into plain functions of the
    same modules. What is found out only when the code runs (a name in a string, a list of definitions) is not found.
    """
    workflows: dict[AnyWorkflow, None] = {}
    activities: dict[AnyActivity, None] = {}
    todo: list[Any] = [*functions]
    seen: set[int] = set()
    while todo:
        found = todo.pop(0)
        if isinstance(found, WorkflowDefinition):
            workflows[found] = None
            found = found.fn
        elif isinstance(found, ActivityDefinition):
            activities[found] = None
            continue
        if isinstance(found, FunctionType) and id(found) not in seen:
            seen.add(id(found))
            todo += [value for value in _named_by(found) if _is_worth_a_look(value, found)]
    return list(workflows), list(activities)


def _is_worth_a_look(value: Any, beside: FunctionType) -> bool:
    if isinstance(value, (WorkflowDefinition, ActivityDefinition)):
        return True
    return isinstance(value, FunctionType) and value.__module__ == beside.__module__


def _named_by(function: FunctionType) -> Iterator[Any]:
    """The values of the names that a function's code uses."""
    codes = [function.__code__]
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for cell in cells.values():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    while codes:
        code = codes.pop()
        codes += [const for const in code.co_consts if isinstance(const, CodeType)]
        named = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
        yield from named
        for module in named:
            if isinstance(module, ModuleType):
                yield from (vars(module)[name] for name in code.co_names if name in vars(module))
