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

from .outside import CALLS, IMPORTS, SEEN, function_of


@aion.activity
async def charge() -> float:
    return time.time()


def workflow_with(statement: str) -> Any:
    """A workflow function of one statement, in a module that has imported all that it names, and its file's name is `orders.py`."""
    space: dict[str, Any] = {"__name__": "orders"}
    modules = {"anyio", "concurrent.futures", *(call.partition(".")[0] for call, _ in CALLS + SEEN if "." in call.partition("(")[0])}
    exec("".join(f"import {module}\n" for module in sorted(modules)), space)
    exec(compile(f"async def order():\n    {statement}\n", "orders.py", "exec"), space)
    return space["order"]


@pytest.mark.parametrize(("call", "advice"), CALLS + SEEN, ids=[function_of(call) for call, _ in CALLS + SEEN])
def test_the_outside_is_found_by_name_with_what_to_use_instead(call: str, advice: str) -> None:
    assert [(problem.file, problem.line, problem.advice) for problem in problems(workflow_with(call))] == [("orders.py", 2, advice)]


@pytest.mark.parametrize(("module", "advice"), [(module, advice) for advice, modules in IMPORTS.items() for module in modules.split()])
def test_an_import_of_the_outside_is_found(module: str, advice: str) -> None:
    """Whether it is installed or not."""
    assert list(problems(workflow_with(f"import {module}"))) == [("orders.py", 2, f"import {module}", advice)]


@pytest.mark.parametrize(
    "statement", ["random.Random(5)", "trio.TooSlowError()", "trio.TASK_STATUS_IGNORED", "import datetime", "time", "os"]
)
def test_what_is_the_same_on_replay_is_not_accused(statement: str) -> None:
    assert list(problems(workflow_with(statement))) == []


def test_a_long_function_is_read_to_its_end() -> None:
    """More names than fit into one byte."""
    names = ", ".join(f"len.name{n}" for n in range(300))
    assert [problem.what for problem in problems(workflow_with(f"{names}, time.time()"))] == ["time.time"]


@pytest.mark.parametrize(("module", "name", "what"), [("nt", "mkdir", "os.mkdir"), ("_io", "open", "io.open")])
def test_files_are_found_wherever_their_functions_say_that_they_are_from(module: str, name: str, what: str) -> None:
    """On Windows those of `os` name a module `nt`, and from Python 3.12 on `open` names `_io`."""

    def function(path: str) -> None: ...

    function.__module__, function.__qualname__ = module, name
    order = workflow_with("function('x')")
    order.__globals__["function"] = function
    assert [problem.what for problem in problems(order)] == [what]


def test_helpers_of_other_packages_are_not_looked_at() -> None:
    """What a library does is its own affair; at the call it is refused all the same."""
    order = workflow_with("helper()")
    order.__globals__["helper"] = _helper
    assert list(problems(order)) == []


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


async def declares_a_class() -> Any:
    class Line:
        at = time.time()

    return Line


def _with_a_clock_at_hand() -> Any:
    clock = time.time

    async def declares_a_class_with_a_clock_at_hand() -> Any:
        class Line:
            at = clock()

        return Line

    return declares_a_class_with_a_clock_at_hand


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
        (declares_a_class, ["time.time"]),
        (_with_a_clock_at_hand(), ["time.time"]),
        (partial(reads_the_clock), ["time.time"]),
        (aion.workflow(reads_the_clock), ["time.time"]),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
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

    def count() -> int:
        return len(seen) + n

    return [*seen, sorted(seen), random.Random(5), count()]


def test_code_that_keeps_the_rules_is_not_accused() -> None:
    assert list(problems(clean)) == []


def test_what_durable_is_made_of_is_not_accused_in_workflows_of_this_package() -> None:
    """Such as the demo's: what they call in their own package is looked at, but not `durable`."""
    space: dict[str, Any] = {"__name__": "aion_trio.demo.orders", "durable": durable, "helper": _helper_in("aion_trio.demo.helpers")}
    exec(
        "async def order():\n    durable.now(), durable.current_time(), durable.open_nursery()\n    await durable.sleep(1)\n    helper()",
        space,
    )
    assert [problem.what for problem in problems(space["order"])] == ["time.monotonic"]


def _helper_in(module: str) -> Any:
    space: dict[str, Any] = {"__name__": module, "time": time}
    exec("def helper():\n    return time.monotonic()\n", space)
    return space["helper"]


def test_what_is_no_function_is_not_looked_at() -> None:
    assert list(problems(len)) == [] and list(problems("x")) == []


def test_a_look_is_quick() -> None:
    began = time.process_time()  # whatever else the machine does
    for _ in range(20):
        list(problems(clean))
    assert (time.process_time() - began) / 20 < 0.01
