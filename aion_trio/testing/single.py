"""One workflow in one line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, TypeVar, cast

import trio

from ..arguments import LONGEST_SECONDS
from ..definitions import Signal, WorkflowDefinition
from ..engine import Engine, EngineConfig, WorkflowHandle, open_engine
from ..errors import InvalidInputError
from ..runs.messages import Stack
from ..seams import TrioClock
from ..stores import MemoryStore
from .answers import GivenActivities, definitions_in
from .doubles import run_function, stand_ins
from .nearby import nearby
from .virtual import run_virtual

R = TypeVar("R")

_PATIENCE = 2.0 * LONGEST_SECONDS
"""Virtual seconds that no sleep outlasts: when they have passed, everything has happened that can."""


def run_workflow(
    workflow: Callable[..., Coroutine[Any, Any, R]],
    *args: Any,
    activities: GivenActivities = (),
    children: Iterable[WorkflowDefinition[..., Any]] = (),
    signals: Iterable[tuple[Signal[Any] | str, Any]] = (),
) -> R:
    """Run a workflow to its end, in virtual time on a store in memory; its result.

    The activities and children that the workflow names are found; `activities` stand in for those of the same name, or are
    whatever is not found, as are `children`: definitions, doubles, or a mapping `{activity: function}`. `signals` are sent
    to it, in order, as soon as it has started. Raises what `WorkflowHandle.result` raises, `DefinitionError` for activities
    that are none, and `AssertionError` with the lines at which the workflow waits when nothing is left that could wake it.
    A plain function: not for use inside of a running Trio.
    """
    if not isinstance(workflow, WorkflowDefinition):
        raise InvalidInputError(f"expected a workflow definition, found {workflow!r}", "workflow")
    own = cast("WorkflowDefinition[..., R]", workflow)
    found_workflows, found_activities = nearby(own)
    doubles = {activity.name: activity for activity in [*found_activities, *definitions_in(activities)]}

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
            with trio.move_on_after(_PATIENCE):
                return await handle.result()
            raise AssertionError(await _why_not(engine, handle))

    return run_virtual(run)


async def _why_not(engine: Engine, handle: WorkflowHandle[Any]) -> str:
    """Why a workflow has not ended although all the time has passed that it could sleep."""
    pending = (await handle.describe()).pending_activities
    unserved = ", ".join(sorted({activity.type for activity in pending if not activity.served}))
    cause = f"no activity {unserved} is given." if unserved else "nothing is left to wake it; does it wait for one of `signals`?"
    return f"the workflow does not end: {cause} It stands at\n{await engine.runs.ask(handle.id, Stack())}"
