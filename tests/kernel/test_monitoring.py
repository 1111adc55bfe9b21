"""On Python 3.12 and later, clock, randomness, files and threads are caught at the call (K7)."""

from __future__ import annotations

import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Thread
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel.monitoring import Watch

from ..replay.plays import Play
from ..replay.steps import charge

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    if not watch.begin():
        pytest.skip("the free tool ids are taken")
    yield watch
    watch.end()


def alias(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: function(*args)


OUTSIDE: list[tuple[str, Callable[[], Any]]] = [
    ("time.time", lambda: time.time()),
    ("time.monotonic", alias(time.monotonic)),
    ("datetime.datetime.now", lambda: datetime.now()),
    ("random.random", lambda: random.random()),
    ("random.choice", lambda: random.choice([1, 2])),
    ("uuid.uuid4", lambda: uuid.uuid4()),
    ("open", lambda: open(__file__)),  # noqa: SIM115  # it is never opened
    ("threading.Thread", lambda: Thread()),
]


@pytest.mark.parametrize(("name", "act"), OUTSIDE, ids=[name for name, _ in OUTSIDE])
def test_the_outside_is_refused_at_the_call(watch: Watch, name: str, act: Callable[[], Any]) -> None:
    @aion.workflow
    async def order() -> None:
        try:
            act()
        except BaseException:
            return

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError) as info:
        play.start()
    play.execution.evict()
    assert name in str(info.value) and "test_monitoring.py:" in str(info.value)


def test_the_same_is_free_outside_of_workflows(watch: Watch) -> None:
    for _ in range(2):
        assert time.time() > 0 and 0 <= random.random() < 1 and datetime.now()


def test_what_durable_offers_is_not_refused(watch: Watch) -> None:
    @aion.workflow
    async def order() -> list[Any]:
        durable.logger.warning("written through logging, which reads the clock")
        seen = [durable.now().isoformat(), durable.random().random(), str(durable.uuid4())]
        with durable.move_on_after(5):
            await durable.sleep(1)
        return [*seen, await charge("a")]

    play = Play(order, known=[charge]).start().pass_time().complete(2, "x")
    assert play.result[-1] == "x"
    play.check()


def test_it_can_end_and_begin_again() -> None:
    watch = Watch()
    assert watch.begin() and watch.begin()
    watch.end()
    watch.end()
    assert watch.begin()
    watch.end()
