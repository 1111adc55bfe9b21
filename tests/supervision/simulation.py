"""One seed: simulate, and hold what happened against the laws."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from . import keyed_laws, laws, tree_laws
from .keyed_world import KeyedWorld
from .tree_outside import Outside
from .tree_world import TreeWorld
from .virtual import run_virtually
from .world import World


class Simulated(Protocol):
    """What the worlds have in common."""

    log: list[Any]

    @property
    def main(self) -> Callable[[], Awaitable[None]]: ...


def simulate(world: Simulated, seed: int, check: Callable[[Any], None]) -> list[str]:
    """Returns the log as text, which is the same whenever ``seed`` is; raises if a law is broken."""
    try:
        run_virtually(world.main, seed)
        check(world)
    except (AssertionError, trio.TrioInternalError) as broken:
        broken.add_note("\n".join(map(str, world.log)))
        raise
    return [f"{event.at} {event.what} {event.who} {event.detail!r}" for event in world.log]


def tree(seed: int) -> list[str]:
    """One tree of supervisors."""
    world = TreeWorld(seed)
    return simulate(Outside(world), seed, lambda _: tree_laws.check(world))


KINDS: dict[str, Callable[[int], list[str]]] = {
    "supervisor": lambda seed: simulate(World(seed), seed, laws.check),
    "directory": lambda seed: simulate(KeyedWorld(seed), seed, keyed_laws.check),
    "tree": tree,
}
