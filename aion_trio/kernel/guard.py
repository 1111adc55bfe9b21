"""What keeps workflow code away from the world while a kernel steps it.

`enter` and `leave` bracket every stretch of workflow code. In between, Trio's own functions fail at the line that calls
them: its thread-local 'current task' is replaced by a stand-in whose every attribute raises. Trio is found through
`sys.modules`, since the kernel does not import it; if the private name is not there, the foreign await is still caught
when it reaches the scheduler. AnyIO and sniffio see the library `aion`, whose AnyIO backend is ours, and async
generators are kept until the run ends. On Python 3.12 and later `monitoring` catches calls of clock, randomness, files and threads.

The stand-in also answers the two questions that Trio's SIGINT handler asks of the task that it interrupts, in a way
that keeps Ctrl-C out of workflow code: it reaches the program at Trio's next own checkpoint.
"""

from __future__ import annotations

import gc
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from ..errors import WorkflowRuleError
from .context import current_kernel, local, set_aside

LIBRARY = "aion"
_MISSING: Any = object()


class _NotInWorkflows:
    """Stands for Trio's task and runner while workflow code runs."""

    _ki_protected = True
    coro = SimpleNamespace(cr_frame=None)

    def __getattr__(self, name: str) -> NoReturn:
        refuse("a function of Trio was called in workflow code", "use aion_trio.durable (or AnyIO) to wait, and an activity for I/O")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        self.__getattr__(name)


_STAND_IN = _NotInWorkflows()


def refuse(what: str, advice: str) -> NoReturn:
    """Make the step void with a `WorkflowRuleError` that names the line of workflow code."""
    from .stack import user_line

    error = WorkflowRuleError(f"{what}, at {user_line()}: it would not be the same on replay; {advice}")
    kernel = local.kernel
    if kernel is None:
        raise error
    kernel.fail(error)


def _first_iteration(agen: Any) -> None:
    current_kernel().keep_asyncgen(agen)


class Guard:
    """A guard without effect on the outside: async generators are kept, foreign awaits are refused, nothing more."""

    __slots__ = ()

    def enter(self) -> Any:
        """Begin a stretch of workflow code; what is returned goes to `leave`."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=_first_iteration, finalizer=None)
        return hooks

    def leave(self, token: Any) -> None:
        """End it."""
        sys.set_asyncgen_hooks(*token)

    def foreign_await(self, message: Any, line: str) -> WorkflowRuleError:
        """The error for an awaitable of another library that reached the scheduler."""
        return WorkflowRuleError(
            f"workflow code awaited {type(message).__qualname__}, which belongs to another async library, at {line}: "
            "use aion_trio.durable (or AnyIO) to wait, and an activity for I/O"
        )


NO_GUARD = Guard()


class _BackendModule(ModuleType):
    """What AnyIO finds under the name of our library; the backend is loaded when AnyIO first asks for it."""

    def __getattr__(self, name: str) -> Any:
        if name != "backend_class":
            raise AttributeError(name)
        with set_aside():  # the first use may be in the middle of a step, and imports read files
            from .anyio_backend import Backend

        return Backend


class TrioGuard(Guard):
    """The guard for runs that are stepped inside a Trio program (or beside one); it holds no state, so one serves all."""

    __slots__ = ()

    def __init__(self) -> None:
        """From here on AnyIO finds its backend, a collection sets a step aside, and on Python 3.12 and later calls are watched."""
        from .interruptions import collector_runs
        from .monitoring import Watch

        name = f"anyio._backends._{LIBRARY}"
        sys.modules.setdefault(name, _BackendModule(name))
        if collector_runs not in gc.callbacks:
            gc.callbacks.append(collector_runs)
        Watch().begin()

    def enter(self) -> Any:
        return super().enter(), self._enclose()

    def leave(self, token: Any) -> None:
        hooks, places = token
        self._release(places)
        super().leave(hooks)

    def _enclose(self) -> Any:
        modules = sys.modules
        context: Any = getattr(modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)
        sniffio: Any = modules.get("sniffio")
        places: list[tuple[dict[str, Any], str, Any]] = []
        if context is not None:
            names: dict[str, Any] = context.__dict__  # this thread's
            places += ((names, "task", names.get("task", _MISSING)), (names, "runner", names.get("runner", _MISSING)))
            names["task"] = names["runner"] = _STAND_IN
        if sniffio is not None:
            library: dict[str, Any] = sniffio.thread_local.__dict__
            places.append((library, "name", library.get("name", _MISSING)))
            library["name"] = LIBRARY
        return places

    def _release(self, places: list[tuple[dict[str, Any], str, Any]]) -> None:
        for names, name, value in places:
            if value is _MISSING:
                names.pop(name, None)
            else:
                names[name] = value
