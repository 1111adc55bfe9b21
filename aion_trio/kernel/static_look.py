"""A look through a workflow function before it ever runs, for what would not be the same on replay.

It reads bytecode and resolves global names, so it sees `time.time()`, `from random import choice` and a helper function
in the same package that does either; it does not see what is passed in or looked up by name. It is a warning with file
and line, not a proof (K7); on Python 3.12 and later `monitoring` catches the rest at the call.
"""

from __future__ import annotations

import builtins
import dis
import os
import types
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from .outside import ACTIVITY, CALLS

_MODULES = {
    "asyncio": "durable, or an activity", "trio": "durable, or an activity", "curio": ACTIVITY, "threading": ACTIVITY,
    "multiprocessing": ACTIVITY, "concurrent": ACTIVITY, "socket": ACTIVITY, "ssl": ACTIVITY, "select": ACTIVITY,
    "subprocess": ACTIVITY, "requests": ACTIVITY, "httpx": ACTIVITY, "httpx2": ACTIVITY, "aiohttp": ACTIVITY, "urllib3": ACTIVITY,
    "sqlite3": ACTIVITY, "random": "durable.random()", "secrets": ACTIVITY, "tempfile": ACTIVITY, "shutil": ACTIVITY,
}  # fmt: skip
_NAMES = CALLS | {
    "os.getenv": "an argument", "os.environ": "an argument", "builtins.id": "a key of your own", "builtins.hash": "a key of your own",
    "anyio.to_thread.run_sync": ACTIVITY, "anyio.open_file": ACTIVITY, "anyio.connect_tcp": ACTIVITY, "anyio.run_process": ACTIVITY,
}  # fmt: skip
_HARMLESS = "random.Random"
"""A generator of the code's own, with a seed of its own."""
_MODULE_OF = {
    "posix": "os", "nt": "os", "_io": "io", "_thread": "threading", "_asyncio": "asyncio", "_socket": "socket", "_sqlite3": "sqlite3",
}  # fmt: skip
"""Where functions that are written in C say that they are from, and where people have them from."""
_OURS = ("aion_trio.durable", "aion_trio.kernel", "aion_trio.definitions", "aion_trio.replay")
_MISSING: Any = object()


class Problem(NamedTuple):
    """One place: what is used there, and what to use instead."""

    file: str
    line: int
    what: str
    advice: str


def problems(function: Any) -> Iterator[Problem]:
    """The places in a function, and in the plain functions of its own package that it calls, that look wrong."""
    yield from _look(function, set())


def _look(function: Any, seen: set[types.CodeType]) -> Iterator[Problem]:
    function = _plain(function)
    if not isinstance(function, types.FunctionType):
        return
    todo = [function.__code__]
    while todo:
        code = todo.pop()
        if code not in seen:
            seen.add(code)
            todo.extend(const for const in code.co_consts if isinstance(const, types.CodeType))
            yield from _look_at_code(function, code, seen)


def _plain(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return function if isinstance(function, types.FunctionType) else getattr(function, "fn", function)


def _look_at_code(function: types.FunctionType, code: types.CodeType, seen: set[types.CodeType]) -> Iterator[Problem]:
    package = function.__module__.partition(".")[0]
    line, found = code.co_firstlineno, _MISSING
    for instruction in dis.get_instructions(code):
        if instruction.positions is not None and instruction.positions.lineno is not None:
            line = instruction.positions.lineno
        if instruction.opname == "IMPORT_NAME":
            root = str(instruction.argval).partition(".")[0]
            if root in _MODULES:
                yield Problem(code.co_filename, line, f"import {instruction.argval}", _MODULES[root])
            continue
        found = _resolved(function, instruction, found)
        if found is _MISSING:
            continue
        name, advice = _judged(found)
        if advice is not None:
            yield Problem(code.co_filename, line, name, advice)
            found = _MISSING
        elif isinstance(found, types.FunctionType) and _is_followed(found, package):
            yield from _look(found, seen)


def _is_followed(found: types.FunctionType, package: str) -> bool:
    """Whether a function that is called is workflow code too: in the same package, and not what `durable` is made of."""
    module = found.__module__
    return module.partition(".")[0] == package and not module.startswith(_OURS)


def _resolved(function: types.FunctionType, instruction: dis.Instruction, owner: Any) -> Any:
    """What an instruction loads, as far as it can be known; `owner` is what the one before loaded."""
    name = instruction.argval
    match instruction.opname:
        case "LOAD_GLOBAL" | "LOAD_NAME":
            return function.__globals__.get(name, getattr(builtins, name, _MISSING))
        case "LOAD_DEREF" | "LOAD_CLASSDEREF" | "LOAD_FROM_DICT_OR_DEREF":  # the others in the body of a class, up to Python 3.11 and since
            return _closed_over(function, name)
        case "LOAD_ATTR" | "LOAD_METHOD" if isinstance(owner, types.ModuleType | type):
            return getattr(owner, name, _MISSING)
        case "EXTENDED_ARG":  # of the next instruction
            return owner
        case _:
            return _MISSING


def _closed_over(function: types.FunctionType, name: str) -> Any:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    try:
        return cells[name].cell_contents
    except (KeyError, ValueError):
        return _MISSING


def _judged(found: Any) -> tuple[str, str | None]:
    """The dotted name of what was loaded, and what to use instead if it is not for workflows."""
    if isinstance(found, types.ModuleType):
        return str(found.__name__), None  # what matters is which of its members is used
    name = _name_of(found)
    if name == _HARMLESS or (isinstance(found, type) and issubclass(found, BaseException)):
        return name, None
    return name, _NAMES.get(name) or _MODULES.get(name.partition(".")[0])


def _name_of(found: Any) -> str:
    owner = getattr(found, "__self__", None)
    if isinstance(owner, type):  # a classmethod, such as datetime.now
        return f"{owner.__module__}.{owner.__qualname__}.{getattr(found, '__name__', '')}"
    if type(owner).__module__ == "random":  # random.random is a method of a hidden instance
        return f"random.{getattr(found, '__name__', '')}"
    if isinstance(found, type(os.environ)):
        return "os.environ"
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    return f"{_MODULE_OF.get(str(module), module)}.{name}" if module and name else ""
