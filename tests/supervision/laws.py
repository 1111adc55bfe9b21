"""What must be true of every log of a simulated supervisor, whatever happened in it.

Each law is a function that walks the log and asserts. They know the declared policy and what the children really
did; they share no code with the implementation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import trio

from aion_trio.supervision import AutoShutdown, Exit, GaveUp, Restart, StartFailed, Strategy

from .world import BACKOFF, CLEANUP, TICK, WINDOW, Boom, Event, World

SLACK = 1e-6
FINAL = {"end", "gave up", "body left"}


def check(world: World) -> None:
    """Hold ``world`` against every law."""
    for law in LAWS:
        law(world)


def nothing_outlives_its_block(world: World) -> None:
    alive: set[int] = set()
    for event in world.log:
        if event.what == "begins":
            assert event.who not in alive, f"two runs of {event.who} at once"
            alive.add(event.who)
        elif event.what == "ends":
            alive.discard(event.who)
        elif event.what == "left":
            assert not alive, f"{alive} outlived the block"


def one_starts_at_a_time_and_in_order(world: World) -> None:
    starting: int | None = None
    begun: set[int] = set()
    declared = [kid for kid in world.kids if not any(event.what == "add" and event.who == kid for event in world.log)]
    for event in world.log:
        if event.what == "begins":
            assert starting is None, f"{event.who} began before {starting} had started"
            if event.who in declared:
                assert begun.issuperset(declared[: declared.index(event.who)]), f"{event.who} began before its elders"
            starting = event.who
            begun.add(event.who)
        elif event.what in {"is up", "ends"} and event.who == starting:
            starting = None
        elif event.what == "open":
            assert begun.issuperset(declared), "the block was entered before all had begun"


def one_is_stopped_at_a_time(world: World) -> None:
    stopping: int | None = None
    for event in world.log:
        if event.what == "is cancelled":
            assert stopping is None, f"{event.who} was cancelled while {stopping} was still cleaning up"
            stopping = event.who
        elif event.what == "ends" and event.who == stopping:
            stopping = None


def the_last_stop_is_in_reverse_order(world: World) -> None:
    alive: set[int] = set()
    final: float | None = None
    removed: set[int] = set()
    for event in world.log:
        if event.what == "begins":
            alive.add(event.who)  # one that was spawned in the instant before may still make its first step
            assert final is None or event.at == final, f"{event.who} began after the end had begun"
        elif event.what == "ends":
            alive.discard(event.who)
        elif event.what in {"remove", "restart"} and final is None:
            removed.add(event.who)  # that may be under way when the end begins, and is then finished first
        elif event.what == "is cancelled" and final is not None and event.who not in removed:
            assert not any(other > event.who for other in alive), f"{event.who} was cancelled before {alive}"
        if final is None and (event.what == "gave up" or (event.what == "end" and event.detail in {"stop", "hurry"})):
            final = event.at


def no_child_is_cancelled_before_the_body_is_left(world: World) -> None:
    """In a block that is cancelled, or whose body raises, the body goes first."""
    if world.ending != "cancel" or any(event.what in {"restarting", "gave up", "remove", "restart", "add"} for event in world.log):
        return
    if world.auto is not AutoShutdown.NEVER or world.outcome is not None:
        return
    opened = False
    for event in world.log:
        opened = opened or event.what == "open"
        if event.what == "body left":
            return
        assert not opened or event.what != "is cancelled", f"{event.who} was cancelled while the body was in the block"


def every_exit_is_told_as_it_was(world: World) -> None:
    story: dict[int, list[Event]] = defaultdict(list)
    for event in world.log:
        if event.what == "begins":
            story[event.who] = [event]
        elif event.what in {"raises", "interrupts", "returns", "is cancelled"}:
            story[event.who].append(event)
        elif event.what == "told exit":
            lived = story[event.who]
            assert lived and lived[0].what == "begins", "an exit without a run"
            last, exit = lived[-1], event.detail
            assert exit.ran_for == event.at - lived[0].at, "the run's length is wrong"
            if last.what in {"raises", "interrupts"}:
                assert exit.how == "raised" and exit.error is last.detail, (last, exit)
            else:
                assert exit.how == ("returned" if last.what == "returns" else "stopped"), (last, exit)
            story[event.who] = []


def no_error_is_lost(world: World) -> None:
    told = [error for event in world.log if event.what == "told exit" for error in lineage(event.detail.error)]
    told += lineage(world.outcome)
    for error in world.raised:
        assert any(error is each for each in told), f"{error!r} was lost"
    out = list(lineage(world.outcome))
    stop = next((at for at, event in enumerate(world.log) if event.what == "gave up"), None)
    if stop is None and world.ending in {"stop", "hurry"}:
        stop = next((at for at, event in enumerate(world.log) if event.what == "end"), None)
    for event in world.log[stop + 1 :] if stop is not None else ():
        if event.what == "raises":
            assert any(event.detail is each for each in out), f"{event.detail!r}, raised while stopping, did not come out"


def lineage(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what is in it, what caused it, and what it displaced."""
    if error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from lineage(each)
        yield from lineage(error.__cause__)
        yield from lineage(error.__context__)


def what_comes_out_is_what_happened(world: World) -> None:
    out = list(lineage(world.outcome))
    gave_up = [event for event in world.log if event.what == "gave up"]
    assert len(gave_up) <= 1
    assert any(isinstance(each, GaveUp) for each in out) == bool(gave_up), "GaveUp came out if and only if it happened"
    if gave_up:
        error = next(each for each in out if isinstance(each, GaveUp))
        assert set(map(id, gave_up[0].detail)) <= set(map(id, error.failures)), "GaveUp forgot a failure"
        assert not error.failures or isinstance(error.__cause__, ExceptionGroup)
    known = Boom | GaveUp | StartFailed | KeyboardInterrupt | BaseExceptionGroup | trio.Cancelled
    foreign = [each for each in out if not isinstance(each, known)]
    assert not foreign, f"an error of the supervisor's own making came out: {foreign}"
    opened = any(event.what == "open" for event in world.log)
    if any(isinstance(each, StartFailed) for each in out if each not in told_errors(world)):
        assert not opened, "StartFailed came out of a block that had been entered"
    interrupts = [error for error in told_errors(world) if isinstance(error, KeyboardInterrupt)]
    assert all(any(each is error for each in out) for error in interrupts), "a KeyboardInterrupt was masked"
    assert world.outcome is None or isinstance(world.outcome, BaseExceptionGroup), "errors go up in a group, as from a nursery"


def told_errors(world: World) -> list[BaseException]:
    return [event.detail.error for event in world.log if event.what == "told exit" and event.detail.error is not None]


def nothing_begins_after_an_interrupt(world: World) -> None:
    interrupted: set[int] = set()
    for event in world.log:
        if event.what == "told exit" and isinstance(event.detail.error, KeyboardInterrupt):
            interrupted.add(event.who)
        assert event.what not in {"begins", "restarting"} or event.who not in interrupted, f"{event.who} was run again after an interrupt"


def the_budget_is_exact(world: World) -> None:
    spent: list[float] = []
    for event in world.log:
        window = sum(event.at - WINDOW < at for at in spent)
        if event.what == "restarting":
            assert window < world.budget, f"restart {window + 1} of {world.budget} in one window"
            spent.append(event.at)
        elif event.what == "gave up":
            assert window == world.budget, f"gave up after {window} restarts of {world.budget}"


def the_backoff_is_kept(world: World) -> None:
    streak: dict[int, int] = defaultdict(int)
    due: dict[int, float] = {}
    ran_for: dict[int, float] = {}
    by_hand: set[int] = set()
    for event in world.log:
        if event.what == "told exit":
            ran_for[event.who] = event.detail.ran_for
        elif event.what == "restarting":
            delay, row = event.detail
            streak[event.who] = 1 if ran_for[event.who] >= BACKOFF.reset_after else streak[event.who] + 1
            assert row == streak[event.who] or event.who in by_hand, f"{row} is not the number of restarts in a row, {streak[event.who]}"
            assert abs(delay - min(BACKOFF.maximum, BACKOFF.initial * 2 ** (row - 1))) < SLACK
            due[event.who] = event.at + delay
        elif event.what == "restart":
            by_hand.add(event.who)  # when that order was carried out, if it was, is not in the log
        elif event.what == "begins" and event.who in due:
            early = event.at < due.pop(event.who) - SLACK
            assert not early or event.who in by_hand, f"{event.who} was run again before its back-off was over"


def applies(restart: Restart, exit: Exit) -> bool:
    return restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and exit.how == "raised")


def only_whom_policy_names_is_restarted(world: World) -> None:
    ended: dict[int, Exit] = {}
    begun: dict[int, int] = defaultdict(int)
    for event in world.log:
        kid = world.kids.get(event.who)
        if event.what == "told exit":
            ended[event.who] = event.detail
        elif event.what == "restarting" and kid is not None:
            assert applies(kid.restart, ended[event.who]), f"{event.who} ({kid.restart}) was restarted after {ended[event.who]}"
        elif event.what == "restart":
            begun[event.who] -= 1
        elif event.what == "begins" and kid is not None:
            begun[event.who] += 1
            assert kid.restart is not Restart.TEMPORARY or begun[event.who] <= 1, f"temporary {event.who} was run again"


def a_strategy_stops_only_whom_it_names(world: World) -> None:
    """Before the end, a child is cancelled for a sibling's restart, for an order, or not at all."""
    if any(event.what in {"interrupts"} for event in world.log) or world.auto is not AutoShutdown.NEVER:
        return
    cause: int | None = None
    ordered: set[int] = set()
    opened = False
    for event in world.log:
        opened = opened or event.what == "open"
        if event.what in FINAL:
            return
        if event.what == "restarting":
            cause = event.who
        elif event.what in {"add", "remove", "restart"}:
            ordered.add(event.who)
        elif event.what == "is cancelled" and opened and event.who not in ordered:
            assert cause is not None, f"{event.who} was cancelled for no reason"
            assert world.strategy is not Strategy.ONE_FOR_ONE, f"{event.who} was cancelled for {cause}"
            assert world.strategy is Strategy.ONE_FOR_ALL or event.who > cause, f"{event.who} was cancelled for its younger {cause}"


def a_group_begins_again_in_order(world: World) -> None:
    """Under a group strategy nobody begins below a living younger sibling, unless by hand."""
    if world.strategy is Strategy.ONE_FOR_ONE:
        return
    alive: set[int] = set()
    lowest: int | None = None
    ordered: set[int] = set()
    for event in world.log:
        if event.what == "restarting":
            lowest = 0 if world.strategy is Strategy.ONE_FOR_ALL else event.who
        elif event.what == "restart":
            ordered.add(event.who)
        elif event.what == "begins":
            above = {other for other in alive if other > event.who}
            by_hand = event.who in ordered or above & ordered
            assert lowest is None or event.who < lowest or by_hand or not above, f"{event.who} began below {above}"
            alive.add(event.who)
        elif event.what == "ends":
            alive.discard(event.who)


def failures_that_coincide_are_one_restart(world: World) -> None:
    if world.strategy is not Strategy.ONE_FOR_ALL:
        return
    armed = True
    for event in world.log:
        if event.what == "begins":
            armed = True
        elif event.what == "restarting":
            assert armed, "one fall of the group was answered twice"
            armed = False


def nobody_is_left_down(world: World) -> None:
    """Whoever is down when the end begins, or when the block has ended of itself, is so by policy."""
    if world.outcome is not None or any(event.what in {"gave up", "interrupts"} for event in world.log):
        return
    end = next((at for at, event in enumerate(world.log) if event.what == "end"), None)
    if end is None or world.auto is not AutoShutdown.NEVER:
        return
    removed = {event.who for event in world.log if event.what in {"remove", "restart", "add"}}
    ended: dict[int, Event] = {event.who: event for event in world.log[:end] if event.what == "told exit"}
    if world.ending == "wait":
        ended = {event.who: event for event in world.log if event.what == "told exit"}
        states = dict.fromkeys(world.kids, "done")
    else:
        states = world.final_states or {}
    for number, state in states.items():
        kid = world.kids[number]
        if state == "done" and number not in removed and not just_now(world, ended[number], end):
            exit = ended[number].detail
            assert not applies(kid.restart, exit), f"{number} ({kid.restart}) was left down after {exit}"
            assert exit.how != "stopped" or kid.restart is Restart.TEMPORARY, f"{number} was stopped and left down"


def just_now(world: World, exit: Event, end: int) -> bool:
    """It ended in the instant in which the end began: there was no time to answer."""
    return world.ending != "wait" and exit.at >= world.log[end].at


def stopping_takes_bounded_time(world: World) -> None:
    end = next((event.at for event in world.log if event.what == "end"), None)
    if world.ending == "cancel":
        end = max(world.end_at, 0.0) if world.end_at <= world.left_at else None
    if end is None or world.ending == "wait":
        return
    clean_up = (len(world.kids) + 1) * CLEANUP + 2 * TICK
    drain = sum(kid.shutdown for kid in world.kids.values())
    if world.ending in {"stop", "hurry"}:
        drain = min(drain, max(world.hurried_at, end) - end)
    elif not any(event.what == "remove" for event in world.log):  # a removal drains, and its drain is cut short as well
        drain = 0.0
    assert world.left_at - end <= drain + clean_up + SLACK, f"stopping took {world.left_at - end} s, of {drain} + {clean_up}"


def every_message_has_one_end(world: World) -> None:
    """In the order sent, received once, or a dead letter once; a cancelled send never arrives."""
    ends: dict[int, list[str]] = defaultdict(list)
    received: dict[int, list[int]] = defaultdict(list)
    sent: set[int] = set()
    offered: set[int] = set()
    for event in world.log:
        if event.what == "offers":
            offered.add(event.detail)
        elif event.what == "sends":
            sent.add(event.detail)
        elif event.what == "receives":
            ends[event.detail].append("received")
            received[event.who].append(event.detail)
        elif event.what == "dead":
            ends[event.detail].append("dead")
    for who, numbers in received.items():
        assert numbers == sorted(numbers), f"{who} received out of order: {numbers}"
    for number in sent:
        assert len(ends[number]) == 1, f"message {number} ended {ends[number]}"
    assert all(number in offered and len(end) <= 1 for number, end in ends.items())
    assert all(number in sent or number in world.asked for number in ends), "a message arrived whose sending was cancelled"


def every_answer_is_the_right_one(world: World) -> None:
    received = {event.detail for event in world.log if event.what == "receives"}
    dead = {event.detail for event in world.log if event.what == "dead"}
    for event in world.log:
        if event.what == "answered":
            assert event.detail[0] == event.detail[1], f"asked {event.detail[0]}, answered {event.detail[1]}"
    for number, how in world.asked.items():
        if how in {"answered", "not answered"}:
            assert number in received, f"request {number} was {how} though nobody received it"
        elif how == "stopped":
            assert number not in received, f"request {number} was received, yet said to be refused"
        assert how == "stopped" or number not in dead, f"request {number} is {how} and a dead letter"


def who_asks_hears_of_the_end_at_once(world: World) -> None:
    """Nobody waits for an answer longer than the run lasts that has the request in hand."""
    in_hand: dict[int, set[int]] = defaultdict(set)
    ended: dict[int, float] = {}
    for event in world.log:
        if event.what == "receives" and event.detail in world.asked:
            in_hand[event.who].add(event.detail)
        elif event.what == "told exit":
            ended.update(dict.fromkeys(in_hand.pop(event.who, ()), event.at))
        elif event.what in {"answered", "not answered", "gives up"}:
            number = event.detail[0] if event.what == "answered" else event.detail
            assert event.at <= ended.get(number, event.at), f"the asker of {number} waited for a run that had ended"


LAWS = [
    nothing_outlives_its_block,
    one_starts_at_a_time_and_in_order,
    one_is_stopped_at_a_time,
    the_last_stop_is_in_reverse_order,
    no_child_is_cancelled_before_the_body_is_left,
    every_exit_is_told_as_it_was,
    no_error_is_lost,
    what_comes_out_is_what_happened,
    nothing_begins_after_an_interrupt,
    the_budget_is_exact,
    the_backoff_is_kept,
    only_whom_policy_names_is_restarted,
    a_strategy_stops_only_whom_it_names,
    a_group_begins_again_in_order,
    failures_that_coincide_are_one_restart,
    nobody_is_left_down,
    stopping_takes_bounded_time,
    every_message_has_one_end,
    every_answer_is_the_right_one,
    who_asks_hears_of_the_end_at_once,
]

__all__ = ["Boom", "check"]
