"""Tools for those who write workflows: run one in virtual time, crash it everywhere, let its store fail.

`run_workflow` is one line for one workflow. `explore_crashes` runs a scenario, crashes it before and after each of its commits
and compares what recovery makes of it with the undisturbed run. `run_virtual` runs any async function in virtual time.
`FaultyStore` fails on purpose where it is told to.
"""

from ..stores import Fault, FaultyStore, MemoryStore, SimulatedCrash
from .comparison import Order
from .exploration import CrashSearch, explore_crashes
from .life import Scenario
from .report import CrashFinding, CrashPoint, CrashReport
from .single import run_workflow
from .virtual import run_virtual

__all__ = [
    # one workflow
    "run_virtual",
    "run_workflow",
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
