"""The catalog of what one engine has loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, TypeGuard, TypeVar

from aion_trio.definitions.functions import ActivityDefinition, WorkflowDefinition
from aion_trio.errors import DefinitionError, WorkflowNotRegisteredError

AnyWorkflow = WorkflowDefinition[Any, Any]
AnyActivity = ActivityDefinition[Any, Any]
T = TypeVar("T")


class Registry:
    """All loaded versions of workflows, and activities, by name (V2).

    Invariant: one definition for each workflow name and version, and for each activity name. The definitions found in
    `modules` are added to those that are listed; the same one twice is one. DefinitionError for two different ones of
    one name, UnsupportedTypeError for annotations that cannot be resolved or stored.
    """

    def __init__(
        self,
        workflows: Iterable[AnyWorkflow] = (),
        activities: Iterable[AnyActivity] = (),
        modules: Iterable[ModuleType] = (),
    ) -> None:
        self._workflows: dict[str, dict[int, AnyWorkflow]] = {}
        self._activities: dict[str, AnyActivity] = {}
        for workflow in _several(workflows, "workflows"):
            self._add_workflow(workflow)
        for activity in _several(activities, "activities"):
            self._add_activity(activity)
        for module in _several(modules, "modules"):
            self._add_module(module)

    def workflow(self, name: str, version: int | None = None) -> AnyWorkflow:
        """The definition of a version, the highest one if none is given.

        WorkflowNotRegisteredError says which versions, or which similar names, there are.
        """
        versions = self._workflows.get(name)
        if versions is None:
            raise WorkflowNotRegisteredError(f"no workflow {name!r} is registered{_did_you_mean(name, self._workflows)}")
        found = versions.get(max(versions) if version is None else version)
        if found is None:
            loaded = ", ".join(map(str, sorted(versions)))
            raise WorkflowNotRegisteredError(f"workflow {name!r} has no version {version} here; registered: {loaded}")
        return found

    def activity(self, name: str) -> AnyActivity | None:
        """The activity of that name, None if it is not served here (A7)."""
        return self._activities.get(name)

    @property
    def raises(self) -> list[type[Exception]]:
        """The exceptions that come back from an activity as themselves, of all activities."""
        return list({cls: None for activity in self.activities for cls in activity.raises})

    @property
    def workflows(self) -> list[AnyWorkflow]:
        """All workflow definitions, by name and version."""
        return [self._workflows[name][version] for name in sorted(self._workflows) for version in sorted(self._workflows[name])]

    @property
    def activities(self) -> list[AnyActivity]:
        """All activity definitions, by name."""
        return [self._activities[name] for name in sorted(self._activities)]

    def __iter__(self) -> Iterator[AnyWorkflow | AnyActivity]:
        yield from self.workflows
        yield from self.activities

    def _add_module(self, module: object) -> None:
        if not isinstance(module, ModuleType):
            raise DefinitionError(f"modules: expected modules, found {module!r}")
        for value in vars(module).values():
            if _is_workflow(value):
                self._add_workflow(value)
            elif _is_activity(value):
                self._add_activity(value)

    def _add_workflow(self, definition: object) -> None:
        if not _is_workflow(definition):
            raise DefinitionError(f"workflows: expected functions decorated with @workflow, found {definition!r}")
        definition.require_resolved()
        versions = self._workflows.setdefault(definition.name, {})
        other = versions.setdefault(definition.version, definition)
        if other.fn is not definition.fn:
            raise DefinitionError(f"two workflows of one name and version: {other!r} and {definition!r}; change name= or version=")

    def _add_activity(self, definition: object) -> None:
        if not _is_activity(definition):
            raise DefinitionError(f"activities: expected functions decorated with @activity, found {definition!r}")
        definition.require_resolved()
        other = self._activities.setdefault(definition.name, definition)
        if other.fn is not definition.fn:
            raise DefinitionError(f"two activities of one name: {other!r} and {definition!r}; change name=")


def _is_workflow(value: object) -> TypeGuard[AnyWorkflow]:
    return isinstance(value, WorkflowDefinition)


def _is_activity(value: object) -> TypeGuard[AnyActivity]:
    return isinstance(value, ActivityDefinition)


def _several(items: Iterable[T], name: str) -> Iterable[T]:
    if not isinstance(items, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DefinitionError(f"{name}: expected a list, found {items!r}: write {name}=[...]")
    return items


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else f"; registered: {', '.join(sorted(known)) or 'none'}"
