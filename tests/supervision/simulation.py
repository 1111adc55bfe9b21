"""One seed: simulate, and hold what happened against the laws."""

from __future__ import annotations

from collections.abc import Callable

import trio

from .laws import check
from .virtual import run_virtually
from .world import World


def simulate_supervisor(seed: int) -> list[str]:
    """Returns the log as text, which is the same whenever ``seed`` is; raises if a law is broken."""
    world = World(seed)
    try:
        run_virtually(world.main, seed)
        check(world)
    except (AssertionError, trio.TrioInternalError) as broken:
        broken.add_note("\n".join(map(str, world.log)))
        raise
    return [f"{event.at:.1f} {event.what} {event.who} {event.detail!r}" for event in world.log]


KINDS: dict[str, Callable[[int], list[str]]] = {"supervisor": simulate_supervisor}
