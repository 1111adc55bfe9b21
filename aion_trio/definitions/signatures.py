"""What a definition needs to know of its function: parameters, annotations, and whether it can be one at all."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from aion_trio.codec import Arguments, Parameter, Value
from aion_trio.errors import DefinitionError, UnsupportedTypeError

AnyFunction = Callable[..., Any]


class UnresolvedError(UnsupportedTypeError):
    """An annotation holds a name that does not exist, or not yet."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A definition's arguments and result, typed."""

    arguments: Arguments
    result: Value


def require_function(fn: object, decorator: str) -> AnyFunction:
    """`fn` if it is a named function that is no generator; DefinitionError says what it is instead."""
    if not isinstance(fn, types.FunctionType):
        kind = f"the class {fn.__name__}" if isinstance(fn, type) else f"{type(fn).__name__} {fn!r}"
        raise DefinitionError(f"@{decorator} takes a function, found {kind}")
    where = place_of(fn)
    if fn.__name__ == "<lambda>":
        raise DefinitionError(f"@{decorator}: {where}: a lambda has no name that a history could keep; use `def`")
    if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
        raise DefinitionError(f"@{decorator}: {where}: `{fn.__qualname__}` is a generator (it has a `yield`), which has no one result")
    _require_positional(fn, decorator)
    return fn


def place_of(fn: AnyFunction) -> str:
    """`file:line` of a function."""
    code: types.CodeType = getattr(fn, "__code__")  # noqa: B009 (a Callable may have none, a definition's function has)
    return f"{code.co_filename}:{code.co_firstlineno}"


def signature_of(fn: AnyFunction, local_names: Mapping[str, Any] | None) -> Signature:
    """The typed signature of a function.

    Names in annotations are looked up in `local_names` and the function's closure, then in its module. UnresolvedError
    for one that is not there (yet); UnsupportedTypeError names function, parameter and type.
    """
    try:
        hints = get_type_hints(fn, localns=_nested_names(fn, local_names), include_extras=True)
    except NameError as error:
        raise UnresolvedError(
            f"{fn.__qualname__} ({place_of(fn)}): an annotation cannot be resolved: {error}; "
            "define or import the name in this module at run time, not under TYPE_CHECKING"
        ) from None
    parameters = [
        Parameter(parameter.name, hints.get(parameter.name, Any), parameter.default is inspect.Parameter.empty)
        for parameter in inspect.signature(fn).parameters.values()
    ]
    for parameter in parameters:
        _require_supported(fn, f"parameter `{parameter.name}`", parameter.annotation)
    result = hints.get("return", Any)
    _require_supported(fn, "result", result)
    return Signature(Arguments(fn.__name__, parameters), Value(result, f"result of {fn.__name__}"))


def positional(fn: AnyFunction, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> tuple[Any, ...]:
    """The positional arguments of a call that has keywords; a default is put in only in front of a later argument."""
    signature = inspect.signature(fn)
    bound = signature.bind(*args, **keywords)
    given = dict(bound.arguments)
    last = max((index for index, name in enumerate(signature.parameters) if name in given), default=-1)
    bound.apply_defaults()
    return tuple(bound.arguments.values())[: last + 1]


def _require_supported(fn: AnyFunction, what: str, annotation: Any) -> None:
    try:
        Value(annotation)
    except UnsupportedTypeError as error:
        raise UnsupportedTypeError(f"{fn.__qualname__} ({place_of(fn)}): {what}: {error}") from None


def _require_positional(fn: AnyFunction, decorator: str) -> None:
    refused = {
        inspect.Parameter.KEYWORD_ONLY: "is keyword-only",
        inspect.Parameter.VAR_POSITIONAL: "takes any number of arguments",
        inspect.Parameter.VAR_KEYWORD: "takes any keywords",
    }
    for parameter in inspect.signature(fn).parameters.values():
        if parameter.kind in refused:
            raise DefinitionError(
                f"@{decorator}: {place_of(fn)}: `{fn.__qualname__}`: parameter `{parameter.name}` {refused[parameter.kind]}; "
                "arguments are recorded by position: use plain parameters"
            )


def _nested_names(fn: Any, local_names: Mapping[str, Any] | None) -> dict[str, Any]:
    """The names besides the module's that an annotation of a nested function may mean."""
    names = dict(local_names or {})
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return names
