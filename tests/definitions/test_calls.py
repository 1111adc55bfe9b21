"""A definition is called as its function: a command inside a workflow, the function itself outside."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio

from aion_trio.definitions import RetryPolicy, activity, workflow
from aion_trio.errors import DefinitionError, InvalidInputError

from .fakes import inside_workflow


@workflow
async def greet(name: str, times: int = 1, mark: str = "!") -> str:
    await trio.lowlevel.checkpoint()
    return name * times + mark


@activity
async def fetch(name: str, times: int = 1) -> str:
    await trio.lowlevel.checkpoint()
    return name * times


@activity
def block(name: str, times: int = 1) -> tuple[str, bool]:
    return name * times, threading.current_thread() is threading.main_thread()


async def test_outside_of_a_workflow_the_function_runs() -> None:
    assert await greet("a", times=2) == "aa!"
    assert await fetch("a", 2) == "aa"


async def test_outside_of_a_workflow_a_plain_function_runs_in_a_thread() -> None:
    """A6."""
    assert await block("a", times=2) == ("aa", False)


async def test_a_nursery_starts_a_definition_as_it_starts_a_function() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fetch, "a")
        nursery.start_soon(block, "a")
        nursery.start_soon(greet, "a", 2)


async def test_inside_a_workflow_a_call_is_a_command() -> None:
    with inside_workflow() as host:
        assert await fetch("a") == "activity's result"
        assert await block("a", 3) == "activity's result"  # type: ignore[comparison-overlap]
        assert await greet("b") == "child's result"
    assert host.asked == [("activity", fetch, ("a",)), ("activity", block, ("a", 3)), ("child", greet, ("b",))]


@pytest.mark.parametrize(
    ("args", "keywords", "recorded"),
    [
        (("a",), {"times": 2}, ("a", 2)),
        (("a",), {"mark": "?"}, ("a", 1, "?")),
        ((), {"mark": "?", "name": "a", "times": 5}, ("a", 5, "?")),
        ((), {"name": "a"}, ("a",)),
    ],
)
async def test_keywords_are_recorded_by_position(args: Any, keywords: Any, recorded: Any) -> None:
    """A default that stands behind the last given argument is not recorded: it can be added later."""
    with inside_workflow() as host:
        await greet(*args, **keywords)
    assert host.asked == [("child", greet, recorded)]


def test_a_wrong_keyword_is_the_usual_type_error() -> None:
    with inside_workflow(), pytest.raises(TypeError, match="unexpected keyword"):
        greet("a", size=3)  # type: ignore[call-arg]


def test_arguments_and_results_are_encoded_by_their_annotations() -> None:
    assert greet.decode_input(greet.encode_input(("a", 2))) == ("a", 2)
    assert block.decode_result(block.encode_result(("a", True))) == ("a", True)
    with pytest.raises(InvalidInputError, match="greet: times: expected int, found str '3'") as caught:
        greet.encode_input(("a", "3"))
    assert caught.value.path == "times"
    with pytest.raises(InvalidInputError, match="result of greet: expected str, found int 5"):
        greet.encode_result(5)


def test_with_options_gives_a_copy_for_one_call() -> None:
    retry = RetryPolicy(max_attempts=9)
    changed = fetch.with_options(timeout=5, retry=retry, queue="gpu")
    assert (changed.name, changed.fn, changed.queue, changed.retry) == ("fetch", fetch.fn, "gpu", retry)
    assert changed.options[0] == 5_000_000
    assert (fetch.queue, fetch.retry, fetch.options[0]) == ("default", None, None)
    assert changed.with_options(queue="cpu").retry == retry
    assert greet.with_options(timeout=3).timeout_us == 3_000_000
    assert greet.with_options().version == 1


@pytest.mark.parametrize("options", [{"timeout": 0}, {"retry": 3}, {"queue": ""}])
def test_with_options_refuses_what_the_decorator_refuses(options: Any) -> None:
    with pytest.raises(DefinitionError, match="activity fetch"):
        fetch.with_options(**options)


@pytest.mark.parametrize("definition", [greet, fetch])
def test_the_arguments_of_a_definition_come_back_as_they_went_in(definition: Any) -> None:
    assert definition.decode_input(definition.encode_input(("a", 2))) == ("a", 2)
    with pytest.raises(InvalidInputError, match=r"times: expected int, found str 'x'$"):
        definition.encode_input(("a", "x"))


def test_what_the_static_look_finds_is_looked_for_once() -> None:
    """K7."""

    @workflow
    async def reads_a_file(name: str) -> str:
        return open(name).read()  # noqa: ASYNC230  # it is looked at, and never called

    assert [problem.what for problem in reads_a_file.problems] == ["_io.open"] or [p.what for p in reads_a_file.problems] == ["io.open"]
    assert reads_a_file.problems is reads_a_file.problems
