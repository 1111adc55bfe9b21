"""One workflow in one line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, TypeVar, cast

from ..definitions import ActivityDefinition, Signal, WorkflowDefinition
from ..engine import EngineConfig, open_engine
from ..errors import InvalidInputError
from ..seams import TrioClock
from ..stores import MemoryStore
from .doubles import run_function, stand_ins
from .nearby import nearby
from .virtual import run_virtual

R = TypeVar("R")


def run_workflow(
    workflow: Callable[..., Coroutine[Any, Any, R]],
    *args: Any,
    activities: Iterable[ActivityDefinition[..., Any]] = (),
    children: Iterable[WorkflowDefinition[..., Any]] = (),
    signals: Iterable[tuple[Signal[Any] | str, Any]] = (),
) -> R:
    """Run a workflow to its end, in virtual time on a store in memory; its result.

    The activities and children that the workflow names are found; `activities` are doubles, which stand in for those of
    the same name, and whatever is not found, as are `children`. `signals` are sent to it, in order, as soon as it has started.
    Raises what `WorkflowHandle.result` raises. A plain function: not for use inside of a running Trio.
    """
    if not isinstance(workflow, WorkflowDefinition):
        raise InvalidInputError(f"expected a workflow definition, found {workflow!r}", "workflow")
    own = cast("WorkflowDefinition[..., R]", workflow)
    found_workflows, found_activities = nearby(own)
    doubles = {activity.name: activity for activity in [*found_activities, *activities]}

    async def run() -> R:
        async with open_engine(
            MemoryStore(),
            workflows=list(dict.fromkeys([*found_workflows, *children])),
            activities=stand_ins(doubles.values(), run_function),
            config=replace(EngineConfig(), clock=TrioClock()),
        ) as engine:
            handle = await engine.start(own, *args)
            for signal, value in signals:
                await handle.signal(signal, value)
            return await handle.result()

    return run_virtual(run)
