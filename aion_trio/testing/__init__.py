"""Tools for those who write workflows: run one in virtual time, crash it everywhere, let its store fail.

`run_workflow` is one line for one workflow. `explore_crashes` runs a scenario, crashes it before and after each of its commits
and compares what recovery makes of it with the undisturbed run. `run_virtual` runs any async function in virtual time.
`FaultyStore` fails on purpose where it is told to.

`open_test_engine` is an engine in memory, `double` a double of an activity; `replay_history` replays what a production
journal exported with the code of today. The pytest plugin is `aion_trio.testing.plugin`. `simulate` runs the engine itself through
one seed of random programs, clients and crashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..stores import Fault, FaultyStore, MemoryStore, SimulatedCrash
from .answers import ActivityDouble, double
from .exploration import CrashSearch, explore_crashes
from .life import Scenario
from .opening import open_test_engine
from .rehearsal import RehearsingStore
from .replaying import Replayed, replay_history
from .report import CrashFinding, CrashPoint, CrashReport
from .single import run_workflow
from .virtual import run_virtual

if TYPE_CHECKING:
    from .simulation import simulate

__all__ = [
    # one workflow
    "run_virtual",
    "run_workflow",
    # an engine, and doubles of activities
    "ActivityDouble",
    "double",
    "open_test_engine",
    # replay
    "RehearsingStore",
    "Replayed",
    "replay_history",
    # crashes
    "CrashFinding",
    "CrashPoint",
    "CrashReport",
    "CrashSearch",
    "Scenario",
    "explore_crashes",
    # faults
    "Fault",
    "FaultyStore",
    "MemoryStore",
    "SimulatedCrash",
    # the engine itself
    "simulate",
]


def __getattr__(name: str) -> Any:
    """`simulate` is loaded when it is asked for: it brings the whole simulation along, which tests of workflows do not need."""
    if name == "simulate":
        from .simulation import simulate

        return simulate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
