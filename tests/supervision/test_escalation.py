"""What goes up, and how: nothing is masked, nothing is lost, and everything can be caught by type."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aion_trio.supervision import Budget, Child, GaveUp, Restart, StartFailed, open_supervisor, supervise

from .scenes import PROMPT, Recorder, failing, forever


async def test_a_spent_budget_gives_up_with_the_failures_that_spent_it(autojump_clock: MockClock) -> None:
    log: list[str] = []
    recorder = Recorder()
    children = [Child("a", forever, (log, "a")), Child("b", failing(99), backoff=PROMPT)]
    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor(*children, budget=Budget(3, 5.0), instruments=[recorder]):
            await trio.sleep_forever()
    (error,) = caught.value.exceptions
    assert isinstance(error, GaveUp) and [str(each) for each in error.failures] == ["run 1", "run 2", "run 3", "run 4"]
    assert isinstance(error.__cause__, ExceptionGroup) and error.__cause__.exceptions == error.failures
    assert log == ["down a"] and len(recorder.of("gave up")) == 1


async def test_except_star_catches_it_by_type(autojump_clock: MockClock) -> None:
    caught: list[Exception] = []
    try:
        async with open_supervisor(Child("b", failing(99, KeyError("x")), backoff=PROMPT), instruments=[]):
            pass
    except* GaveUp as group:
        caught.extend(group.exceptions)
    assert len(caught) == 1


async def test_failures_further_apart_than_the_window_never_give_up(autojump_clock: MockClock) -> None:
    with trio.move_on_after(100) as scope:
        async with open_supervisor(Child("b", failing(99, after=2), backoff=PROMPT), budget=Budget(3, 5.0), instruments=[]):
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_nested_supervisor_that_gives_up_is_a_failed_child(autojump_clock: MockClock) -> None:
    inner = Child("leaf", failing(99), backoff=PROMPT)
    recorder = Recorder()
    with pytest.RaisesGroup(GaveUp):
        async with open_supervisor(Child("team", supervise, (inner,), backoff=PROMPT), budget=Budget(1, 9.0), instruments=[recorder]):
            await trio.sleep_forever()
    (final,) = [failures for name, failures in recorder.of("gave up") if name == "supervisor"]
    assert [type(error) for error in final] == [GaveUp, GaveUp], "plain exceptions, in no group"
    assert [name for name, _ in recorder.of("gave up")] == ["team", "team", "supervisor"]


async def test_a_child_that_does_not_start_at_first_fails_the_block(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def broken(*, task_status: trio.TaskStatus[None]) -> None:
        raise OSError("no disk")

    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor(Child("a", forever, (log, "a")), Child("broken", broken), instruments=[]):
            pytest.fail("the body must not run")
    (error,) = caught.value.exceptions
    assert isinstance(error, StartFailed) and isinstance(error.__cause__, OSError) and log == ["down a"]


async def test_returning_before_started_is_a_failure_to_start(autojump_clock: MockClock) -> None:
    async def hasty(*, task_status: trio.TaskStatus[None]) -> None: ...

    with pytest.RaisesGroup(StartFailed):
        async with open_supervisor(Child("hasty", hasty), instruments=[]):
            pytest.fail("the body must not run")


@pytest.mark.parametrize("restart", list(Restart))
async def test_a_keyboard_interrupt_is_never_restarted_and_never_masked(autojump_clock: MockClock, restart: Restart) -> None:
    log: list[str] = []
    runs: list[int] = []

    async def interrupted(*, task_status: trio.TaskStatus[None]) -> None:
        runs.append(1)
        task_status.started()
        await trio.sleep(0.1)
        raise KeyboardInterrupt

    with pytest.RaisesGroup(KeyboardInterrupt):
        async with open_supervisor(Child("a", forever, (log, "a")), Child("k", interrupted, restart=restart), instruments=[]):
            await trio.sleep_forever()
    assert runs == [1] and log == ["down a"]


async def test_a_group_with_a_keyboard_interrupt_goes_up_whole(autojump_clock: MockClock) -> None:
    async def mixed(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(0.1)
        raise BaseExceptionGroup("both", [ValueError("v"), KeyboardInterrupt()])

    with pytest.RaisesGroup(pytest.RaisesGroup(ValueError, KeyboardInterrupt)):
        async with open_supervisor(Child("mixed", mixed), instruments=[]):
            await trio.sleep_forever()


async def test_a_group_of_exceptions_is_an_ordinary_failure(autojump_clock: MockClock) -> None:
    async with open_supervisor(Child("g", failing(1, ExceptionGroup("g", [ValueError()])), backoff=PROMPT), instruments=[]) as supervisor:
        await trio.sleep(1)
        assert supervisor.handle("g").runs == 2
        supervisor.stop()


async def test_what_the_body_raises_comes_with_what_the_stopping_raised(autojump_clock: MockClock) -> None:
    async def dirty(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("while cleaning up")

    with pytest.RaisesGroup(LookupError, pytest.RaisesGroup(OSError)):
        async with open_supervisor(Child("dirty", dirty), instruments=[]):
            raise LookupError("body")


async def test_supervise_raises_several_errors_as_a_group_and_one_as_itself(autojump_clock: MockClock) -> None:
    with pytest.raises(GaveUp):
        await supervise(Child("leaf", failing(99), backoff=PROMPT), instruments=[])

    async def dirty(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("while cleaning up")

    interrupted = failing(1, KeyboardInterrupt())
    with pytest.RaisesGroup(KeyboardInterrupt, pytest.RaisesGroup(OSError)):
        await supervise(Child("dirty", dirty), Child("interrupted", interrupted), instruments=[])


async def test_what_supervise_raises_is_not_in_its_own_context(autojump_clock: MockClock) -> None:
    """Whoever walks the chain of causes and contexts of an error, as loggers do, must come to its end."""
    with pytest.raises(GaveUp) as caught:
        await supervise(Child("leaf", failing(99), backoff=PROMPT), instruments=[])
    error: BaseException | None = caught.value.__context__
    while error is not None:
        assert not (isinstance(error, BaseExceptionGroup) and caught.value in error.exceptions)
        error = error.__context__


async def test_a_failed_start_comes_with_what_the_stopping_raised(autojump_clock: MockClock) -> None:
    async def dirty(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("while cleaning up")

    async def broken(*, task_status: trio.TaskStatus[None]) -> None:
        raise LookupError("no configuration")

    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor(Child("dirty", dirty), Child("broken", broken), instruments=[]):
            pytest.fail("the body must not run")
    (failed,) = caught.value.exceptions
    assert isinstance(failed, StartFailed) and "supervisor/broken did not start" in str(failed)
    assert pytest.RaisesGroup(LookupError, OSError).matches(failed.__cause__)
