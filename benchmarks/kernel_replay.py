"""How fast a history is replayed, without reading it: `python -m benchmarks.kernel_replay [--steps 20000]`.

A step is an activity that was scheduled and completed (two events), a sleep, or a step inside of a time-out. The floor
is a coroutine that is sent to and yields. `encode + decode` is what the step's typed input and result cost, which every
replay must pay (K3), so it is shown beside the whole.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import time
import types
from collections.abc import Callable, Generator
from typing import Any

import anyio
import trio

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import encode
from aion_trio.definitions import Registry
from aion_trio.events import Raw
from aion_trio.replay import Execution, RunIdentity, World

_RUN_ID = bytes(16)
_START_US = 1_700_000_000_000_000
_ROUNDS = 7


@aion.activity
async def charge(number: int) -> int:
    """An activity."""
    return number


@aion.workflow
async def sequential(steps: int) -> int:
    """One step after the other."""
    for number in range(steps):
        await charge(number)
    return steps


@aion.workflow
async def fan_out(steps: int) -> int:
    """A thousand steps at a time."""
    for _ in range(steps // 1000):
        async with durable.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(charge, number)
    return steps


@aion.workflow
async def sleeps(steps: int) -> int:
    """Durable timers."""
    for _ in range(steps):
        await durable.sleep(1)
    return steps


@aion.workflow
async def scopes(steps: int) -> int:
    """Each step inside of a time-out."""
    for number in range(steps):
        with durable.move_on_after(60):
            await charge(number)
    return steps


@aion.workflow
async def anyio_scopes(steps: int) -> int:
    """Each step inside of one of AnyIO's time-outs."""
    for number in range(steps):
        with anyio.move_on_after(60):
            await charge(number)
    return steps


_WORLD = World(Registry([sequential, fan_out, sleeps, scopes, anyio_scopes], [charge]))


def execution_of(workflow: Any) -> Execution:
    """A new run of a workflow."""
    return Execution(workflow, RunIdentity("benchmark", _RUN_ID), _WORLD)


def history_of(workflow: Any, steps: int) -> list[Raw]:
    """The history of a run that is never disturbed."""
    execution = execution_of(workflow)
    start = [workflow.name, 1, _RUN_ID, b"", 0, workflow.encode_input((steps,)), [], None, 0, None, {}, 1, None, None]
    todo: list[Raw] = [[ev.WORKFLOW_STARTED, _START_US, *start]]
    history: list[Raw] = []
    for raw in todo:
        history.append(raw)
        execution.feed(raw)
        outputs = execution.take_outputs()
        history += outputs
        todo += [[ev.ACTIVITY_COMPLETED, raw[1] + 1000, out[2], encode(7), 1] for out in outputs if out[0] == ev.ACTIVITY_SCHEDULED]
        due = execution.next_due()
        if due is not None and any(out[0] == ev.TIMER_STARTED for out in outputs):
            todo.append([ev.TIMER_FIRED, due, outputs[0][2]])
    execution.evict()
    return history


def replay(workflow: Any, history: list[Raw]) -> None:
    """What is measured."""
    execution = execution_of(workflow)
    execution.replay(history)
    assert execution.finished


def floor(steps: int) -> None:
    """A coroutine that is sent to and yields."""

    @types.coroutine
    def trap() -> Generator[None, int, int]:
        return (yield)

    async def main() -> None:
        for _ in range(steps):
            await trap()

    coro = main()
    coro.send(None)
    try:
        while True:
            coro.send(1)
    except StopIteration:
        return


def payloads(steps: int) -> None:
    """The typed input encoded, the typed result decoded."""
    result = encode(7)
    for number in range(steps):
        charge.encode_input((number,))
        charge.decode_result(result)


def live(workflow: Any, steps: int) -> None:
    """The same run, live."""
    history_of(workflow, steps)


def measured(name: str, steps: int, run: Callable[[], None]) -> None:
    """Print the median and the spread of a few rounds."""
    times: list[float] = []
    for _ in range(_ROUNDS):
        gc.collect()
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) / steps)
    middle = statistics.median(times)
    print(f"{name:<28} {1 / middle:>12,.0f} steps/s {middle * 1e6:>8.2f} µs a step   {min(times) * 1e6:.2f} to {max(times) * 1e6:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Replay without reading.")
    parser.add_argument("--steps", type=int, default=20_000)
    steps = parser.parse_args().steps
    print(f"{platform.machine()}, {platform.processor() or platform.system()}, Python {platform.python_version()}, Trio {trio.__version__}")
    measured("floor: coroutine send", steps, lambda: floor(steps))
    measured("encode + decode", steps, lambda: payloads(steps))
    for workflow in (sequential, fan_out, sleeps, scopes, anyio_scopes):
        history = history_of(workflow, steps)
        measured(f"replay {workflow.name}", steps, lambda w=workflow, h=history: replay(w, h))  # type: ignore[misc]
    for workflow in (sequential, fan_out):
        measured(f"live {workflow.name}", steps, lambda w=workflow: live(w, steps))  # type: ignore[misc]


if __name__ == "__main__":
    main()
