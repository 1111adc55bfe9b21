"""What Python itself runs in the middle of a step is not the workflow's: it is not refused, and finds no current workflow (K7)."""

from __future__ import annotations

import gc
import linecache
import os
import signal
import sys
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sniffio
import trio

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel import Kernel, TrioGuard
from aion_trio.kernel.context import current, local
from aion_trio.kernel.interruptions import collector_runs
from aion_trio.kernel.monitoring import Watch

from ..replay.plays import Play

SEEN = list[Any]()
WATCHES = list[Watch]()


@pytest.fixture(autouse=True)
def watch() -> Iterator[None]:
    watch = Watch()
    if not watch.begin():
        watch._collect()
    WATCHES.append(watch)
    SEEN.clear()
    yield
    WATCHES.clear()
    watch.end()


def read_clock(*args: object) -> None:
    """Call what is watched; before Python 3.12 the callback is called here as the interpreter of 3.12 calls it."""
    SEEN.append("read")
    if sys.version_info < (3, 12):
        WATCHES[0]._called(read_clock.__code__, 0, time.time, None)
    time.time()


class Thing:
    """Something that a weak reference may point to."""


class Finalized:
    def __del__(self) -> None:
        read_clock()


def in_a_cycle(thing: Any) -> None:
    thing.itself = thing


def for_collector(phase: str, info: dict[str, int]) -> None:
    read_clock()


def collect_with_callback(place: int) -> None:
    gc.callbacks.insert(place, for_collector)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(for_collector)


def drop_a_watched_thing(callback: Callable[[Any], None]) -> None:
    thing = Thing()
    reference = weakref.ref(thing, callback)
    del thing
    assert reference() is None


def drop_a_finalized_thing() -> None:
    thing = Thing()
    weakref.finalize(thing, read_clock)
    del thing


def drop_a_generator_in_a_cycle() -> None:
    def generate(things: list[Any]) -> Iterator[None]:
        try:
            yield
        finally:
            read_clock()

    things = list[Any]()
    things.append(generate(things))
    next(things[0])
    del things
    gc.collect()


def collect_a_finalized_thing() -> None:
    in_a_cycle(Finalized())
    gc.collect()


def interrupt(handler: Callable[..., None]) -> None:
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def handle(number: int, frame: Any) -> None:
    read_clock()


def handle_with_more(more: str, number: int, frame: Any) -> None:
    read_clock()


INTERRUPTIONS: dict[str, Callable[[], Any]] = {
    "a callback of the collector, before ours": lambda: collect_with_callback(0),
    "a callback of the collector, behind ours": lambda: collect_with_callback(len(gc.callbacks)),
    "a finalizer": lambda: Finalized(),
    "a finalizer in garbage": collect_a_finalized_thing,
    "a generator in garbage": drop_a_generator_in_a_cycle,
    "a callback of a weak reference": lambda: drop_a_watched_thing(lambda reference: read_clock()),
    "a callback that takes anything": lambda: drop_a_watched_thing(read_clock),
    "weakref.finalize": drop_a_finalized_thing,
    "a signal handler": lambda: interrupt(handle),
    "a signal handler that takes anything": lambda: interrupt(lambda *args: read_clock()),
    "a signal handler with an argument of its own": lambda: interrupt(partial(handle_with_more, "more")),
}


@pytest.mark.parametrize("name", INTERRUPTIONS)
def test_what_python_runs_in_the_middle_of_a_step_is_not_refused(name: str) -> None:
    @aion.workflow
    async def order() -> str:
        INTERRUPTIONS[name]()
        return str(durable.now().year)

    play = Play(order).start()
    assert SEEN and set(SEEN) == {"read"} and play.names == ["WorkflowCompleted"]


ORDINARY: dict[str, Callable[[], Any]] = {
    "nothing": lambda: read_clock(),
    "a live weak reference": lambda: read_with(weakref.ref(Thing)),
    "a plain object": lambda: read_with(object()),
    "another's frame": lambda: read_with(sys._getframe().f_back),
    "a dictionary": lambda: read_with({"generation": 1}),
    "nothing that is left": lambda: read_without(1),
}


def read_with(thing: object) -> None:
    read_clock()


def read_without(*things: object) -> None:
    del things
    read_clock()


@pytest.mark.parametrize("name", ORDINARY)
def test_the_same_in_workflow_code_is_refused_whatever_it_holds(name: str) -> None:
    @aion.workflow
    async def order() -> None:
        ORDINARY[name]()

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError, match=r"^time.time was called in workflow code, at .*test_interruptions.py:"):
        play.start()
    play.execution.evict()


def test_a_workflow_that_a_finalizer_steps_is_watched_all_the_same() -> None:
    """What surrounds the step does not matter."""

    @aion.workflow
    async def order() -> None:
        read_clock()

    play = Play(order)

    class Stepping:
        def __del__(self) -> None:
            with pytest.raises(aion.WorkflowRuleError):
                play.start()
            SEEN.append("refused")

    Stepping()
    play.execution.evict()
    assert SEEN == ["read", "refused"]


def test_a_module_may_be_loaded_in_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loaded_in_a_step.py").write_text(f"from {__name__} import read_clock\nread_clock()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])

    @aion.workflow
    async def order() -> None:
        __import__("loaded_in_a_step")

    assert Play(order).start().names == ["WorkflowCompleted"]
    assert SEEN == ["read"] and sys.modules.pop("loaded_in_a_step")


def test_the_lines_of_a_traceback_may_be_read_in_a_step() -> None:
    texts = list[str]()

    @aion.workflow
    async def order() -> None:
        linecache.clearcache()
        try:
            raise ValueError("this is")
        except ValueError:
            texts.append(traceback.format_exc())

    assert Play(order).start().names == ["WorkflowCompleted"]
    assert 'raise ValueError("this is")' in texts[0]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_a_call_out_of_a_frozen_module_is_told_with_the_line_of_workflow_code() -> None:
    def look() -> None:
        os.path.exists("x")

    @aion.workflow
    async def order() -> None:
        look()

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError, match=r"^os.stat was called in workflow code, at .*test_interruptions.py:"):
        play.start()
    play.execution.evict()


async def test_the_collector_finds_trio_as_it_is_and_no_workflow_and_the_step_goes_on() -> None:
    class Asking:
        def __del__(self) -> None:
            SEEN.append((trio.lowlevel.current_task(), sniffio.current_async_library(), current()))

    @aion.workflow
    async def order() -> str:
        thing: Any = Asking()
        in_a_cycle(thing)
        del thing
        gc.collect()
        assert sniffio.current_async_library() == "aion"
        await durable.sleep(1)
        return trio.lowlevel.current_task().name

    play = Play(order).start()
    task = trio.lowlevel.current_task()
    assert SEEN.pop() == (task, "trio", None) and not SEEN
    with pytest.raises(aion.WorkflowRuleError, match="a function of Trio was called"):
        play.pass_time()
    play.execution.evict()
    assert trio.lowlevel.current_task() is task


def test_the_collector_tells_it_once_however_many_engines_there_are() -> None:
    while collector_runs in gc.callbacks:
        gc.callbacks.remove(collector_runs)
    TrioGuard()
    assert gc.callbacks.count(collector_runs) == 1
    TrioGuard()
    assert gc.callbacks.count(collector_runs) == 1


async def test_a_collection_while_a_step_begins_or_ends_leaves_trio_as_it_is() -> None:
    class Collecting(TrioGuard):
        def enter(self) -> Any:
            gc.collect()
            token = super().enter()
            gc.collect()
            return token

        def leave(self, token: Any) -> None:
            gc.collect()
            super().leave(token)
            gc.collect()

    task = trio.lowlevel.current_task()
    kernel, another = Kernel(guard=Collecting()), Kernel(guard=Collecting())
    token = kernel.enter()
    inner = another.enter()
    another.leave(inner)
    assert local.kernel is kernel and sniffio.current_async_library() == "aion"
    kernel.leave(token)
    assert local.kernel is None and trio.lowlevel.current_task() is task and sniffio.current_async_library() == "trio"
