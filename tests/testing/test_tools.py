"""The tools that users test their workflows with, one sentence each."""

from __future__ import annotations

import itertools
import os
import threading
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio import durable, testing
from aion_trio.testing import MemoryStore, double, explore_crashes, open_test_engine, replay_history, run_virtual, run_workflow, simulate


class Declined(Exception):
    pass


@aion.activity(retry=aion.RetryPolicy(max_attempts=3, initial=60.0), raises=(Declined,))
async def charge(order: str, cents: int) -> str:
    raise AssertionError("the real one was called")


@aion.activity
def stamp(text: str) -> str:
    return f"<{text}>"


@aion.workflow
async def checkout(order: str) -> str:
    receipt = await charge(order, 1999)
    await durable.sleep(30 * 86400)
    return await stamp(receipt)


@aion.workflow(name="checkout")
async def checkout_reordered(order: str) -> str:
    await durable.sleep(30 * 86400)
    return await stamp(await charge(order, 1999))


@aion.workflow
async def counts_down(n: int) -> int:
    await stamp(str(n))
    if n > 0:
        durable.continue_as_new(n - 1)
    return n


@aion.workflow(name="counts_down", version=2)
async def counts_down_faster(n: int) -> int:
    if n > 0:
        durable.continue_as_new(n - 2)
    return -1


approval = aion.Signal("approval", bool)


@aion.workflow
async def waits_for_approval() -> bool:
    await durable.sleep(30 * 86400)
    return await approval.receive()


def test_a_workflow_that_nothing_wakes_is_a_failure_that_says_where_it_waits() -> None:
    """Instead of a test that never ends."""
    assert run_workflow(waits_for_approval, signals=[(approval, True)]) is True
    with pytest.raises(AssertionError, match=r"(?s)`signals`.*in waits_for_approval"):
        run_workflow(waits_for_approval)


@pytest.mark.parametrize("seed", range(4))
def test_activities_in_threads_overlap_and_time_goes_on_afterwards(seed: int) -> None:
    """Virtual time stands while any of the threads works: not only until the first has ended, and not for good."""
    both_began, one_recorded = threading.Barrier(2), threading.Event()

    @aion.activity
    def work(number: int) -> None:
        both_began.wait(60)
        assert number == 1 or one_recorded.wait(60)

    @aion.workflow
    async def side_by_side() -> float:
        began = durable.current_time()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(work, 2)
            with durable.move_on_after(3600):
                await work(1)
                one_recorded.set()
        after = durable.current_time()
        await durable.sleep(86400)
        return after - began

    async def main() -> float:
        async with open_test_engine(workflows=[side_by_side], activities=[work]) as engine:
            return await engine.execute(side_by_side)

    assert run_virtual(main, seed=seed) == 0


def test_a_double_returns_a_value_and_keeps_what_it_was_called_with() -> None:
    charging = double(charge, returns="r-1")
    assert run_workflow(checkout, "o-1", activities=[charging, stamp]) == "<r-1>"
    assert charging.calls == [("o-1", 1999)]


def test_a_double_that_fails_in_turn_goes_through_the_activitys_own_retries() -> None:
    charging = double(charge, in_turn=[ConnectionError("reset"), "r-2"])
    assert run_workflow(checkout, "o-1", activities=[charging.definition, stamp]) == "<r-2>"
    assert len(charging.calls) == 2


def test_a_double_computes_its_answer() -> None:
    async def answer(order: str, cents: int) -> str:
        return f"{order}:{cents}"

    assert run_workflow(checkout, "o", activities=[double(charge, does=answer).definition, stamp]) == "<o:1999>"


@pytest.mark.parametrize("answers", [{}, {"returns": "a", "in_turn": ["b"]}, {"in_turn": []}])
def test_a_double_has_one_kind_of_answer(answers: dict[str, object]) -> None:
    with pytest.raises(aion.InvalidInputError):
        double("charge", **answers)


async def local_receipt(order: str, cents: int) -> str:
    return f"{order}:{cents}"


def plain_receipt(order: str, cents: int) -> str:
    return f"{order}:{cents}"


@aion.activity
async def other_charge(order: str, cents: int) -> str:
    return f"{order}:{cents}"


FAKES: list[Any] = [
    [double(charge, does=local_receipt)],
    {charge: local_receipt},
    {"charge": local_receipt},
    {charge: plain_receipt},
    {charge: other_charge},
    {charge: double(charge, does=local_receipt)},
]


@pytest.mark.parametrize("activities", FAKES)
async def test_doubles_are_taken_among_activities_and_a_mapping_says_who_stands_in(activities: Any, autojump_clock: MockClock) -> None:
    async with open_test_engine(workflows=[checkout], activities=activities, doubles={stamp: str.upper}) as engine:
        assert await engine.execute(checkout, "o") == "O:1999"


@pytest.mark.parametrize("activities", FAKES)
def test_a_fake_is_never_passed_over(activities: Any) -> None:
    """Where the real activity would be found by its name, too."""
    assert run_workflow(checkout, "o", activities=activities) == "<o:1999>"


@pytest.mark.parametrize("activities", [[local_receipt], [checkout], ["charge"], {charge: "r-1"}, {local_receipt: local_receipt}])
def test_what_is_no_activity_is_refused_with_what_to_write(activities: Any) -> None:
    async def client(engine: aion.Engine) -> None: ...

    with pytest.raises(aion.DefinitionError, match=r"write double\(|decorated with @activity"):
        run_workflow(checkout, "o", activities=activities)
    with pytest.raises(aion.DefinitionError, match=r"write double\(|decorated with @activity"):
        explore_crashes(client, workflows=[checkout], activities=activities)


async def test_what_starts_a_trio_of_its_own_says_what_to_use_inside_of_one() -> None:
    async def client(engine: aion.Engine) -> None: ...

    calls: list[Any] = [
        lambda: run_workflow(waits_for_approval),
        lambda: explore_crashes(client),
        lambda: run_virtual(trio.sleep, 1),
        lambda: simulate(1),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match=r"open_test_engine.*MockClock"):
            call()


def test_a_simulation_takes_a_seed_and_a_size_and_nothing_else() -> None:
    wrong: list[Any] = [("x",), (1.0,), (True,), (1, 2)]
    for arguments in wrong:
        with pytest.raises(aion.InvalidInputError, match="found"):
            simulate(*arguments)


def test_all_of_the_tools_can_be_imported_beside_a_model_of_ones_own() -> None:
    """A name such as `Order` is the user's."""
    assert "Order" not in testing.__all__ and not hasattr(testing, "Order")
    assert all(hasattr(testing, name) for name in testing.__all__)


def test_a_double_calls_functions_only() -> None:
    with pytest.raises(aion.InvalidInputError, match="returns="):
        double("charge", does="r-1")  # type: ignore[call-overload]


async def test_a_double_by_name_takes_the_place_of_what_is_loaded(autojump_clock: MockClock) -> None:
    charging = double("charge", in_turn=[Declined("no")])
    async with open_test_engine(workflows=[checkout], activities=[charge, stamp], doubles=[charging]) as engine:
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await engine.execute(checkout, "o", id="c")
        assert "Declined: no" in str(caught.value)
    assert charging.calls == [("o", 1999)] * 3


@aion.activity(runs_in="process")
def process_id() -> int:
    return os.getpid()


@aion.workflow
async def asks_for_the_process() -> int:
    return await process_id()


async def test_activities_for_processes_run_in_this_one(autojump_clock: MockClock) -> None:
    """In a thread, for which virtual time waits."""
    async with open_test_engine(workflows=[asks_for_the_process], activities=[process_id]) as engine:
        assert await engine.execute(asks_for_the_process) == os.getpid()


async def test_a_test_engine_lives_in_the_tests_time_and_is_opened_again_on_its_store(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    doubles = [double(charge, returns="r")]
    begun = trio.current_time()
    async with open_test_engine(workflows=[checkout], activities=[stamp], doubles=doubles, store=store) as engine:
        await engine.start(checkout, "o", id="c")
        await trio.sleep(86400)
    async with open_test_engine(workflows=[checkout], activities=[stamp], doubles=doubles, store=store) as engine:
        assert await engine.handle("c").result() == "<r>"
    assert trio.current_time() - begun == pytest.approx(30 * 86400, abs=1)
    assert len(doubles[0].calls) == 1


async def exported(workflow_id: str) -> list[str]:
    async with open_test_engine(workflows=[checkout, counts_down], activities=[stamp], doubles=[double(charge, returns="r")]) as engine:
        await engine.execute(checkout, "o", id="c")
        await engine.execute(counts_down, 3, id="n")
        return await engine.export_history(workflow_id)


async def test_a_history_replays_with_the_code_that_wrote_it(autojump_clock: MockClock) -> None:
    assert replay_history(checkout, await exported("c")) == ("c", 1, 8)


async def test_a_history_does_not_replay_with_other_code_and_the_line_is_named(autojump_clock: MockClock) -> None:
    """K3."""
    with pytest.raises(aion.NonDeterminismError) as caught:
        replay_history(checkout_reordered, await exported("c"))
    assert caught.value.seq == 2
    assert "charge" in caught.value.recorded
    assert "TimerStarted" in caught.value.asked
    assert "test_tools.py" in caught.value.line


async def test_what_is_no_line_of_an_export_is_refused_with_what_is(autojump_clock: MockClock) -> None:
    """Events do not say whose they are, and a replay depends on it."""
    async with open_test_engine(workflows=[counts_down], activities=[stamp]) as engine:
        handle = await engine.start(counts_down, 1)
        await handle.result()
        events = [event async for event in handle.history()]
        text = "\n".join(await engine.export_history(handle.id))
    for wrong in (events, text):
        history: Any = wrong
        with pytest.raises(aion.InvalidInputError, match="export_history"):
            replay_history(counts_down, history)
    assert replay_history(counts_down, text.splitlines()).runs == 2


async def test_each_run_of_a_chain_replays_with_its_own_version(autojump_clock: MockClock) -> None:
    """V1."""
    lines = await exported("n")
    assert replay_history([counts_down, counts_down_faster], lines).runs == 4
    with pytest.raises(aion.WorkflowNotRegisteredError):
        replay_history(counts_down_faster, lines)


async def test_a_prefix_replays_where_a_step_may_be_owed(autojump_clock: MockClock) -> None:
    lines = await exported("c")
    for length in range(1, len(lines)):
        replay_history(checkout, lines[:length], step_owed=True)
    with pytest.raises(aion.NonDeterminismError):
        replay_history(checkout, lines[:1])


_calls = itertools.count()


@aion.workflow
async def looks_outside(n: int) -> str:
    await durable.sleep(1)
    return await stamp(str(next(_calls)))


async def test_code_that_looks_outside_is_found_at_the_step_that_did(autojump_clock: MockClock) -> None:
    """K1, K3: no crash is needed to see it."""
    with pytest.raises(aion.NonDeterminismError) as caught:
        async with open_test_engine(workflows=[looks_outside], activities=[stamp], replay_every_step=True) as engine:
            await engine.execute(looks_outside, 1)
    assert "stamp" in caught.value.asked
    assert "looks_outside" in caught.value.line or "test_tools.py" in caught.value.line


async def test_code_that_looks_nowhere_passes_every_rehearsal(autojump_clock: MockClock) -> None:
    async with open_test_engine(
        workflows=[checkout, counts_down], activities=[stamp], doubles=[double(charge, returns="r")], replay_every_step=True
    ) as engine:
        assert await engine.execute(checkout, "o") == "<r>"
        assert await engine.execute(counts_down, 2) == 0
