"""Tools for those who write workflows: run one in virtual time, crash it everywhere, let its store fail.

`run_workflow` is one line for one workflow. `explore_crashes` runs a scenario, crashes it before and after each of its commits
and compares what recovery makes of it with the undisturbed run. `run_virtual` runs any async function in virtual time.
`FaultyStore` fails on purpose where it is told to.

`open_test_engine` is an engine in memory, `double` a double of an activity; `replay_history` replays what a production
journal exported with the code of today. The pytest plugin is `aion_trio.testing.plugin`.
"""

from ..stores import Fault, FaultyStore, MemoryStore, SimulatedCrash
from .answers import ActivityDouble, double
from .comparison import Order
from .exploration import CrashSearch, explore_crashes
from .life import Scenario
from .opening import open_test_engine
from .rehearsal import RehearsingStore
from .replaying import Replayed, replay_history
from .report import CrashFinding, CrashPoint, CrashReport
from .single import run_workflow
from .virtual import run_virtual

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
    "Order",
    "Scenario",
    "explore_crashes",
    # faults
    "Fault",
    "FaultyStore",
    "MemoryStore",
    "SimulatedCrash",
]
