"""Tells what workflow code does from what merely happens in the middle of its step (K7).

Python itself calls code in the middle of any other: a finalizer, a signal handler, a callback of the collector. None of it is the
workflow's, and none of it is the same on replay. The cyclic collector runs at moments that nobody chose, so what it finalizes
runs with the step set aside: it finds Trio as it is outside, and no current workflow that it could disturb. The rest
is told by its frame when it calls what is watched.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from inspect import getargs
from types import FrameType
from typing import Any
from weakref import ref

from .context import local, set_aside

_STEPPING = ("aion_trio.kernel.", "aion_trio.replay.")
_FIGURES = {"generation", "collected", "uncollectable"}
READS_SOURCE = ("<frozen importlib", linecache.__file__)
"""Where code is loaded, or its lines are for a traceback: that reads files, and is no harm."""


def collector_runs(phase: str, info: dict[str, int], *, _local: Any = local) -> None:
    """A callback of `gc`: the step that a collection interrupts is set aside until the collection ends.

    `_local` is held here since collections go on at the program's end, when the names of modules are gone.
    """
    if phase == "start":
        if _local.kernel is not None:
            _local.collection = set_aside()
            _local.collection.__enter__()
    elif _local.collection is not None:
        collection, _local.collection = _local.collection, None
        collection.__exit__(None, None, None)


def is_of_workflow(frame: FrameType | None) -> bool:
    """Whether a call that `frame` makes in a step is the workflow's, and not of something that Python ran in between."""
    while frame is not None and not str(frame.f_globals.get("__name__")).startswith(_STEPPING):
        if _interrupts(frame):
            return False
        frame = frame.f_back
    return True


def _interrupts(frame: FrameType) -> bool:
    code = frame.f_code
    if code.co_name == "__del__" or code.co_filename.startswith(READS_SOURCE):
        return True
    return any(_is_from_python(value, frame) for value in _arguments(frame))


def _is_from_python(value: Any, frame: FrameType) -> bool:
    """Whether an argument is one that Python hands over when it calls of itself."""
    if value is frame.f_back:
        return True  # a signal handler is given the frame that it interrupts
    if issubclass(type(value), ref):
        return value() is None  # the callback of a weak reference is given that reference
    return type(value) is dict and value.keys() == _FIGURES  # a callback of the collector is given its figures


def _arguments(frame: FrameType) -> Iterator[Any]:
    names, rest, _ = getargs(frame.f_code)
    values = frame.f_locals
    for name in names:
        yield values.get(name)
    more = values.get(rest) if rest is not None else None
    if isinstance(more, tuple):
        yield from more
