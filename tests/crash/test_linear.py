"""The checks of concurrent histories agree with a search through all orders, on small histories right and wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from .linear import NEVER, Appended, Began, Interval, Seen, Sent, history_fault, searched, signal_fault, start_fault

HISTORIES = 1500


def intervals(chance: random.Random, count: int) -> list[tuple[int, int]]:
    """Some intervals that overlap, in the order of a moment that lies in each."""
    middles = sorted(chance.randrange(100 * count) for _ in range(count))
    return [(middle - chance.randrange(200), middle + chance.randrange(200)) for middle in middles]


def disturbed(calls: Sequence[Any], chance: random.Random, change: Callable[[Any], Any]) -> list[Any]:
    """Half of the histories have one call that is not as it was: other times, or another answer."""
    calls = list(calls)
    if calls and chance.random() < 0.5:
        at = chance.randrange(len(calls))
        if chance.random() < 0.5:
            shift = chance.randrange(-500, 500)
            calls[at] = replace(calls[at], began=calls[at].began + shift, ended=max(calls[at].ended + shift, calls[at].began + shift + 1))
        else:
            calls[at] = change(calls[at])
    chance.shuffle(calls)
    return calls


# ---- heads


def a_history(chance: random.Random) -> list[Appended | Seen]:
    head, calls = 0, list[Appended | Seen]()
    for began, ended in intervals(chance, chance.randint(1, 6)):
        if chance.random() < 0.6:
            calls.append(Appended(began, ended, head, head := head + chance.randint(1, 3)))
        else:
            calls.append(Seen(began, ended, head))

    def change(call: Appended | Seen) -> Appended | Seen:
        by = chance.choice((-1, 1, 2))
        if isinstance(call, Seen):
            return replace(call, head=call.head + by)
        return replace(call, before=call.before + by, after=call.after + by)

    return disturbed(calls, chance, change)


def head_after(head: Hashable, call: Appended | Seen) -> Iterable[Hashable]:
    match call:
        case Appended(_, _, before, after):
            return [after] if head == before else []
        case Seen(_, _, seen):
            return [head] if head == seen else []


# ---- starts


def some_starts(chance: random.Random) -> list[Began]:
    winner, calls = 0, list[Began]()
    for began, ended in intervals(chance, chance.randint(1, 6)):
        value, must_be_new = chance.randint(1, 2), chance.random() < 0.3
        given_up = chance.random() < 0.15
        if given_up and chance.random() < 0.5:
            calls.append(Began(began, NEVER, value, must_be_new))
            continue
        wins = not winner
        winner = winner or value
        met = wins or (value == winner and not must_be_new)
        calls.append(Began(began, NEVER if given_up else ended, value, must_be_new, "run" if met and not given_up else ""))

    def change(call: Began) -> Began:
        match chance.randrange(3):
            case 0:
                return replace(call, answer="" if call.answer else "run" if call.ended != NEVER else "")
            case 1:
                return replace(call, must_be_new=not call.must_be_new)
            case _:
                return replace(call, value=3 - call.value)

    return disturbed(calls, chance, change)


def winner_after(winner: Hashable, call: Began) -> Iterable[Hashable]:
    if winner == 0:
        return [call.value] if call.answer or call.ended == NEVER else []
    met = winner == call.value and not call.must_be_new
    return [winner] if call.ended == NEVER or met == bool(call.answer) else []


# ---- signals


def some_signals(chance: random.Random) -> tuple[list[Sent], list[int]]:
    received, calls = list[int](), list[Sent]()
    for began, ended in intervals(chance, chance.randint(1, 6)):
        value = chance.randint(1, 4)
        given_up = chance.random() < 0.2
        calls.append(Sent(began, NEVER if given_up else ended, value))
        if value not in received and not (given_up and chance.random() < 0.5):
            received.append(value)
    if received and chance.random() < 0.2:
        chance.shuffle(received)
    if received and chance.random() < 0.1:
        received.append(chance.randint(1, 5))
    return disturbed(calls, chance, lambda call: replace(call, value=chance.randint(1, 5))), received


@dataclass(frozen=True, slots=True)
class Log:
    """What a workflow has received."""

    values: tuple[int, ...] = ()


def received_after(log: Hashable, call: Sent) -> Iterable[Hashable]:
    assert isinstance(log, Log)
    return [log] if call.value in log.values else [Log((*log.values, call.value))]


# ---- the comparison


def both(kind: str, seed: int) -> tuple[str, bool]:
    """What the check says of one history, and what the search says."""
    chance = random.Random(seed)
    match kind:
        case "heads":
            history = a_history(chance)
            return history_fault(history), searched(history, 0, head_after, lambda head: True)
        case "starts":
            starts = some_starts(chance)
            return start_fault(starts), searched(starts, 0, winner_after, lambda winner: True)
        case _:
            signals, received = some_signals(chance)
            return signal_fault(signals, received), searched(signals, Log(), received_after, lambda log: log == Log(tuple(received)))


@pytest.mark.parametrize("kind", ["heads", "starts", "signals"])
def test_a_check_agrees_with_the_search_through_all_orders(kind: str) -> None:
    verdicts = {True: 0, False: 0}
    for seed in range(HISTORIES):
        fault, possible = both(kind, seed)
        assert (fault == "") is possible, f"{kind}, seed {seed}: the check says {fault or 'fine'!r}, the search {possible}"
        verdicts[possible] += 1
    assert min(verdicts.values()) > HISTORIES // 20, f"the histories are too much alike: {verdicts}"


def chained(count: int) -> Iterator[Interval]:
    chance = random.Random(1)
    for seq in range(1, count + 1):
        moment = 10 * seq
        yield Appended(moment - chance.randrange(100), moment + chance.randrange(100), seq - 1, seq)


def test_a_hundred_thousand_appends_are_checked_and_one_out_of_order_is_found() -> None:
    calls: list[Any] = list(chained(100_000))
    assert history_fault(calls) == ""
    late = calls[70_000]
    calls[70_000] = replace(late, began=late.began + 500, ended=late.ended + 500)
    assert history_fault(calls) != ""
