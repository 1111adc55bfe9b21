"""CPU-bound activities, in worker processes that AnyIO keeps (A6).

A worker finds the function by its module and name (the decorator refuses one that has none); importing the module must
have no effects; arguments and result travel by pickle between the two processes, never into the journal. Cancelling the
attempt ends its process (A5). `activity_info()` is not known there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import reduce
from typing import Any

import anyio.to_process


async def run_in_process(fn: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call the function of an activity in a worker process; what it raises is raised."""
    return await anyio.to_process.run_sync(call_by_name, fn.__module__, fn.__qualname__, arguments, cancellable=True)


def call_by_name(module: str, name: str, arguments: tuple[Any, ...]) -> Any:
    """In the worker: import the activity and call its function."""
    definition: Any = reduce(getattr, name.split("."), importlib.import_module(module))
    return definition.fn(*arguments)
