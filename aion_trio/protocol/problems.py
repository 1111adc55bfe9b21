"""Errors as RFC 9457 problems, and back as the same classes.

What an error's class carries (`path`, `reason`, `new_run_id`…) travels in `state`, its `__cause__` chain in `cause`. A
cause comes back as itself where it is builtin or an error of the engine, else as a `RecordedError`: what arrives imports
nothing.
"""

from __future__ import annotations

from typing import Any

from .. import codec
from ..codec import failure_of
from ..codec.narrow import is_dict, is_list
from ..codec.plain import decode, encode
from ..errors import AionError, InvalidInputError, RecordedError
from .errors import DaemonError, DaemonFaultError
from .kinds import KINDS, Kind, kind_of
from .models import Cause, Problem
from .values import Json, value_from_json, value_to_json

TYPE_PREFIX = "/api/v1/errors#"
MEDIA_TYPE = "application/problem+json"
_DEEPEST = 8


def problem_of(error: BaseException) -> Problem:
    """The problem that tells a client of an error. A fault that is not in the tree of errors is told without its text."""
    kind = kind_of(error)
    known = isinstance(error, AionError)
    return Problem(
        type=TYPE_PREFIX + kind.code,
        title=kind.title,
        status=kind.status,
        detail=str(error) if known else "the daemon failed on this request",
        code=kind.code,
        hint=kind.hint,
        state=_state(error) if known and not isinstance(error, DaemonError) else {},
        cause=cause_of(error.__cause__) if known else None,
    )


def cause_of(error: BaseException | None, left: int = _DEEPEST) -> Cause | None:
    """An exception behind an error, with those behind it (at most 8)."""
    if error is None or left == 0:
        return None
    behind = cause_of(error.__cause__, left - 1)
    if isinstance(error, RecordedError):
        details = error.details if is_list(error.details) else []
        return Cause(type=error.type, message=error.message, args=value_to_json(details), cause=behind)
    recorded = failure_of(error)
    args, state = _details(recorded[3])
    return Cause(type=recorded[1], message=recorded[2], args=args, state=state, cause=behind)


def error_of(problem: Problem) -> AionError:
    """The error that a problem tells of, of its own class."""
    kind = KINDS.get(problem.code)
    if kind is None:
        return DaemonFaultError(problem.detail, problem.code, problem.hint)
    error = _made(kind, problem)
    error.__cause__ = _exception_of(problem.cause)
    return error


def raised_by_query(problem: Problem) -> Exception | None:
    """What a query's function raised, where the problem tells of that."""
    return _exception_of(problem.cause) if problem.code == "query_failed" else None


def _made(kind: Kind, problem: Problem) -> AionError:
    if issubclass(kind.error, DaemonError):
        return kind.error(problem.detail, problem.code, problem.hint)
    error = kind.error.__new__(kind.error, problem.detail)
    error.args = (problem.detail,)
    for name, value in problem.state.items():
        setattr(error, name, value_from_json(value, name))
    return error


def _state(error: BaseException) -> dict[str, Json]:
    """The error's own attributes that are plain data."""
    state: dict[str, Json] = {}
    for name, value in vars(error).items():
        if name.startswith("_"):
            continue
        try:
            state[name] = value_to_json(decode(encode(value)))
        except InvalidInputError:
            continue
    return state


def _details(payload: bytes | None) -> tuple[list[Json], dict[str, Json]]:
    content: Any = None if payload is None else decode(payload)
    if not is_list(content) or len(content) != 2 or not is_list(content[0]) or not is_dict(content[1]):
        return [], {}
    args, state = content
    return [value_to_json(part) for part in args], {str(name): value_to_json(part) for name, part in state.items()}


def _exception_of(cause: Cause | None) -> Exception | None:
    if cause is None:
        return None
    details = encode([value_from_json(cause.args), {name: value_from_json(part) for name, part in cause.state.items()}])
    exception = codec.cause_of([codec.APPLICATION, cause.type, cause.message, details, None, False])
    exception.__cause__ = _exception_of(cause.cause)
    return exception
