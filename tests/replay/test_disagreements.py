"""What is told of code and history that disagree, and what counts as agreeing (K3, K4)."""

from __future__ import annotations

import os
import zlib
from typing import Any

import pytest
import sniffio
import trio

import aion_trio as aion
from aion_trio import durable, events as ev
from aion_trio.codec import Codec, encode
from aion_trio.events import Raw
from aion_trio.kernel.context import current

from .plays import START_US, Play
from .steps import approval, charge, delivery, progress, readdress
from .test_nondeterminism import KNOWN, history_of, mismatch, recorded


def test_the_code_does_not_go_on_behind_a_command_that_differs() -> None:
    """K4: it is found out at that very line, also at a command that waits for nothing."""
    seen: list[str] = []

    async def sets_one() -> None:
        durable.set_attributes({"a": 1})

    async def sets_another() -> None:
        durable.set_attributes({"a": 2})
        seen.append("went on")

    error = mismatch(sets_another, history_of(sets_one))
    assert seen == []
    assert error.ordinal == 1 and error.recorded == "AttributesUpdated (command 1)"
    assert error.asked == "AttributesUpdated (command 1) with another input"


def test_attributes_in_the_place_of_an_activity_are_told_by_their_number() -> None:
    async def sets() -> None:
        await charge("a", 5)
        durable.set_attributes({"a": 1})

    error = mismatch(sets, history_of(recorded))
    assert (error.ordinal, error.asked) == (2, "AttributesUpdated (command 2)")
    assert "command 2: history has ActivityScheduled: ship (command 2)" in str(error)


def test_the_number_that_is_told_is_that_of_whichever_has_one() -> None:
    """K3: what the code asked for, or else what is recorded; of two that have none it is 0."""

    async def marks() -> None:
        durable.patched("the change")
        await durable.sleep(5)

    async def sleeps() -> None:
        await durable.sleep(5)

    async def ends() -> None: ...

    error = mismatch(ends, history_of(sleeps))
    assert (error.ordinal, error.asked) == (1, "WorkflowCompleted")
    assert error.recorded.startswith("TimerStarted: until 2023-11-14T") and error.recorded.endswith(" (command 1)")
    error = mismatch(ends, history_of(marks))
    assert (error.ordinal, error.recorded, error.asked) == (0, "PatchMarked: the change", "WorkflowCompleted")


def test_a_history_that_begins_with_a_command_has_no_code_to_compare() -> None:
    error = mismatch(recorded, history_of(recorded)[1:])
    assert (error.seq, error.recorded, error.asked, error.line) == (1, "ActivityScheduled: charge (command 1)", "nothing", "")
    assert "the code asked for nothing. Run the code" in str(error)


def test_a_command_behind_the_end_of_the_code_is_told_without_a_line() -> None:
    history = history_of(recorded)
    error = mismatch(recorded, [*history, history[1]])
    assert (error.seq, error.asked, error.line) == (len(history) + 1, "nothing", "")


@pytest.mark.parametrize("code", [ev.CHILD_WORKFLOW_COMPLETED, ev.ACTIVITY_COMPLETED, ev.DEADLINE_PASSED])
def test_a_stimulus_that_fits_nothing_is_told_with_the_line_that_waits(code: int) -> None:
    error = mismatch(recorded, [*history_of(recorded)[:2], [code, START_US, 9, encode("x"), 1]])
    assert error.asked == "nothing" and error.line.endswith("in recorded")


def test_the_result_of_an_activity_that_was_given_up_goes_to_nobody() -> None:
    """K9, also where it is the newest command."""

    @aion.workflow
    async def order() -> str:
        with durable.move_on_after(1):
            await charge("a")
        return str(await approval.receive())

    play = Play(order, known=[charge]).start().pass_time()
    assert play.names == ["ActivityCancelled"]
    assert play.complete(1, "late").names == []
    assert play.signal("approval", True).result == "True"
    play.check()


def test_what_was_asked_for_before_its_record_has_what_the_record_has() -> None:
    """An activity that was sent to another queue by the code that recorded it stays there."""

    @aion.workflow(name="order")
    async def order() -> None:
        await approval.receive()
        await charge("a")

    play = Play(order, known=KNOWN).start().signal("approval", True)
    start, signal, scheduled = play.history
    elsewhere = [*scheduled[:6], "elsewhere", *scheduled[7:]]
    other: Raw = [ev.SIGNAL_RECEIVED, START_US, "other", encode(1), None, None]
    execution = play.replay([start, signal, other, elsewhere])
    assert execution.pending_activities() == {1: elsewhere}
    execution.evict()
    play.execution.evict()


class Salted:
    """A payload codec, such as a cipher, that never writes the same bytes twice. It draws a nonce, which is not for workflow code (K7)."""

    name = "salted"

    def encode(self, data: bytes) -> bytes:
        assert current() is None
        return os.urandom(8) + zlib.compress(data)

    def decode(self, data: bytes) -> bytes:
        assert current() is None
        return zlib.decompress(data[8:])


@pytest.mark.parametrize("successor", [False, True])
def test_a_result_agrees_by_what_it_says_and_not_by_its_bytes(successor: bool) -> None:
    """K3, with payload codecs on: the same result, and another one."""

    def play(result: int) -> Play:
        @aion.workflow(name="order")
        async def order(n: int = 0) -> int:
            if successor:
                durable.continue_as_new(result)
            return result

        return Play(order, codec=Codec((Salted(),)))

    history = play(1).start().history
    play(1).replay(history).require_settled()
    with pytest.raises(aion.NonDeterminismError, match="with another input"):
        play(2).replay(history)


def test_a_command_that_came_live_is_unsettled_and_has_no_line() -> None:
    @aion.workflow
    async def order() -> None:
        await charge("a")

    play = Play(order, known=[charge])
    play.execution.feed([ev.WORKFLOW_STARTED, START_US, *play.start_fields])
    with pytest.raises(aion.NonDeterminismError) as info:
        play.execution.require_settled()
    assert (info.value.recorded, info.value.line) == ("nothing", "")
    play.execution.evict()


def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    """Of the run it would be its end as cancelled, with a reason; one that was kept and raised again is none."""

    @aion.workflow
    async def order() -> None:
        kept: list[BaseException] = []
        with durable.CancelScope() as scope:
            scope.cancel()
            try:
                await durable.checkpoint()
            except durable.Cancelled as error:
                kept.append(error)
                raise
        raise kept[0]

    assert Play(order).start().names == ["WorkflowFailed"]


def test_a_request_to_cancel_the_run_gives_its_reason() -> None:
    """L1."""

    @aion.workflow
    async def order() -> list[Any]:
        try:
            await durable.sleep_forever()
        except durable.Cancelled as error:
            cancelled: Any = error
        return [cancelled.source, cancelled.reason, cancelled.source_task]

    assert Play(order).start().cancel("no stock").result == ["explicit", "no stock", None]


# ---- queries


def serving(*names: str) -> Play:
    """A run that serves these queries and waits."""

    @aion.workflow
    async def order() -> None:
        for name in names:
            aion.Query(name, int).serve(lambda: 1)
        await approval.receive()

    return Play(order).start()


@pytest.mark.parametrize(("names", "served"), [((), "none"), (("b",), "b"), (("b", "a"), "a, b")])
def test_a_query_that_is_not_served_is_told_with_those_that_are(names: tuple[str, ...], served: str) -> None:
    play = serving(*names)
    with pytest.raises(aion.QueryNotServedError, match=rf"workflow 'w1' serves no query 'c'; it serves: {served}$"):
        play.execution.query("c")
    play.execution.evict()


def test_an_async_function_that_answers_a_query_is_closed_and_leaves_no_warning() -> None:
    made: list[Any] = []

    @aion.workflow
    async def order() -> None:
        async def answer() -> int:
            return 1

        def make() -> Any:
            made.append(answer())
            return made[0]

        progress.serve(make)
        await approval.receive()

    play = Play(order).start()
    with pytest.raises(aion.WorkflowRuleError, match="make it a plain function"):
        play.execution.query("progress")
    assert made[0].cr_frame is None
    play.execution.evict()


def test_a_command_that_a_query_asked_for_takes_no_number() -> None:
    """K6: the next one has the number that it has without the query."""

    @aion.workflow
    async def order() -> None:
        progress.serve(lambda: durable.set_attributes({"a": 1}) or 1)
        await charge("a")
        await charge("b")

    play = Play(order, known=[charge]).start()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="asked for a command: it can look"):
            play.execution.query("progress")
    assert play.complete(1, "x").last[0][2] == 2
    play.complete(2, "y").check()


def test_a_query_cannot_cancel_a_child() -> None:
    """K6, S4."""

    @aion.workflow
    async def order() -> None:
        child = await durable.start_child(delivery, "p", id="c")
        progress.serve(lambda: child.cancel() or 1)
        await child.result()

    play = Play(order, known=[delivery]).start()
    with pytest.raises(RuntimeError, match="asked for ChildCancelRequested: it can look"):
        play.execution.query("progress")
    assert play.execution.take_outputs() == []
    play.feed(ev.CHILD_WORKFLOW_COMPLETED, 1, encode("x")).check()


def test_after_a_step_and_after_a_query_the_thread_is_the_programs() -> None:
    @aion.workflow
    async def order() -> str:
        progress.serve(lambda: 1)
        return await charge(sniffio.current_async_library())

    async def main() -> list[str]:
        seen = [sniffio.current_async_library()]
        play = Play(order, known=[charge]).start()
        seen += [play.last[0][3], sniffio.current_async_library()]
        play.execution.query("progress")
        seen.append(sniffio.current_async_library())
        assert current() is None
        await trio.lowlevel.checkpoint()
        play.execution.evict()
        return seen

    assert trio.run(main) == ["trio", "charge", "trio", "trio"]


# ---- what a run knows of its length


async def tells_its_size() -> list[Any]:
    """Its size in bytes, and whether it should continue as new, before and after one signal."""
    seen: list[Any] = []
    for _ in range(2):
        info = durable.info()
        seen += [info.history_bytes, info.continue_as_new_suggested]
        if len(seen) == 2:
            await aion.Signal("text", str).receive()
    return seen


def sizes(text: str) -> Any:
    return Play(aion.workflow(name="order")(tells_its_size)).start().signal("text", text).check().result


def test_what_is_received_counts_in_the_size_of_a_history() -> None:
    """N2."""
    before, _, after, _ = sizes("x" * 1000)
    _, _, shorter, _ = sizes("")
    assert after - shorter >= 1000 and shorter > before


def test_what_the_run_was_started_with_counts_in_the_size_of_a_history() -> None:
    """N2."""

    @aion.workflow
    async def order(text: str) -> int:
        return durable.info().history_bytes

    longer, shorter = Play(order, "x" * 1000).start().result, Play(order, "").start().result
    assert 1000 <= longer - shorter < 1010


def test_what_the_code_asks_for_counts_at_once_and_takes_room_without_a_payload() -> None:
    """N2, K6: on replay as it did live."""

    @aion.workflow
    async def order() -> list[int]:
        seen = [durable.info().history_length]
        for n in range(100):
            durable.set_attributes({"n": n})
            if n < 2:
                seen.append(durable.info().history_length)
        before = durable.info().history_bytes
        await durable.sleep(1)
        return [*seen, durable.info().history_length, int(before >= 1000)]

    play = Play(order).start().pass_time()
    assert play.result == [1, 2, 3, 103, 1]
    play.check(first=100)


def test_behind_the_end_of_a_run_none_of_its_tasks_gets_a_turn() -> None:
    """H4: nothing follows the closing event. An update that was not answered by then never is."""

    @aion.workflow
    async def order() -> None:
        event = durable.Event()

        async def handle(place: str) -> int:
            await event.wait()
            await charge(place)
            return 1

        readdress.serve(handle)
        await approval.receive()
        event.set()

    play = Play(order, known=[charge]).start().feed(ev.UPDATE_ACCEPTED, "u1", "readdress", encode("home"))
    assert "'update readdress'" in play.execution.stack()
    assert play.signal("approval", True).names == ["WorkflowCompleted"]
    play.check()


def test_a_run_should_continue_as_new_at_16_mib_and_not_before() -> None:
    """N2."""
    limit = 16 * 2**20
    room = 2**20 + limit - sizes("x" * 2**20)[2]
    seen = [sizes("x" * (room + spare))[2:] for spare in (-9, 0)]  # the length of a length may take more bytes
    assert [suggested for _, suggested in seen] == [False, True]
    assert all(abs(size - limit) < 10 for size, _ in seen)
