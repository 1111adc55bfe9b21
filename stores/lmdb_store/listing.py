"""Reads over many workflows: listings, keys, counts, and what is owed in the order in which it is due."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..contract import (
    CorruptRecord,
    Damage,
    KeyPage,
    SummaryEntry,
    SummaryFilter,
    SummaryPage,
    WorkflowKey,
)
from ..filtering import Condition
from .environment import Environment, View
from .layout import (
    ATTRIBUTE_PREFIX,
    BY_ATTRIBUTE,
    BY_STATUS,
    META_COUNT,
    NUMBER,
    SERIAL,
    SERIALS,
    STATUS_PREFIX,
    indexed,
)
from .lookup import Names, identity_of
from .records import unseal_number
from .rows import decode_identity, decode_key
from .scan import distinct_under, items_under, keys_under

_EXAMINED = 4
"""How many rows a page may examine for each that it may hold."""

_LEAST_EXAMINED = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a listing is asked for."""

    after: bytes | None
    limit: int
    on_damage: Damage | None

    @property
    def first_serial(self) -> int:
        return SERIAL.unpack(self.after)[0] + 1 if self.after is not None else 0

    def report(self, damage: CorruptRecord) -> None:
        """Leave a damaged row out and say so, or raise."""
        if self.on_damage is None:
            raise damage
        self.on_damage(damage)


class Listings:
    """Listings from the `vis` tree, each page from one short snapshot."""

    def __init__(self, environment: Environment, names: Names) -> None:
        self._environment, self._names = environment, names

    def summaries(self, where: SummaryFilter, page: Page) -> SummaryPage:
        """What `Store.summaries` says."""
        condition = Condition(where)
        entries: list[SummaryEntry] = []
        with self._environment.view() as view:
            for examined, serial in enumerate(self._candidates(view, where, page.first_serial)):
                if len(entries) >= page.limit or examined >= max(_LEAST_EXAMINED, _EXAMINED * page.limit):
                    return SummaryPage(entries, SERIAL.pack(serial - 1))
                try:
                    key, summary = decode_identity(identity_of(view, serial))
                except CorruptRecord as damage:
                    page.report(damage)
                    continue
                if summary is not None and key.namespace == where.namespace and condition.holds(summary):
                    entries.append(SummaryEntry(key, summary))
        return SummaryPage(entries, None)

    def keys(self, page: Page) -> KeyPage:
        """What `Store.keys` says."""
        keys: list[WorkflowKey] = []
        with self._environment.view() as view:
            for serial in self._all(view, page):
                if len(keys) >= page.limit:
                    return KeyPage(keys, SERIAL.pack(serial - 1))
                try:
                    keys.append(decode_key(identity_of(view, serial)))
                except CorruptRecord as damage:
                    page.report(damage)
        return KeyPage(keys, None)

    def _all(self, view: View, page: Page) -> Iterator[int]:
        """Every serial that has rows, from the page's first on."""
        cursor = view.txn.cursor(db=view.tables.rows)
        at = SERIAL.pack(page.first_serial)
        while cursor.set_range(at):
            key = cursor.key()
            if len(key) <= SERIAL.size:
                page.report(CorruptRecord(f"the key {key.hex()} is cut off"))
                at = key + b"\0"
                continue
            serial = int.from_bytes(key[: SERIAL.size])
            yield serial
            if serial >= SERIALS:
                return
            at = SERIAL.pack(serial + 1)

    def counts(self, namespace: str) -> Mapping[int, int]:
        """What `Store.counts` says."""
        with self._environment.view() as view:
            number = self._names.find(view, namespace)
            if number is None:
                return {}
            prefix = META_COUNT + NUMBER.pack(number)
            cursor = view.txn.cursor(db=view.tables.meta)
            found = ((key[-1], unseal_number(SERIAL, key, record)) for key, record in items_under(cursor, prefix))
            return {status: count for status, count in found if count}

    def _candidates(self, view: View, where: SummaryFilter, first: int) -> Iterator[int]:
        """Serials in order, from `first` on, of a superset of what matches: by an attribute if there is one, else by status."""
        namespace = self._names.find(view, where.namespace)
        if namespace is None:
            return iter(())
        for name, value in where.attributes.items():
            number = self._names.find(view, name)
            if number is None:
                return iter(())
            return _serials(view, ATTRIBUTE_PREFIX.pack(BY_ATTRIBUTE, namespace, number) + indexed(value), first)
        return heapq.merge(*(_serials(view, prefix, first) for prefix in self._by_status(view, where, namespace)))

    def _by_status(self, view: View, where: SummaryFilter, namespace: int) -> list[bytes]:
        """The prefixes of the index by status and type that a filter concerns."""
        cursor = view.txn.cursor(db=view.tables.vis)
        prefix = STATUS_PREFIX.pack(BY_STATUS, namespace)
        if where.statuses is None:
            statuses = list(distinct_under(cursor, prefix, 1))
        else:
            statuses = [bytes([status]) for status in sorted(where.statuses) if 0 <= status <= 255]
        if where.type is None:
            return [prefix + status + number for status in statuses for number in distinct_under(cursor, prefix + status, 4)]
        number = self._names.find(view, where.type)
        return [] if number is None else [prefix + status + NUMBER.pack(number) for status in statuses]


def _serials(view: View, prefix: bytes, first: int) -> Iterator[int]:
    """The serials at the end of the keys that are nothing but `prefix` and a serial."""
    length = len(prefix) + SERIAL.size
    for key in keys_under(view.txn.cursor(db=view.tables.vis), prefix, SERIAL.pack(first)):
        if len(key) == length:
            yield SERIAL.unpack_from(key, len(prefix))[0]
