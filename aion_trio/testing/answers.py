"""Doubles of activities: a value, answers in turn, or a function, in place of what an activity would do.

    charging = double(charge, returns="receipt-1")
    assert run_workflow(checkout, order, activities=[charging]) == ...
    assert charging.calls == [("order-42", 1999)]

The double has the activity's name, types, time-outs and retry policy: only what it does is replaced, so a list of
exceptions goes through the activity's own retries. Where activities are given to a tool of this package, doubles are taken among
them, and so is a mapping: `activities={charge: fake}` has `fake` called in the place of `charge`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from ..definitions import ActivityDefinition, activity as define
from ..errors import DefinitionError, InvalidInputError

P = ParamSpec("P")
R = TypeVar("R")

_NOTHING: Any = object()


@dataclass(slots=True, eq=False)
class ActivityDouble(Generic[P, R]):
    """A double: `definition` takes the activity's place, `calls` are the arguments of every attempt, in order."""

    definition: ActivityDefinition[P, R]
    calls: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])


AnyActivity = ActivityDefinition[..., Any]
AnyDouble = ActivityDouble[..., Any]
GivenActivities = Iterable[AnyActivity | AnyDouble] | Mapping[Any, AnyDouble | Callable[..., Any]]
"""Activities as the tools take them: definitions and doubles, or doubles and functions by the activity (or its name) they stand in for."""


@overload
def double(activity: ActivityDefinition[P, R], *, returns: R) -> ActivityDouble[P, R]: ...
@overload
def double(activity: ActivityDefinition[P, R], *, in_turn: Sequence[object]) -> ActivityDouble[P, R]: ...
@overload
def double(activity: ActivityDefinition[P, R], *, does: Callable[P, Any]) -> ActivityDouble[P, R]: ...
@overload
def double(activity: str, *, returns: Any) -> ActivityDouble[..., Any]: ...
@overload
def double(activity: str, *, in_turn: Sequence[object]) -> ActivityDouble[..., Any]: ...
@overload
def double(activity: str, *, does: Callable[..., Any]) -> ActivityDouble[..., Any]: ...
def double(activity: Any, *, returns: Any = _NOTHING, in_turn: Iterable[Any] = _NOTHING, does: Any = _NOTHING) -> Any:
    """A double of an activity, by its definition or, with plain data in and out, by its name.

    Give one of three: `returns`, the value of every attempt; `in_turn`, one answer for each attempt (an exception is raised;
    the last answer stays); `does`, a function, plain or async, that is called with the arguments in place of the activity's own.
    Raises `DefinitionError` for what is no activity, `InvalidInputError` for other answers.
    """
    named = define(name=activity)(_of_any_arguments) if isinstance(activity, str) else activity
    original = _definition_in(named)
    if original is None:
        raise DefinitionError(f"a double stands in for a function decorated with @activity, or for a name; found {activity!r}")
    given = [answer for answer in (returns, in_turn, does) if answer is not _NOTHING]
    if len(given) != 1:
        raise InvalidInputError("a double needs one of returns=, in_turn= and does=", "double")
    if does is not _NOTHING and not callable(does):
        raise InvalidInputError(f"does= is a function; for the value {does!r} write returns=", "does")
    answer = does if does is not _NOTHING else _in_turn([returns] if in_turn is _NOTHING else list(in_turn))
    made: ActivityDouble[..., Any] = ActivityDouble(copy.copy(original))

    async def fn(*args: Any) -> Any:
        made.calls.append(args)
        value = answer(*args)
        return await value if inspect.isawaitable(value) else value

    made.definition.fn = fn
    made.definition.activity_options = replace(original.activity_options, runs_in="task")
    return made


def definitions_in(activities: GivenActivities) -> list[AnyActivity]:
    """The definitions of activities as the tools take them. Raises `DefinitionError` that says what to write for anything else."""
    if isinstance(activities, Mapping):
        return [_standing_in(activity, fake) for activity, fake in cast("Mapping[Any, object]", activities).items()]
    return [_definition_of(each) for each in activities]


def _standing_in(activity: Any, fake: object) -> AnyActivity:
    """What a mapping says: `fake`, a function, activity or double, in the place of `activity`."""
    definition = _definition_in(fake)
    does = fake if definition is None else definition.fn
    if not callable(does):
        raise DefinitionError(f"activities: expected a function in the place of {activity!r}, found {fake!r}; write double(…, returns=…)")
    return double(activity, does=does).definition


def _definition_of(given: object) -> AnyActivity:
    definition = _definition_in(given)
    if definition is None:
        raise DefinitionError(
            f"activities: expected functions decorated with @activity, or doubles, found {given!r}; "
            "for a function in the place of an activity write double(activity, does=function), or activities={activity: function}"
        )
    return definition


def _definition_in(given: object) -> AnyActivity | None:
    """The definition that an activity or a double is, None for anything else."""
    if isinstance(given, ActivityDouble):
        return cast("AnyDouble", given).definition
    return cast("AnyActivity", given) if isinstance(given, ActivityDefinition) else None


def _in_turn(answers: list[Any]) -> Callable[..., Any]:
    if not answers:
        raise InvalidInputError("in_turn= needs at least one answer", "in_turn")
    left = list(answers)

    def answer(*_: Any) -> Any:
        value = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(value, Exception):
            raise value
        return value

    return answer


async def _of_any_arguments(
    a: Any = None, b: Any = None, c: Any = None, d: Any = None, e: Any = None, f: Any = None, g: Any = None, h: Any = None
) -> Any:
    """Never run: it says that up to eight arguments of any type are taken."""
