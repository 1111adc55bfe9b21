"""Failures: exceptions as plain lists inside events, and back.

A failure is `[kind, type name, message, details, cause, non_retryable]`. `kind` is "application" for an exception that
user code raised, else what the engine did: "timeout:start_to_close" (and the other time-outs), "cancelled",
"terminated", "timed_out", "already_started", "crashed", "failed".

`details` is a payload of `[args, state]`: what the exception was made of (text where that is no plain data), and those
of its attributes that are plain data. For an exception that is a dataclass or an attrs class `state` holds the fields
by their annotations. It is None where it would be larger than 64 KiB.

An exception is rebuilt without running its constructor, but for dataclasses and attrs classes. Only classes that the
reader names (`raises`), builtin exceptions in a cause chain and the engine's own errors are ever made; a name in a
history imports nothing.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from typing import Any

from aion_trio import errors
from aion_trio.codec.misfit import Misfit, shown
from aion_trio.codec.narrow import is_dict, is_group, is_list
from aion_trio.codec.payloads import PLAIN, Codec
from aion_trio.codec.plain import decode, encode
from aion_trio.codec.values import shape_of
from aion_trio.errors import (
    ActivityFailedError,
    ActivityTimedOutError,
    ChildWorkflowFailedError,
    InvalidInputError,
    NonRetryableError,
    RecordedError,
    UnsupportedTypeError,
)
from aion_trio.events import Failure

APPLICATION = "application"
_TIMEOUT = "timeout:"
_CHAIN_LENGTH = 8
_MESSAGE_CHARACTERS = 4_000
_GROUP_SHOWN = 5
_DETAILS_BYTES = 64 * 1024


def failure(kind: str, message: str, type_name: str = "", cause: Failure | None = None) -> Failure:
    """The failure of something that the engine did rather than user code."""
    return [kind, type_name, message, None, cause, False]


def failure_of(exc: BaseException, codec: Codec = PLAIN, raises: Sequence[type[Exception]] = ()) -> Failure:
    """The failure that records `exc` and its `__cause__` chain (at most 8, messages of at most 4000 characters).

    An exception of a subclass of a class in `raises` is recorded as the listed class, so that it comes back. Never raises, whatever the
    exception's own methods do.
    """
    return _failure_of(exc, codec, raises, _CHAIN_LENGTH)


def exception_of(failure: Failure, raises: Sequence[type[Exception]] = (), activity: str = "", codec: Codec = PLAIN) -> Exception:
    """What the caller of an activity gets: the exception itself if `raises` lists its type, else ActivityFailedError.

    A time-out is an ActivityTimedOutError. The cause chain hangs on `__cause__`. JournalFormatError for details that cannot be read
    (damaged, or of a codec that is not configured): workflow code must not go another way because of them.
    """
    kind, name, message, _, cause, _ = failure
    itself = _listed(failure, raises, codec)
    if itself is not None:
        exception = itself
    elif kind.startswith(_TIMEOUT):
        exception = ActivityTimedOutError(f"activity {activity}: {message}", activity=activity, kind=kind[len(_TIMEOUT) :])
    else:
        short = short_name(name) or kind
        exception = ActivityFailedError(
            f"activity {activity} failed: {short}: {message}", activity=activity, type=short, details=_args(failure, codec)
        )
        exception.message = message
    return _with_cause(exception, cause, raises, codec)


def child_exception_of(failure: Failure, child_id: str = "", codec: Codec = PLAIN) -> ChildWorkflowFailedError:
    """What the parent of a child that did not complete gets; `__cause__` is the child's own exception."""
    kind, _, message, *_ = failure
    exception = ChildWorkflowFailedError(
        f"child workflow {child_id}: {message}", kind="failed" if kind == APPLICATION else kind, child_id=child_id
    )
    exception.__cause__ = cause_of(failure, codec) if kind == APPLICATION else _cause(failure[4], (), codec)
    return exception


def cause_of(failure: Failure, codec: Codec = PLAIN, raises: Sequence[type[Exception]] = ()) -> Exception:
    """The exception that a failure stands for, as a `__cause__`: itself if it is builtin, ours or listed, else RecordedError."""
    exception = _listed(failure, raises, codec) or _loaded(failure, codec)
    if exception is None:
        exception = RecordedError(failure[2], type=short_name(failure[1]) or failure[0], details=_args(failure, codec))
    return _with_cause(exception, failure[4], raises, codec)


def short_name(type_name: str) -> str:
    """The class's own name out of `module.Outer.Name`."""
    return type_name.rpartition(".")[2]


def type_name_of(cls: type) -> str:
    """`module.QualName`, for a builtin the name alone."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _failure_of(exc: BaseException, codec: Codec, raises: Sequence[type[Exception]], left: int) -> Failure:
    cause = exc.__cause__
    return [
        APPLICATION,
        type_name_of(_recorded_class(exc, raises)),
        _message(exc),
        _details(exc, codec),
        _failure_of(cause, codec, raises, left - 1) if cause is not None and left > 1 else None,
        any(isinstance(part, NonRetryableError) for part in _leaves(exc)),
    ]


def _recorded_class(exc: BaseException, raises: Sequence[type[Exception]]) -> type:
    return next((cls for cls in type(exc).__mro__ if cls in raises), type(exc))


def _message(exc: BaseException) -> str:
    try:
        text = str(exc)
    except Exception:  # the user's __str__
        text = f"(no message: {type(exc).__name__}.__str__ failed)"
    if is_group(exc):
        parts = [f"{type(part).__name__}: {_message(part)}" for part in _leaves(exc)]
        more = f"; and {len(parts) - _GROUP_SHOWN} more" if len(parts) > _GROUP_SHOWN else ""
        text = f"{text}: {'; '.join(parts[:_GROUP_SHOWN])}{more}"
    text = text.encode(errors="replace").decode()
    return text if len(text) <= _MESSAGE_CHARACTERS else text[: _MESSAGE_CHARACTERS - 1] + "…"


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    if is_group(exc):
        for part in exc.exceptions:
            yield from _leaves(part)
    else:
        yield exc


def _details(exc: BaseException, codec: Codec) -> bytes | None:
    args = [] if is_group(exc) else [arg if _is_plain(arg) else shown(arg) for arg in exc.args]
    try:
        data = encode([args, _state(exc)])
        return codec.wrap(data) if len(data) <= _DETAILS_BYTES else None
    except Exception:  # too large, or a foreign codec failed: the record goes without
        return None


def _state(exc: BaseException) -> dict[str, Any]:
    cls = type(exc)
    if _has_fields(cls):
        try:
            state: dict[str, Any] = shape_of(cls).plain(exc)
            return state
        except (UnsupportedTypeError, Misfit):  # as a plain exception, then
            pass
    return {name: value for name, value in vars(exc).items() if _is_plain(value)}


def _has_fields(cls: type) -> bool:
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")


def _is_plain(value: object) -> bool:
    try:
        encode(value)
    except InvalidInputError:
        return False
    return True


def _content(failure: Failure, codec: Codec) -> tuple[list[Any], dict[str, Any]] | None:
    if failure[3] is None:
        return None
    content = decode(codec.unwrap(failure[3]))
    if is_list(content) and len(content) == 2 and is_list(content[0]) and is_dict(content[1]):
        return content[0], content[1]
    return None


def _args(failure: Failure, codec: Codec) -> list[Any] | None:
    content = _content(failure, codec)
    return None if content is None else content[0]


def _listed(failure: Failure, raises: Sequence[type[Exception]], codec: Codec) -> Exception | None:
    """The exception as one of the classes in `raises`, by full name or else by its own name (for a class that moved)."""
    if failure[0] != APPLICATION:
        return None
    name = failure[1]
    for cls in raises:
        if type_name_of(cls) == name:
            return _rebuilt(cls, failure, codec)
    for cls in raises:
        if cls.__name__ == short_name(name):
            return _rebuilt(cls, failure, codec)
    return None


def _loaded(failure: Failure, codec: Codec) -> Exception | None:
    """The exception as a builtin or as an error of the engine."""
    name = failure[1]
    ours = name.startswith(f"{errors.__name__}.")
    cls = getattr(errors if ours else builtins, short_name(name) if ours else name, None)
    if failure[0] != APPLICATION or not isinstance(cls, type) or not issubclass(cls, Exception):
        return None
    return _rebuilt(cls, failure, codec)


def _rebuilt(cls: type[Exception], failure: Failure, codec: Codec) -> Exception | None:
    """An instance with the recorded arguments and attributes, made without its constructor; None if that cannot be done."""
    content = _content(failure, codec)
    args, state = content if content is not None else ([failure[2]], {})
    if _has_fields(cls):
        try:
            fields: Exception = shape_of(cls).build(state)
            return fields
        except (UnsupportedTypeError, Misfit):  # recorded before its fields were what they are
            pass
    try:
        exception = cls.__new__(cls, *args)
        exception.args = tuple(args)
        for name, value in state.items():
            setattr(exception, name, value)
    except Exception:  # a class with its own __new__ or read-only attributes
        return None
    return exception


def _cause(failure: Failure | None, raises: Sequence[type[Exception]], codec: Codec) -> Exception | None:
    return None if failure is None else cause_of(failure, codec, raises)


def _with_cause(exception: Exception, cause: Failure | None, raises: Sequence[type[Exception]], codec: Codec) -> Exception:
    exception.__cause__ = _cause(cause, raises, codec)
    return exception
