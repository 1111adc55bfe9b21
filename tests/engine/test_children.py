"""Children: how their ends reach their parents, and how a parent's end reaches them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable
from aion_trio.events import ChildWorkflowFailed, ChildWorkflowStarted, WorkflowStarted
from aion_trio.stores import MemoryStore

from . import shop
from .evidence import only, owed, quiet
from .harness import cut_after, engine_on, names_of, recovered, until


@aion.workflow
async def ends(how: str) -> str:
    """A child that ends in each way there is, some with help from outside."""
    match how:
        case "completes":
            return "done"
        case "fails":
            raise LookupError("nothing there")
        case "fails with cause":
            try:
                raise OSError(28, "no space")
            except OSError as error:
                raise ValueError("unreadable") from error
        case "continues":
            durable.continue_as_new("completes")
        case _:
            await durable.sleep_forever()
    return "never"


@aion.workflow
async def holds(child_id: str, how: str, timeout: float | None) -> list[Any]:
    """Starts a child by id and tells how it ended."""
    child = await durable.start_child(ends, how, id=child_id, timeout=timeout)
    try:
        return ["completed", await child.result()]
    except aion.ChildWorkflowFailedError as error:
        cause = error.__cause__
        below = None if cause is None else cause.__cause__
        return [error.kind, error.child_id, type(cause).__name__ if cause else None, str(below) if below else None]


@aion.workflow
async def closes(policy: str, how: str) -> str:
    """Starts a child under a parent-close policy and ends in one of the ways there are."""
    await durable.start_child(ends, "hangs", id="child", on_parent_close=policy)  # type: ignore[arg-type]
    await durable.sleep(3)
    match how:
        case "complete":
            return "done"
        case "fail":
            raise ValueError("failed")
        case _:
            await durable.sleep_forever()
    return "never"


WORKFLOWS = [*shop.WORKFLOWS, ends, holds, closes]


def opened(store: Any = None, **settings: Any) -> Any:
    settings.setdefault("workflows", WORKFLOWS)
    return engine_on(store if store is not None else MemoryStore(), **settings)


# ---- how a child ends


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("completes", ["completed", "done"]),
        ("continues", ["completed", "done"]),
        ("fails", ["failed", "kid", "LookupError", None]),
        ("fails with cause", ["failed", "kid", "ValueError", "[Errno 28] no space"]),
        ("cancel", ["cancelled", "kid", None, None]),
        ("terminate", ["terminated", "kid", None, None]),
        ("times out", ["timed_out", "kid", None, None]),
    ],
)
async def test_a_parent_is_told_how_its_child_ended(how: str, outcome: list[Any], autojump_clock: MockClock) -> None:
    """C2: kind and cause, once, through the whole chain of the child; nothing stays owed (J9)."""
    store = MemoryStore()
    async with opened(store) as engine:
        parent = await engine.start(holds, "kid", how, 30.0 if how == "times out" else None, id="p")
        if how in ("cancel", "terminate"):
            await until(engine, "kid", "WorkflowStarted")
            kid = engine.handle("kid")
            await (kid.cancel("by hand") if how == "cancel" else kid.terminate("by hand"))
        assert await parent.result() == outcome
        names = await names_of(engine, "p")
        assert len([name for name in names if name.startswith("ChildWorkflow")]) == 2
        await quiet(store)
        assert owed(store) == []


async def test_a_childs_failure_leaves_the_parent_like_any_exception(autojump_clock: MockClock) -> None:
    """K8: uncaught it fails the parent, and the whole chain of causes is there for the caller."""

    @aion.workflow
    async def trusts() -> str:
        return await ends("fails with cause")

    async with opened(workflows=[*WORKFLOWS, trusts]) as engine:
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await engine.execute(trusts)
        chain = []
        error: BaseException | None = caught.value
        while error is not None:
            chain.append(type(error).__name__)
            error = error.__cause__
        assert chain == ["WorkflowFailedError", "ChildWorkflowFailedError", "ValueError", "OSError"]


async def test_an_id_that_is_taken_is_reported_to_the_parent(autojump_clock: MockClock) -> None:
    """C1: the one failure of a start that code sees; the other workflow is left alone."""
    store = MemoryStore()
    async with opened(store) as engine:
        other = await engine.start(shop.waits, 1, id="kid")
        assert await engine.execute(holds, "kid", "completes", None, id="p") == ["already_started", "kid", None, None]
        (failed,) = await only(engine, "p", ChildWorkflowFailed)
        assert failed.failure[0] == "already_started"
        await other.signal(shop.go, 1)
        assert await other.result() == 2
        await quiet(store)
        assert owed(store) == []


async def test_two_children_cannot_have_one_id(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def twins() -> list[Any]:
        found: list[Any] = []
        for _ in range(2):
            child = await durable.start_child(ends, "completes", id="twin")
            try:
                found.append(await child.result())
            except aion.ChildWorkflowFailedError as error:
                found.append(error.kind)
        return found

    async with opened(workflows=[*WORKFLOWS, twins]) as engine:
        assert await engine.execute(twins) == ["done", "already_started"]


@pytest.mark.parametrize(("how", "outcome"), [("completes", ["completed", "done"]), ("fails", ["already_started"])])
async def test_a_child_that_was_taken_over_is_its_parents_if_it_was_started_as_the_parent_records(
    how: str, outcome: list[Any], autojump_clock: MockClock
) -> None:
    """C1: a parent that was cut in front of a child may go another way when it goes on; the old way's child is not the new one's."""
    way = aion.Signal("way", str)

    @aion.workflow
    async def chooses() -> list[Any]:
        try:
            return ["completed", await ends(await way.receive())]
        except aion.ChildWorkflowFailedError as error:
            return [error.kind]

    async with opened(workflows=[ends, chooses]) as engine:
        parent = await engine.start(chooses, id="p")
        await parent.signal(way, "completes")
        assert await parent.result() == ["completed", "done"]
        (child_id,) = [event.child_id for event in await only(engine, "p", ChildWorkflowStarted)]
        lines = {workflow_id: await engine.export_history(workflow_id) for workflow_id in ("p", child_id)}
    store = MemoryStore()
    await recovered(store, cut_after(lines["p"], "WorkflowStarted"), lines[child_id], workflows=[ends, chooses])
    async with opened(store, workflows=[ends, chooses]) as engine:
        await engine.handle("p").signal(way, how)
        assert await engine.handle("p").result() == outcome
        await trio.sleep(120)  # what the old way's child owes is tried again now and then
        assert owed(store) == []


async def test_a_workflow_cannot_be_its_own_child(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        assert await engine.execute(holds, "p", "completes", None, id="p") == ["already_started", "p", None, None]


async def test_a_child_without_an_id_gets_one_that_follows_from_its_parent(autojump_clock: MockClock) -> None:
    """The same after a replay, and another for each call and each run."""
    async with opened() as engine:
        await engine.execute(shop.family, [1, 2, 3], id="f")
        ids = [event.child_id for event in await only(engine, "f", ChildWorkflowStarted)]
        assert len(set(ids)) == 3 and all(child_id.startswith("f/") for child_id in ids)
        await engine.execute(shop.family, [1, 2, 3], id="f", if_exists="new_run")
        assert len({event.child_id for event in await only(engine, "f", ChildWorkflowStarted)}) == 6


async def test_an_unknown_child_type_is_an_error_before_anything_is_recorded(autojump_clock: MockClock) -> None:
    """C4."""

    @aion.workflow
    async def hopes() -> str:
        try:
            await durable.start_child("nobody", 1)
        except aion.WorkflowNotRegisteredError:
            return "refused"
        return "started"

    async with opened(workflows=[hopes]) as engine:
        assert await engine.execute(hopes, id="h") == "refused"
        assert await names_of(engine, "h") == ["WorkflowStarted", "WorkflowCompleted"]


async def test_a_child_knows_its_parent_and_has_what_it_was_given(autojump_clock: MockClock) -> None:
    """C1: attributes, time-out and parent link are those of the record."""

    @aion.workflow
    async def tells() -> list[Any]:
        info = durable.info()
        return [info.parent.workflow_id if info.parent else None, dict(info.attributes), info.type]

    @aion.workflow
    async def gives() -> list[Any]:
        child = await durable.start_child(tells, id="kid", attributes={"colour": "blue"}, timeout=50)
        return await child.result()

    async with opened(workflows=[tells, gives]) as engine:
        assert await engine.execute(gives, id="p") == ["p", {"colour": "blue"}, "tells"]
        (started,) = await only(engine, "kid", WorkflowStarted)
        assert started.timeout_us == 50_000_000
        description = await engine.handle("kid").describe()
        assert description.parent is not None and description.parent.workflow_id == "p"
        assert [found.id async for found in engine.list_workflows(attributes={"colour": "blue"})] == ["kid"]


async def test_children_side_by_side(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with opened(store) as engine:
        assert await engine.execute(shop.family, list(range(200))) == [2 * n for n in range(200)]
        await quiet(store)
        assert owed(store) == []


async def test_children_of_children(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def nests(depth: int) -> int:
        return 0 if depth == 0 else 1 + await nests(depth - 1)

    store = MemoryStore()
    async with opened(store, workflows=[nests]) as engine:
        assert await engine.execute(nests, 30) == 30
        await quiet(store)
        assert owed(store) == []


# ---- handles


async def test_a_child_handle_signals_cancels_and_waits(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def directs() -> list[Any]:
        listens = await durable.start_child(shop.waits, 40, id="listens")
        hangs = await durable.start_child(shop.hangs, id="hangs")
        await listens.signal(shop.go, 2)
        hangs.cancel()
        hangs.cancel()
        found: list[Any] = [listens.id, await listens.result(), await listens.result()]
        for _ in range(2):
            try:
                await hangs.result()
            except aion.ChildWorkflowFailedError as error:
                found.append(error.kind)
        hangs.cancel()
        return found

    store = MemoryStore()
    async with opened(store, workflows=[*WORKFLOWS, directs]) as engine:
        assert await engine.execute(directs, id="d") == ["listens", 42, 42, "cancelled", "cancelled"]
        assert (await names_of(engine, "d")).count("ChildCancelRequested") == 1
        await quiet(store)
        assert owed(store) == []


async def test_giving_up_the_wait_for_a_childs_result_leaves_the_child_alone(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def looks() -> str:
        child = await durable.start_child(shop.sleeps, 50.0, id="kid")
        with durable.move_on_after(10):
            await child.result()
            return "too early"
        return await child.result()

    async with opened(workflows=[*WORKFLOWS, looks]) as engine:
        assert await engine.execute(looks) == "rested"


async def test_cancelling_an_awaited_child_returns_at_once_and_reaches_it(autojump_clock: MockClock) -> None:
    """K9: the scope does not wait; the child's closing is recorded once and goes to no code (C2)."""

    @aion.workflow
    async def slow_to_stop() -> str:
        try:
            await durable.sleep_forever()
        finally:
            with durable.CancelScope(shield=True):
                await durable.sleep(30)

    @aion.workflow
    async def gives_up() -> float:
        begun = durable.current_time()
        with durable.move_on_after(5):
            await slow_to_stop()
        gone = durable.current_time() - begun
        await durable.sleep(100)
        return round(gone, 3)

    store = MemoryStore()
    async with opened(store, workflows=[gives_up, slow_to_stop]) as engine:
        assert await engine.execute(gives_up, id="g") == 5
        names = await names_of(engine, "g")
        assert names[1:] == [
            "ChildWorkflowStarted", "DeadlinePassed", "ChildCancelRequested", "TimerStarted", "ChildWorkflowFailed", "TimerFired",
            "WorkflowCompleted",
        ]  # fmt: skip
        await quiet(store)
        assert owed(store) == []


async def test_a_child_that_is_cancelled_in_the_step_that_starts_it_ends_cancelled(autojump_clock: MockClock) -> None:
    """C1, K9: record, then do, in that order, though both are recorded at once."""

    @aion.workflow
    async def hasty() -> str:
        child = await durable.start_child(shop.hangs, id="kid")
        child.cancel()
        try:
            return await child.result()
        except aion.ChildWorkflowFailedError as error:
            return error.kind

    store = MemoryStore()
    async with opened(store, workflows=[*WORKFLOWS, hasty]) as engine:
        assert await engine.execute(hasty) == "cancelled"
        await quiet(store)
        assert owed(store) == []


# ---- parent-close policies (C3)

EXPECTED = {
    "terminate": aion.WorkflowStatus.TERMINATED,
    "cancel": aion.WorkflowStatus.CANCELLED,
    "abandon": aion.WorkflowStatus.RUNNING,
}


@pytest.mark.parametrize("policy", ["terminate", "cancel", "abandon"])
@pytest.mark.parametrize("how", ["complete", "fail", "cancel", "terminate", "time out"])
@pytest.mark.parametrize("resident", [True, False])
async def test_every_way_in_which_a_parent_closes_reaches_its_child(
    policy: str, how: str, resident: bool, autojump_clock: MockClock
) -> None:
    """C3, L2: also where neither of the two is in memory."""
    store = MemoryStore()
    async with opened(store, idle_after=60.0 if resident else 0.5) as engine:
        parent = await engine.start(closes, policy, how, id="p", timeout=30 if how == "time out" else None)
        await until(engine, "child", "WorkflowStarted")
        await trio.sleep(5)
        if how == "cancel":
            await parent.cancel()
        elif how == "terminate":
            await parent.terminate()
        try:
            await parent.result()
        except aion.AionError:
            pass
        await quiet(store)
        child = engine.handle("child")
        assert (await child.describe()).status is EXPECTED[policy]
        assert owed(store) == []
        if policy == "abandon":
            await child.terminate()
            await quiet(store)
            assert owed(store) == []


async def test_continue_as_new_is_no_close_for_a_child(autojump_clock: MockClock) -> None:
    """C3: the child goes on, and its end goes to no code of the successor."""

    @aion.workflow
    async def hands_over(first: bool) -> str:
        if first:
            await durable.start_child(shop.waits, 1, id="kid")
            durable.continue_as_new(False)
        await durable.sleep(100)
        return "successor"

    store = MemoryStore()
    async with opened(store, workflows=[*WORKFLOWS, hands_over]) as engine:
        parent = await engine.start(hands_over, True, id="p")
        await until(engine, "kid", "WorkflowStarted")
        await trio.sleep(10)
        assert (await engine.handle("kid").describe()).status is aion.WorkflowStatus.RUNNING
        await engine.handle("kid").signal(shop.go, 1)
        assert await engine.handle("kid").result() == 2
        assert await parent.result() == "successor"
        await quiet(store)
        assert owed(store) == []


async def test_a_detached_child_tells_a_parent_that_has_closed_nothing(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with opened(store) as engine:
        assert await engine.execute(shop.starts_and_leaves, "kid", "abandon", id="p") == "kid"
        closed = await names_of(engine, "p")
        await engine.handle("kid").terminate()
        await quiet(store)
        assert await names_of(engine, "p") == closed
        assert owed(store) == []


async def test_a_family_falls_with_its_root(autojump_clock: MockClock) -> None:
    """C3: down to the last grandchild."""

    @aion.workflow
    async def nests(depth: int) -> None:
        if depth:
            await durable.start_child(nests, depth - 1, id=f"n{depth - 1}")
        await durable.sleep_forever()

    store = MemoryStore()
    async with opened(store, workflows=[nests]) as engine:
        root = await engine.start(nests, 5, id="n5")
        await until(engine, "n0", "WorkflowStarted")
        await root.terminate()
        for depth in range(6):
            with pytest.raises(aion.WorkflowTerminatedError):
                await engine.handle(f"n{depth}").result()
        await quiet(store)
        assert owed(store) == []


async def test_pending_children_can_be_seen(autojump_clock: MockClock) -> None:
    async with opened() as engine:
        parent = await engine.start(holds, "kid", "hangs", None, id="p")
        await until(engine, "kid", "WorkflowStarted")
        assert [(child.ordinal, child.id) for child in (await parent.describe()).pending_children] == [(1, "kid")]


@pytest.mark.parametrize("bad", ["", "x" * 1000, "\ud800", "a\0b"])
async def test_a_child_with_an_id_that_cannot_be_does_not_hang_its_parent(bad: str, autojump_clock: MockClock) -> None:
    @aion.workflow
    async def names_badly() -> str:
        bad_id = {0: "", 1000: "x" * 1000, 1: "\ud800", 3: "a\0b"}[len(bad)]
        try:
            child = await durable.start_child(ends, "completes", id=bad_id)
            return await child.result()
        except (aion.InvalidInputError, aion.ChildWorkflowFailedError) as error:
            return type(error).__name__

    async with opened(workflows=[ends, names_badly]) as engine:
        handle = await engine.start(names_badly, id="n")
        with trio.fail_after(1000):
            try:
                assert await handle.result() in ("InvalidInputError", "ChildWorkflowFailedError", "done")
            except aion.WorkflowQuarantinedError as error:
                assert "cannot be stored" in error.reason
