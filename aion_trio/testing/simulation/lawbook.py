"""Every invariant that a simulation is held against, by name.

Each has a fault of the engine that it alone notices: `tests/testing/mutants` has them, one for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple


class Law(Enum):
    """An invariant, with the rules of the engine that it watches."""

    # of a journal, at any moment
    INDEXES = "J4: index rows follow from the events"
    TIME_GOES_ON = "H8: time does not go back"
    CLOSED_IS_CLOSED = "H4, T3: nothing comes after the closing event of a run"
    ORDINALS = "K3: commands are numbered one by one"
    ONE_OUTCOME = "T2, C2: at most one thing comes of a command, and nothing without one"
    NOTHING_EARLY = "T1: nothing fires early"
    ATTEMPTS = "A3: attempts are counted one by one"
    RUN_TIMEOUT = "T4: a run ends by its time-out, and not before it"
    SIGNAL_ONCE = "S2: a signal is received once if it was delivered, and not if it was refused"
    SIGNAL_ORDER = "S2: the signals of one run come in order"
    CHILD_IS_RECORDED = "C1: a child's parent has recorded it"
    CHILD_AS_RECORDED = "R3: a child starts as it was recorded"
    SAME_PARENT = "N1: a successor has the parent of its predecessor"
    CHILD_OUTCOME = "C2: what a parent records of a child is how the child ended"
    REPLAY = "K1: a run replays from its history"
    OTHER_NAMESPACES = "R2: an engine leaves other namespaces alone"
    DISK = "J1, J9: a journal on a disk says what one in memory says"
    RECOVERY_IS_IDEMPOTENT = "R7: a second recovery changes nothing"

    # of an engine
    SOUNDNESS = "R8: an engine does not fail"
    BOUNDED_STOP = "R10: an engine stops at once"
    PROMISED_ERRORS = "a client meets no other errors than it was promised"
    WORK_IS_OWED = "A1: an attempt begins only when the journal owes it"
    WORK_IS_NOT_REPEATED = "A1: an attempt begins again only in another life"
    WORK_WAS_DONE = "A2: what is recorded of an activity is what it did"

    # at rest
    ALL_ENDS = "R5: everything ends"
    NOTHING_OWED = "J9: a closed workflow owes nothing"
    PROGRAM = "K1, K8: a run ends as its program can end"
    SUCCESSOR = "N1: a successor is as its predecessor recorded, with the same time-out and policy"
    CARRIED_CANCEL = "N1: a cancel request goes along to the successor"
    RECEIVED = "S1, S3: code receives what arrived, in order"
    CAUSE = "L1: nothing is cancelled or terminated unless somebody asked for it"
    CHILD_STARTS = "R3: a recorded child starts"
    PARENT_CLOSE = "C3: who outlives its parent was let go, or told"
    CANCEL_IS_KEPT = "L1: an acknowledged cancel request is recorded"
    TERMINATED_ONCE = "L1: a termination is recorded once if it was acknowledged, and not if it was refused"
    START_IS_KEPT = "J2: an acknowledged start is in the journal, as it was asked for"
    START_ONCE = "S6: a request id starts one run"
    SIGNAL_IS_KEPT = "S1, S6: a signal is recorded once if it was acknowledged, and not if it was refused"
    RESULT = "H6: a result is that of the chain that was waited for"
    QUERY = "S4: what a query told is not taken back"


class Breach(NamedTuple):
    """A law that does not hold, and where."""

    law: Law
    text: str

    def __str__(self) -> str:
        return f"{self.law.value} - {self.text}"


def elsewhere(where: str, breaches: Iterable[Breach]) -> Iterator[Breach]:
    """The same, in another place than the journal that a simulation is about."""
    return (Breach(law, f"{where}: {text}") for law, text in breaches)
