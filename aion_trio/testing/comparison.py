"""Histories without what a crash may change, and the first place where two of them differ (R11).

Left out are times, run ids and attempts; ids that were derived from a run id are given the name of their place: the n-th run of
the parent and the ordinal. Where concurrent steps may end in another order after a crash than without one, `order` "any"
compares what happened and not in which order: each ordinal is replaced by what its command asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from .. import events as ev
from ..codec import decode_frame
from ..codec.narrow import is_dict, is_sequence
from ..events import FIELD_NAMES, Raw
from ..stores import each_frame, each_key
from ..stores.contract import Store

Order = Literal["exact", "any", "unchecked"]
"""Whether the events of one workflow must come in the order of the undisturbed run, or only be the same events; or neither, where
a race (of a child's end against its parent's, say) may end either way.
"""

_LEFT_OUT = frozenset(
    {"run_id", "parent_run_id", "continued_run_id", "attempt", "next_due_us", "fire_at_us", "due_us", "input_digest", "payload_digest"}
)
_COMMANDS = {
    ev.ACTIVITY_SCHEDULED: (3, 5),
    ev.TIMER_STARTED: (),
    ev.CHILD_WORKFLOW_STARTED: (4, 7),
    ev.SIGNAL_SENT: (3, 4, 6),
    ev.ATTRIBUTES_UPDATED: (2,),
}
"""Commands, and the positions of what they ask for."""


class Told(NamedTuple):
    """One event as it is compared: its name and its fields by name."""

    name: str
    fields: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.fields)})"


def histories(store: Store, namespace: str = "default") -> dict[str, list[Raw]]:
    """The events of every workflow id of one namespace."""
    return {
        key.workflow_id: [raw for frame in each_frame(store, key) for raw in decode_frame(frame.data, frame.count)]
        for key in each_key(store)
        if key.namespace == namespace
    }


def tellings(found: Mapping[str, Sequence[Raw]], order: Order) -> dict[str, list[Told]]:
    """Each history as it is compared, by the id as it is compared; ids whose history is empty are left out."""
    if order == "unchecked":
        return {}
    names = _Names(found, order)
    told: dict[str, list[Told]] = {}
    for workflow_id, raws in found.items():
        if raws:
            told.setdefault(names.of(workflow_id), []).extend(_telling(raws, names, order))
    if order == "any":
        for events in told.values():
            events.sort(key=repr)
    return told


def first_difference(undisturbed: Mapping[str, Sequence[Told]], recovered: Mapping[str, Sequence[Told]]) -> str:
    """A sentence about the first event that differs; empty if none does."""
    for workflow_id in [*undisturbed, *(name for name in recovered if name not in undisturbed)]:
        pairs = zip_longest(undisturbed.get(workflow_id, ()), recovered.get(workflow_id, ()))
        for position, (wanted, found) in enumerate(pairs, 1):
            if wanted != found:
                return f"workflow {workflow_id!r}, event {position}: undisturbed {wanted or 'nothing'}, recovered {found or 'nothing'}"
    return ""


class _Names:
    """Ids that were derived from a run id, by the place that they were derived at."""

    def __init__(self, found: Mapping[str, Sequence[Raw]], order: Order) -> None:
        self._names = dict(_derived(found, order))
        self._longest_first = sorted(self._names, key=len, reverse=True)

    def of(self, text: str) -> str:
        """The text with every derived id in it replaced; a child of a child by and by."""
        for derived in self._longest_first:
            text = text.replace(derived, self._names[derived])
        return text

    def within(self, value: Any) -> Any:
        """The value with every text in it replaced."""
        if isinstance(value, str):
            return self.of(value)
        if is_sequence(value):
            return tuple(self.within(item) for item in value)
        if is_dict(value):
            return tuple((name, self.within(item)) for name, item in value.items())
        return value


def _derived(found: Mapping[str, Sequence[Raw]], order: Order) -> Iterator[tuple[str, str]]:
    for workflow_id, raws in found.items():
        run = 0
        for raw in raws:
            if raw[0] == ev.WORKFLOW_STARTED:
                run += 1
            elif raw[0] == ev.CHILD_WORKFLOW_STARTED and raw[3].startswith(f"{workflow_id}/{raw[2]}-"):
                place = str(raw[2]) if order == "exact" else f"{raw[4]} {raw[7].hex()}"
                yield raw[3].removeprefix(f"{workflow_id}/"), f"{place} of run {run}"


def _telling(raws: Iterable[Raw], names: _Names, order: Order) -> Iterator[Told]:
    asked: dict[int, Any] = {}
    for raw in raws:
        code = raw[0]
        if code == ev.WORKFLOW_STARTED:
            asked = {}
        if code in _COMMANDS:
            asked[raw[FIELD_NAMES[code].index("ordinal") + 2]] = (ev.name_of(code), *(raw[position] for position in _COMMANDS[code]))
        if code != ev.ACTIVITY_ATTEMPT_FAILED:
            yield Told(ev.name_of(code), tuple(_fields(raw, names, asked if order == "any" else {})))


def _fields(raw: Raw, names: _Names, asked: Mapping[int, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in zip(FIELD_NAMES[raw[0]], raw[2:], strict=True):
        if name == "carried_signals":
            signals: Iterable[list[Any]] = value
            yield name, tuple((signal, payload, sender and names.of(sender[0])) for signal, payload, sender in signals)
        elif name == "ordinal":
            yield name, names.within(asked.get(value, value))
        elif name in ("parent", "sender") and value is not None:
            yield name, names.of(value[0])
        elif name not in _LEFT_OUT:
            yield name, names.within(value)
