"""What a caller gives: names for words, and errors that say what was expected and what was found."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from functools import partial
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from aion_trio.supervision import (
    AutoShutdown,
    Backoff,
    Budget,
    Child,
    GaveUp,
    Mailbox,
    Restart,
    Strategy,
    open_directory,
    open_supervisor,
    supervise,
)

from .scenes import AT_ONCE, Recorder, failing, forever, reads

STRATEGIES = "expected Strategy or one of 'one_for_one', 'one_for_all', 'rest_for_one'"
RESTARTS = "expected Restart or one of 'permanent', 'transient', 'temporary'"
SHUTDOWNS = "expected AutoShutdown or one of 'never', 'any_significant', 'all_significant'"


async def test_a_strategy_by_its_name(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    children = [Child("a", failing(1), backoff=AT_ONCE), Child("b", forever)]
    by_name: Any = "one_for_all"
    async with open_supervisor(*children, strategy=by_name, instruments=[recorder]) as supervisor:
        await trio.sleep(1)
        supervisor.stop()
    assert recorder.of("started") == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


async def test_a_restart_by_its_name(autojump_clock: MockClock) -> None:
    async def returns(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()

    by_name: Any = "permanent"
    child = Child("a", returns, restart=by_name, backoff=AT_ONCE)
    assert child.restart is Restart.PERMANENT and child == Child("a", returns, restart=Restart.PERMANENT, backoff=AT_ONCE)
    with pytest.raises(GaveUp):
        await supervise(child, instruments=[])


@pytest.mark.parametrize("auto", AutoShutdown)
async def test_auto_shutdown_by_its_name(autojump_clock: MockClock, auto: AutoShutdown) -> None:
    by_name: Any = auto.value
    significant = auto is not AutoShutdown.NEVER
    child = Child("a", failing(1), restart=Restart.TEMPORARY, significant=significant)
    with trio.move_on_after(60) as late:
        async with open_supervisor(child, auto_shutdown=by_name, instruments=[]):
            await trio.sleep_forever()
    assert late.cancelled_caught is not significant


async def test_a_word_of_an_enumeration_is_taken_as_it_is(autojump_clock: MockClock) -> None:
    for strategy in Strategy:
        async with open_supervisor(Child("a", forever), strategy=strategy) as supervisor:
            supervisor.stop()


def refused(error: type[Exception], words: str) -> AbstractContextManager[object, bool]:
    return pytest.raises(error, match=f"^{re.escape(words)}$")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"strategy": "one for all"}, ValueError, f"strategy: {STRATEGIES}, found 'one for all'"),
        ({"strategy": 3}, TypeError, f"strategy: {STRATEGIES}, found 3"),
        ({"strategy": Restart.PERMANENT}, TypeError, f"strategy: {STRATEGIES}, found {Restart.PERMANENT!r}"),
        ({"auto_shutdown": "always"}, ValueError, f"auto_shutdown: {SHUTDOWNS}, found 'always'"),
        ({"auto_shutdown": True}, TypeError, f"auto_shutdown: {SHUTDOWNS}, found True"),
        ({"budget": (2, 5)}, TypeError, "budget: expected a Budget, found (2, 5)"),
        ({"budget": None}, TypeError, "budget: expected a Budget, found None"),
    ],
)
async def test_settings_of_a_wrong_kind(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with refused(error, words):
        async with open_supervisor(Child("a", forever), **options):
            pytest.fail("the body must not run")
    with refused(error, words):
        await supervise(Child("a", forever), **options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"restart": "always"}, ValueError, f"child 'a': restart: {RESTARTS}, found 'always'"),
        ({"restart": None}, TypeError, f"child 'a': restart: {RESTARTS}, found None"),
        ({"args": "x"}, TypeError, "child 'a': args: expected a tuple of arguments, as in (x,), found 'x'"),
        ({"args": 3}, TypeError, "child 'a': args: expected a tuple of arguments, as in (x,), found 3"),
        ({"backoff": 1.0}, TypeError, "child 'a': backoff: expected a Backoff, found 1.0"),
        ({"mailbox": 5}, TypeError, "child 'a': mailbox: expected a Mailbox or None, found 5"),
        ({"shutdown": "5"}, TypeError, "child 'a': shutdown: expected a number, found '5'"),
        ({"fn": "svc"}, TypeError, "child 'a': expected an async function that takes task_status, found 'svc'"),
        ({"name": 5}, TypeError, "the name of a child: expected a string, found 5"),
    ],
)
def test_a_child_of_a_wrong_kind(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with refused(error, words):
        Child(**{"name": "a", "fn": forever, **options})


async def test_what_is_no_child(autojump_clock: MockClock) -> None:
    """Declared or added, it does no harm to those that are there."""
    no_child: Any = [Child("b", forever)]
    box = Mailbox[int]()
    words = f"a child of a supervisor: expected a Child(name, fn), found {no_child!r}"
    with refused(TypeError, words):
        async with open_supervisor(Child("a", forever, mailbox=box), no_child):
            pytest.fail("the body must not run")
    async with open_supervisor(Child("a", forever, mailbox=box)) as supervisor:
        with refused(TypeError, words):
            await supervisor.add(no_child)
        assert list(supervisor) == ["a"]
        supervisor.stop()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": (2, 5)}, "budget: expected a Budget, found (2, 5)"),
        ({"backoff": 1.0}, "backoff: expected a Backoff, found 1.0"),
        ({"idle_after": "60"}, "directory: idle_after: expected a number, found '60'"),
        ({"limit": None}, "directory: limit: expected a number, found None"),
        ({"grace": None}, "directory: grace: expected a number, found None"),
        ({"capacity": "64"}, "capacity is a whole number from 1, or math.inf, found '64'"),
        ({"on_failed": 3}, "on_failed: expected a function of a key and an error, or None, found 3"),
        ({"activate": 3}, "activate: expected an async function of a key and its mailbox, found 3"),
    ],
)
async def test_rules_of_a_wrong_kind(options: dict[str, Any], words: str) -> None:
    with refused(TypeError, words):
        async with open_directory(**{"activate": reads, **options}):
            pytest.fail("the body must not run")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Budget("3"), "Budget: restarts: expected a number, found '3'"),  # type: ignore[arg-type]
        (lambda: Budget(3, None), "Budget: per: expected a number, found None"),  # type: ignore[arg-type]
        (lambda: Budget(3, Decimal(5)), "Budget: per: expected a number, found Decimal('5')"),  # type: ignore[arg-type]
        (lambda: Mailbox(None), "capacity is a whole number from 1, or math.inf, found None"),  # type: ignore[arg-type]
        *(
            (partial(Backoff, **cast("dict[str, Any]", {name: "1"})), f"Backoff: {name}: expected a number, found '1'")
            for name in ("initial", "factor", "maximum", "jitter", "reset_after")
        ),
    ],
)
def test_values_of_a_wrong_kind(make: Callable[[], object], words: str) -> None:
    with refused(TypeError, words):
        make()


async def test_a_whole_number_may_come_as_a_float(autojump_clock: MockClock) -> None:
    whole: Any = 2.0
    async with open_supervisor(Child("a", forever), budget=Budget(whole, 5)) as supervisor:
        supervisor.stop()
