"""Two worlds for one async function: a workflow on the kernel in virtual time, and Trio with a clock that jumps.

A test that runs in both says that what it shows is Trio's own behaviour.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
import trio
import trio.testing

import aion_trio as aion
from aion_trio import events as ev
from aion_trio.codec import encode
from aion_trio.definitions import Registry
from aion_trio.events import Raw
from aion_trio.replay import Execution, RunIdentity, World

from .orderly import orderly_trio

T = TypeVar("T")
Runner = Callable[[Callable[[], Awaitable[Any]]], Any]

RUN_ID = bytes(16)
START_US = 1_700_000_000_000_000


def start_of(name: str, input_data: bytes | None = None) -> Raw:
    """A run's WorkflowStarted."""
    fields = [name, 1, RUN_ID, b"", 0, encode([]) if input_data is None else input_data, [], None, 0, None, {}, 1, None, None]
    return [ev.WORKFLOW_STARTED, START_US, *fields]


def on_kernel(async_fn: Callable[[], Awaitable[T]]) -> T:
    """Run a function as a workflow; time jumps to what is due. Its result or its exception come back as they are."""
    outcome: list[Any] = []

    async def main() -> None:
        try:
            outcome.append(await async_fn())
        except BaseException as exc:
            outcome.append(exc)
            outcome.append(None)
            raise

    definition = aion.workflow(name="main")(main)
    execution = Execution(definition, RunIdentity("w", RUN_ID), World(Registry([definition])))
    try:
        execution.feed(start_of("main"))
        while not execution.finished:
            due = execution.next_due()
            if due is None:
                raise AssertionError(f"every task waits and nothing is due:\n{execution.stack()}")
            raw = execution.due(due, due)
            assert raw is not None
            execution.feed(raw)
    finally:
        execution.evict()
    if len(outcome) == 2:
        raise outcome[0]
    result: T = outcome[0]
    return result


def on_trio(async_fn: Callable[[], Awaitable[T]]) -> T:
    """Run a function in Trio, first come first served; its clock jumps to what is due."""
    with orderly_trio():
        return trio.run(async_fn, clock=trio.testing.MockClock(autojump_threshold=0))


in_both_worlds = pytest.mark.parametrize("run", [on_kernel, on_trio], ids=["kernel", "trio"])
