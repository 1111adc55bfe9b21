"""The tree as text, to the letter, and what is logged and told of it."""

from __future__ import annotations

import logging
from typing import get_args

import pytest
import trio
from trio.testing import MockClock

from aion_trio.supervision import (
    AskCycle,
    Child,
    Exit,
    GaveUp,
    Instrument,
    Mailbox,
    Node,
    StartFailed,
    open_directory,
    open_supervisor,
    render,
    supervise,
)
from aion_trio.supervision.exits import How
from aion_trio.supervision.snapshot import Kind

from .scenes import PROMPT, Recorder, failing, forever


def leaf(name: str) -> Node:
    return Node(name, name, "child", "running")


def test_a_tree_to_the_letter() -> None:
    failed, ended = Exit("a", "raised", ValueError("no"), 1, 1), Exit("a", "stopped", None, 1, 1)
    first = Node("t/a", "a", "supervisor", "running", 1, 2.04, 0, None, tuple(leaf(name) for name in "uvwxyz"))
    second = Node("t/b", "b", "child", "waiting", 2, 0.0, 1, failed, (leaf("w"), leaf("v")))
    third = Node("t/c", "c", "child", "done", 3, 0.0, 0, ended, (leaf("w"),))
    assert render(Node("t", "t", "supervisor", "running", 1, 12.34, 0, None, (first, second, third)), most=4).splitlines() == [
        "t  running  for 12.3 s",
        "├─ a  running  for 2.0 s",
        "│  ├─ u  running",
        "│  ├─ v  running",
        "│  ├─ w  running",
        "│  ├─ x  running",
        "│  └─ … and 2 more",
        "├─ b  waiting  run 2  1 queued  last raised ValueError('no')",
        "│  ├─ w  running",
        "│  └─ v  running",
        "└─ c  done  run 3  last stopped",
        "   └─ w  running",
    ]


def test_twenty_are_shown_where_nothing_else_is_said() -> None:
    lines = [render(Node("t", "t", "supervisor", "running", children=(leaf("c"),) * count)).splitlines() for count in (20, 21)]
    assert [len(each) for each in lines] == [21, 22]
    assert [each[-1] for each in lines] == ["└─ c  running", "└─ … and 1 more"]


async def test_the_picture_of_a_supervisor(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    children = [Child("a", failing(1, after=1), backoff=PROMPT, mailbox=box), Child("b", forever)]
    async with open_supervisor(*children, name="s", instruments=[]) as supervisor:
        await box.address.send(1)
        await trio.sleep(1.05)
        picture = supervisor.snapshot()
        exit = picture.children[0].last_exit
        a = Node("s/a", "a", "child", "waiting", runs=1, queued=1, last_exit=exit)
        b = Node("s/b", "b", "child", "running", runs=1, up_for=1.05)
        assert picture == Node("s", "s", "supervisor", "running", runs=1, up_for=1.05, children=(a, b))
        assert exit is not None and (exit.path, exit.how, exit.at, exit.ran_for) == ("s/a", "raised", 1, 1)
        supervisor.stop()


async def test_the_picture_of_a_supervisor_in_a_child(autojump_clock: MockClock) -> None:
    """It has the place of the child that opened it."""
    async with open_supervisor(name="s", instruments=[]) as supervisor:
        await trio.sleep(1)
        await supervisor.add(Child("team", supervise, (Child("a", forever),)))
        await trio.sleep(2)
        a = Node("s/team/a", "a", "child", "running", runs=1, up_for=2)
        assert supervisor["team"].snapshot() == Node("s/team", "team", "supervisor", "running", runs=1, up_for=2, children=(a,))
        supervisor.stop()


async def test_what_type_checkers_know_of_is_what_there_is(autojump_clock: MockClock) -> None:
    """The kinds of nodes, and how runs end: a program that tells them apart may rely on having seen all."""

    async def reads(key: str, mailbox: Mailbox[int]) -> None:
        async for _ in mailbox:
            pass

    async def keyed(*, task_status: trio.TaskStatus[None]) -> None:
        async with open_directory(reads) as directory:
            await directory.send("k", 1)
            task_status.started()
            await trio.sleep_forever()

    async def brief(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()

    recorder = Recorder()
    children = [Child("keyed", keyed), Child("brief", brief), Child("fails", failing(1), backoff=PROMPT), Child("c", forever)]
    async with open_supervisor(*children, instruments=[recorder]) as supervisor:
        await trio.sleep(1)
        nodes = [supervisor.snapshot()]
        for node in nodes:
            nodes.extend(node.children)
        supervisor.stop()
    assert {node.kind for node in nodes} == set(get_args(Kind))
    assert {how for _, how in recorder.of("exited")} == set(get_args(How))


async def test_an_instrument_that_fails_is_logged_once_and_not_called_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    class Broken(Instrument):
        def __repr__(self) -> str:
            return "<broken>"

        def child_started(self, path: str, run: int) -> None:
            calls.append(path)
            raise RuntimeError("out of ink")

    recorder = Recorder()
    async with open_supervisor(Child("a", forever), Child("b", forever), instruments=[Broken(), recorder]) as supervisor:
        supervisor.stop()
    assert calls == ["supervisor/a"] and recorder.of("started") == [("a", 1), ("b", 1)]
    (record,) = caplog.records
    assert record.getMessage() == "<broken> failed and will not be called again"
    assert record.exc_info is not None and str(record.exc_info[1]) == "out of ink"


async def test_a_failure_is_logged_with_its_traceback(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("no")
    async with open_supervisor(Child("a", failing(1, error, after=0.5), backoff=PROMPT)) as supervisor:
        await trio.sleep(1)
        supervisor.stop()
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (
        "aion_trio.supervision",
        logging.ERROR,
        "supervisor/a failed after 0.500 s",
    )
    assert record.exc_info is not None and record.exc_info[1] is error


def test_who_configures_no_logging_reads_nothing() -> None:
    """As libraries should; without a handler of its own Python would write to the standard error."""
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("aion_trio.supervision").handlers)


def test_the_words_of_errors() -> None:
    first, second = ValueError("first"), ValueError("second")
    gave_up = GaveUp("too often", [first, second])
    assert (str(gave_up), gave_up.failures) == ("too often", (first, second))
    assert isinstance(gave_up.__cause__, ExceptionGroup)
    assert (gave_up.__cause__.message, gave_up.__cause__.exceptions) == ("the failures were", (first, second))
    assert GaveUp("too often", []).__cause__ is None
    cycle = AskCycle(["s/a", "s/b", "s/a"])
    assert str(cycle).startswith("s/a would wait for its own answer: s/a -> s/b -> s/a; ")
    cycle = AskCycle(["s/a", "s/b"])
    assert str(cycle).startswith("s/a would wait for") and cycle.path == ("s/a", "s/b")


async def test_the_words_of_what_goes_up(autojump_clock: MockClock) -> None:
    async def dirty(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("while cleaning up")

    async def broken(*, task_status: trio.TaskStatus[None]) -> None:
        raise LookupError("no configuration")

    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor(Child("dirty", dirty), name="s", instruments=[]) as supervisor:
            supervisor.stop()
    assert [str(error) for error in caught.value.exceptions] == ["s: children failed while they were stopped (1 sub-exception)"]
    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor(Child("dirty", dirty), Child("broken", broken), name="s", instruments=[]):
            pytest.fail("the body must not run")
    (failed,) = caught.value.exceptions
    assert isinstance(failed, StartFailed) and str(failed) == "s/broken did not start"
    assert str(failed.__cause__) == "the failures were (2 sub-exceptions)"
