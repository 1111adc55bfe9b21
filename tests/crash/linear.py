"""Whether a concurrent history could have happened one call after the other, in an order that real time allows.

Each call is an interval: it took effect at one moment between its invocation and its response (Herlihy and Wing, 1990). In
general that is a search. Here each effect has a place of its own, a seq or the run that was made, so that the order is known
and only real time remains to be compared: n log n. `searched` is the search, for small histories, to check the checks by.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeVar

NEVER = 1 << 62
"""The response of a call that was given up: what it does it may do at any time, or not at all."""


class Interval(Protocol):
    """When a call was made and when it was answered."""

    @property
    def began(self) -> int: ...

    @property
    def ended(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Appended:
    """An append that found the head `before` and made it `after`."""

    began: int
    ended: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A head that was read, or that refused an append."""

    began: int
    ended: int
    head: int


@dataclass(frozen=True, slots=True)
class Began:
    """A start of one id. `answer` is the run that it was given, empty if it was refused; unknown if it was given up."""

    began: int
    ended: int
    value: int
    must_be_new: bool
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal of this value, which is one signal however often it is sent; given up if it never ended."""

    began: int
    ended: int
    value: int


C = TypeVar("C", bound=Interval)


def history_fault(calls: Sequence[Appended | Seen]) -> str:
    """Why these calls cannot be those of one history that only grows (J1, J5); empty if they can."""
    appends = sorted((call for call in calls if isinstance(call, Appended)), key=lambda call: call.after)
    head = 0
    for append in appends:
        if append.before != head or append.after <= head:
            return f"an append went from {append.before} to {append.after} where the head was {head}"
        head = append.after
    heads = {0, *(append.after for append in appends)}
    if strange := [call for call in calls if isinstance(call, Seen) and call.head not in heads]:
        return f"a head of {strange[0].head} was seen, which no append made"
    return order_fault([((call.after, 0) if isinstance(call, Appended) else (call.head, 1), call) for call in calls])


def order_fault(placed: Iterable[tuple[tuple[int, int], Interval]]) -> str:
    """The first call that was answered before one of an earlier place was made; empty if there is none. Equal places have no order."""
    latest = -NEVER
    for place, group in groupby(sorted(placed, key=lambda each: each[0]), key=lambda each: each[0]):
        calls = [call for _, call in group]
        if late := [call for call in calls if call.ended < latest]:
            return f"{late[0]} took place {place} but had been answered when a call of an earlier place was made, at {latest}"
        latest = max(latest, *(call.began for call in calls))
    return ""


def start_fault(calls: Sequence[Began]) -> str:
    """Why these starts of one id cannot have had one winner whom all others met (J2); empty if they can."""
    answers = {call.answer for call in calls if call.answer}
    if len(answers) > 1:
        return f"one id was started as {len(answers)} runs"
    if not calls or any(_won_by(value, calls) for value in {call.value for call in calls}):
        return ""
    return f"no start can have been the first of these {len(calls)}: {sorted(calls, key=lambda call: call.began)[:6]}"


def _won_by(value: int, calls: Sequence[Began]) -> bool:
    """Whether the first start can have been one of this value."""
    known = [call for call in calls if call.ended != NEVER]
    new = [call for call in known if call.answer and call.must_be_new]
    if any(call.value != value for call in known if call.answer) or len(new) > 1:
        return False
    if any(call.value == value and not call.must_be_new and not call.answer for call in known):
        return False
    could = new or [call for call in calls if call.value == value and (call.answer or call.ended == NEVER)]
    first_answer = min((call.ended for call in known), default=NEVER)
    return any(call.began <= first_answer for call in could) or not known


def signal_fault(calls: Sequence[Sent], received: Sequence[int]) -> str:
    """Why these signals cannot have been received in this order, each once (S1, S2); empty if they can.

    Several calls that send one signal count as one: its effect is after the first was made and before the first was answered.
    """
    if len(set(received)) != len(received):
        return "a signal was received twice"
    sent: dict[int, Sent] = {}
    for call in calls:
        other = sent.get(call.value, call)
        sent[call.value] = Sent(min(call.began, other.began), min(call.ended, other.ended), call.value)
    if unsent := set(received) - sent.keys():
        return f"signals were received that nobody sent: {sorted(unsent)[:5]}"
    if lost := [call for call in sent.values() if call.ended != NEVER and call.value not in set(received)]:
        return f"an acknowledged signal was lost: {lost[0]}"
    return order_fault(((place, 0), sent[value]) for place, value in enumerate(received))


Step = Callable[[Hashable, C], Iterable[Hashable]]
"""The states that a call may lead to from a state; none if it cannot have happened there."""


def searched(calls: Sequence[C], state: Hashable, step: Step[C], ends: Callable[[Hashable], bool]) -> bool:
    """Whether some order of the calls that real time allows is one that `step` allows, and comes to an end.

    Exponential. A call that was given up may be left out.
    """
    if ends(state) and all(call.ended == NEVER for call in calls):
        return True
    first_answer = min((call.ended for call in calls), default=NEVER)
    for number, call in enumerate(calls):
        if call.began <= first_answer:
            rest = [*calls[:number], *calls[number + 1 :]]
            if any(searched(rest, after, step, ends) for after in step(state, call)):
                return True
    return False
