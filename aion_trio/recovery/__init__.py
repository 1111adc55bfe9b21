"""Recovery: what a crash left owed is done before any caller is let in, and what is owed later is done the same way.

`sweeps` goes through the obligation indexes once, at boot; `courier` carries out one obligation, for the sweeps and
for the live path alike; `report` says what was found and done.
"""

from .actor import Recovery
from .courier import Courier
from .report import Quarantined, RecoveryReport

__all__ = ["Courier", "Quarantined", "Recovery", "RecoveryReport"]
