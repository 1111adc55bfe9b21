"""What can be seen from outside: instruments, snapshots, paths; and the arithmetic of the policies."""

from __future__ import annotations

import logging
import math
from random import Random

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from aion_trio.supervision import (
    Backoff,
    Budget,
    Child,
    Exit,
    Instrument,
    LogInstrument,
    Mailbox,
    Request,
    Restart,
    Strategy,
    open_directory,
    open_supervisor,
    render,
    supervise,
)
from aion_trio.supervision.policy import Ledger

from .scenes import PROMPT, Length, Recorder, failing, forever, measure


async def test_nested_trees_have_paths_and_one_snapshot(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    leaf = Child("leaf", forever, mailbox=box)
    async with open_supervisor(
        Child("team", supervise, (leaf,)), Child("b", failing(1), backoff=PROMPT), name="root", instruments=[]
    ) as top:
        await box.address.send(1)
        await trio.sleep(3)
        node = top.snapshot()
        assert (node.path, node.kind, node.state) == ("root", "supervisor", "running")
        assert node.children[0].kind == "supervisor"
        assert [each.path for each in node.children[0].children] == ["root/team/leaf"]
        text = render(node).splitlines()
        assert text[0] == "root  running  for 3.0 s"
        assert text[1:3] == ["├─ team  running  for 3.0 s", "│  └─ leaf  running  for 3.0 s  1 queued"]
        assert text[3] == "└─ b  running  for 2.9 s  run 2  last raised ValueError('run 1')"
        top.stop()
    assert top.snapshot().state == "done"


async def test_the_renderer_shows_so_many_and_counts_the_rest(autojump_clock: MockClock) -> None:
    async with open_supervisor(*[Child(str(number), forever) for number in range(30)]) as supervisor:
        lines = render(supervisor.snapshot(), most=3).splitlines()
        assert len(lines) == 5 and lines[-1] == "└─ … and 27 more"
        supervisor.stop()


async def test_an_instrument_that_raises_is_dropped_and_disturbs_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Instrument):
        def child_started(self, path: str, run: int) -> None:
            raise RuntimeError("broken instrument")

    recorder = Recorder()
    async with open_supervisor(Child("a", forever), Child("b", forever), instruments=[Broken(), recorder]) as supervisor:
        supervisor.stop()
    assert len(recorder.of("started")) == 2
    assert [record.message for record in caplog.records if "will not be called again" in record.message] != []


async def test_outer_instruments_hear_of_inner_children(autojump_clock: MockClock) -> None:
    outer, inner = Recorder(), Recorder()

    async def team(*, task_status: trio.TaskStatus[object]) -> None:
        await supervise(Child("leaf", forever), instruments=[inner], task_status=task_status)

    async with open_supervisor(Child("team", team), instruments=[outer]) as supervisor:
        supervisor.stop()
    assert outer.of("started") == [("leaf", 1), ("team", 1)] and inner.of("started") == [("leaf", 1)]


async def test_failures_are_logged_unless_other_instruments_are_given(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "aion_trio.supervision"):
        async with open_supervisor(Child("a", failing(1), backoff=PROMPT)) as supervisor:
            await trio.sleep(1)
            supervisor.stop()
    assert [record.getMessage() for record in caplog.records] == ["supervisor/a failed after 0.010 s"]


async def test_a_key_that_is_set_aside_is_logged(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(key: str, mailbox: Mailbox[int]) -> None:
        await mailbox.receive()
        raise ValueError("poison")

    async with open_directory(broken, name="d", budget=Budget(0, 1.0)) as directory:
        for number in (1, 2):
            directory.send_nowait("k", number)
        await trio.sleep(1)
    assert [record.getMessage() for record in caplog.records] == [
        "d/k failed after 0.000 s",
        "d/k is quarantined: it failed too often, last with ValueError('poison')",
        "d/k will never receive 2",
    ]


async def test_a_child_that_does_not_end_is_logged_with_where_it_waits(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async def wedged(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(1.5)

    recorder = Recorder()
    async with open_supervisor(Child("wedged", wedged, shutdown=0), instruments=[LogInstrument(), recorder]) as supervisor:
        supervisor.stop()
    (told,) = [record.getMessage() for record in caplog.records]
    ((_, _, stack),) = recorder.of("unresponsive")
    assert told == f"supervisor/wedged was cancelled 1.0 s ago and has not ended; it waits here:\n{stack}" and ".wedged\n" in told


async def test_a_tree_that_is_being_stopped_says_so(autojump_clock: MockClock) -> None:
    async def tidy(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)

    async with open_supervisor(Child("tidy", tidy)) as supervisor:
        supervisor.stop()
        await trio.sleep(1)
        assert render(supervisor.snapshot()).splitlines() == ["supervisor  stopping  for 1.0 s", "└─ tidy  stopping  for 1.0 s"]


async def test_every_async_function_is_a_checkpoint() -> None:
    """Also where it has nothing to wait for: otherwise a loop around it would starve the others."""
    box = Mailbox[Request[int]]()
    async with open_supervisor(Child("actor", measure, (box,), mailbox=box, restart=Restart.TEMPORARY)) as supervisor:
        with assert_checkpoints():
            await box.address.send(Length("x"))
        with assert_checkpoints():
            await box.address.ask(Length("x"))
        for _ in range(2):
            with assert_checkpoints():
                await supervisor.restart("actor")
        with assert_checkpoints():
            await supervisor.add(Child("b", forever))
        handle = supervisor.handle("b")
        with assert_checkpoints():
            await supervisor.remove("b")
        with assert_checkpoints():
            await handle.exited()
        supervisor.stop()
        for _ in range(2):
            with assert_checkpoints():
                await supervisor.stopped()
    box = Mailbox[Request[int]]()
    await box.address.send(Length("x"))
    with assert_checkpoints():
        await box.receive()
    box.close()
    with assert_checkpoints(), pytest.raises(trio.EndOfChannel):
        await box.receive()

    async def activate(key: str, mailbox: Mailbox[Length]) -> None:
        await measure(mailbox)

    async with open_directory(activate, idle_after=9) as directory:
        with assert_checkpoints():
            await directory.send("k", Length("x"))
        with assert_checkpoints():
            await directory.ask("k", Length("x"))


def test_backoff_grows_to_its_maximum_and_keeps_its_jitter() -> None:
    for factor in (3, 3.0):  # a power of the second may be more than a float can hold, one of the first is too long to become one
        backoff = Backoff(initial=1.0, factor=factor, maximum=20, jitter=0)
        assert [backoff.delay(n, Random(0)) for n in (1, 2, 3, 4, 5000)] == [1, 3, 9, 20, 20]
    jittered = Backoff(initial=1, jitter=0.5)
    delays = [jittered.delay(1, Random(seed)) for seed in range(200)]
    assert 0.5 <= min(delays) < 0.6 and 1.4 < max(delays) <= 1.5
    assert jittered.shortest(3) == pytest.approx(0.5 + 1 + 2)


@pytest.mark.parametrize(
    "options", [{"initial": -1}, {"maximum": 0.01}, {"factor": 0.5}, {"jitter": 1.5}, {"reset_after": -1}, {"initial": math.nan}]
)
def test_a_backoff_that_makes_no_sense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(**options)


def test_a_budget_that_makes_no_sense_is_refused() -> None:
    for restarts, per in ((-1, 1.0), (1, 0.0), (1, math.nan), (2.5, 1.0), (math.inf, 1.0)):
        with pytest.raises(ValueError):
            Budget(restarts, per)  # type: ignore[arg-type]  # as one may who uses no type checker


def test_a_window_slides() -> None:
    ledger = Ledger(Budget(2, 5.0))
    assert [ledger.spend(at) for at in (0, 1, 2)] == [True, True, False]
    ledger = Ledger(Budget(2, 5.0))
    assert [ledger.spend(at) for at in (0, 1, 5, 6, 7)] == [True, True, True, True, False]
    assert not ledger.expire(7) and ledger.expire(12)


def test_whom_a_strategy_names() -> None:
    assert [list(strategy.group(1, 4)) for strategy in Strategy] == [[1], [0, 1, 2, 3], [1, 2, 3]]


def test_when_a_child_is_run_again() -> None:
    exits = [Exit("a", "returned", None, 0, 0), Exit("a", "raised", ValueError(), 0, 0)]
    assert [[restart.applies(exit) for exit in exits] for restart in Restart] == [[True, True], [False, True], [False, False]]
    assert exits[0].failure is None and isinstance(exits[1].failure, ValueError)
    assert Exit("a", "raised", KeyboardInterrupt(), 0, 0).failure is None
