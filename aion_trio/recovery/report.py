"""What a recovery found and did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Quarantined(NamedTuple):
    """A workflow that cannot go on with the code or the history at hand, and why; nothing of it is lost (R8)."""

    workflow_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """The effects of one boot's sweeps: counts of what they did, not of what they looked at (R9).

    `wakeups_due` counts runs that were woken because their time had come, `activities_resumed` attempts that were in
    flight or in back-off. `seconds` is the time from the first sweep to the last.
    """

    children_started: int = 0
    successors_started: int = 0
    results_delivered: int = 0
    signals_delivered: int = 0
    wakeups_due: int = 0
    activities_resumed: int = 0
    quarantined: tuple[Quarantined, ...] = ()
    seconds: float = 0.0
