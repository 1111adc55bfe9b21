"""What must be true of every log of a simulated directory."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

from .keyed_world import CLEANUP, GRACE, NAME, WINDOW, KeyedWorld
from .laws import SLACK, lineage
from .world import Boom, Event


def check(world: KeyedWorld) -> None:
    """Hold ``world`` against every law."""
    for law in LAWS:
        law(world)


def a_key_has_one_actor_and_none_outlives_the_block(world: KeyedWorld) -> None:
    alive: set[int] = set()
    for event in world.log:
        if event.what == "begins":
            assert event.who not in alive, f"two actors of {event.who}"
            alive.add(event.who)
        elif event.what == "ends":
            alive.discard(event.who)
        elif event.what == "left":
            assert not alive, f"{alive} outlived the block"


def every_message_has_one_end(world: KeyedWorld) -> None:
    ends: dict[int, list[Event]] = defaultdict(list)
    for event in world.log:
        if event.what in {"receives", "dead"}:
            ends[event.detail].append(event)
    offered = {event.detail: event.who for event in world.log if event.what.startswith("offers")}
    for event in world.log:
        if event.what == "sends":
            assert len(ends[event.detail]) == 1, f"message {event.detail} ended {ends[event.detail]}"
    for number, events in ends.items():
        assert len(events) <= 1 and all(event.who == offered[number] for event in events), f"message {number}: {events}"


def each_lane_is_first_in_first_out(world: KeyedWorld) -> None:
    lanes = {event.detail: event.what for event in world.log if event.what.startswith("offers")}
    newest: dict[tuple[int, str], int] = defaultdict(int)
    picking: set[int] = set()
    urgent: dict[int, set[int]] = defaultdict(set)
    for event in world.log:
        if event.what == "sends" and lanes[event.detail] == "offers urgent":
            urgent[event.who].add(event.detail)
        elif event.what == "dead":
            urgent[event.who].discard(event.detail)
        if event.what in {"waits", "picks"}:
            (picking.add if event.what == "picks" else picking.discard)(event.who)
        elif event.what == "receives":
            lane = event.who, lanes[event.detail]
            urgent[event.who].discard(event.detail)
            if event.who in picking:
                assert event.detail % 3 == 0, f"{event.detail} was not asked for"
                picking.discard(event.who)
            else:
                assert not urgent[event.who] or lane[1] == "offers urgent", f"{event.detail} was received before {urgent[event.who]}"
                assert event.detail > newest[lane], f"{event.detail} was received after {newest[lane]}"
                newest[lane] = event.detail


def only_the_idle_are_let_go(world: KeyedWorld) -> None:
    """An actor that waits for any message is let go after its time, or for the limit; no other is."""
    since: dict[int, float] = {}
    here: set[int] = set()
    closed = False
    for event in world.log:
        if event.what in {"begins", "offers", "offers urgent"}:
            here.add(event.who)
        elif event.what == "waits":
            since[event.who] = event.at
        elif event.what in {"picks", "raises"}:
            since.pop(event.who, None)
        elif event.what == "is let go" and not closed:
            assert event.who in since, f"{event.who} was let go while it was waiting for one message"
            waited = event.at - since[event.who]
            assert waited >= world.idle_after - SLACK or len(here) > world.limit, f"{event.who} was let go after {waited} s"
            since.pop(event.who)
        elif event.what == "receives" and event.who in since:
            late = event.at - since.pop(event.who) - world.idle_after
            assert late <= SLACK, f"{event.who} was kept {late} s too long"
        closed = closed or event.what == "body left"


def over_the_limit_nobody_is_idle(world: KeyedWorld) -> None:
    waiting: set[int] = set()
    alive: set[int] = set()
    closing: set[int] = set()
    at = 0.0
    for event in world.log:
        if event.what == "body left":
            return
        if event.at > at:
            over = len(alive - closing) > world.limit
            assert not (over and waiting), f"at {at} {alive} were alive and {waiting} idle"
        at = event.at
        if event.what == "begins":
            alive.add(event.who)
        elif event.what == "ends":
            alive.discard(event.who)
            closing.discard(event.who)
        elif event.what == "is let go":
            closing.add(event.who)
        (waiting.add if event.what == "waits" else waiting.discard)(event.who)


def the_budget_of_a_key_is_exact(world: KeyedWorld) -> None:
    spent: dict[int, list[float]] = defaultdict(list)
    set_aside: dict[int, float] = {}
    for event in world.log:
        window = sum(event.at - WINDOW < at for at in spent[event.who])
        if event.what == "restarting":
            assert window < world.budget, f"restart {window + 1} of {world.budget} of {event.who}"
            spent[event.who].append(event.at)
        elif event.what == "quarantined":
            assert window == world.budget, f"{event.who} was set aside after {window} of {world.budget}"
            set_aside[event.who] = event.at
        elif event.what == "releases":
            set_aside.pop(event.who)
            spent[event.who].clear()
        elif event.what == "begins":
            assert event.who not in set_aside, f"{event.who} lives though it is quarantined"
        elif event.what == "sends":
            late = event.who in set_aside and event.at > set_aside[event.who]
            assert not late, f"{event.who} took a message though it is quarantined"


def every_failure_is_told_and_answered(world: KeyedWorld) -> None:
    told = [error for event in world.log if event.what == "told failed" for error in lineage(event.detail)]
    told += lineage(world.outcome)
    for error in world.raised:
        assert any(each is error for each in told), f"{error!r} was lost"
    for at, event in enumerate(world.log):
        if event.what == "told failed":
            answers = {each.what for each in world.log[at + 1 : at + 3] if each.who == event.who}
            assert answers & {"restarting", "quarantined"}, "a failure without an answer"


def the_back_off_is_kept(world: KeyedWorld) -> None:
    due: dict[int, float] = {}
    for event in world.log:
        if event.what in {"restarting", "releases"}:
            due.pop(event.who, None)
        if event.what == "restarting":
            due[event.who] = event.at + event.detail[0]
        elif event.what == "begins" and event.who in due:
            assert event.at >= due.pop(event.who) - SLACK, f"{event.who} did not rest"


def only_what_is_set_aside_or_left_refuses(world: KeyedWorld) -> None:
    """Whoever writes to a key that is not quarantined is heard, whatever its actor is doing."""
    set_aside: dict[int, float] = {}
    for event in world.log:
        if event.what == "body left":
            return
        if event.what == "quarantined":
            set_aside[event.who] = math.inf
        elif event.what == "releases":
            set_aside[event.who] = event.at
        elif event.what in {"dead", "is refused"}:
            assert event.at <= set_aside.get(event.who, -1.0), f"{event.who} was not set aside, yet: {event}"


def every_answer_is_the_right_one(world: KeyedWorld) -> None:
    received = {event.detail for event in world.log if event.what == "receives"}
    for event in world.log:
        if event.what == "is answered":
            assert event.detail[0] == event.detail[1], f"asked {event.detail[0]}, answered {event.detail[1]}"
            assert event.detail[0] in received
        elif event.what == "is not answered":
            assert event.detail in received, f"nobody received {event.detail}, so nobody can have left it unanswered"
        elif event.what == "is refused" and event.detail is not None:
            assert event.detail not in received, f"{event.detail} was received and yet refused"


def a_circle_is_seen_and_is_one(world: KeyedWorld) -> None:
    for event in world.log:
        assert event.what != "deadlock", f"actors wait for each other: {event.detail}"
        if event.what == "would wait for itself":
            path, asking = event.detail
            keys = [int(name.removeprefix(f"{NAME}/")) for name in path]
            assert keys[0] == keys[-1] and len(set(keys)) == len(keys) - 1, f"{path} is no circle"
            assert all(asking[one] == other for one, other in pairwise(keys)), f"{path} is not what waits: {asking}"


def nothing_but_the_body_decides_what_comes_out(world: KeyedWorld) -> None:
    out = [error for error in lineage(world.outcome) if not isinstance(error, BaseExceptionGroup)]
    assert all(isinstance(error, Boom) and error.args == ("body",) for error in out), out
    assert bool(out) == (world.ending == "raise")


def leaving_takes_bounded_time(world: KeyedWorld) -> None:
    left = next(event.at for event in world.log if event.what == "body left")
    most = CLEANUP + (GRACE if world.ending == "leave" else 0.0)
    assert world.left_at - left <= most + SLACK, f"leaving took {world.left_at - left} s, of at most {most}"
    told = [event.what for event in world.log]
    assert "is cancelled" not in told[: told.index("body left")], "an actor was cancelled before the body had left"


LAWS = [
    a_key_has_one_actor_and_none_outlives_the_block,
    every_message_has_one_end,
    each_lane_is_first_in_first_out,
    only_the_idle_are_let_go,
    over_the_limit_nobody_is_idle,
    the_budget_of_a_key_is_exact,
    every_failure_is_told_and_answered,
    the_back_off_is_kept,
    only_what_is_set_aside_or_left_refuses,
    every_answer_is_the_right_one,
    a_circle_is_seen_and_is_one,
    nothing_but_the_body_decides_what_comes_out,
    leaving_takes_bounded_time,
]
