"""Raw events of every class, with any content that their fields allow."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Any, get_type_hints

from hypothesis import strategies as st

from aion_trio.events import CLASSES, FIELD_NAMES, Raw, datetime_of

from .data import PLAIN

TEXTS = st.text(max_size=12)
BYTES = st.binary(max_size=24)
ATTRIBUTES = st.dictionaries(TEXTS, PLAIN, max_size=3)
SENDERS = st.none() | st.tuples(TEXTS, BYTES, st.integers(0, 99)).map(list)
FAILURES: st.SearchStrategy[Any] = st.recursive(
    st.none(),
    lambda cause: st.tuples(TEXTS, TEXTS, TEXTS, st.none() | BYTES, cause, st.booleans()).map(list),
    max_leaves=3,
).filter(lambda failure: failure is not None)
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "attributes": ATTRIBUTES,
    "failure": FAILURES,
    "carried_signals": st.lists(st.tuples(TEXTS, BYTES, SENDERS).map(list), max_size=2),
    "parent": SENDERS,
    "sender": SENDERS,
    "ordinals": st.lists(st.integers(1, 9), max_size=3),
    "options": st.just([30_000_000, None, None, None, [3, 1.0, 2.0, 60.0, 0.5, ["ValueError"]], "thread"]),
    "outcome": st.tuples(st.just(True), BYTES).map(list) | st.tuples(st.just(False), FAILURES).map(list),
    "trace_context": st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
}
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**40), 2**62),
    str: TEXTS,
    bytes: BYTES,
    int | None: st.none() | st.integers(0, 2**62),
    str | None: st.none() | TEXTS,
}
LATEST_US = (dt.datetime(9999, 12, 31, tzinfo=dt.UTC) - datetime_of(0)) // dt.timedelta(microseconds=1)


def raws_of(code: int) -> st.SearchStrategy[Raw]:
    """Raw events of one code."""
    cls = CLASSES[code]
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)][2:]
    assert tuple(names) == FIELD_NAMES[code]
    parts = [BY_NAME[name] if name in BY_NAME else BY_TYPE[hints[name]] for name in names]
    return st.tuples(st.just(code), st.integers(0, LATEST_US), *parts).map(list)


RAWS: st.SearchStrategy[Raw] = st.sampled_from(sorted(CLASSES)).flatmap(raws_of)
