"""Catches clock, randomness, files and threads at the call, on Python 3.12 and later (K7).

`sys.monitoring` reports each call site the first time it runs. A site that calls nothing of interest is never reported
again, so this costs nothing measurable; a site that calls one of the watched functions stays reported, and the call is
refused while a kernel steps on this thread. It sees aliases and calls from inside of libraries; it does not see a site that
called something harmless the first time. Where another tool has taken the free tool ids it does nothing.
"""

from __future__ import annotations

import builtins
import sys
from types import CodeType
from typing import Any

from .context import local
from .guard import refuse

_CLOCK = "use durable.now() or durable.current_time()"
_RANDOM = "use durable.random() or durable.uuid4()"
_ACTIVITY = "do it in an activity"
_WATCHED = {
    "time": (_CLOCK, "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time localtime gmtime ctime"),
    "random": (
        _RANDOM,
        "random randrange randint choice choices sample shuffle uniform gauss normalvariate triangular betavariate expovariate "
        "getrandbits randbytes seed",
    ),
    "secrets": (_RANDOM, "token_bytes token_hex token_urlsafe choice randbelow randbits"),
    "uuid": (_RANDOM, "uuid1 uuid4"),
    "os": (_ACTIVITY, "urandom getrandom listdir scandir mkdir makedirs remove rename stat system popen open"),
    "subprocess": (_ACTIVITY, "Popen run call check_call check_output"),
    "socket": (_ACTIVITY, "socket create_connection getaddrinfo"),
    "threading": (_ACTIVITY, "Thread Timer"),
}
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
        for module_name, (advice, names) in _WATCHED.items():
            module = sys.modules.get(module_name)
            for name in names.split() if module is not None else ():
                function = getattr(module, name, None)
                if function is not None:
                    self._advice[function] = f"{module_name}.{name}", advice
        time, date = sys.modules.get("time"), sys.modules.get("datetime")
        if time is not None:
            self._advice[time.sleep] = "time.sleep", "use durable.sleep()"
        if date is not None:
            for cls, name in ((date.datetime, "now"), (date.datetime, "utcnow"), (date.datetime, "today"), (date.date, "today")):
                self._advice[getattr(cls, name)] = f"datetime.{cls.__name__}.{name}", _CLOCK
        self._advice[builtins.open] = "open", _ACTIVITY
        self._advice[builtins.input] = "input", _ACTIVITY

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
        if found is None or code.co_filename.startswith("<frozen importlib"):  # an import reads files, and that is no harm
            return self._disable
        if self._local.kernel is not None:
            what, advice = found
            refuse(f"{what} was called in workflow code", advice)
        return None
