"""On Python 3.12 and later, clock, randomness, files and threads are caught at the call (K7)."""

from __future__ import annotations

import datetime
import io
import os
import random
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel import monitoring
from aion_trio.kernel.monitoring import Watch

from ..replay.plays import Play
from ..replay.steps import charge
from .outside import CALLS, FROM_THE_SYSTEM, function_of

on_3_12 = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")


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
    ("datetime.datetime.now", lambda: datetime.datetime.now()),
    ("random.random", lambda: random.random()),
    ("random.choice", lambda: random.choice([1, 2])),
    ("uuid.uuid4", lambda: uuid.uuid4()),
    ("open", lambda: open(__file__)),  # noqa: SIM115  # it is never opened
    ("threading.Thread", lambda: threading.Thread()),
]


@on_3_12
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


@on_3_12
def test_the_same_is_free_outside_of_workflows(watch: Watch) -> None:
    for _ in range(2):
        assert time.time() > 0 and 0 <= random.random() < 1 and datetime.datetime.now()


@on_3_12
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


@on_3_12
def test_it_can_end_and_begin_again() -> None:
    watch = Watch()
    assert watch.begin() and watch.begin()
    watch.end()
    watch.end()
    assert watch.begin()
    watch.end()


def _code_of(file: str) -> Any:
    return compile("x = 1", file, "exec")


def test_a_call_site_is_judged_by_what_it_calls_where_it_stands_and_whether_a_workflow_runs() -> None:
    """K7. The interpreter does not let a callback be traced, so it is called here as the interpreter calls it."""
    watch = Watch()
    watch._collect()
    here = _code_of(__file__)
    watch._disable = "never again"
    assert watch._called(here, 0, len, None) == "never again"
    assert watch._called(here, 0, [], None) == "never again"
    assert watch._called(_code_of("<frozen importlib._bootstrap>"), 0, open, None) == "never again"
    assert watch._called(here, 0, time.time, None) is None

    @aion.workflow
    async def order() -> None:
        watch._called(here, 0, time.sleep, None)

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError, match=r"^time.sleep was called in workflow code, at .*; use durable.sleep\(\)$"):
        play.start()
    play.execution.evict()


MODULES = [datetime, io, os, random, secrets, socket, subprocess, threading, time, uuid]


REFUSED = [*CALLS, *((call, "an activity") for call in FROM_THE_SYSTEM)]


@pytest.mark.parametrize(("call", "advice"), REFUSED, ids=[function_of(call) for call, _ in REFUSED])
def test_every_call_of_the_outside_is_refused_with_what_to_use_instead(call: str, advice: str) -> None:
    """K7, on every Python: the callback is called here as the interpreter of 3.12 calls it."""
    watch = Watch()
    watch._collect()
    outside = eval(function_of(call), {module.__name__: module for module in MODULES})

    @aion.workflow
    async def order() -> None:
        watch._called(_code_of(__file__), 0, outside, None)

    play = Play(order)
    with pytest.raises(aion.WorkflowRuleError, match=rf"{function_of(call)} was called in workflow code, at .*; use {re.escape(advice)}$"):
        play.start()
    play.execution.evict()


def test_only_what_is_loaded_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("time", "datetime", "uuid"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(random, "randbytes")
    watch = Watch()
    watch._collect()
    names = {what for what, _ in watch._advice.values()}
    assert {"io.open", "builtins.input", "random.random"} <= names
    assert not names & {"time.time", "time.sleep", "datetime.date.today", "uuid.uuid4", "random.randbytes"}


def test_nothing_is_watched_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Python 3.12, and where other tools have all ids."""
    watch = Watch()
    monkeypatch.setattr(monitoring, "_MONITORING", None)
    assert watch.begin() is False
    monkeypatch.setattr(monitoring, "_MONITORING", _Taken())
    assert watch.begin() is False
    watch.end()


class _Taken:
    """`sys.monitoring` in a process whose free ids are other tools'."""

    DISABLE = object()

    def get_tool(self, tool: int) -> str:
        return "another tool"


class _Free:
    """`sys.monitoring` in a process where the first free id is taken; it keeps what it is told."""

    DISABLE = object()

    class events:
        CALL = 8

    def __init__(self) -> None:
        self.tools: dict[int, str] = {3: "another tool"}
        self.told: list[Any] = []

    def get_tool(self, tool: int) -> str | None:
        return self.tools.get(tool)

    def use_tool_id(self, tool: int, name: str) -> None:
        assert tool not in self.tools
        self.tools[tool] = name

    def free_tool_id(self, tool: int) -> None:
        del self.tools[tool]

    def register_callback(self, tool: int, event: int, callback: Any) -> None:
        self.told.append(("callback", tool, event, callback.__name__))

    def set_events(self, tool: int, events: int) -> None:
        self.told.append(("events", tool, events))


def test_the_next_free_id_is_used_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = _Free()
    monkeypatch.setattr(monitoring, "_MONITORING", interpreter)
    watch, another = Watch(), Watch()
    assert watch.begin() is True and another.begin() is True
    assert interpreter.tools == {3: "another tool", 4: "aion-trio"}
    assert interpreter.told == [("callback", 4, 8, "_called"), ("events", 4, 8)]
    assert [watch._called(_code_of(__file__), 0, function, None) for function in (time.time, len)] == [None, _Free.DISABLE]
    another.end()
    assert 4 in interpreter.tools
    watch.end()
    watch.end()
    assert interpreter.tools == {3: "another tool"} and interpreter.told[2:] == [("events", 4, 0)]
