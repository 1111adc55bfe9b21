"""Looking from outside: listings, descriptions, histories, results, the tree; and how the block is left."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import Event
from aion_trio.stores import MemoryStore
from aion_trio.supervision import Node

from . import shop
from .evidence import owed, quiet, records, silent_log
from .harness import engine_on, history_of, names_of, until

Status = aion.WorkflowStatus


@aion.workflow
async def fails(how: str) -> None:
    match how:
        case "plain":
            raise ValueError("bad value")
        case "caused":
            try:
                raise KeyError("missing")
            except KeyError as error:
                raise RuntimeError("no luck") from error
        case "ours":
            raise Sorry(3)
        case "group":
            async with durable.open_nursery() as nursery:
                nursery.start_soon(shop.never_again)
                nursery.start_soon(shop.declines, "no")
        case "activity":
            await shop.never_again()
        case _:
            raise AssertionError


class Sorry(Exception):
    """An exception of the program's own."""


WORKFLOWS = [*shop.WORKFLOWS, fails]


def opened(store: Any = None, **settings: Any) -> Any:
    settings.setdefault("workflows", WORKFLOWS)
    return engine_on(store if store is not None else MemoryStore(), **settings)


# ---- listings


async def test_listings_filter_by_status_type_attributes_and_times(autojump_clock: MockClock) -> None:
    async with opened() as engine:

        async def ids(**conditions: Any) -> list[str]:
            found = sorted([summary.id async for summary in engine.list_workflows(**conditions)])
            assert await engine.count_workflows(**conditions) == len(found)
            return found

        await engine.execute(shop.double, 1, id="d1", attributes={"team": "red", "n": 1})
        await trio.sleep(100)
        await engine.start(shop.waits, 1, id="w1", attributes={"team": "red", "n": 2})
        await engine.start(shop.waits, 2, id="w2", attributes={"team": "blue", "n": 2})
        for how in ("terminate", "cancel"):
            handle = await engine.start(shop.hangs, id=how)
            await (handle.terminate() if how == "terminate" else handle.cancel())
        with pytest.raises(aion.WorkflowFailedError):
            await engine.execute(fails, "plain", id="f")
        with pytest.raises(aion.WorkflowTimedOutError):
            await engine.execute(shop.hangs, id="t", timeout=1)
        await engine.execute(shop.parent, 3, id="p")

        everything = await ids()
        assert len(everything) == 9, "children included"
        assert await ids(status=Status.RUNNING) == ["w1", "w2"]
        assert await ids(status=Status.TERMINATED) == ["terminate"]
        assert await ids(status=[Status.CANCELLED, Status.FAILED, Status.TIMED_OUT]) == ["cancel", "f", "t"]
        assert await ids(status=[]) == []
        assert await ids(type="waits") == ["w1", "w2"] and await ids(type="nobody") == []
        assert await ids(attributes={"team": "red"}) == ["d1", "w1"]
        assert await ids(attributes={"team": "red", "n": 2}) == ["w1"]
        assert await ids(attributes={"n": 2.0}) == [] and await ids(attributes={"n": True}) == []
        assert await ids(type="waits", status=Status.RUNNING, attributes={"team": "blue"}) == ["w2"]

        begun = (await engine.handle("w1").describe()).started_at
        assert await ids(started_before=begun) == ["d1"]
        assert "w1" in await ids(started_after=begun) and "d1" not in await ids(started_after=begun)
        assert await ids(closed_before=begun) == ["d1"]
        assert "w1" not in await ids(closed_after=begun) and "p" in await ids(closed_after=begun)
        assert await ids(started_after=begun + timedelta(days=1)) == []


async def test_a_listing_shows_the_newest_run_of_each_id(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        first = await engine.start(shop.waits, 1, id="w")
        await first.terminate()
        second = await engine.start(shop.double, 1, id="w", if_exists="new_run", attributes={"x": 1})
        await second.result()
        (summary,) = [found async for found in engine.list_workflows()]
        assert (summary.id, summary.run_id, summary.type, summary.status) == ("w", second.run_id, "double", Status.COMPLETED)
        assert summary.attributes == {"x": 1}
        assert summary.closed_at is not None and summary.closed_at.tzinfo is UTC
        assert await engine.count_workflows(type="waits") == 0


async def test_long_listings_are_paged_inside(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        for n in range(2500):
            await engine.start(shop.waits, n, id=f"{n:04}")
        seen = [found.id async for found in engine.list_workflows(status=Status.RUNNING, type="waits")]
        assert sorted(seen) == [f"{n:04}" for n in range(2500)]
        assert await engine.count_workflows() == 2500


async def test_a_listing_that_is_left_early_leaves_nothing_open(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        for n in range(5):
            await engine.start(shop.waits, n)
        listing = engine.list_workflows()
        async for _ in listing:
            break
        await listing.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "wrong",
    [{"started_after": datetime(2026, 1, 1)}, {"closed_before": 3.0}, {"status": "walking"}, {"status": 3}, {"attributes": {"x": None}}],
)
async def test_a_filter_that_means_nothing_is_refused(wrong: Any, autojump_clock: MockClock) -> None:
    async with opened() as engine:
        await engine.start(shop.waits, 1, attributes={"x": 1})
        with pytest.raises(aion.InvalidInputError):
            await engine.count_workflows(**wrong)


async def test_a_status_may_be_named(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        await engine.start(shop.waits, 1)
        await engine.execute(shop.sleeps, 1.0)
        assert await engine.count_workflows(status="running") == 1
        assert await engine.count_workflows(status=["running", Status.COMPLETED]) == 2
        assert [found.type async for found in engine.list_workflows(status="completed")] == ["sleeps"]


# ---- descriptions


async def test_a_description_tells_all_that_is_known(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.gives_up_after, 50.0, id="g", attributes={"k": "v"})
        await until(engine, "g", "ActivityScheduled")
        found = await handle.describe()
        assert (found.id, found.run_id, found.type, found.version) == ("g", handle.run_id, "gives_up_after", 1)
        assert (found.status, found.closed_at, found.quarantine, found.parent) == (Status.RUNNING, None, None, None)
        assert found.attributes == {"k": "v"}
        assert found.history_length == 2 and found.history_bytes > 20
        (activity,) = found.pending_activities
        assert (activity.ordinal, activity.type, activity.attempt, activity.served, activity.queue) == (1, "hang", 1, True, "default")
        assert found.next_wakeup == found.started_at + timedelta(seconds=50)
        await handle.result()
        closed = await handle.describe()
        assert (closed.status, closed.pending_activities, closed.pending_children, closed.next_wakeup) == (Status.COMPLETED, (), (), None)
        assert closed.closed_at is not None and closed.closed_at > closed.started_at
        assert closed.history_length == len(await history_of(engine, "g"))


async def test_a_handle_of_an_earlier_run_describes_that_run(autojump_clock: MockClock) -> None:
    """And one of a run that never was says so, instead of answering for another."""

    @aion.workflow
    async def twice(n: int) -> int:
        durable.set_attributes({"n": n})
        if n == 1:
            durable.continue_as_new(2)
        return await shop.add(n, 1)

    async with opened(workflows=[twice]) as engine:
        first = await engine.start(twice, 1, id="t")
        await first.result()
        assert first.run_id is not None
        found, newest = await engine.handle("t", first.run_id).describe(), await engine.handle("t").describe()
        assert (found.run_id, found.status, found.attributes) == (first.run_id, Status.CONTINUED_AS_NEW, {"n": 1})
        assert (newest.status, newest.attributes) == (Status.COMPLETED, {"n": 2}) and newest.run_id != found.run_id
        assert found.closed_at is not None and 0 < found.history_bytes <= newest.history_bytes
        assert 0 < found.history_length < newest.history_length
        assert await engine.handle("t", newest.run_id).describe() == newest
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("t", "00" * 16).describe()


async def test_a_description_shows_the_back_off(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.retried, 1, id="r")
        await until(engine, "r", "ActivityAttemptFailed")
        (activity,) = (await handle.describe()).pending_activities
        assert activity.attempt == 2
        assert (activity.due - (await handle.describe()).started_at).total_seconds() == pytest.approx(10, abs=0.01)


async def test_an_activity_that_nobody_serves_was_due_when_it_was_scheduled(autojump_clock: MockClock) -> None:
    """A7."""
    async with opened(activities=[]) as engine:
        handle = await engine.start(shop.counts_down, 1)
        await until(engine, handle.id, "ActivityScheduled")
        description = await handle.describe()
        (activity,) = description.pending_activities
        assert (activity.due, activity.served) == (description.started_at, False)


# ---- histories


async def test_a_history_is_numbered_and_in_order(autojump_clock: MockClock) -> None:
    """H1, H8."""
    async with opened() as engine:
        await engine.execute(shop.counts_down, 3, id="c")
        events = await history_of(engine, "c")
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert all(isinstance(event, Event) and event.recorded_at.tzinfo is not None for event in events)
        assert [event.recorded_at for event in events] == sorted(event.recorded_at for event in events)


async def test_a_history_can_be_followed(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.sums, 0, id="s")
        seen: list[str] = []

        async def follow() -> None:
            async for event in handle.history(follow=True):
                seen.append(type(event).__name__)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await trio.sleep(1)
            assert seen == ["WorkflowStarted"]
            for value in (1, 2, -1):
                await handle.signal(shop.go, value)
            await handle.result()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert seen == ["WorkflowStarted", "SignalReceived", "SignalReceived", "SignalReceived", "WorkflowCompleted"]


async def test_a_history_without_follow_ends_at_the_head_found_at_the_call(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        handle = await engine.start(shop.sums, 0, id="s")
        await handle.signal(shop.go, 1)
        seen = []
        async for event in handle.history():
            seen.append(event.seq)
            await handle.signal(shop.go, 1)
        assert seen == [1, 2]


# ---- results


async def test_a_failure_is_the_cause_of_the_error(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        for how, types in {
            "plain": ["ValueError"], "caused": ["RuntimeError", "KeyError"], "activity": ["ActivityFailedError", "KeyError"],
        }.items():  # fmt: skip
            with pytest.raises(aion.WorkflowFailedError) as caught:
                await engine.execute(fails, how)
            error, found = caught.value.__cause__, []
            while error is not None:
                found.append(type(error).__name__)
                error = error.__cause__
            assert found[: len(types[:1])] == types[:1], how


async def test_an_exception_of_the_programs_own_is_told_by_type_and_text(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        with pytest.raises(aion.WorkflowFailedError, match="Sorry: 3"):
            await engine.execute(fails, "ours")
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await engine.execute(fails, "group")
        assert any(name in str(caught.value) for name in ("Declined", "ActivityFailedError"))  # whichever failed first


async def test_results_are_plain_data_where_the_definition_is_not_loaded(autojump_clock: MockClock) -> None:
    """H6."""

    @aion.workflow
    async def tells() -> dict[str, datetime]:
        return {"at": datetime(2026, 1, 1, tzinfo=UTC)}

    store = MemoryStore()
    async with opened(store, workflows=[tells]) as engine:
        typed = await engine.execute(tells, id="t")
        assert typed == {"at": datetime(2026, 1, 1, tzinfo=UTC)}
    async with opened(store, workflows=[]) as engine:
        plain = await engine.handle("t").result()
        assert set(plain) == {"at"}
        with pytest.raises(aion.AionError):
            await engine.handle("t").query("anything")


# ---- moving histories


async def test_a_history_goes_out_and_comes_in_exactly(autojump_clock: MockClock) -> None:
    """A workflow with everything in it; the rows that the import makes are those that were."""
    store, other = MemoryStore(), MemoryStore()
    async with opened(store) as engine:
        await engine.execute(shop.gives_up_after, 5.0, id="a", attributes={"n": 1, "at": datetime(2026, 1, 1, tzinfo=UTC)})
        await engine.execute(shop.counts_down, 2, id="b", request_id="r")
        await engine.execute(shop.sends, "nobody", 1, id="c")
        with pytest.raises(aion.WorkflowFailedError):
            await engine.execute(fails, "caused", id="d")
        await engine.execute(shop.retried, 4, id="e")
        await quiet(store)
        lines = {workflow_id: await engine.export_history(workflow_id) for workflow_id in "abcde"}
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.export_history("nobody")
    for line in lines["a"]:
        assert {"workflow_id", "seq", "at", "type"} <= set(json.loads(line))
    async with opened(other) as engine:
        for workflow_id in "abcde":
            assert await engine.import_history(lines[workflow_id]) == workflow_id
        with pytest.raises(aion.WorkflowAlreadyStartedError):
            await engine.import_history(lines["a"])
        assert {key: await engine.export_history(key) for key in "abcde"} == lines
        assert await engine.handle("b").result() == "zero"
        assert (await engine.start(shop.counts_down, 2, id="b", request_id="r", if_exists="fail")).id == "b"
    assert owed(other) == []


@pytest.mark.parametrize("spoil", ["empty", "nonsense", "gap", "two ids", "no start", "unknown event"])
async def test_lines_that_are_no_history_are_refused(spoil: str, autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with opened(store) as engine:
        await engine.execute(shop.double, 1, id="a")
        lines = await engine.export_history("a")
        bad: list[str] = {
            "empty": [], "nonsense": ["{"], "gap": [lines[0], lines[2]], "two ids": [lines[0], lines[1].replace('"a"', '"b"')],
            "no start": [line.replace('"seq": 2', '"seq": 1') for line in lines[1:2]],
            "unknown event": [lines[0], lines[1].replace("ActivityScheduled", "Unheard")],
        }[spoil]  # fmt: skip
        bad = [line.replace('"workflow_id": "a"', '"workflow_id": "new"') for line in bad]
        before = records(store)
        with pytest.raises((aion.InvalidInputError, aion.UnknownEventError)):
            await engine.import_history(bad)
        assert records(store) == before


# ---- the tree and the log


async def test_the_tree_shows_the_actors_and_who_is_in_memory(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        await engine.start(shop.waits, 1, id="w")
        root = engine.tree()

        def names(node: Node) -> list[str]:
            return [node.name, *(name for child in node.children for name in names(child))]

        found = names(root)
        assert found[0] == "engine"
        assert [name for name in found if name in ("journal", "timers", "activities", "runs", "recovery")] == [
            "journal", "timers", "activities", "runs", "recovery",
        ]  # fmt: skip
        assert "w" in found


async def test_normal_work_says_nothing_at_warning(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    with silent_log(caplog):
        for _ in range(2):
            store = MemoryStore()
            async with opened(store, idle_after=5.0) as engine:
                await engine.execute(shop.family, [1, 2, 3])
                await engine.execute(shop.counts_down, 5)
                await engine.execute(shop.sends, "nobody", 1)
                handle = await engine.start(shop.cleans_up, 1)
                await trio.sleep(20)
                await handle.cancel()
                with pytest.raises(aion.WorkflowCancelledError):
                    await handle.result()
                with pytest.raises(aion.WorkflowFailedError):
                    await engine.execute(fails, "plain")
                await (await engine.start(shop.starts_and_leaves, "kid", "terminate", id="s")).result()
                await engine.start(shop.hangs)


async def test_the_workflows_log_is_written_live_only(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """K6: once, with the workflow's id, however often it is replayed."""

    @aion.workflow
    async def talks() -> None:
        durable.logger.info("begun")
        await shop.go.receive()
        durable.logger.info("heard")

    store = MemoryStore()
    with caplog.at_level(logging.INFO, logger="aion_trio.workflow"):
        async with opened(store, workflows=[talks]) as engine:
            await engine.start(talks, id="t")
        for _ in range(3):
            async with opened(store, workflows=[talks], idle_after=1.0) as engine:
                await engine.handle("t").signal("unheard", 1)
                await trio.sleep(10)
        async with opened(store, workflows=[talks]) as engine:
            await engine.handle("t").signal(shop.go, 1)
            await engine.handle("t").result()
    said = [(record.getMessage(), record.__dict__["workflow_id"]) for record in caplog.records if record.name == "aion_trio.workflow"]
    assert said == [("begun", "t"), ("heard", "t")]


# ---- leaving


class Mine(Exception):
    pass


@pytest.mark.parametrize("error", [Mine("x"), KeyboardInterrupt(), ExceptionGroup("mine", [Mine("y")]), SystemExit(3)])
async def test_what_the_block_raises_comes_out_as_it_was(error: BaseException, autojump_clock: MockClock) -> None:
    """The very object, with its cause, its context and nothing around it; what ran is parked."""
    cause = ValueError("why")
    store = MemoryStore()
    with pytest.raises(type(error)) as caught:
        async with opened(store) as engine:
            await engine.start(shop.hangs, id="h")
            await until(engine, "h", "ActivityScheduled")
            raise error from cause
    assert caught.value is error
    assert error.__cause__ is cause
    async with opened(store) as engine:
        assert engine.recovery.activities_resumed == 1


async def test_cancelling_the_block_from_outside_parks(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    with trio.move_on_after(5) as scope:
        async with opened(store) as engine:
            await engine.execute(shop.hangs, id="h")
    assert scope.cancelled_caught
    async with opened(store) as engine:
        assert engine.recovery.activities_resumed == 1


async def test_leaving_the_block_leaves_the_journal_as_a_kill_does(autojump_clock: MockClock) -> None:
    """R10: what is recorded at the moment of leaving is all that is recorded."""
    store = MemoryStore()
    async with opened(store) as engine:
        await engine.start(shop.hangs, id="h")
        await engine.start(shop.waits, 1, id="w")
        await engine.start(shop.holds_child, "kid", id="p")
        await engine.start(shop.sleeps, 3600.0, id="s")
        await engine.start(shop.retried, 3, id="r", timeout=500)
        await engine.start(shop.cleans_up, 3, id="c")
        await until(engine, "kid", "WorkflowStarted")
        await until(engine, "r", "ActivityAttemptFailed")
        await quiet(store)
        killed = records(store)
    assert records(store) == killed


async def test_an_engine_that_was_left_answers_with_an_error(tmp_path: Path) -> None:
    async with opened(tmp_path / "journal") as engine:
        handle = await engine.start(shop.waits, 1, id="w")
    for call in (
        lambda: handle.signal(shop.go, 1), lambda: engine.start(shop.waits, 1), handle.cancel, handle.describe, handle.result,
        lambda: engine.export_history("w"), engine.count_workflows,
    ):  # fmt: skip
        with pytest.raises(aion.EngineClosedError):
            await call()


async def test_who_waits_outside_of_the_block_is_told_when_it_is_left(autojump_clock: MockClock) -> None:
    """For a result, or for news of a history; the workflow goes on with the next open."""
    told: list[str] = []

    async def wait(handle: aion.WorkflowHandle[int]) -> None:
        with pytest.raises(aion.EngineClosedError):
            await handle.result()
        told.append("result")

    async def follow(handle: aion.WorkflowHandle[int]) -> None:
        with pytest.raises(aion.EngineClosedError):
            async for _ in handle.history(follow=True):
                told.append("event")
        told.append("history")

    store = MemoryStore()
    async with trio.open_nursery() as outside:
        async with opened(store) as engine:
            handle = await engine.start(shop.waits, 1, id="w")
            outside.start_soon(wait, handle)
            outside.start_soon(follow, handle)
            await trio.sleep(1)
    assert sorted(told) == ["event", "history", "result"]


async def test_starts_that_were_acknowledged_while_the_block_was_left_are_there(tmp_path: Path) -> None:
    """J3: on disk, with a hundred of them under way."""
    acknowledged: list[int] = []

    async def begin(engine: aion.Engine, n: int) -> None:
        try:
            await engine.start(shop.parent, n, id=str(n))
        except (aion.EngineClosedError, aion.AppendOutcomeUnknown):
            return
        acknowledged.append(n)

    async with trio.open_nursery() as outside:
        async with opened(tmp_path / "journal") as engine:
            for n in range(100):
                outside.start_soon(begin, engine, n)
            while len(acknowledged) < 20:
                await trio.lowlevel.checkpoint()
    async with opened(tmp_path / "journal") as engine:
        for n in acknowledged:
            assert await engine.handle(str(n)).result() == 1000 + 2 * n


async def test_engines_can_be_opened_side_by_side(tmp_path: Path) -> None:
    async with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        assert await one.execute(shop.double, 1, id="d") == 2
        assert await two.count_workflows() == 0
        assert await two.execute(shop.double, 5, id="d") == 10
        assert await names_of(one, "d") == await names_of(two, "d")
