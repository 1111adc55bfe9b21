"""CPU-bound activities, in worker processes that AnyIO keeps (A6).

A worker finds the function by its module and name (the decorator refuses one that has none); importing the module must
have no effects; arguments and result travel by pickle between the two processes, never into the journal. Cancelling the
attempt ends its process (A5). `activity_info()` is known there; a heartbeat would not be heard.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import reduce
from typing import Any

import anyio
import anyio.to_process

from .info import ActivityInfo, elsewhere


async def run_in_process(fn: Callable[..., Any], arguments: tuple[Any, ...], info: ActivityInfo) -> Any:
    """Call the function of an activity in a worker process; what it raises is raised. `BrokenWorkerProcess` says how it may have died."""
    try:
        return await anyio.to_process.run_sync(call_by_name, fn.__module__, fn.__qualname__, arguments, info, cancellable=True)
    except anyio.BrokenWorkerProcess as error:
        raise anyio.BrokenWorkerProcess(
            f"the worker process of activity {info.type!r} died: it was killed or crashed, or could not import {fn.__module__!r} again "
            f"(a script needs `if __name__ == '__main__':` around what it runs){f': {error}' if str(error) else ''}"
        ) from error.__cause__


def call_by_name(module: str, name: str, arguments: tuple[Any, ...], info: ActivityInfo) -> Any:
    """In the worker: import the activity and call its function, which `activity_info()` tells `info`."""
    definition: Any = reduce(getattr, name.split("."), importlib.import_module(module))
    elsewhere.set(info)
    return definition.fn(*arguments)
