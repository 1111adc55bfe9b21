"""The chapters of the exploration of crashes: each scenario with its definitions, and how its histories are compared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aion_trio as aion
from aion_trio.testing import CrashReport, CrashSearch, explore_crashes
from aion_trio.testing.comparison import Order

from . import crash_orders, crash_scenarios as scenarios

Clients = Callable[[aion.Engine], Awaitable[object]]


@dataclass(frozen=True)
class Chapter:
    """A scenario, how its histories are compared, and the definitions that it needs."""

    clients: Clients
    order: Order = "exact"
    resident_limit: int = 10_000
    workflows: Sequence[Any] = scenarios.WORKFLOWS
    activities: Sequence[Any] = scenarios.ACTIVITIES


CHAPTERS: dict[str, Chapter] = {
    "steps": Chapter(scenarios.steps),
    "fan": Chapter(scenarios.fan, "any"),
    "timers": Chapter(scenarios.timers),
    "letters": Chapter(scenarios.letters),
    "gossip": Chapter(scenarios.gossip, "any"),
    "kin": Chapter(scenarios.kin, "any"),
    "policies": Chapter(scenarios.policies, "any"),
    "letting_go": Chapter(scenarios.letting_go),
    "ending": Chapter(scenarios.ending, "any"),
    "minds": Chapter(scenarios.minds, "unchecked"),
    "twins": Chapter(scenarios.twins, "unchecked"),
    "generations": Chapter(scenarios.generations),
    "crowd": Chapter(scenarios.crowd, "any"),
    "crowd that is never in memory": Chapter(scenarios.crowd, "any", 1),
    "orders": Chapter(crash_orders.orders, "any", workflows=crash_orders.WORKFLOWS, activities=crash_orders.ACTIVITIES),
}


def explore(name: str, search: CrashSearch) -> CrashReport:
    """Explore the crashes of one chapter. When the engine stays down for a while, only results and invariants are compared."""
    chapter = CHAPTERS[name]
    config = aion.EngineConfig(resident_limit=chapter.resident_limit)
    chosen = replace(search, order="unchecked" if search.down_for else chapter.order)
    return explore_crashes(chapter.clients, workflows=chapter.workflows, activities=chapter.activities, config=config, search=chosen)
