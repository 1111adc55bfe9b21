"""Doubles of activities: a value, answers in turn, or a function, in place of what an activity would do.

    charging = double(charge, returns="receipt-1")
    assert run_workflow(checkout, order, activities=[charging.definition]) == ...
    assert charging.calls == [("order-42", 1999)]

The double has the activity's name, types, time-outs and retry policy: only what it does is replaced, so a list of
exceptions goes through the activity's own retries.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, ParamSpec, TypeVar, overload

from ..definitions import ActivityDefinition, activity as define
from ..errors import InvalidInputError

P = ParamSpec("P")
R = TypeVar("R")

_NOTHING: Any = object()


@dataclass(slots=True, eq=False)
class ActivityDouble(Generic[P, R]):
    """A double: `definition` takes the activity's place, `calls` are the arguments of every attempt, in order."""

    definition: ActivityDefinition[P, R]
    calls: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])


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
    """
    given = [answer for answer in (returns, in_turn, does) if answer is not _NOTHING]
    if len(given) != 1:
        raise InvalidInputError("a double needs one of returns=, in_turn= and does=", "double")
    answer = does if does is not _NOTHING else _in_turn([returns] if in_turn is _NOTHING else list(in_turn))
    original = define(name=activity)(_of_any_arguments) if isinstance(activity, str) else activity
    made: ActivityDouble[..., Any] = ActivityDouble(copy.copy(original))

    async def fn(*args: Any) -> Any:
        made.calls.append(args)
        value = answer(*args)
        return await value if inspect.isawaitable(value) else value

    made.definition.fn = fn
    made.definition.activity_options = replace(original.activity_options, runs_in="task")
    return made


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
