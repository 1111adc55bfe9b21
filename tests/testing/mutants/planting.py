"""How a fault is put into the engine for the time of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from aion_trio.journal import Projection
from aion_trio.runs import actor

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Another attribute of a class or module."""
    old = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


@contextmanager
def effect_of_event(code: int, effect: Callable[[Any, Any], None]) -> Iterator[None]:
    """Another effect of an event on the index rows."""
    old = Projection.EFFECTS[code]
    Projection.EFFECTS[code] = effect
    try:
        yield
    finally:
        Projection.EFFECTS[code] = old


@contextmanager
def effect_of_message(message: type, effect: Any) -> Iterator[None]:
    """Another effect of a message on a workflow."""
    old = actor._EFFECTS[message]
    actor._EFFECTS[message] = effect
    try:
        yield
    finally:
        actor._EFFECTS[message] = old


@contextmanager
def all_of(*faults: AbstractContextManager[None]) -> Iterator[None]:
    """Several at once."""
    with ExitStack() as stack:
        for fault in faults:
            stack.enter_context(fault)
        yield
