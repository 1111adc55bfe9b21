"""Catches clock, randomness, files and threads at the call, on Python 3.12 and later (K7).

`sys.monitoring` reports each call site the first time it runs. A site that calls nothing of interest is never reported
again, so this costs nothing measurable; a site that calls one of the watched functions stays reported, and the call is
refused while a kernel steps on this thread, unless it was made by what Python ran in between or loads code (`interruptions`).
It sees aliases and calls from inside of libraries; it does not see a site that called something harmless the first time.
Where another tool has taken the free tool ids it does nothing.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any

from .context import local
from .guard import refuse
from .interruptions import READS_SOURCE, is_of_workflow
from .outside import CALLS

_FREE_TOOL_IDS = (3, 4)
_MONITORING: Any = getattr(sys, "monitoring", None)
"""None before Python 3.12."""


_TOOL = "aion-trio"


class Watch:
    """The watched functions of the modules that are loaded. One process needs one: another one's `begin` changes nothing."""

    def __init__(self) -> None:
        self._advice: dict[Any, tuple[str, str]] = {}
        self._tool: int | None = None
        self._disable: Any = getattr(_MONITORING, "DISABLE", None)  # held here: module names are gone at the program's end
        self._local = local

    def begin(self) -> bool:
        """Watch from here on; whether that is possible on this Python, in this process."""
        if _MONITORING is None:
            return False
        if any(_MONITORING.get_tool(tool) == _TOOL for tool in _FREE_TOOL_IDS):
            return True
        self._collect()
        self._tool = self._free_tool()
        return self._tool is not None

    def end(self) -> None:
        """Watch no longer."""
        if self._tool is not None:
            _MONITORING.set_events(self._tool, 0)
            _MONITORING.free_tool_id(self._tool)
            self._tool = None

    def _collect(self) -> None:
        for name, advice in CALLS.items():
            module, *path = name.split(".")
            function: Any = sys.modules.get(module)
            for part in path:
                function = getattr(function, part, None)
            if function is not None:
                self._advice[function] = name, advice

    def _free_tool(self) -> int | None:
        for tool in _FREE_TOOL_IDS:
            if _MONITORING.get_tool(tool) is None:
                _MONITORING.use_tool_id(tool, _TOOL)
                _MONITORING.register_callback(tool, _MONITORING.events.CALL, self._called)
                _MONITORING.set_events(tool, _MONITORING.events.CALL)
                return tool
        return None

    def _called(self, code: CodeType, offset: int, function: Any, first: Any) -> Any:
        """A call site runs for the first time, or calls what is watched."""
        try:
            found = self._advice.get(function)
        except TypeError:  # it cannot be hashed
            found = None
        if found is None or code.co_filename.startswith(READS_SOURCE):
            return self._disable
        if self._local.kernel is not None and is_of_workflow(sys._getframe(1)):
            what, advice = found
            refuse(f"{what} was called in workflow code", f"use {advice}")
        return None
