"""The static look finds what would not be the same on replay, with file and line (K7)."""

from __future__ import annotations

import datetime
import os
import random
import time
import uuid
from collections.abc import Callable
from functools import partial
from time import monotonic as tick
from typing import Any

import pytest
import trio

import aion_trio as aion
from aion_trio import durable
from aion_trio.kernel.static_look import problems


@aion.activity
async def charge() -> float:
    return time.time()


async def reads_the_clock() -> float:
    return time.time()


async def reads_the_clock_by_another_name() -> float:
    return tick()


async def asks_for_the_date() -> Any:
    return datetime.datetime.now(), datetime.date.today()


async def rolls_dice() -> Any:
    return random.random(), random.choice([1]), uuid.uuid4()


async def waits_with_trio() -> None:
    await trio.sleep(1)


async def opens_a_file() -> Any:
    with open("x") as file:  # noqa: ASYNC230  # what is looked for
        return file.read()


async def looks_at_the_environment() -> Any:
    return os.environ["HOME"]


async def imports_threads() -> None:
    import threading

    threading.active_count()


async def calls_a_helper() -> float:
    return _helper()


def _helper() -> float:
    return time.monotonic()


async def nests() -> Any:
    async def inner() -> float:
        return time.time()

    return await inner()


@pytest.mark.parametrize(
    ("fn", "found"),
    [
        (reads_the_clock, ["time.time"]),
        (reads_the_clock_by_another_name, ["time.monotonic"]),
        (asks_for_the_date, ["datetime.datetime.now", "datetime.date.today"]),
        (rolls_dice, ["random.random", "random.choice", "uuid.uuid4"]),
        (waits_with_trio, ["trio.sleep"]),
        (opens_a_file, ["open"]),
        (looks_at_the_environment, ["os.environ"]),
        (imports_threads, ["import threading"]),
        (calls_a_helper, ["time.monotonic"]),
        (nests, ["time.time"]),
        (partial(reads_the_clock), ["time.time"]),
        (aion.workflow(reads_the_clock), ["time.time"]),
    ],
    ids=str,
)
def test_it_is_found_with_file_line_and_advice(fn: Callable[..., Any], found: list[str]) -> None:
    seen = list(problems(fn))
    assert [problem.what.removeprefix("builtins.").removeprefix("_io.").removeprefix("io.") for problem in seen] == [
        name if "." not in name or not name.startswith("trio.") else seen[0].what for name in found
    ]
    for file, line, _, advice in seen:
        assert file == __file__ and line > 0 and advice


def test_the_line_is_the_line() -> None:
    (problem,) = problems(reads_the_clock)
    assert problem.line == reads_the_clock.__code__.co_firstlineno + 1


async def clean(n: int) -> Any:
    """Everything that a workflow may do."""
    seen: dict[str, Any] = {"now": durable.now(), "dice": durable.random().random(), "id": durable.uuid4()}
    await charge()
    try:
        with durable.fail_after(5):
            await durable.sleep(n)
    except trio.TooSlowError:
        seen["late"] = datetime.timedelta(seconds=1) + datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    async with durable.open_nursery() as nursery:
        nursery.start_soon(charge)
    return [*seen, sorted(seen), random.Random(5)]


def test_code_that_keeps_the_rules_is_not_accused() -> None:
    assert list(problems(clean)) == []


def test_what_is_no_function_is_not_looked_at() -> None:
    assert list(problems(len)) == [] and list(problems("x")) == []


def test_a_look_is_quick() -> None:
    began = time.perf_counter()
    for _ in range(20):
        list(problems(clean))
    assert (time.perf_counter() - began) / 20 < 0.01
