"""A run that is evicted is freed at once: a thousand short workflows a second would keep the cyclic collector busy otherwise."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel.scheduler import Kernel
from aion_trio.kernel.tasks import Task
from aion_trio.replay import Execution
from aion_trio.replay.state import RunState

from .plays import Play
from .steps import charge, ship

RUNS = (Execution, Kernel, RunState, Task)


pytestmark = pytest.mark.usefixtures("no_collector")


def left() -> int:
    return sum(type(each) in RUNS for each in gc.get_objects())


@aion.workflow
async def at_once() -> str:
    return "done"


@aion.workflow
async def one_step() -> str:
    return await charge("a")


@aion.workflow
async def branches() -> None:
    async with durable.open_nursery() as nursery:
        nursery.start_soon(charge, "a")
        nursery.start_soon(ship, "b")
        nursery.start_soon(durable.sleep, 5)


@pytest.mark.parametrize("definition", [at_once, one_step, branches], ids=lambda each: each.name)
def test_an_evicted_run_leaves_nothing_to_the_collector(definition: Any) -> None:
    before = left()
    play = Play(definition, known=[charge, ship]).start()
    assert left() > before
    play.execution.evict()
    del play
    assert left() == before


def test_nor_does_one_that_closed() -> None:
    before = left()
    play = Play(one_step, known=[charge]).start().complete(1, "paid")
    assert play.execution.finished
    play.execution.evict()
    del play
    assert left() == before
