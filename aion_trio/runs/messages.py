"""What is said to a workflow's actor.

A `Request` is answered when its effect is durable, never before: whoever has an answer can rely on it after a crash.
Messages that come from obligations (of other workflows, or left over by a crash) carry what identifies their cause, so
that receiving one twice has one effect.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..activities import ActivityOutcome
from ..definitions import WorkflowDefinition
from ..events import Failure, Raw
from ..stores.contract import AttributeValue, Close, WorkflowKey
from ..supervision import Request

IfExists = Literal["use", "fail", "new_run"]


class Effect(enum.Enum):
    """What became of an obligation that was delivered."""

    DONE = "done"  # recorded now, and the row closed with it
    SETTLED = "settled"  # there was nothing left to do; the row is closed
    MOOT = "moot"  # there was nothing left to do; the row is the owner's to close
    LATER = "later"  # it cannot be done yet; the row stays


@dataclass(eq=False)
class Start(Request[bytes]):
    """Start the workflow, or find the run that an equal start made; the answer is the chain's first run id (J2, S6)."""

    definition: WorkflowDefinition[..., Any]
    input: bytes
    digest: bytes
    if_exists: IfExists = "use"
    timeout_us: int | None = None
    attributes: Mapping[str, AttributeValue] | None = None
    request_id: str | None = None


@dataclass(eq=False)
class StartChild(Request[Effect]):
    """Start the child that `parent` recorded as `cause` (C1, R3)."""

    cause: Raw
    parent: WorkflowKey
    parent_run_id: bytes
    closes: Close


@dataclass(eq=False)
class StartSuccessor(Request[Effect]):
    """Start the successor of a run that continued as new (R4)."""

    closes: Close


@dataclass(eq=False)
class Deliver(Request[None]):
    """A signal from outside; answered when it is durable (S1)."""

    name: str
    payload: bytes
    run_id: bytes | None = None
    request_id: str | None = None


@dataclass(eq=False)
class DeliverFrom(Request[str | None]):
    """A signal from another workflow: the answer is "", the reason why it cannot be delivered, or None for later (S2)."""

    name: str
    payload: bytes
    sender: list[Any]


@dataclass(eq=False)
class SignalOutcome(Request[Effect]):
    """What became of the signal that this workflow's run `run_no` sent as `ordinal`; `reason` "" means delivered."""

    run_no: int
    ordinal: int
    reason: str


@dataclass(eq=False)
class ChildClosed(Request[Effect]):
    """A child's chain has closed; `closes` is the row that owes it to this workflow (C2)."""

    run_id: bytes
    ordinal: int
    result: bytes | None
    failure: Failure | None
    closes: Close


@dataclass(eq=False)
class ParentRequest(Request[Effect]):
    """A cancel, or a termination, that the parent `[workflow id, run id, ordinal]` owes to its child (C3, K9)."""

    parent: list[Any]
    terminate: bool
    reason: str
    closes: Close


@dataclass(eq=False)
class Settle(Request[Effect]):
    """Close a row of this workflow whose effect needs no event; if it is owed to `absent`, only while there is no such workflow."""

    closes: Close
    absent: str | None = None


@dataclass(eq=False)
class Cancel(Request[None]):
    """Request the cancellation of the newest run, or of `run_id` (L1)."""

    reason: str
    run_id: bytes | None = None
    request_id: str | None = None


@dataclass(eq=False)
class Terminate(Request[None]):
    """End the newest run, or `run_id`, at once (L1)."""

    reason: str
    run_id: bytes | None = None


@dataclass(eq=False)
class Ask(Request[bytes]):
    """A query; answered from live state, or from history where the run is closed (S4)."""

    name: str
    run_id: bytes | None = None


@dataclass(eq=False)
class Stack(Request[str]):
    """Where each task of the newest run waits, as text; nothing is recorded (K6)."""


@dataclass(eq=False)
class Import(Request[None]):
    """Take over a history of another journal, whole or a prefix."""

    raws: list[Raw]


@dataclass(eq=False)
class Resume(Request[int]):
    """Bring the run into memory: take an owed step, fire what is due, dispatch what is pending. The answer counts activities."""


@dataclass(eq=False, slots=True)
class Wake:
    """A wake-up is due."""


Message = (
    Start | StartChild | StartSuccessor | Deliver | DeliverFrom | SignalOutcome | ChildClosed | ParentRequest | Settle
    | Cancel | Terminate | Ask | Stack | Import | Resume | Wake | ActivityOutcome
)  # fmt: skip
