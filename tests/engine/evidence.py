"""What a store shows from outside: what is still owed, and what a history holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import trio

import aion_trio as aion
from aion_trio.stores import MemoryStore, Store, dump

from .harness import history_of


def owed(store: Store) -> list[str]:
    """Every obligation in the store, as text."""
    return [f"{key.workflow_id}: {row.kind.name} due {row.due_us}" for key, records in dump(store).items() for row in records.obligations]


def records(store: Store) -> object:
    """All records of a store, to be compared with a later look."""
    return dump(store)


async def quiet(store: Store, ticks: int = 200) -> None:
    """Let everything that can run without time passing run, until the store no longer changes."""
    assert isinstance(store, MemoryStore)
    before: object = None
    for _ in range(ticks):
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        now = store.stats()
        if now == before:
            return
        before = now


async def eventually(condition: Callable[[], bool], seconds: float = 3600.0) -> None:
    """Wait in virtual time until a condition holds."""
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.01)


async def only(engine: aion.Engine, workflow_id: str, event_class: type[Any]) -> list[Any]:
    """The events of one class in a history."""
    return [event for event in await history_of(engine, workflow_id) if isinstance(event, event_class)]


@contextmanager
def silent_log(caplog: Any) -> Iterator[None]:
    """A block in which the library logs nothing at WARNING or above."""
    with caplog.at_level(logging.DEBUG, logger="aion_trio"):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
