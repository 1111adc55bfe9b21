"""Where workflow code is: the line that asked, and the await stacks of all tasks as text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .scheduler import Kernel

_LIBRARIES = frozenset({"aion_trio", "anyio", "trio"})
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_SITE_PACKAGES = os.path.join(_STANDARD_LIBRARY, "site-packages")


def _is_ours(frame: FrameType) -> bool:
    """Whether a frame is the engine's, or of the libraries that workflow code waits through."""
    file = frame.f_code.co_filename
    if file.startswith((_STANDARD_LIBRARY, "<frozen ")) and not file.startswith(_SITE_PACKAGES):
        return True
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] in _LIBRARIES and not name.startswith("aion_trio.demo")


def _text(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"


def user_line() -> str:
    """The innermost line on this thread's stack that is not the library's: "file:line in function"."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return _text(frame) if frame is not None else ""


def line_of_function(function: Any) -> str:
    """Where a function is defined, for what its code no longer has a line for: "file:line in function"."""
    code = getattr(function, "__code__", None)
    return repr(function) if code is None else f"{code.co_filename}:{code.co_firstlineno} in {code.co_qualname}"


def await_frames(coro: Any) -> Iterator[FrameType]:
    """The frames of a suspended coroutine, outermost first; those within an async generator that it walks are out of reach."""
    while coro is not None:
        frame = next((f for name in ("cr_frame", "gi_frame") if (f := getattr(coro, name, None)) is not None), None)
        if frame is None:
            return
        yield frame
        coro = next((c for name in ("cr_await", "gi_yieldfrom") if (c := getattr(coro, name, None)) is not None), None)


def line_of_coroutine(coro: Any) -> str:
    """The innermost line of a suspended coroutine that is not the library's."""
    lines = [_text(frame) for frame in await_frames(coro) if not _is_ours(frame)]
    return lines[-1] if lines else repr(coro)


def await_stack(kernel: Kernel) -> str:
    """Every task of a run with the lines at which it waits, in the order of the tasks' numbers."""
    from .scheduler import tasks_in

    parts: list[str] = []
    for task in sorted(tasks_in(kernel.root), key=lambda t: t.number):
        parts.append(f"{task!r}{' (cancelled)' if task.scope._cancelled else ''}")
        parts.extend(f"  {_text(frame)}" for frame in await_frames(task.coro) if not _is_ours(frame))
    return "\n".join(parts)
