"""Stand-ins for activities: they do what the real ones do, where virtual time can wait for them, and are written down.

An engine looks an activity up by its name, so a stand-in with the same name and types takes its place without the
workflow's knowledge.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import trio

from ..activities import ActivityInfo, activity_info
from ..definitions import ActivityDefinition
from .virtual import run_in_turn, standing_still

AnyActivity = ActivityDefinition[..., Any]
Perform = Callable[[Callable[..., Any], tuple[Any, ...]], Awaitable[Any]]
"""Runs an activity's function with its arguments, inside of the attempt."""


@dataclass(slots=True)
class Attempt:
    """One attempt that began: of which call, and whether its function came to its end (by returning or by raising)."""

    info: ActivityInfo
    ended: bool = False
    returned: bool = False


class Attempts:
    """Every attempt that began, in order, over all incarnations of an engine."""

    def __init__(self) -> None:
        self.all: list[Attempt] = []

    async def perform(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run an activity's function and keep the attempt."""
        attempt = Attempt(activity_info())
        self.all.append(attempt)
        try:
            value = await run_function(fn, args) if inspect.iscoroutinefunction(fn) else await run_in_turn(fn, args)
        except Exception:
            attempt.ended = True
            raise
        attempt.ended = attempt.returned = True
        return value


async def run_function(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """An `async def` function as it is, a `def` one in a thread for which virtual time waits."""
    if inspect.iscoroutinefunction(fn):
        return await fn(*args)
    with standing_still():
        return await trio.to_thread.run_sync(fn, *args, abandon_on_cancel=True)


async def never(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Begin, and do nothing."""
    await trio.sleep_forever()


def stand_ins(activities: Iterable[AnyActivity], perform: Perform) -> list[AnyActivity]:
    """The same activities by name, types and options, each run by `perform` in a Trio task."""
    return [_stand_in(definition, perform) for definition in activities]


def _stand_in(definition: AnyActivity, perform: Perform) -> AnyActivity:
    function = definition.fn

    async def fn(*args: Any) -> Any:
        return await perform(function, args)

    double = copy.copy(definition)
    double.fn = fn
    double.activity_options = replace(definition.activity_options, runs_in="task")
    return double
