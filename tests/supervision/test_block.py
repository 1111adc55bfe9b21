"""The block is to its children what a nursery is to its tasks, and keeps an order in which they come and go."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aion_trio.supervision import AutoShutdown, Child, Mailbox, Restart, Strategy, open_supervisor, supervise

from .scenes import PROMPT, Length, Recorder, failing, forever, measure


async def test_children_start_in_order_each_after_the_one_before_is_ready(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def slow(name: str, *, task_status: trio.TaskStatus[str]) -> None:
        log.append(f"{name} begins")
        await trio.sleep(1)
        log.append(f"{name} ready")
        task_status.started(name.upper())
        await trio.sleep_forever()

    async with open_supervisor(Child("a", slow, ("a",)), Child("b", slow, ("b",))) as supervisor:
        assert log == ["a begins", "a ready", "b begins", "b ready"]
        assert (supervisor["a"], supervisor["b"]) == ("A", "B")
        assert list(supervisor) == ["a", "b"] and len(supervisor) == 2 and "a" in supervisor
        supervisor.stop()


async def test_a_cancelled_block_stops_its_children_in_reverse(autojump_clock: MockClock) -> None:
    log: list[str] = []
    with trio.move_on_after(1) as scope:
        async with open_supervisor(*[Child(name, forever, (log, name)) for name in "abc"]):
            await trio.sleep_forever()
    assert scope.cancelled_caught and log == ["down c", "down b", "down a"]


async def test_the_next_is_stopped_when_the_one_before_has_ended(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def tidy(name: str, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            log.append(f"{name} cleans up")
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            log.append(f"{name} down")

    async with open_supervisor(*[Child(name, tidy, (name,)) for name in "ab"]) as supervisor:
        supervisor.stop()
    assert log == ["b cleans up", "b down", "a cleans up", "a down"]


async def test_the_body_of_a_cancelled_block_leaves_first_and_may_still_ask(autojump_clock: MockClock) -> None:
    box = Mailbox[Length]()
    answers: list[int] = []
    with trio.move_on_after(1):
        async with open_supervisor(Child("actor", measure, (box,), mailbox=box)):
            try:
                await trio.sleep_forever()
            finally:
                with trio.move_on_after(5, shield=True):
                    answers.append(await box.address.ask(Length("seven77")))
    assert answers == [7]


async def test_leaving_waits_for_the_children(autojump_clock: MockClock) -> None:
    async def brief(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(7)

    async with open_supervisor(Child("brief", brief)):
        pass
    assert trio.current_time() == pytest.approx(7)


async def test_the_body_goes_on_after_an_orderly_stop(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", forever)) as supervisor:
        supervisor.stop()
        await supervisor.stopped()
        await trio.sleep(3)
    assert trio.current_time() == 3


async def test_a_stop_drains_mailboxes_within_their_time(autojump_clock: MockClock) -> None:
    box = Mailbox[int](100)
    recorder = Recorder()
    done: list[int] = []

    async def actor(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for message in box:
            await trio.sleep(1)
            done.append(message)

    async with open_supervisor(Child("actor", actor, mailbox=box, shutdown=3.5), instruments=[recorder]) as supervisor:
        for number in range(6):
            await box.address.send(number)
        supervisor.stop()
    assert done == [0, 1, 2]
    assert recorder.of("dead") == [("actor", 4), ("actor", 5)]  # the 3 was in hand


async def test_a_cancellation_while_draining_cuts_it_short_but_no_clean_up(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    log: list[str] = []

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            async for _ in box:
                await trio.sleep(100)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)
            log.append("clean")

    with trio.move_on_after(2):
        async with open_supervisor(Child("slow", slow, mailbox=box, shutdown=1000)) as supervisor:
            await box.address.send(1)
            await trio.sleep(1)
            supervisor.stop()
    assert log == ["clean"] and trio.current_time() == pytest.approx(5)


async def test_the_stop_of_a_nested_supervisor_drains_too(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    done: list[int] = []

    async def actor(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for message in box:
            await trio.sleep(1)
            done.append(message)

    async with open_supervisor(Child("team", supervise, (Child("actor", actor, mailbox=box),))) as supervisor:
        for number in range(3):
            await box.address.send(number)
        supervisor.stop()
    assert done == [0, 1, 2]


async def test_a_child_that_will_not_end_is_named_with_its_stack_again_and_again(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def wedged(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(7)

    async def below(*, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(wedged)
            task_status.started()

    async with open_supervisor(Child("w", below, shutdown=2), instruments=[recorder]) as supervisor:
        supervisor.stop()
    told = recorder.of("unresponsive")
    assert [waited for _, waited, _ in told] == [2, 4, 6]
    assert all("below" in stack and "wedged" in stack for _, _, stack in told), "the tasks below it are shown as well"


async def test_an_error_of_the_clean_up_goes_up(autojump_clock: MockClock) -> None:
    async def dirty(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("while cleaning up")

    with pytest.RaisesGroup(pytest.RaisesGroup(OSError)):
        async with open_supervisor(Child("dirty", dirty), instruments=[]) as supervisor:
            supervisor.stop()


async def test_auto_shutdown_stops_the_rest_and_leaves_the_body(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def job(seconds: float, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(seconds)

    for auto, ends_at in (AutoShutdown.ANY_SIGNIFICANT, 1), (AutoShutdown.ALL_SIGNIFICANT, 5):
        begun = trio.current_time()
        async with open_supervisor(
            Child("service", forever, (log, "service")),
            Child("short", job, (1,), significant=True),
            Child("long", job, (5,), significant=True),
            auto_shutdown=auto,
        ):
            await trio.sleep(1000)
        assert trio.current_time() - begun == pytest.approx(ends_at)
    assert log == ["down service", "down service"]


async def test_an_empty_supervisor_lives_as_long_as_its_body(autojump_clock: MockClock) -> None:
    async with open_supervisor() as supervisor:
        await trio.sleep(1)
        assert await supervisor.add(Child("late", forever)) == ""
        supervisor.stop()


async def test_an_empty_supervisor_can_be_stopped(autojump_clock: MockClock) -> None:
    async with open_supervisor() as supervisor:
        supervisor.stop()
        await supervisor.stopped()
        assert supervisor.snapshot().state == "done"


async def test_a_stop_in_the_middle_of_a_start_does_not_wait_for_it(autojump_clock: MockClock) -> None:
    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    with pytest.raises(trio.TooSlowError):
        with trio.fail_after(3):
            async with open_supervisor(Child("never", never_ready)):
                pytest.fail("the body must not run")
    assert trio.current_time() == pytest.approx(3)


async def test_one_who_ends_unready_because_it_is_stopped_has_not_failed(autojump_clock: MockClock) -> None:
    recorder = Recorder()

    async def gives_up(*, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)

    with trio.move_on_after(1) as scope:
        async with open_supervisor(Child("a", gives_up), instruments=[recorder]):
            pytest.fail("the body must not run")
    assert scope.cancelled_caught and trio.current_time() == 2
    assert recorder.of("exited") == [("a", "returned")]


async def test_a_refused_declaration_leaves_the_mailboxes_of_the_others_free(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    with pytest.raises(ValueError, match="named 'a' already"):
        async with open_supervisor(Child("a", forever, mailbox=box), Child("a", forever)):
            pytest.fail("the body must not run")
    async with open_supervisor(Child("a", forever, mailbox=box)) as supervisor:
        supervisor.stop()
    with pytest.raises(ValueError, match="make the mailboxes of its children anew"):
        async with open_supervisor(Child("a", forever, mailbox=box)):
            pytest.fail("the body must not run")


async def test_declarations_that_cannot_be_kept_are_refused() -> None:
    for children, options, words in (
        ([Child("a", forever), Child("a", forever)], {}, "named 'a' already"),
        ([Child("a", forever, significant=True)], {}, "no auto_shutdown"),
        ([Child("a", forever, restart=Restart.PERMANENT, significant=True)], {"auto_shutdown": AutoShutdown.ANY_SIGNIFICANT}, "permanent"),
    ):
        with pytest.raises(ValueError, match=words):
            async with open_supervisor(*children, **options):
                pass
    for name in ("", "a/b"):
        with pytest.raises(ValueError, match="part of a path"):
            Child(name, forever)
    with pytest.raises(ValueError, match="from 0"):
        Child("a", forever, shutdown=-1)
    with pytest.raises(TypeError, match="child 'a': expected an async function that takes task_status, found 3"):
        Child("a", 3)  # type: ignore[arg-type]


async def test_a_mailbox_that_is_closed_serves_nobody() -> None:
    box = Mailbox[int]()
    box.close()
    with pytest.raises(ValueError, match="the mailbox of 'a' is closed"):
        async with open_supervisor(Child("a", forever, mailbox=box)):
            pytest.fail("the body must not run")


async def test_one_mailbox_belongs_to_one_child(autojump_clock: MockClock) -> None:
    box = Mailbox[int]()
    with pytest.raises(ValueError, match="belongs to supervisor/a"):
        async with open_supervisor(Child("a", forever, mailbox=box), Child("b", forever, mailbox=box)):
            pass


async def test_unknown_names_are_errors_that_say_who_there_is(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("a", forever)) as supervisor:
        for act in (lambda: supervisor["b"], lambda: supervisor.handle("b")):
            with pytest.raises(KeyError, match=r"no child named 'b'; it has \['a'\]"):
                act()
        supervisor.stop()


async def test_a_mailbox_outlives_the_runs_of_its_child(autojump_clock: MockClock) -> None:
    box = Mailbox[Length](8)
    async with open_supervisor(Child("actor", measure, (box,), mailbox=box, backoff=PROMPT), instruments=[]) as supervisor:
        async with trio.open_nursery() as nursery:

            async def ask(text: str, expected: int) -> None:
                assert await box.address.ask(Length(text)) == expected

            async def die() -> None:
                with pytest.raises(Exception, match="in hand"):
                    await box.address.ask(Length("die"))

            nursery.start_soon(die)
            await wait_all_tasks_blocked()
            nursery.start_soon(ask, "sent while it was down", 22)
        supervisor.stop()


async def test_each_strategy_restarts_whom_it_names(autojump_clock: MockClock) -> None:
    for strategy, runs in (
        (Strategy.ONE_FOR_ONE, [1, 2, 1]),
        (Strategy.ONE_FOR_ALL, [2, 2, 2]),
        (Strategy.REST_FOR_ONE, [1, 2, 2]),
    ):
        log: list[str] = []
        children = [
            Child("a", forever, (log, "a")),
            Child("b", failing(1), backoff=PROMPT),
            Child("c", forever, (log, "c")),
        ]
        async with open_supervisor(*children, strategy=strategy, instruments=[]) as supervisor:
            await trio.sleep(2)
            assert [node.runs for node in supervisor.snapshot().children] == runs
            assert log == [f"down {name}" for name, count in zip("cba", reversed(runs), strict=True) if count == 2 and name != "b"]
            supervisor.stop()


async def test_failures_that_coincide_are_one_restart_of_the_group(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    children = [Child(name, failing(1), backoff=PROMPT) for name in "ab"]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, instruments=[recorder]) as supervisor:
        await trio.sleep(2)
        assert [node.runs for node in supervisor.snapshot().children] == [2, 2]
        supervisor.stop()
    assert len(recorder.of("restarting")) == 1


async def test_a_child_that_has_returned_runs_again_with_its_group(autojump_clock: MockClock) -> None:
    """What it did may be undone by the fall: a sweep is repeated when the journal before it has fallen."""
    sweeps: list[int] = []

    async def sweep(*, task_status: trio.TaskStatus[None]) -> None:
        sweeps.append(1)
        task_status.started()

    children = [Child("journal", failing(1), backoff=PROMPT), Child("sweep", sweep), Child("server", forever)]
    async with open_supervisor(*children, strategy=Strategy.REST_FOR_ONE, instruments=[]) as supervisor:
        await trio.sleep(2)
        assert len(sweeps) == 2
        supervisor.stop()


async def test_a_temporary_child_runs_once_whatever_happens(autojump_clock: MockClock) -> None:
    children = [Child("t", forever, restart=Restart.TEMPORARY), Child("b", failing(1), backoff=PROMPT)]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, instruments=[]) as supervisor:
        await trio.sleep(1)
        assert [(node.runs, node.state) for node in supervisor.snapshot().children] == [(1, "done"), (2, "running")]
        supervisor.stop()


async def test_a_permanent_child_is_run_again_when_it_returns(autojump_clock: MockClock) -> None:
    runs: list[float] = []

    async def brief(*, task_status: trio.TaskStatus[None]) -> None:
        runs.append(trio.current_time())
        task_status.started()

    with trio.move_on_after(0.5):
        async with open_supervisor(Child("brief", brief, restart=Restart.PERMANENT, backoff=PROMPT)):
            await trio.sleep_forever()
    assert runs == pytest.approx([0, 0.1, 0.3])


async def test_a_start_that_fails_later_is_answered_like_any_failure(autojump_clock: MockClock) -> None:
    runs = 0

    async def shaky(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal runs
        runs += 1
        if runs in (2, 3):
            raise OSError("not ready yet")
        task_status.started()
        await trio.sleep(0.01)
        if runs == 1:
            raise ValueError
        await trio.sleep_forever()

    async with open_supervisor(Child("shaky", shaky, backoff=PROMPT), instruments=[]) as supervisor:
        await trio.sleep(3)
        assert runs == 4
        supervisor.stop()


async def test_started_may_be_called_once(autojump_clock: MockClock) -> None:
    async def eager(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with pytest.raises(RuntimeError, match="twice"):
            task_status.started()

    async with open_supervisor(Child("eager", eager)):
        pass


async def test_who_ends_for_good_while_its_group_is_stopped_still_ends_the_block(autojump_clock: MockClock) -> None:
    """Its own end is not taken for the stop that was on its way to it."""

    async def slow_to_stop(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)

    async def job(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(2)

    children = [
        Child("broken", failing(1, after=1), backoff=PROMPT),
        Child("job", job, restart=Restart.TEMPORARY, significant=True),
        Child("slow", slow_to_stop),
    ]
    policy = {"strategy": Strategy.ONE_FOR_ALL, "auto_shutdown": AutoShutdown.ANY_SIGNIFICANT}
    with trio.fail_after(10):
        async with open_supervisor(*children, instruments=[], **policy):
            await trio.sleep_forever()


async def test_a_stop_that_meets_a_restart_of_the_group_lets_the_rest_empty_their_mailboxes(autojump_clock: MockClock) -> None:
    received: list[int] = []

    async def reader(mailbox: Mailbox[int], *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for message in mailbox:
            await trio.sleep(1)
            received.append(message)

    async def slow_to_stop(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)

    box = Mailbox[int]()
    children = [Child("reader", reader, (box,), mailbox=box), Child("broken", failing(1), backoff=PROMPT), Child("slow", slow_to_stop)]
    async with open_supervisor(*children, strategy=Strategy.ONE_FOR_ALL, instruments=[]) as supervisor:
        for number in range(3):
            await box.address.send(number)
        await trio.sleep(0.5)  # the group is being stopped, and waits for the slow one
        supervisor.stop()
    assert received == [0, 1, 2]
